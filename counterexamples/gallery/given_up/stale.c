// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that is given up and read again is mapped, reads as zeroes, and is not soft-dirty.
 *
 * Who saves memory step by step (clear_refs, and of what is mapped what pagemap calls soft-dirty)
 * takes such a page for unchanged, and restores what was saved of it before. The zero page of 4K
 * can be told by its frame; a page of shared memory, and the huge zero page, cannot.
 *
 * gcc -O2 -o stale stale.c
 * Exit 0: what changed is soft-dirty; 1: some of it is not; 4: not tried.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE (2ul << 20)
#define CONTENT 7
#define PRESENT (1ull << 63)
#define SOFT_DIRTY (1ull << 55)

static void skip(const char *what)
{
	printf("ok 1 # SKIP %s: %s\n", what, strerror(errno));
	exit(4);
}

static void clear_refs(void)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY);

	if (fd < 0 || write(fd, "4", 1) != 1)
		skip("clear_refs");
	close(fd);
}

static uint64_t pagemap(const volatile char *page)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (fd < 0 || pread(fd, &entry, 8, (uintptr_t)page / sysconf(_SC_PAGESIZE) * 8) != 8)
		skip("pagemap");
	close(fd);
	return entry;
}

/* One page or a huge one: stored to, tracked, given up by `advice`, and read. */
static int stale(int number, const char *what, int flags, int huge, int advice)
{
	size_t size = huge ? HUGE : (size_t)sysconf(_SC_PAGESIZE);
	char *room = mmap(NULL, size + HUGE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
	volatile char *page = room + (-(uintptr_t)room & (HUGE - 1));
	uint64_t entry;
	int read, lost;

	if (room == MAP_FAILED)
		skip("mmap");
	if (madvise((char *)page, size, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE) && huge)
		skip("MADV_HUGEPAGE");
	*page = CONTENT;
	clear_refs();
	if (madvise((char *)page, size, advice))
		skip("madvise");
	read = *page;
	entry = pagemap(page);
	lost = read != CONTENT && (entry & PRESENT) && !(entry & SOFT_DIRTY);
	printf("# stored %d, read %d%s%s\n", CONTENT, read, entry & PRESENT ? ", mapped" : "",
	       entry & SOFT_DIRTY ? ", soft-dirty" : "");
	printf("%s %d %s\n", lost ? "not ok" : "ok", number, what);
	munmap(room, size + HUGE);
	return lost;
}

int main(void)
{
	int lost;

	printf("KTAP version 1\n1..3\n");
	lost = stale(1, "shared memory, MADV_REMOVE", MAP_SHARED, 0, MADV_REMOVE);
	lost |= stale(2, "a huge page, MADV_DONTNEED", MAP_PRIVATE, 1, MADV_DONTNEED);
	lost |= stale(3, "private memory, MADV_DONTNEED", MAP_PRIVATE, 0, MADV_DONTNEED);
	return lost;
}
