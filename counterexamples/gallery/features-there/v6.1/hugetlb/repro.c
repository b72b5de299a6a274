/*
 * features-there on hugetlb: A userfaultfd can be opened with WP_UNPOPULATED and with WP_ASYNC,
 * and write-protects shared memory that is not in mode RWP.
 * The steps are those of v6.1 (6.1.192 as Debian ships it), where they break the promise. Exit 1:
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

#define NAME "features-there on hugetlb"
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

#define FEATURES (UFFD_FEATURE_SIGBUS | 1 << 12 /* UFFD_FEATURE_WP_HUGETLBFS_SHMEM */)
static int uffd;
static struct uffdio_api api = { .api = UFFD_API, .features = FEATURES };

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

int main(void)
{
	printf("KTAP version 1\n1..1\n");
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	if (write(open("/proc/sys/vm/nr_hugepages", O_WRONLY), "8", 1) != 1)
		SKIP("huge pages", errno);
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api))
		SKIP("userfaultfd that write-protects shmem", errno);
	/* pte: empty; VM_READ VM_WRITE VM_SOFTDIRTY; prot: RW */
	if (mmap(PLACE, LENGTH, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB | MAP_FIXED_NOREPLACE, -1, 0) != PLACE)
		SKIP("mmap", errno);
	step("mmap", 0, 0, 0, 0);
	/* pte: empty; VM_READ VM_WRITE VM_SOFTDIRTY; prot: RW */
	step("close", close(uffd) ? errno : (uffd = -1, 0), 0, 0, 0);
	/* pte: empty; VM_READ VM_WRITE VM_SOFTDIRTY; prot: RW */
	step("open:unpopulated", open_uffd(1 << 13 /* UFFD_FEATURE_WP_UNPOPULATED */), EINVAL, 0,
	     0);

	printf("%s 1 " NAME "\n", parted ? "ok" : "not ok");
	return !parted;
}
