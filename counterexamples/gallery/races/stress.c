// SPDX-License-Identifier: GPL-2.0
/*
 * A race, and how often it is lost: one thread moves pages from one NUMA node to the other, while
 * the main thread takes their write permission away; then each page is stored to.
 *
 *   clear_refs   a store after it must be soft-dirty in pagemap
 *   wp           a store after it must be an event of userfaultfd, and not happen
 *   mprotect     a store after it must be SIGSEGV, and not happen
 *
 * Pages that were `stored` to come to the race writable and dirty. Those that were only `loaded`
 * are shared memory mapped while VM_SOFTDIRTY is set: writable, clean and not soft-dirty. Those of
 * shmem-thp are huge: a PMD maps each.
 *
 * gcc -O2 -pthread -o stress stress.c [-DSECONDS=of each case] [-DPAGES=of a round]
 * As root. Exit 0: no store was lost; 1: some were; 4: there is no second node to move to.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef SECONDS
#define SECONDS 10
#endif
#ifndef PAGES
#define PAGES 128
#endif
#define PAGE 4096L
#define HUGE (512 * PAGE)
#define HUGE_PAGES 8
#define FILE_NAME "/var/tmp/stress"
#define SOFT_DIRTY (1ULL << 55)
#define REPORT 5		/* seconds between two lines */

enum memory { ANON, SHMEM, PRIVATE_SHMEM, REGULAR, PRIVATE_REGULAR, SHMEM_HUGE };
enum call { CLEAR_REFS, WP, MPROTECT };

static const struct test {
	const char *name;
	enum memory memory;
	enum call call;
	int loaded;		/* not stored to before the race */
	int alone;		/* nobody moves the pages */
} tests[] = {
	{ "clear_refs, anon, nothing moves", ANON, CLEAR_REFS, 0, 1 },
	{ "clear_refs, anon, stored", ANON, CLEAR_REFS, 0, 0 },
	{ "clear_refs, shmem, stored", SHMEM, CLEAR_REFS, 0, 0 },
	{ "clear_refs, shmem, loaded", SHMEM, CLEAR_REFS, 1, 0 },
	{ "clear_refs, private-shmem, stored", PRIVATE_SHMEM, CLEAR_REFS, 0, 0 },
	{ "clear_refs, file, stored", REGULAR, CLEAR_REFS, 0, 0 },
	{ "clear_refs, private-file, stored", PRIVATE_REGULAR, CLEAR_REFS, 0, 0 },
	{ "clear_refs, shmem-thp, loaded", SHMEM_HUGE, CLEAR_REFS, 1, 0 },
	{ "wp, anon, stored", ANON, WP, 0, 0 },
	{ "wp, shmem, stored", SHMEM, WP, 0, 0 },
	{ "mprotect, anon, stored", ANON, MPROTECT, 0, 0 },
};
#define TESTS ((int)(sizeof(tests) / sizeof(tests[0])))

static char *place;
static long size, pages;	/* of a page, and how many of them there are */
static void *addresses[PAGES];
static int nodes[PAGES], where[PAGES];
static int clear_refs, pagemap, uffd;
static sem_t begin, end;
static atomic_int begun;
static long moving;		/* nanoseconds that the last move took */
static unsigned long long moved;
static sigjmp_buf back;

static void fail(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(4);
}

static void on_signal(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

/* Whether a store to the page happens. */
static int store(long page)
{
	if (sigsetjmp(back, 1))
		return 0;
	*(volatile char *)(place + page * size) = 1;
	return 1;
}

static long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void *mover(void *unused)
{
	static int node = 1;
	long from;

	for (;;) {
		sem_wait(&begin);
		for (int i = 0; i < pages; i++) {
			addresses[i] = place + i * size;
			nodes[i] = node;
		}
		atomic_store(&begun, 1);
		from = now();
		syscall(SYS_move_pages, 0, pages, addresses, nodes, where, 1 << 1 /* MPOL_MF_MOVE */);
		moving = now() - from;
		for (int i = 0; i < pages; i++)
			moved += where[i] == node;
		node = !node;
		sem_post(&end);
	}
	return unused;
}

static char *map(const struct test *t)
{
	int regular = t->memory == REGULAR || t->memory == PRIVATE_REGULAR;
	int private = t->memory == PRIVATE_SHMEM || t->memory == PRIVATE_REGULAR || t->memory == ANON;
	int flags = MAP_FIXED | (private ? MAP_PRIVATE : MAP_SHARED), fd = -1;
	int huge = t->memory == SHMEM_HUGE;
	char *at;

	if (regular || t->memory == PRIVATE_SHMEM) {
		fd = regular ? open(FILE_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600)
			     : memfd_create("pages", 0);
		if (fd < 0 || ftruncate(fd, pages * size))
			fail("a file");
	} else {
		flags |= MAP_ANONYMOUS;
	}
	at = mmap(NULL, pages * size + HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		fail("mmap");
	at = mmap((char *)(((long)at + HUGE - 1) / HUGE * HUGE), pages * size,
		  PROT_READ | PROT_WRITE, flags, fd, 0);
	if (at == MAP_FAILED || madvise(at, pages * size, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE))
		fail("mmap");
	if (fd >= 0)
		close(fd);
	return at;
}

static void listen_to(void)
{
	struct uffdio_register reg = { { (long)place, pages * size }, UFFDIO_REGISTER_MODE_WP, 0 };

	if (ioctl(uffd, UFFDIO_REGISTER, &reg))
		fail("UFFDIO_REGISTER");
}

static void open_uffd(void)
{
	struct uffdio_api api = { UFFD_API, UFFD_FEATURE_SIGBUS | UFFD_FEATURE_WP_HUGETLBFS_SHMEM, 0 };

	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api))
		fail("userfaultfd");
}

