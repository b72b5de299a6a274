/*
 * change-seen on private-shmem: What reads otherwise than at the last clear_refs, pagemap calls
 * soft-dirty.
 * The steps are those of v7.3 (7.3.4 as Debian ships it), where they break the promise. Exit 1:
 * this kernel does the same. 0: it does otherwise. 4: it cannot be tried.
 *
 *     gcc -Wall -O2 repro.c -o repro && ./repro     (as root)
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define NAME "change-seen on private-shmem"
#define PLACE ((char *)0x100000000UL) /* holes on both sides: the VMA never merges */
#define PAGE 4096UL
#define LENGTH PAGE
static const unsigned long long PM_PRESENT = 1ULL << 63, PM_SWAP = 1ULL << 62, PM_FILE = 1ULL << 61,
	PM_UFFD_WP = 1ULL << 57, PM_MMAP_EXCLUSIVE = 1ULL << 56, PM_SOFT_DIRTY = 1ULL << 55;
#define COMPARED (PM_PRESENT | PM_SWAP | PM_FILE | PM_UFFD_WP | PM_MMAP_EXCLUSIVE | PM_SOFT_DIRTY)

#define SKIP(why, error) (printf("ok 1 " NAME " # SKIP " why ": %s\n", strerror(error)), exit(4))
static int pagemap, steps, parted, faults;

/* Compare what a call did with what the model says. `got` is 0, an errno, or minus a signal. */
static void step(const char *call, int got, int outcome, int minor, unsigned long long bits)
{
	unsigned long long entry;
	int other;

	if (pread(pagemap, &entry, sizeof(entry), (long)PLACE / PAGE * sizeof(entry)) < 0)
		SKIP("pagemap", errno);
	entry &= COMPARED;
	other = got != outcome || faults != minor || entry != bits;
	printf("# %d %s: %s, %d faults, pagemap %016llx%s\n", steps++, call,
		got < 0 ? strsignal(-got) : strerror(got), faults, entry, other ? " <- other" : "");
	parted |= other;
	faults = 0;
}

static sigjmp_buf back;
static struct rusage before, after;

/* An access that faults for ever is given up; one that only takes long is not. */
static void on_signal(int signal)
{
	getrusage(RUSAGE_THREAD, &after);
	if (signal != SIGALRM || after.ru_minflt - before.ru_minflt > 1000)
		siglongjmp(back, signal);
	alarm(1);
}

/* A hole first, for the faults of our own pages. */
static int touch(int write)
{
	static volatile char *at;
	static int caught;

	for (at = PLACE - PAGE; at <= PLACE; at += PAGE) {
		alarm(1);
		getrusage(RUSAGE_THREAD, &before);
		caught = sigsetjmp(back, 1);
		if (!caught)
			write ? (void)(*at = 1) : (void)*at;
		getrusage(RUSAGE_THREAD, &after);
	}
	alarm(0);
	faults = caught == SIGALRM ? 4 : after.ru_minflt - before.ru_minflt; /* more are not told */
	return -caught;
}

/* A tmpfs file of the mapping's length that has content. */
static int file(void)
{
	int fd = memfd_create("page", 0);

	return fd < 0 || ftruncate(fd, LENGTH) || pwrite(fd, "x", 1, 0) != 1 ? -1 : fd;
}

#define KSM "/sys/kernel/mm/ksm/"
static void set(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY);

	if (write(fd, text, strlen(text)) < 0)
		SKIP("KSM", errno);
	close(fd);
}

static unsigned long long number(int fd, long place)
{
	unsigned long long read = 0;

	return pread(fd, &read, sizeof(read), place * sizeof(read)) < 0 ? 0 : read;
}

/* Whether it is a page of KSM, after three scans or, while it is none, twenty. */
static int merged(const char *page, int scans)
{
	int fd = open(KSM "full_scans", O_RDONLY), flags = open("/proc/kpageflags", O_RDONLY), is;
	long first = -1, last = -1, now = 0, stuck = 0;
	char text[32] = "";

	do {
		usleep(1000);
		stuck = now == last ? stuck + 1 : 0;
		last = now;
		if (pread(fd, text, sizeof(text) - 1, 0) <= 0 || stuck > 60000)
			SKIP("KSM that scans", ETIMEDOUT);
		now = atol(text);
		first = first < 0 ? now : first;
		is = number(flags, number(pagemap, (long)page / PAGE) & ((1ULL << 55) - 1)) >> 21 & 1;
	} while (now < first + scans || (scans && !is && now < first + 20));
	return close(flags) || close(fd) ? 0 : is;
}

/* Two twins become one KSM page first, so that ours is the one that is replaced: what an earlier
 * call has left to be scanned is taken back before. */
static int merge(void)
{
	static char content[PAGE];
	int fd = open("/proc/self/mem", O_RDONLY), failed;
	unsigned long long entry = number(pagemap, (long)PLACE / PAGE);
	char *twins;

	if ((entry & (PM_PRESENT | PM_MMAP_EXCLUSIVE | PM_FILE)) != (PM_PRESENT | PM_MMAP_EXCLUSIVE))
		return close(fd);
	failed = pread(fd, content, PAGE, (long)PLACE) != PAGE;
	failed |= !merged(PLACE, 0) && madvise(PLACE, LENGTH, MADV_UNMERGEABLE);
	twins = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(memcpy(twins, content, PAGE) + PAGE, content, PAGE);
	failed |= madvise(twins, 2 * PAGE, MADV_MERGEABLE);
	set(KSM "run", "1");
	if (!failed && !merged(twins, 3))
		SKIP("KSM that merges", EBUSY);
	failed |= madvise(PLACE, LENGTH, MADV_MERGEABLE);
	merged(PLACE, 3);
	set(KSM "run", "0");
	munmap(twins, 2 * PAGE);
	return close(fd) || failed ? errno : 0;
}
#define CLEAR_REFS (pwrite(refs, "4", 1, 0) == 1 ? 0 : errno)
static int refs;

int main(void)
{
	printf("KTAP version 1\n1..1\n");
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	signal(SIGBUS, on_signal);
	signal(SIGSEGV, on_signal);
	signal(SIGALRM, on_signal);
	set(KSM "sleep_millisecs", "1");
	set(KSM "pages_to_scan", "10000");
	if (!access(KSM "smart_scan", F_OK))
		set(KSM "smart_scan", "0");
	refs = open("/proc/self/clear_refs", O_WRONLY);
	/* pte: empty; VM_READ VM_WRITE VM_SOFTDIRTY; prot: not RW */
	if (mmap(PLACE, LENGTH, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_FIXED_NOREPLACE, file(), 0) != PLACE)
		SKIP("mmap", errno);
	step("mmap", 0, 0, 0, PM_SOFT_DIRTY);
	if (parted)
		SKIP("soft-dirty tracking", EOPNOTSUPP);
	/* pte: empty; VM_READ VM_WRITE; prot: not RW */
	step("clear_refs", CLEAR_REFS, 0, 0, 0);
	/* pte: RW D SOFT_DIRTY; VM_READ VM_WRITE; prot: not RW */
	step("store", touch(1), 0, 1, PM_PRESENT | PM_MMAP_EXCLUSIVE | PM_SOFT_DIRTY);
	/* by the kernel; pte: read-only; VM_READ VM_WRITE; prot: not RW */
	step("ksm", merge(), 0, 0, PM_PRESENT | PM_MMAP_EXCLUSIVE);

	printf("%s 1 " NAME "\n", parted ? "ok" : "not ok");
	return !parted;
}
