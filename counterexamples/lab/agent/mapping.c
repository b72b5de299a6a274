/* A fresh mapping, its file, and its end; see rooms.h. */
#define _GNU_SOURCE
#include "rooms.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define MPOL_DEFAULT 0
/* Below everything else of this process, so that smaps has it soon; alone, so that it cannot merge. */
#define PLACE ((char *)0x100000000ul)
#define OTHER_PLACE ((char *)0x140000000ul)
#define FRESH_PLACES ((char *)0x1000000000ul)	/* of a mapping with several pages, each for one mremap */
#define APART ((1ul << 30) + (1ul << 16))
#define BESIDE (1ul << 18)	/* within what one page table maps */
#define HUGETLB "/sys/kernel/mm/hugepages/hugepages-2048kB/"
#define LEAST_HUGE 4		/* free ones: the mapping, and its copies */
#define FEW_HUGE "fewer than 4 huge pages of 2 MiB are free"

char *place = PLACE, *part = PLACE;
unsigned long length = PAGE, part_length = PAGE;
unsigned long pages;
unsigned long page_size = PAGE;
static unsigned int kind;	/* of the mapping, in `mappings` */
static int backing = -1;	/* the file of a mapping with several pages */
static char *next_place = FRESH_PLACES;
const char *mapped;

enum from { ANONYMOUS, TMPFS, REGULAR };

/* TMPFS and REGULAR: of a fresh file of the same length that has content. */
static const struct {
	const char *name;
	int flags;
	unsigned long page_size;
	enum from from;
	int huge;
} mappings[] = {
	{ "anon", MAP_PRIVATE | MAP_ANONYMOUS, PAGE },
	{ "shmem", MAP_SHARED | MAP_ANONYMOUS, PAGE },
	{ "private-shmem", MAP_PRIVATE, PAGE, TMPFS },
	{ "hugetlb", MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, HUGE_PAGE },
	{ "private-hugetlb", MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, HUGE_PAGE },
	{ "file", MAP_SHARED, PAGE, REGULAR },
	{ "private-file", MAP_PRIVATE, PAGE, REGULAR },
	{ "thp", MAP_PRIVATE | MAP_ANONYMOUS, HUGE_PAGE, ANONYMOUS, 1 },
	{ "shmem-thp", MAP_SHARED | MAP_ANONYMOUS, HUGE_PAGE, ANONYMOUS, 1 },
};

/* As a program has it that has kept the descriptor; of memory without a name too. */
static int open_mapped_file(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (unsigned long)place,
		 (unsigned long)place + length);
	return open(path, O_RDWR | O_CLOEXEC);
}

const char *store_by_alias(void)
{
	int fd = open_mapped_file();
	char *alias = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (alias == MAP_FAILED)
		return result(1);
	*(volatile char *)alias = 1;
	return result(munmap(alias, length) || close(fd));
}

const char *truncate_file(void)
{
	int fd = open_mapped_file();

	return result(ftruncate(fd, 0) || ftruncate(fd, length) || close(fd));
}

/* Anonymous private memory has none, and needs none. */
const char *without_map_files(void)
{
	int fd = open_mapped_file();
	int failed = fd < 0 && errno != ENOENT;

	close(fd);
	return failed ? "/proc/self/map_files cannot be opened" : NULL;
}

/* A file in memory is of another kind: the kernel asks nobody before its page is written. */
static const char *without_files(void)
{
	struct statfs told;

	if (*no_disk || *no_files)
		return *no_disk ? no_disk : no_files;
	if (statfs(FILE_SYSTEM, &told))
		return "there is no " FILE_SYSTEM;
	return told.f_type == TMPFS_MAGIC || told.f_type == RAMFS_MAGIC
		? FILE_SYSTEM " is in memory, not on a disk" : NULL;
}

