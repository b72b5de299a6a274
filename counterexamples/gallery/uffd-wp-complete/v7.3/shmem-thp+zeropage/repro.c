/*
 * uffd-wp-complete on shmem-thp: After `wp` returned, no store but a device's takes effect without
 * an event until `unwp`, `unregister` or what else ends the registration.
 * The steps are those of v7.3 (7.3.4 as Debian ships it), where they break the promise. Exit 1:
 * this kernel does the same. 0: it does otherwise. 4: it cannot be tried.
 *
 *     gcc -Wall -O2 repro.c -o repro && ./repro     (as root)
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NAME "uffd-wp-complete on shmem-thp"
#define PLACE ((char *)0x100000000UL) /* holes on both sides: the VMA never merges */
#define PAGE 4096UL
#define LENGTH (2UL << 20)
static const unsigned long long PM_PRESENT = 1ULL << 63, PM_SWAP = 1ULL << 62, PM_FILE = 1ULL << 61,
	PM_UFFD_WP = 1ULL << 57, PM_MMAP_EXCLUSIVE = 1ULL << 56;
#define COMPARED (PM_PRESENT | PM_SWAP | PM_FILE | PM_UFFD_WP | PM_MMAP_EXCLUSIVE)

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

#define THP "/sys/kernel/mm/transparent_hugepage"
#define FEATURES (UFFD_FEATURE_SIGBUS | 1 << 12 /* UFFD_FEATURE_WP_HUGETLBFS_SHMEM */)
static int uffd;
static struct uffdio_api api = { .api = UFFD_API, .features = FEATURES };
#define UFFD(call, arg) (ioctl(uffd, UFFDIO_##call, &arg) ? errno : 0)
#define RANGE { (long)PLACE, LENGTH }
static struct uffdio_register reg = { .range = RANGE, .mode = UFFDIO_REGISTER_MODE_WP };
static struct uffdio_writeprotect wp = { .range = RANGE, .mode = UFFDIO_WRITEPROTECT_MODE_WP };
static struct uffdio_zeropage zero = { .range = RANGE };

int main(void)
{
	printf("KTAP version 1\n1..1\n");
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	signal(SIGBUS, on_signal);
	signal(SIGSEGV, on_signal);
	signal(SIGALRM, on_signal);
	if (write(open(THP "/shmem_enabled", O_WRONLY), "advise", 6) != 6)
		SKIP("huge pages of shared memory", errno);
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api))
		SKIP("userfaultfd that write-protects shmem", errno);
	/* pte: empty; VM_READ VM_WRITE VM_SOFTDIRTY; prot: RW */
	if (mmap(PLACE, LENGTH, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != PLACE)
		SKIP("mmap", errno);
	if (madvise(PLACE, LENGTH, MADV_HUGEPAGE))
		SKIP("MADV_HUGEPAGE", errno);
	step("mmap", 0, 0, 0, 0);
	/* pte: empty; VM_READ VM_WRITE VM_UFFD_WP VM_SOFTDIRTY; prot: not RW */
	step("register", UFFD(REGISTER, reg), 0, 0, 0);
	/* pte: uffd-wp marker; VM_READ VM_WRITE VM_UFFD_WP VM_SOFTDIRTY; prot: not RW */
	step("wp", UFFD(WRITEPROTECT, wp), 0, 0, PM_SWAP | PM_UFFD_WP);
	/* pte: RW D SOFT_DIRTY; VM_READ VM_WRITE VM_UFFD_WP VM_SOFTDIRTY; prot: not RW */
	step("zeropage", UFFD(ZEROPAGE, zero), 0, 0, PM_PRESENT | PM_FILE | PM_MMAP_EXCLUSIVE);
	/* pte: RW D SOFT_DIRTY; VM_READ VM_WRITE VM_UFFD_WP VM_SOFTDIRTY; prot: not RW */
	step("store", touch(1), 0, 0, PM_PRESENT | PM_FILE | PM_MMAP_EXCLUSIVE);

	printf("%s 1 " NAME "\n", parted ? "ok" : "not ok");
	return !parted;
}
