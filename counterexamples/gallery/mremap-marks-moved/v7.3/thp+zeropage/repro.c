/*
 * mremap-marks-moved on thp: A page that mremap has moved reads as soft-dirty at its new place.
 * The steps are those of v7.3 (7.3.4 as Debian ships it), where they break the promise. Exit 1:
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

#define NAME "mremap-marks-moved on thp"
static char *place = (char *)0x100000000UL; /* holes on both sides: no VMA merges */
#define PLACE place
#define PAGE 4096UL
#define LENGTH (2UL << 20)
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

#define THP "/sys/kernel/mm/transparent_hugepage"

static int move(void)
{
	char *to = PLACE + (1L << 30);

	if (mremap(PLACE, LENGTH, LENGTH, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED)
		return errno;
	place = to;
	return 0;
}
#define CLEAR_REFS (pwrite(refs, "4", 1, 0) == 1 ? 0 : errno)
static int refs;
#define FEATURES (UFFD_FEATURE_SIGBUS | 1 << 12 /* UFFD_FEATURE_WP_HUGETLBFS_SHMEM */)
static int uffd;
static struct uffdio_api api = { .api = UFFD_API, .features = FEATURES };
/* Every argument starts with the address. */
#define UFFD(call, arg) \
	(*(__u64 *)&arg = (long)PLACE, ioctl(uffd, UFFDIO_##call, &arg) ? errno : 0)
#define RANGE { 0, LENGTH }
static struct uffdio_range range = RANGE;
static struct uffdio_register reg = { .range = RANGE, .mode = UFFDIO_REGISTER_MODE_WP };
static struct uffdio_zeropage zero = { .range = RANGE };

int main(void)
{
	printf("KTAP version 1\n1..1\n");
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	if (write(open(THP "/enabled", O_WRONLY), "madvise", 7) != 7)
		SKIP("huge pages", errno);
	refs = open("/proc/self/clear_refs", O_WRONLY);
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api))
		SKIP("userfaultfd that write-protects shmem", errno);
	/* pte: empty; VM_READ VM_WRITE VM_SOFTDIRTY; prot: not RW */
	if (mmap(PLACE, LENGTH, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != PLACE)
		SKIP("mmap", errno);
	if (madvise(PLACE, LENGTH, MADV_HUGEPAGE))
		SKIP("MADV_HUGEPAGE", errno);
	step("mmap", 0, 0, 0, PM_SOFT_DIRTY);
	if (parted)
		SKIP("soft-dirty tracking", EOPNOTSUPP);
	/* pte: empty; VM_READ VM_WRITE; prot: not RW */
	step("clear_refs", CLEAR_REFS, 0, 0, 0);
	/* pte: empty; VM_READ VM_WRITE VM_UFFD_WP; prot: not RW */
	step("register", UFFD(REGISTER, reg), 0, 0, 0);
	/* pte: SPECIAL; VM_READ VM_WRITE VM_UFFD_WP; prot: not RW */
	step("zeropage", UFFD(ZEROPAGE, zero), 0, 0, PM_PRESENT);
	/* pte: SPECIAL; VM_READ VM_WRITE; prot: not RW */
	step("unregister", UFFD(UNREGISTER, range), 0, 0, PM_PRESENT);
	/* pte: SPECIAL; VM_READ VM_WRITE; prot: not RW */
	step("mremap", move(), 0, 0, PM_PRESENT);

	printf("%s 1 " NAME "\n", parted ? "ok" : "not ok");
	return !parted;
}
