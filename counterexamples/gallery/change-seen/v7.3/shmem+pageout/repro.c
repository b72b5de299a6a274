/*
 * change-seen on shmem: What reads otherwise than at the last clear_refs, pagemap calls soft-
 * dirty.
 * The steps are those of v7.3 (7.3.4 as Debian ships it), where they break the promise. Exit 1:
 * this kernel does the same. 0: it does otherwise. 4: it cannot be tried.
 *
 *     gcc -Wall -O2 repro.c -o repro && ./repro     (as root)
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/swap.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define NAME "change-seen on shmem"
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

/* Where there is no swap, a file becomes some until we end. */
static char swap[] = "/var/tmp/swap-XXXXXX";

static void drop_swap(void)
{
	while (swapoff(swap) && errno == EINTR)
		;
	unlink(swap);
}

static int no_swap(void)
{
	static unsigned int area[1024] = { [256] = 1, [257] = 1023 }; /* include/linux/swap.h */
	int fd = mkstemp(swap), pages;

	atexit(drop_swap);
	memcpy((char *)area + PAGE - 10, "SWAPSPACE2", 10);
	for (pages = 0; pages < 1024 && write(fd, area, PAGE) == PAGE; pages++)
		memset(area, 0, PAGE);
	return pages < 1024 || fsync(fd) || close(fd) || swapon(swap, 0);
}

/* From a slow device a page may come back before it is out: then nothing can be told. */
static int page_out(void)
{
	unsigned char kept = 0;
	unsigned long long entry = 0;

	if (madvise(PLACE, LENGTH, MADV_PAGEOUT))
		return errno;
	pread(pagemap, &entry, sizeof(entry), (long)PLACE / PAGE * sizeof(entry));
	if (entry & PM_SWAP && !mincore(PLACE, PAGE, &kept) && kept & 1)
		SKIP("swap that is written at once, as zram", EBUSY);
	return 0;
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
	struct sysinfo memory;
	cpu_set_t here;

	CPU_ZERO(&here); /* pages that another CPU is about to list cannot be reclaimed */
	CPU_SET(sched_getcpu(), &here);
	sched_setaffinity(0, sizeof(here), &here);
	if (sysinfo(&memory) || (!memory.totalswap && LENGTH > PAGE)) /* a file splits it */
		SKIP("swap on a block device, as zram", ENODEV);
	if (!memory.totalswap && no_swap())
		SKIP("swap, for which 4 MB of /var/tmp would do", errno);
	refs = open("/proc/self/clear_refs", O_WRONLY);
	/* pte: empty; VM_READ VM_WRITE VM_SOFTDIRTY; prot: RW */
	if (mmap(PLACE, LENGTH, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != PLACE)
		SKIP("mmap", errno);
	step("mmap", 0, 0, 0, PM_SOFT_DIRTY);
	if (parted)
		SKIP("soft-dirty tracking", EOPNOTSUPP);
	/* pte: empty; VM_READ VM_WRITE; prot: not RW */
	step("clear_refs", CLEAR_REFS, 0, 0, 0);
	/* pte: RW D SOFT_DIRTY; VM_READ VM_WRITE; prot: not RW */
	step("store", touch(1), 0, 1, PM_PRESENT | PM_FILE | PM_MMAP_EXCLUSIVE | PM_SOFT_DIRTY);
	/* by the kernel; pte: empty; VM_READ VM_WRITE; prot: not RW */
	step("pageout", page_out(), 0, 0, 0);

	printf("%s 1 " NAME "\n", parted ? "ok" : "not ok");
	return !parted;
}
