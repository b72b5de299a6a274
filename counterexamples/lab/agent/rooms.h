/* What the rooms of the agent have for each other; calls.h is what they have for agent.c. */
#ifndef ROOMS_H
#define ROOMS_H

#include "calls.h"

#include <signal.h>

/* rooms.c: "ok", or the name of errno. */
const char *result(int failed);
int write_to(const char *path, const char *text);
/* -1 where there is none. */
long number_in(const char *path);

/* mapping.c: what an operation is of, the mapping or some of its pages; then what the mapping is. */
extern char *part;
extern unsigned long part_length;
extern unsigned long page_size;
extern const char *mapped;	/* its name, without the number of its pages */
const char *store_by_alias(void);
const char *truncate_file(void);
const char *map_anew(void);
/* A part of several pages, which its file has from the page `from` on: the old goes at once. */
const char *map_part(unsigned long from);
/* Where mremap moves it. */
char *other_place(void);

/* seen.c: of the process that makes the run. */
extern int refs, pagemap;
void open_files(void);
unsigned long long entry_of(const char *page);
int has_bit(int bit);
const char *scan_and_protect(void);

/* access.c */
void on_signal(int sig, siginfo_t *info, void *context);
const char *access_page(int write, long *faults);
const char *access_remotely(int write);
const char *transfer(int into);
/* madvise(2), which may never return. */
const char *advise(int advice);
/* A call that may never return, and that nothing but death ends: by a process that shares our memory.
 * Whether it has returned. */
int mortal(int (*call)(void *), void *arg);

/* uffd.c: what it does of these calls; NULL for another. */
extern int uffd;
const char *operate_uffd(const char *op);
const char *close_userfaultfd(void);
const char *unregister_range(void);

/* children.c */
extern int is_heir, run_is_over;
const char *fork_and_wait(int stores);
const char *fork_and_stay(void);
const char *become_child(void);
void end_children(void);

/* pins.c */
extern int ring;
const char *pin(void);
const char *store_through_pin(void);
void close_ring(void);

/* kernel.c: as operate_uffd(). */
const char *operate_kernel(const char *op);

#endif
