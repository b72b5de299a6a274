/* The calls of a run, and the mapping that they are made on; see agent.c. */
#ifndef CALLS_H
#define CALLS_H

#define PAGE 4096ul
#define HUGE_PAGE (2ul << 20)
#define FILE_SYSTEM "/var/tmp"	/* where the agent, as init, mounts ext4 */
#define OTHER_NODE_MB 256ul	/* what QEMU gives the second NUMA node */

#define MOST_PAGES 8ul

extern char *place;
extern unsigned long length;
extern unsigned long pages;	/* that are counted behind the mapping's name; 0 where none are */
/* Of the agent as init: why it has made no disks, and no file system on one; else empty. */
extern char no_disk[128], no_files[64];

/* One operation: "ok", "event", "segv", "refault", an errno's name; NULL for an unknown one. It
 * returns in the child for "fork:child", and in the parent when that is through with the run. */
const char *operate(const char *op, long *faults);
/* A fresh mapping by name, or why there is none. */
const char *make_mapping(const char *name);
/* Whether this kernel has one. */
int has_userfaultfd(void);
/* A userfaultfd with the features that every run has, or why there is none. */
const char *open_userfaultfd(void);
/* Whether a child has made the rest of the run. */
int run_by_child(void);
/* Ends a run, and the process that is not the first of it: no mapping, no userfaultfd, no pin, no child. */
void drop(void);
/* The entry of its first page in /proc/self/pagemap. */
unsigned long long pagemap_entry(void);
/* Those of all its pages, and what PAGEMAP_SCAN says of them, PAGE_IS_*; -1 where the kernel has none. */
void read_pages(unsigned long long *entries, long *categories);
/* Signals, and the files of /proc that operations need. */
void prepare_calls(void);

/* Why the mapping's pages are not as large as its name says, if they are not. */
const char *without_huge_page(void);
/* What calls need beyond the kernel's own: made once, or why it cannot be. */
const char *without_swap(void);
const char *without_second_node(void);
const char *without_pins(void);
const char *without_ksm(void);
const char *without_map_files(void);

#endif
