// SPDX-License-Identifier: GPL-2.0
/*
 * MADV_FREE of a page that KSM has merged loses the memory of others.
 *
 * KSM has merged two pages; one of them is unmapped. MADV_FREE of the other marks the KSM page clean
 * and lazyfree (it is mapped once). What KSM merges into it later, of whatever process, is mapped
 * clean; reclaim takes the page for given up, and drops it. Its owner, who has called no MADV_FREE,
 * reads zeroes.
 *
 * gcc -O2 -o madv_free madv_free.c
 * As root, where KSM may be set. Exit 0: what was stored is there; 1: it is lost; 4: not tried.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define KSM "/sys/kernel/mm/ksm/"
#define CONTENT 7
#define LONGEST 30000	/* ms, of some scans */
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

static void skip(const char *what)
{
	printf("ok 1 # SKIP %s: %s\n", what, strerror(errno));
	exit(4);
}

static void set(const char *name, const char *value)
{
	int fd = open(name, O_WRONLY);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		skip(name);
	close(fd);
}

static long full_scans(void)
{
	char digits[32] = "";
	int fd = open(KSM "full_scans", O_RDONLY);

	if (fd < 0 || read(fd, digits, sizeof(digits) - 1) < 0)
		skip(KSM "full_scans");
	close(fd);
	return atol(digits);
}

/* A page is merged in the second scan that finds it unchanged. */
static void let_ksm_scan(void)
{
	long first = full_scans();

	set(KSM "run", "1");
	for (int ms = 0; full_scans() < first + 4; ms++) {
		if (ms > LONGEST)
			skip("KSM does not scan");
		usleep(1000);
	}
	set(KSM "run", "0");
}

/* Apart from each other, so that no mapping is a part of another. */
static char *mergeable(void)
{
	char *room = mmap(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *page = room + PAGE;

	if (room == MAP_FAILED || mprotect(page, PAGE, PROT_READ | PROT_WRITE))
		skip("mmap");
	memset(page, CONTENT, PAGE);
	if (madvise(page, PAGE, MADV_MERGEABLE))
		skip("MADV_MERGEABLE");
	return page;
}

static int ended(pid_t child)
{
	int status = 0;

	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 4;
}

/* Another process: its page is merged into the one that its parent gives up meanwhile. */
static int victim(int parent_freed, int merged, int parent_gone)
{
	char byte, *page;

	if (read(parent_freed, &byte, 1) != 1)
		return 4;
	page = mergeable();
	let_ksm_scan();
	if (write(merged, "m", 1) != 1 || read(parent_gone, &byte, 1) != 1)
		return 4;
	if (madvise(page, PAGE, MADV_PAGEOUT))	/* as reclaim by itself would */
		skip("MADV_PAGEOUT");
	printf("# stored %d, read %d\n", CONTENT, *page);
	printf("%s 1 what was stored is there\n", *page == CONTENT ? "ok" : "not ok");
	fflush(stdout);
	return *page != CONTENT;
}

int main(void)
{
	int freed[2], merged[2], gone[2];
	char byte, *ours, *twin;
	pid_t child;

	printf("KTAP version 1\n1..1\n");
	fflush(stdout);
	set(KSM "sleep_millisecs", "1");
	set(KSM "pages_to_scan", "10000");
	if (!access(KSM "smart_scan", W_OK))
		set(KSM "smart_scan", "0");
	if (pipe(freed) || pipe(merged) || pipe(gone))
		skip("pipe");
	child = fork();
	if (child < 0)
		skip("fork");
	if (!child) {
		int lost = victim(freed[0], merged[1], gone[0]);

		_exit(lost);
	}
	ours = mergeable();
	twin = mergeable();
	let_ksm_scan();
	munmap(twin, PAGE);
	if (madvise(ours, PAGE, MADV_FREE))
		skip("MADV_FREE");
	if (write(freed[1], "f", 1) != 1 || read(merged[0], &byte, 1) != 1)
		skip("the other process has ended");
	munmap(ours, PAGE);
	if (write(gone[1], "g", 1) != 1)
		skip("the other process has ended");
	return ended(child);
}