static void protect(enum call call, int on)
{
	struct uffdio_writeprotect wp = { { (long)place, pages * size },
					  on ? UFFDIO_WRITEPROTECT_MODE_WP : 0 };
	int failed = 0;

	if (call == CLEAR_REFS && on)
		failed = write(clear_refs, "4", 1) != 1;
	else if (call == WP)
		failed = ioctl(uffd, UFFDIO_WRITEPROTECT, &wp);
	else if (call == MPROTECT)
		failed = mprotect(place, pages * size, on ? PROT_READ : PROT_READ | PROT_WRITE);
	if (failed)
		fail("taking write permission away");
}

/* After the race: how many stores broke the promise of the call. */
static long lost(enum call call)
{
	unsigned long long entry;
	long count = 0;

	for (long i = 0; i < pages; i++)
		count += store(i);
	if (call != CLEAR_REFS)
		return count;
	for (long i = count = 0; i < pages; i++) {
		if (pread(pagemap, &entry, 8, (long)(place + i * size) / PAGE * 8) != 8)
			fail("pagemap");
		count += !(entry & SOFT_DIRTY);
	}
	return count;
}

/* Asleep: a thread that runs must be interrupted for each page whose TLB entry is flushed. */
static void wait_a_while(long nanoseconds)
{
	struct timespec t = { nanoseconds / 1000000000L, nanoseconds % 1000000000L };

	nanosleep(&t, NULL);
}

/* One round; the call comes at some time of the move. */
static long race(const struct test *t)
{
	volatile char seen;

	for (long i = 0; i < pages; i++) {
		if (!t->loaded)
			store(i);
		else
			seen = place[i * size];
	}
	(void)seen;
	if (!t->alone) {
		atomic_store(&begun, 0);
		sem_post(&begin);
		while (!atomic_load(&begun))
			;
		wait_a_while(moving ? random() % moving : 0);
	}
	protect(t->call, 1);
	if (!t->alone)
		sem_wait(&end);
	return lost(t->call);
}

static int run(const struct test *t, int number)
{
	long from = now(), told = from, rounds = 0, hit = 0;
	unsigned long long count = 0;

	size = t->memory == SHMEM_HUGE ? HUGE : PAGE;
	pages = t->memory == SHMEM_HUGE && PAGES > HUGE_PAGES ? HUGE_PAGES : PAGES;
	moved = 0;
	for (place = NULL; now() - from < SECONDS * 1000000000L; rounds++) {
		long found;

		if (!place || t->loaded) {
			if (place)
				munmap(place, pages * size);
			place = map(t);
			if (t->call == WP)
				listen_to();
		} else {
			protect(t->call, 0);
		}
		found = race(t);
		count += found;
		hit += found > 0;
		if (now() - told > REPORT * 1000000000L) {
			told = now();
			printf("# %ld rounds\n", rounds + 1);
			fflush(stdout);
		}
	}
	munmap(place, pages * size);
	unlink(FILE_NAME);
	printf("%s %d %s # %llu of %ld stores lost, in %ld of %ld rounds, %llu pages moved, %ld s\n",
	       count ? "not ok" : "ok", number, t->name, count, rounds * pages, hit, rounds, moved,
	       (now() - from) / 1000000000L);
	fflush(stdout);
	return count > 0;
}

int main(void)
{
	pthread_t thread;
	int broken = 0;

	printf("KTAP version 1\n1..%d\n", TESTS);
	if (access("/sys/devices/system/node/node1", F_OK)) {
		printf("ok 1 %s # SKIP there is no second NUMA node\n", tests[0].name);
		return 4;
	}
	clear_refs = open("/proc/self/clear_refs", O_WRONLY);
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	if (clear_refs < 0 || pagemap < 0)
		fail("/proc");
	open_uffd();
	signal(SIGBUS, on_signal);
	signal(SIGSEGV, on_signal);
	sem_init(&begin, 0, 0);
	sem_init(&end, 0, 0);
	if (pthread_create(&thread, NULL, mover, NULL))
		fail("pthread_create");
	for (int i = 0; i < TESTS; i++)
		broken |= run(&tests[i], i + 1);
	return broken;
}