/* Clean, and in the page cache. What there was of it before is truncated, whoever maps it. */
static int filled_file(enum from from)
{
	static char content[PAGE] = "x";
	static int memory = -1;

	if (from == TMPFS && memory < 0)
		memory = memfd_create("page", MFD_CLOEXEC);
	if (from == TMPFS && ftruncate(memory, 0))
		return -1;
	int fd = from == TMPFS ? dup(memory)
		: open(FILE_SYSTEM "/page", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	int failed = fd < 0 || ftruncate(fd, length);

	for (unsigned long at = 0; !failed && at < length; at += page_size)
		failed = pwrite(fd, content, PAGE, at) != PAGE;
	if (fd >= 0 && (failed || fsync(fd))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A page beside each place that small pages and those of hugetlb have: its page tables are theirs, so
 * that they are there before the first fault. */
static void make_table(char *at)
{
	char *page = mmap(at + (page_size == PAGE ? BESIDE : 2 * page_size), PAGE,
			  PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (page != MAP_FAILED)
		*(volatile char *)page = 1;
}

static void drop_table(char *at)
{
	munmap(at + (page_size == PAGE ? BESIDE : 2 * page_size), PAGE);
}

/* The number of pages behind the name of a mapping that has several: "shmem:4". */
static int find_kind(const char *name)
{
	unsigned long bytes = strcspn(name, ":");

	pages = name[bytes] ? strtoul(name + bytes + 1, NULL, 10) : 0;
	if (name[bytes] && (!pages || pages > MOST_PAGES))
		return 0;
	for (kind = 0; kind < sizeof(mappings) / sizeof(*mappings); kind++)
		if (strlen(mappings[kind].name) == bytes && !strncmp(name, mappings[kind].name, bytes))
			return !(pages && (mappings[kind].page_size != PAGE
					   || mappings[kind].from == REGULAR));
	return 0;
}

/* Of several pages of shared memory the file is kept, so that a part can be mapped anew. */
static int open_backing(void)
{
	if (mappings[kind].from != ANONYMOUS)
		return filled_file(mappings[kind].from);
	if (pages && mappings[kind].flags & MAP_SHARED) {
		int fd = memfd_create("pages", MFD_CLOEXEC);

		return fd < 0 || ftruncate(fd, length) ? -1 : fd;
	}
	errno = 0;
	return -1;
}

/* Pages of the mapping, or over them, from the page `from` of its file on. */
static char *map_pages(char *at, unsigned long bytes, int how, unsigned long from)
{
	int flags = mappings[kind].flags & ~(backing >= 0 ? MAP_ANONYMOUS : 0);

	return mmap(at, bytes, PROT_READ | PROT_WRITE, flags | how, backing, from * PAGE);
}

const char *make_mapping(const char *name)
{
	char *got;

	if (!find_kind(name))
		return "the agent does not know this mapping";
	page_size = mappings[kind].page_size;
	length = page_size * (pages ? pages : 1);
	part = place;
	part_length = length;
	if (mappings[kind].from == REGULAR && without_files())
		return without_files();
	backing = open_backing();
	if (backing < 0 && errno)
		return "no such file can be made";
	if (!mappings[kind].huge) {
		make_table(PLACE);
		if (!pages)
			make_table(OTHER_PLACE);
	}
	got = map_pages(place, length, MAP_FIXED_NOREPLACE, 0);
	if (!pages && backing >= 0) {
		close(backing);
		backing = -1;
	}
	if (got != place)
		return mappings[kind].flags & MAP_HUGETLB ? FEW_HUGE : "mmap fails";
	if (mappings[kind].huge && madvise(place, length, MADV_HUGEPAGE))
		return "MADV_HUGEPAGE fails";
	mapped = mappings[kind].name;
	return NULL;
}

const char *without_huge_page(void)
{
	char line[256];
	unsigned long kilobytes = 0, found;

	if (page_size == PAGE)
		return NULL;
	if (strstr(mapped, "hugetlb"))
		return number_in(HUGETLB "free_hugepages") < LEAST_HUGE ? FEW_HUGE : NULL;
	*(volatile char *)place = 1;
	FILE *smaps = fopen("/proc/self/smaps", "r");
	while (smaps && fgets(line, sizeof(line), smaps) && strncmp(line, "VmFlags:", 8))
		if (sscanf(line, "AnonHugePages: %lu", &found) == 1
		    || sscanf(line, "ShmemPmdMapped: %lu", &found) == 1)
			kilobytes += found;
	if (smaps)
		fclose(smaps);
	return kilobytes << 10 == length ? NULL : "a store gets no huge page "
		"(/sys/kernel/mm/transparent_hugepage)";
}

/* A part of several pages, which its file has from the page `from` on: the old goes at once. */
const char *map_part(unsigned long from)
{
	return result(map_pages(part, part_length, MAP_FIXED, from) == MAP_FAILED);
}

const char *map_anew(void)
{
	if (pages)
		return map_part((part - place) / PAGE);
	return result(munmap(place, length) || make_mapping(mapped));
}

/* Several pages may arrive in part, and leave something behind at each place where they come. */
char *other_place(void)
{
	if (pages) {
		next_place += APART;
		make_table(next_place);
		return next_place;
	}
	return place == PLACE ? OTHER_PLACE : PLACE;
}

/* All that was left where the mapping has been. */
static void drop_places(void)
{
	munmap(PLACE, length);
	drop_table(PLACE);
	if (pages)
		munmap(FRESH_PLACES, next_place + APART - FRESH_PLACES);
	else {
		munmap(OTHER_PLACE, length);
		drop_table(OTHER_PLACE);
	}
	if (backing >= 0)
		close(backing);
	backing = -1;
	place = PLACE;
	next_place = FRESH_PLACES;
}

void drop(void)
{
	end_children();
	close_ring();
	drop_places();
	syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0ul);
	if (uffd >= 0)
		close_userfaultfd();
	run_is_over = 0;
	if (is_heir) {
		fflush(stdout);
		_exit(0);
	}
}

void prepare_calls(void)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	open_files();
}
