/*
 * no-stale-uffd-wp on thp: No entry carries a uffd-wp bit or marker outside a VMA registered for
 * write-protect mode or mode RWP.
 * The steps are those of v6.18 (6.18.15 as Debian ships it), where they break the promise. Exit 1:
 * this kernel does the same. 0: it does otherwise. 4: it cannot be tried.
 *
 *     gcc -Wall -O2 repro.c -o repro && ./repro     (as root)
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NAME "no-stale-uffd-wp on thp"
#define PLACE ((char *)0x100000000UL) /* holes on both sides: the VMA never merges */
#define PAGE 4096UL
#define LENGTH (2UL << 20)
static const unsigned long long PM_PRESENT = 1ULL << 63, PM_SWAP = 1ULL << 62, PM_FILE = 1ULL << 61,
	PM_UFFD_WP = 1ULL << 57, PM_MMAP_EXCLUSIVE = 1ULL << 56,
	PM_WRITTEN = 1ULL << 0;
#define COMPARED (PM_PRESENT | PM_SWAP | PM_FILE | PM_UFFD_WP | PM_MMAP_EXCLUSIVE)

static int pagemap;

/* PAGEMAP_SCAN: how many ranges are written. Asked for that alone it counts what is empty too. */
static int scan(unsigned long length, int flags)
{
	unsigned long found[3], arg[12] = { /* struct pm_scan_arg */ sizeof(arg), flags, (long)PLACE,
		(long)PLACE + length, 0, (long)found, 1, 0, 0, 2, 0, flags ? 2 : 2 | 8 };

	return ioctl(pagemap, _IOWR('f', 16, arg), arg);
}

#define SKIP(why, error) (printf("ok 1 " NAME " # SKIP " why ": %s\n", strerror(error)), exit(4))
static int pagemap, steps, parted, faults;

/* Compare what a call did with what the model says. `got` is 0, an errno, or minus a signal. */
static void step(const char *call, int got, int outcome, int minor, unsigned long long bits)
{
	unsigned long long entry;
	int other;

	if (pread(pagemap, &entry, sizeof(entry), (long)PLACE / PAGE * sizeof(entry)) < 0)
		SKIP("pagemap", errno);
	entry = (entry & COMPARED) | (scan(PAGE, 0) ? PM_WRITTEN : 0);
	other = got != outcome || faults != minor || entry != bits;
	printf("# %d %s: %s, %d faults, pagemap %016llx%s\n", steps++, call,
		got < 0 ? strsignal(-got) : strerror(got), faults, entry, other ? " <- other" : "");
	parted |= other;
	faults = 0;
}

#define THP "/sys/kernel/mm/transparent_hugepage"
#define FEATURES (UFFD_FEATURE_SIGBUS | 1 << 12 /* UFFD_FEATURE_WP_HUGETLBFS_SHMEM */)
static int uffd;
static struct uffdio_api api = { .api = UFFD_API, .features = FEATURES };
#define UFFD(call, arg) (ioctl(uffd, UFFDIO_##call, &arg) ? errno : 0)
#define RANGE { (long)PLACE, LENGTH }

static int open_uffd(int features)
{
	int failed;

	if (uffd >= 0)
		return 0;
	api.api = UFFD_API; /* the call before put there what the kernel has, or nothing */
	api.features = FEATURES | features;
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	failed = uffd < 0 || ioctl(uffd, UFFDIO_API, &api) ? errno : 0;
	if (failed) {
		close(uffd);
		uffd = -1;
	}
	return failed;
}
static struct uffdio_range range = RANGE;
static struct uffdio_register reg = { .range = RANGE, .mode = UFFDIO_REGISTER_MODE_WP };
static int poison(void)
{
	struct { struct uffdio_range range; __u64 mode; __s64 updated; } arg = {
		{ (long)PLACE, LENGTH }, 0, 0 };

	return ioctl(uffd, _IOWR(0xAA, 8, arg) /* UFFDIO_POISON */, &arg) ? errno : 0;
}

int main(void)
{
	printf("KTAP version 1\n1..1\n");
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	if (scan(PAGE, 0) < 0)
		SKIP("PAGEMAP_SCAN", errno);
	if (write(open(THP "/enabled", O_WRONLY), "madvise", 7) != 7)
		SKIP("huge pages", errno);
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api))
		SKIP("userfaultfd that write-protects shmem", errno);
	/* pte: empty; VM_READ VM_WRITE VM_SOFTDIRTY; prot: not RW */
	if (mmap(PLACE, LENGTH, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != PLACE)
		SKIP("mmap", errno);
	if (madvise(PLACE, LENGTH, MADV_HUGEPAGE))
		SKIP("MADV_HUGEPAGE", errno);
	step("mmap", 0, 0, 0, 0);
	/* pte: empty; VM_READ VM_WRITE VM_SOFTDIRTY; prot: not RW */
	step("close", close(uffd) ? errno : (uffd = -1, 0), 0, 0, 0);
	/* pte: empty; VM_READ VM_WRITE VM_SOFTDIRTY; prot: not RW */
	step("open:async", open_uffd(1 << 15 /* UFFD_FEATURE_WP_ASYNC */), 0, 0, 0);
	/* pte: empty; VM_READ VM_WRITE VM_UFFD_WP VM_SOFTDIRTY; prot: not RW */
	step("register", UFFD(REGISTER, reg), 0, 0, 0);
	/* pte: poison marker; VM_READ VM_WRITE VM_UFFD_WP VM_SOFTDIRTY; prot: not RW */
	step("poison", poison(), 0, 0, PM_SWAP | PM_WRITTEN);
	/* pte: poison marker; VM_READ VM_WRITE VM_UFFD_WP VM_SOFTDIRTY; prot: not RW */
	step("scan:wp", scan(LENGTH, 3 /* PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC */) < 0 ? errno : 0, 0, 0,
	     PM_SWAP | PM_UFFD_WP);
	/* pte: poison marker; VM_READ VM_WRITE VM_SOFTDIRTY; prot: not RW */
	step("unregister", UFFD(UNREGISTER, range), 0, 0, PM_SWAP | PM_UFFD_WP);

	printf("%s 1 " NAME "\n", parted ? "ok" : "not ok");
	return !parted;
}
