/*
 * uffd-wp-async-complete on private-shmem: With WP_ASYNC, a page that was stored to since `wp`
 * returned does not read as write-protected.
 * The steps are those of v7.3 (7.3.4 as Debian ships it), where they break the promise. Exit 1:
 * this kernel does the same. 0: it does otherwise. 4: it cannot be tried.
 *
 *     gcc -Wall -O2 repro.c -o repro && ./repro     (as root)
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define NAME "uffd-wp-async-complete on private-shmem"
#define PLACE ((char *)0x100000000UL) /* holes on both sides: the VMA never merges */
#define PAGE 4096UL
#define LENGTH PAGE
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

/* A tmpfs file of the mapping's length that has content. */
static int file(void)
{
	int fd = memfd_create("page", 0);

	return fd < 0 || ftruncate(fd, LENGTH) || pwrite(fd, "x", 1, 0) != 1 ? -1 : fd;
}

static int ring = -1;
static struct io_uring_params params;
static struct iovec buffer; /* where it was when it was pinned, which mremap does not change */

static int unpin(void)
{
	if (ring >= 0)
		syscall(SYS_io_uring_register, ring, IORING_UNREGISTER_BUFFERS, NULL, 0);
	close(ring);
	ring = -1;
	return 0;
}

/* As a buffer of io_uring. A page that was pinned before and is mapped no more is let go. */
static int pin(void)
{
	int failed;

	unpin();
	buffer = (struct iovec){ PLACE, LENGTH };
	memset(&params, 0, sizeof(params));
	ring = syscall(SYS_io_uring_setup, 2, &params);
	if (ring < 0)
		SKIP("io_uring", errno);
	failed = syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &buffer, 1) ? errno : 0;
	if (failed)
		unpin();
	return failed;
}

/* One byte of a pipe is read into the buffer: one of a file is read by a worker, which may hold the
   page for longer than its buffer is registered. No zero into a huge page, of which the kernel may
   give up what holds zeroes. */
static int store_through_pin(void)
{
	int way[2], failed, *tail, *array;
	struct io_uring_sqe *entry;
	char *queue;

	if (ring < 0)
		return 0;
	failed = pipe(way);
	queue = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	entry = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
	tail = (int *)(queue + params.sq_off.tail);
	array = (int *)(queue + params.sq_off.array);
	memset(entry, 0, sizeof(*entry));
	entry->opcode = IORING_OP_READ_FIXED;
	entry->fd = way[0];
	entry->addr = (long)buffer.iov_base;
	entry->len = 1;
	array[*tail & 1] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	failed = failed || write(way[1], LENGTH == PAGE ? "\0" : "\1", 1) != 1 ||
		syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1;
	++*(int *)(queue + params.cq_off.head);
	munmap(queue, PAGE);
	munmap(entry, PAGE);
	close(way[0]);
	close(way[1]);
	return failed ? errno : 0;
}
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
static struct uffdio_register reg = { .range = RANGE, .mode = UFFDIO_REGISTER_MODE_WP };
static struct uffdio_writeprotect wp = { .range = RANGE, .mode = UFFDIO_WRITEPROTECT_MODE_WP };

int main(void)
{
	printf("KTAP version 1\n1..1\n");
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	if (scan(PAGE, 0) < 0)
		SKIP("PAGEMAP_SCAN", errno);
	/* A page beside each place, for page tables that are there before the first fault. */
	char *at;

	for (at = PLACE; at < PLACE + (1L << 34); at += 1L << 30)
		if (mmap(at + LENGTH + (LENGTH == PAGE ? 64 * PAGE : LENGTH), PAGE, PROT_WRITE, MAP_FIXED |
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) == MAP_FAILED)
			SKIP("a page beside", errno);
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api))
		SKIP("userfaultfd that write-protects shmem", errno);
	/* pte: empty; VM_READ VM_WRITE VM_SOFTDIRTY; prot: not RW */
	if (mmap(PLACE, LENGTH, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_FIXED_NOREPLACE, file(), 0) != PLACE)
		SKIP("mmap", errno);
	step("mmap", 0, 0, 0, 0);
	/* pte: empty; VM_READ VM_WRITE VM_SOFTDIRTY; prot: not RW */
	step("close", close(uffd) ? errno : (uffd = -1, 0), 0, 0, 0);
	/* pte: empty; VM_READ VM_WRITE VM_SOFTDIRTY; prot: not RW */
	step("open:async", open_uffd(1 << 15 /* UFFD_FEATURE_WP_ASYNC */), 0, 0, 0);
	/* pte: empty; VM_READ VM_WRITE VM_UFFD_WP VM_SOFTDIRTY; prot: not RW */
	step("register", UFFD(REGISTER, reg), 0, 0, PM_WRITTEN);
	/* pte: RW D SOFT_DIRTY; VM_READ VM_WRITE VM_UFFD_WP VM_SOFTDIRTY; prot: not RW */
	step("pin", pin(), 0, 0, PM_PRESENT | PM_MMAP_EXCLUSIVE | PM_WRITTEN);
	/* pte: UFFD_WP SOFT_DIRTY SAVED_DIRTY; VM_READ VM_WRITE VM_UFFD_WP VM_SOFTDIRTY; prot: not RW */
	step("wp", UFFD(WRITEPROTECT, wp), 0, 0, PM_PRESENT | PM_UFFD_WP | PM_MMAP_EXCLUSIVE);
	/* pte: UFFD_WP SOFT_DIRTY SAVED_DIRTY; VM_READ VM_WRITE VM_UFFD_WP VM_SOFTDIRTY; prot: not RW */
	step("pin:write", store_through_pin(), 0, 0, PM_PRESENT | PM_UFFD_WP | PM_MMAP_EXCLUSIVE);

	printf("%s 1 " NAME "\n", parted ? "ok" : "not ok");
	return !parted;
}
