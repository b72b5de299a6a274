/* The calls of a run; see calls.h. */
#define _GNU_SOURCE
#include "calls.h"
#include "events.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/magic.h>
#include <linux/userfaultfd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef UFFD_FEATURE_WP_HUGETLBFS_SHMEM
#define UFFD_FEATURE_WP_HUGETLBFS_SHMEM (1 << 12)
#endif
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC (1 << 15)
#endif
/* Linux 7.3 */
#ifndef UFFD_FEATURE_RWP
#define UFFD_FEATURE_RWP (1 << 17)
#define UFFD_FEATURE_RWP_ASYNC (1 << 18)
#define UFFDIO_REGISTER_MODE_RWP (1 << 3)
#define UFFDIO_RWPROTECT_MODE_RWP (1 << 0)
struct uffdio_rwprotect {
	struct uffdio_range range;
	uint64_t mode;
};
#define UFFDIO_RWPROTECT _IOWR(UFFDIO, 9, struct uffdio_rwprotect)
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
/* Linux 6.7: include/uapi/linux/fs.h */
#ifndef PAGEMAP_SCAN
#define PM_SCAN_WP_MATCHING (1 << 0)
#define PM_SCAN_CHECK_WPASYNC (1 << 1)
#define PAGE_IS_WRITTEN (1 << 1)
struct page_region {
	uint64_t start, end, categories;
};
struct pm_scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, category_inverted,
		 category_mask, category_anyof_mask, return_mask;
};
#define PAGEMAP_SCAN _IOWR('f', 16, struct pm_scan_arg)
#endif
#define MPOL_DEFAULT 0
#define MPOL_PREFERRED 1
#define MPOL_BIND 2
#define MPOL_MF_MOVE_ALL (1 << 2)

/* Below everything else of this process, so that smaps has it soon; alone, so that it cannot merge. */
#define PLACE ((char *)0x100000000ul)
#define OTHER_PLACE ((char *)0x140000000ul)
#define ELSEWHERE ((char *)0x180000000ul)
#define FRESH_PLACES ((char *)0x1000000000ul)	/* of a mapping with several pages, each for one mremap */
#define APART ((1ul << 30) + (1ul << 16))
#define BESIDE (1ul << 18)	/* within what one page table maps */
#define LOOK 20000		/* microseconds between two looks at an access that does not end */
#define POISONED 1000		/* SIGBUS because of poison; above all signals */
#define FOREVER 500000		/* microseconds of work in one call: it will never end */
#define ENDLESS 1000		/* faults of one access: it will never end */
#define MOST_FAULTS 4		/* are told of such an access */
#define CHILDREN 32		/* of one run, at most, that live on */
#define SWAP_DEVICE "/dev/ram0"
#define NOT_OURS "this is no virtual machine, whose settings are not the lab's to change"
#define KSM "/sys/kernel/mm/ksm/"
#define HUGETLB "/sys/kernel/mm/hugepages/hugepages-2048kB/"
#define LEAST_HUGE 4		/* free ones: the mapping, and its copies */
#define FEW_HUGE "fewer than 4 huge pages of 2 MiB are free"
#define SCANS 3
#define MOST_SCANS 20
#define STUCK 60000		/* milliseconds without one more scan */

enum from { ANONYMOUS, TMPFS, REGULAR };

/* TMPFS and REGULAR: of a fresh file of the same length that has content. */
static const struct {
	const char *name;
	int flags;
	unsigned long page_size;
	enum from from;
	int huge;
} mappings[] = {
	{ "anon", MAP_PRIVATE | MAP_ANONYMOUS, PAGE },
	{ "shmem", MAP_SHARED | MAP_ANONYMOUS, PAGE },
	{ "private-shmem", MAP_PRIVATE, PAGE, TMPFS },
	{ "hugetlb", MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, HUGE_PAGE },
	{ "private-hugetlb", MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, HUGE_PAGE },
	{ "file", MAP_SHARED, PAGE, REGULAR },
	{ "private-file", MAP_PRIVATE, PAGE, REGULAR },
	{ "thp", MAP_PRIVATE | MAP_ANONYMOUS, HUGE_PAGE, ANONYMOUS, 1 },
	{ "shmem-thp", MAP_SHARED | MAP_ANONYMOUS, HUGE_PAGE, ANONYMOUS, 1 },
};

/* VmFlags letters have no place for PROT_EXEC without PROT_READ: "x" alone is left out. */
static const struct {
	const char *name;
	int prot;
} protections[] = {
	{ "none", PROT_NONE },
	{ "r", PROT_READ },
	{ "w", PROT_WRITE },
	{ "rw", PROT_READ | PROT_WRITE },
	{ "rx", PROT_READ | PROT_EXEC },
	{ "rwx", PROT_READ | PROT_WRITE | PROT_EXEC },
};

char *place = PLACE, *part = PLACE;
unsigned long length = PAGE, part_length = PAGE;
unsigned long pages;
static unsigned long page_size = PAGE;
static unsigned int kind;	/* of the mapping, in `mappings` */
static int backing = -1;	/* the file of a mapping with several pages */
static char *next_place = FRESH_PLACES;
char no_disk[128], no_files[64];
static int uffd = -1, refs = -1, pagemap = -1, ring = -1;
static const char *mapped;	/* the name of the mapping, without the number of its pages */
static int is_heir, run_is_over;
static pid_t children[CHILDREN];
static int child_count;

/* --- small helpers --- */

/* Of this very process. */
static void open_files(void)
{
	if (pagemap >= 0)
		close(pagemap);
	if (refs >= 0)
		close(refs);
	pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	refs = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
}

static const char *result(int failed)
{
	static char other[32];

	if (!failed)
		return "ok";
	const char *name = strerrorname_np(errno);
	if (name)
		return name;
	snprintf(other, sizeof(other), "E%d", errno);
	return other;
}

static int write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int failed = fd < 0 || write(fd, text, strlen(text)) < 0;

	if (fd >= 0)
		close(fd);
	return failed;
}

static long number_in(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		text[0] = 0;
	if (fd >= 0)
		close(fd);
	return text[0] ? atol(text) : -1;
}

static unsigned long long entry_of(const char *page)
{
	uint64_t entry = 0;

	if (pread(pagemap, &entry, sizeof(entry), (unsigned long)page / PAGE * sizeof(entry)) < 0)
		return 0;
	return entry;
}

unsigned long long pagemap_entry(void)
{
	return entry_of(place);
}

static int has_bit(int bit)
{
	return pagemap_entry() >> bit & 1;
}

/* Of `bytes` from there on, or of the first page with what is written there write-protected, as `flags` say. */
static int scan(char *from, unsigned long bytes, unsigned long flags, uint64_t mask, uint64_t asked,
		struct page_region *found, unsigned long room)
{
	struct pm_scan_arg arg = { .size = sizeof(arg), .flags = flags,
		.start = (unsigned long)from, .end = (unsigned long)from + bytes,
		.vec = (unsigned long)found, .vec_len = room, .category_mask = mask,
		.return_mask = asked };

	return ioctl(pagemap, PAGEMAP_SCAN, &arg);
}

/* The categories of every page, of those that this kernel knows: it refuses to be asked for others. */
static void read_categories(long *categories, unsigned long count)
{
	static uint64_t known = (1 << 10) - 1;
	struct page_region found[MOST_PAGES];
	int got;

	memset(categories, 0, count * sizeof(*categories));
	while ((got = scan(place, count * PAGE, 0, 0, known, found, MOST_PAGES)) < 0)
		if (errno != EINVAL || !known) {
			memset(categories, -1, count * sizeof(*categories));
			return;
		} else
			known >>= 1;
	for (int i = 0; i < got; i++)
		for (uint64_t at = found[i].start; at < found[i].end; at += PAGE)
			categories[(at - (uint64_t)place) / PAGE] = found[i].categories;
}

void read_pages(unsigned long long *entries, long *categories)
{
	unsigned long count = pages ? pages : 1;
	uint64_t read[MOST_PAGES] = { 0 };

	if (pread(pagemap, read, count * sizeof(*read), (unsigned long)place / PAGE * sizeof(*read)) < 0)
		memset(read, 0, sizeof(read));
	for (unsigned long i = 0; i < count; i++)
		entries[i] = read[i];
	read_categories(categories, count);
}

static const char *scan_and_protect(void)
{
	struct page_region found;

	return result(scan(part, part_length, PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC, PAGE_IS_WRITTEN,
			   PAGE_IS_WRITTEN, &found, 1) < 0);
}

/* --- one access, and the minor faults it takes --- */

static sigjmp_buf back;
static volatile int caught;
static volatile char sink;

static struct rusage before, after;

static int called;

/* Microseconds in the kernel. */
static long computed(const struct rusage *usage)
{
	return usage->ru_stime.tv_sec * 1000000 + usage->ru_stime.tv_usec;
}

/* What faults or computes for ever is given up; what the machine is slow with is not. */
static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)context;
	getrusage(RUSAGE_THREAD, &after);
	if (sig == SIGALRM && !called && after.ru_minflt - before.ru_minflt < ENDLESS)
		return;
	if (sig == SIGALRM && called && computed(&after) - computed(&before) < FOREVER)
		return;
	caught = sig == SIGBUS && info->si_code == BUS_MCEERR_AR ? POISONED : sig;
	siglongjmp(back, 1);
}

/* clear_refs and fork write-protect our own pages too: take those faults before the count begins. */
static void __attribute__((noinline)) warm(void)
{
	volatile char stack[8 * PAGE];
	struct rusage usage;

	for (unsigned long i = 0; i < sizeof(stack); i += PAGE / 8)
		stack[i] = 1;
	for (unsigned long i = 0; i < sizeof(back); i += 64)
		((volatile char *)&back)[i] = ((volatile char *)&back)[i];
	getrusage(RUSAGE_THREAD, &usage);
	getrusage(RUSAGE_THREAD, &usage);
	caught = 0;
	sink = 0;
}

static const char *access_page(int write, long *faults)
{
	struct itimerval look = { { 0, LOOK }, { 0, LOOK } }, never = { 0 };

	warm();
	setitimer(ITIMER_REAL, &look, NULL);
	before.ru_minflt = after.ru_minflt = 0;
	getrusage(RUSAGE_THREAD, &before);
	if (!sigsetjmp(back, 1)) {
		if (write)
			*(volatile char *)part = 1;
		else
			sink = *(volatile char *)part;
	}
	getrusage(RUSAGE_THREAD, &after);
	setitimer(ITIMER_REAL, &never, NULL);
	*faults = after.ru_minflt - before.ru_minflt;
	if (caught == SIGALRM && *faults > MOST_FAULTS)
		*faults = MOST_FAULTS;
	return caught == 0 ? "ok" : caught == SIGBUS ? "event" : caught == POISONED ? "bus" :
	       caught == SIGALRM ? "refault" : "segv";
}

/* madvise(2), which may never return. */
static const char *advise(int advice)
{
	struct itimerval look = { { 0, LOOK }, { 0, LOOK } }, never = { 0 };
	volatile int failed = 0;

	caught = 0;
	setitimer(ITIMER_REAL, &look, NULL);
	getrusage(RUSAGE_THREAD, &before);
	called = 1;
	if (!sigsetjmp(back, 1))
		failed = madvise(part, part_length, advice) ? errno : 0;
	called = 0;
	setitimer(ITIMER_REAL, &never, NULL);
	if (caught)
		return "never";
	errno = failed;
	return result(failed != 0);
}

/* --- one access by the kernel --- */

/* From a file in memory, which begins with what a store stores; and to what comes behind. */
static const char *transfer(int into)
{
	static int file = -1;

	if (file < 0) {
		file = memfd_create("bytes", MFD_CLOEXEC);
		if (pwrite(file, "\1", 1, 0) != 1)
			return result(1);
	}
	return result((into ? pread(file, place, 1, 0) : pwrite(file, place, 1, 1)) != 1);
}

static const char *access_remotely(int write)
{
	char byte = 1;
	struct iovec ours = { &byte, 1 }, theirs = { place, 1 };

	return result((write ? process_vm_writev(getpid(), &ours, 1, &theirs, 1, 0)
		       : process_vm_readv(getpid(), &ours, 1, &theirs, 1, 0)) != 1);
}

/* --- the file that is mapped --- */

/* As a program has it that has kept the descriptor; of memory without a name too. */
static int open_mapped_file(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (unsigned long)place,
		 (unsigned long)place + length);
	return open(path, O_RDWR | O_CLOEXEC);
}

static const char *store_by_alias(void)
{
	int fd = open_mapped_file();
	char *alias = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (alias == MAP_FAILED)
		return result(1);
	*(volatile char *)alias = 1;
	return result(munmap(alias, length) || close(fd));
}

static const char *truncate_file(void)
{
	int fd = open_mapped_file();

	return result(ftruncate(fd, 0) || ftruncate(fd, length) || close(fd));
}

/* Anonymous private memory has none, and needs none. */
const char *without_map_files(void)
{
	int fd = open_mapped_file();
	int failed = fd < 0 && errno != ENOENT;

	close(fd);
	return failed ? "/proc/self/map_files cannot be opened" : NULL;
}

/* --- userfaultfd --- */

/* For memory that is not anonymous: Linux 5.19 and CONFIG_PTE_MARKER_UFFD_WP. */
static const unsigned long shared[] = { UFFD_FEATURE_WP_HUGETLBFS_SHMEM, 0 };

#define EVENTS (UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_REMOVE | \
	UFFD_FEATURE_EVENT_UNMAP)

static const char *open_with(unsigned long features, int flags)
{
	const char *failed = "ok";

	for (int i = 0; i < 2 && uffd < 0; i++) {
		struct uffdio_api api = { .api = UFFD_API,
			.features = features | shared[i] | UFFD_FEATURE_SIGBUS };

		uffd = syscall(SYS_userfaultfd, O_CLOEXEC | flags);
		if (uffd < 0)
			return result(1);
		if (!ioctl(uffd, UFFDIO_API, &api))
			return result(features & EVENTS && listen_for_events(uffd));
		failed = result(1);
		close(uffd);
		uffd = -1;
	}
	return failed;
}

const char *open_userfaultfd(void)
{
	return strcmp(open_with(0, 0), "ok") ? "no userfaultfd with SIGBUS" : NULL;
}

static const char *close_userfaultfd(void)
{
	stop_listening();
	int failed = close(uffd);

	uffd = -1;
	return result(failed);
}

int has_userfaultfd(void)
{
	static int known = -1;

	if (known < 0) {
		known = !open_userfaultfd();
		close_userfaultfd();
	}
	return known;
}

static const char *writeprotect(unsigned long mode)
{
	struct uffdio_writeprotect arg = { .range = { (unsigned long)part, part_length }, .mode = mode };

	return result(ioctl(uffd, UFFDIO_WRITEPROTECT, &arg));
}

static const char *rwprotect(unsigned long mode)
{
	struct uffdio_rwprotect arg = { .range = { (unsigned long)part, part_length }, .mode = mode };

	return result(ioctl(uffd, UFFDIO_RWPROTECT, &arg));
}

static const char *register_range(unsigned long mode)
{
	struct uffdio_register arg = { .range = { (unsigned long)part, part_length }, .mode = mode };

	return result(ioctl(uffd, UFFDIO_REGISTER, &arg));
}

static const char *unregister_range(void)
{
	struct uffdio_range range = { (unsigned long)part, part_length };

	return result(ioctl(uffd, UFFDIO_UNREGISTER, &range));
}

static const char *unprotect(void)
{
	return writeprotect(0);
}

/* Another userfaultfd of this process, for this call. */
static const char *by_another(const char *(*call)(void))
{
	int ours = uffd;
	const char *done;

	uffd = -1;
	done = open_with(0, 0);
	if (!strcmp(done, "ok"))
		done = call();
	close(uffd);
	uffd = ours;
	return done;
}

static const char *copy(unsigned long mode)
{
	static char *source;
	struct uffdio_copy arg = { .dst = (unsigned long)part, .len = part_length, .mode = mode };

	if (!source) {
		source = mmap(NULL, HUGE_PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		source[0] = 1;
	}
	arg.src = (unsigned long)source;
	return result(ioctl(uffd, UFFDIO_COPY, &arg));
}

static const char *fill_with_zeroes(void)
{
	struct uffdio_zeropage arg = { .range = { (unsigned long)part, part_length } };

	return result(ioctl(uffd, UFFDIO_ZEROPAGE, &arg));
}

static const char *proceed(unsigned long mode)
{
	struct uffdio_continue arg = { .range = { (unsigned long)part, part_length }, .mode = mode };

	return result(ioctl(uffd, UFFDIO_CONTINUE, &arg));
}

static const char *poison(void)
{
	struct {
		struct uffdio_range range;
		__u64 mode;
		__s64 updated;
	} arg = { { (unsigned long)part, part_length }, 0, 0 };

	return result(ioctl(uffd, _IOWR(UFFDIO, 8, arg) /* UFFDIO_POISON */, &arg));
}

/* Another place, as plain as can be and alone, which is there for one call: registered in `mode` if
 * that is not 0, which fails where no userfaultfd is open, as the move will. */
static char *elsewhere(unsigned long mode)
{
	struct uffdio_register arg = { .range = { (unsigned long)ELSEWHERE, length }, .mode = mode };
	char *at = mmap(ELSEWHERE, length, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (at == ELSEWHERE && mode)
		ioctl(uffd, UFFDIO_REGISTER, &arg);
	return at;
}

static const char *move_page(char *to, char *from)
{
	struct {
		__u64 dst, src, len, mode;
		__s64 move;
	} arg = { (unsigned long)to, (unsigned long)from, length, 0, 0 };
	const char *done = result(ioctl(uffd, _IOWR(UFFDIO, 5, arg) /* UFFDIO_MOVE */, &arg));

	munmap(ELSEWHERE, length);
	return done;
}

static const char *move_in(void)
{
	char *from = elsewhere(0);

	if (from != ELSEWHERE)
		return result(1);
	*(volatile char *)from = 1;
	return move_page(place, from);
}

/* A page that is write-protected and swapped out where it comes from. */
static const char *move_swapped_in(void)
{
	char *from = elsewhere(UFFDIO_REGISTER_MODE_WP);
	struct uffdio_writeprotect arg = { .range = { (unsigned long)from, length },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP };

	if (from != ELSEWHERE)
		return result(1);
	*(volatile char *)from = 1;
	ioctl(uffd, UFFDIO_WRITEPROTECT, &arg);
	for (int tries = 0; tries < 100 && !(entry_of(from) >> 62 & 1); tries++)
		if (madvise(from, length, MADV_PAGEOUT))
			return result(1);
	return move_page(place, from);
}

static const char *move_out(void)
{
	char *to = elsewhere(UFFDIO_REGISTER_MODE_MISSING);

	return to == ELSEWHERE ? move_page(to, place) : result(1);
}

/* --- calls that change, drop or move memory --- */

static const char *map_anew(void);
static const char *map_part(unsigned long from);
static void make_table(char *at);

static const char *protect(const char *letters)
{
	for (unsigned int i = 0; i < sizeof(protections) / sizeof(*protections); i++)
		if (!strcmp(letters, protections[i].name))
			return result(mprotect(part, part_length, protections[i].prot));
	return NULL;
}

/* Several pages may arrive in part, and leave something behind at each place where they come. */
static char *other_place(void)
{
	if (pages) {
		next_place += APART;
		make_table(next_place);
		return next_place;
	}
	return place == PLACE ? OTHER_PLACE : PLACE;
}

/* With events, what MREMAP_DONTUNMAP leaves behind would go on raising those of fork. */
static const char *move(int flags)
{
	char *to = other_place();

	if (mremap(place, length, length, MREMAP_MAYMOVE | MREMAP_FIXED | flags, to) == MAP_FAILED)
		return result(1);
	if (flags && listens())
		unregister_range();
	place = to;
	return "ok";
}

/* A VMA split inside the huge page, and merged again: the page table is split and stays so. */
static const char *split(void)
{
	char *last = place + length - PAGE;

	return result(madvise(last, PAGE, MADV_DONTFORK) || madvise(last, PAGE, MADV_DOFORK));
}

/* --- fork --- */

/* The child neither keeps the userfaultfd and the pin alive, nor shows up in the page's history. */
static void be_child(int stores, int ready)
{
	if (uffd >= 0)
		close(uffd);
	if (ring >= 0)
		close(ring);
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	if (stores)
		*(volatile char *)place = 1;
	if (ready < 0)
		_exit(0);
	if (write(ready, "r", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static const char *fork_and_wait(int stores)
{
	int theirs;
	pid_t child = fork_heard(0, &theirs);

	if (!child)
		be_child(stores, -1);
	return result(child < 0 || waitpid(child, NULL, 0) != child);
}

static const char *fork_and_stay(void)
{
	int ends[2], theirs;
	char got;

	if (child_count == CHILDREN) {
		errno = EAGAIN;
		return result(1);
	}
	if (pipe(ends))
		return result(1);
	pid_t child = fork_heard(0, &theirs);
	if (!child)
		be_child(0, ends[1]);
	close(ends[1]);
	int failed = child < 0 || read(ends[0], &got, 1) != 1;
	close(ends[0]);
	if (child > 0)
		children[child_count++] = child;
	return result(failed);
}

/* The parent waits until the child has made the rest of the run. What of ours is the parent's alone
 * is let go; the child has the userfaultfd that an event of fork has brought. */
static const char *become_child(void)
{
	int theirs;

	fflush(stdout);
	pid_t child = fork_heard(1, &theirs);
	if (child) {
		if (child < 0)
			return result(1);
		waitpid(child, NULL, 0);
		run_is_over = 1;
		return "ok";
	}
	is_heir = 1;
	child_count = 0;
	if (uffd >= 0)
		close(uffd);
	if (ring >= 0)
		close(ring);
	uffd = theirs;
	ring = -1;
	open_files();
	return result(uffd >= 0 && listen_for_events(uffd));
}

int run_by_child(void)
{
	return run_is_over;
}

static void end_children(void)
{
	while (child_count) {
		pid_t child = children[--child_count];

		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
}

/* --- a pin: a buffer of io_uring --- */

static struct io_uring_params params;
static char *queue;
static struct io_uring_sqe *entries;
static int zeroes = -1;		/* with another byte behind, since a huge page of zeroes may be given up */

static int enter(int count)
{
	return syscall(SYS_io_uring_enter, ring, count, count, IORING_ENTER_GETEVENTS, NULL, 0);
}

static const char *open_ring(void)
{
	memset(&params, 0, sizeof(params));
	ring = syscall(SYS_io_uring_setup, 2, &params);
	if (ring < 0)
		return result(1);
	queue = mmap(NULL, HUGE_PAGE / 64, PROT_READ | PROT_WRITE, MAP_SHARED, ring,
		     IORING_OFF_SQ_RING);
	entries = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
	if (zeroes < 0) {
		zeroes = memfd_create("zeroes", MFD_CLOEXEC);
		if (ftruncate(zeroes, PAGE) || pwrite(zeroes, "\1", 1, PAGE) != 1)
			return result(1);
	}
	return queue == MAP_FAILED || entries == MAP_FAILED ? result(1) : NULL;
}

static void close_ring(void)
{
	if (ring < 0)
		return;
	syscall(SYS_io_uring_register, ring, IORING_UNREGISTER_BUFFERS, NULL, 0);
	munmap(queue, HUGE_PAGE / 64);
	munmap(entries, PAGE);
	close(ring);
	ring = -1;
}

/* A page that was pinned before and is mapped no more is let go. */
static const char *pin(void)
{
	struct iovec buffer = { place, length };
	const char *failed;

	close_ring();
	failed = open_ring();
	if (failed)
		return failed;
	failed = result(syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &buffer, 1));
	if (strcmp(failed, "ok"))
		close_ring();
	return failed;
}

static const char *store_through_pin(void)
{
	unsigned int *tail = (unsigned int *)(queue + params.sq_off.tail);
	unsigned int *array = (unsigned int *)(queue + params.sq_off.array);

	if (ring < 0)
		return "ok";
	memset(entries, 0, sizeof(*entries));
	entries->opcode = IORING_OP_READ_FIXED;
	entries->fd = zeroes;
	entries->addr = (unsigned long)place;
	entries->len = 1;
	entries->off = page_size == PAGE ? 0 : PAGE;
	array[*tail & 1] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	return result(enter(1) != 1);
}

const char *without_pins(void)
{
	const char *failed = open_ring();

	close_ring();
	return failed ? "io_uring cannot be set up" : NULL;
}

/* --- what the kernel does on its own, asked for --- */

/* move_pages() before Linux 6.6 passes over what is PROT_NONE, and /proc/self/numa_maps does not. */
static int node_of(const char *start)
{
	FILE *maps = fopen("/proc/self/numa_maps", "r");
	char line[512];
	int node = -1;

	while (maps && node < 0 && fgets(line, sizeof(line), maps))
		if (strtoul(line, NULL, 16) == (unsigned long)start)
			node = strstr(line, " N0=") ? 0 : strstr(line, " N1=") ? 1 : -1;
	if (maps)
		fclose(maps);
	return node;
}

static long mbind(char *start, unsigned long bytes, int policy, unsigned long nodes, int flags)
{
	return syscall(SYS_mbind, start, bytes, policy, &nodes, 8ul * sizeof(nodes), flags);
}

/* Where new pages come from. */
static long prefer_node(int node)
{
	unsigned long nodes = 1ul << node;

	return syscall(SYS_set_mempolicy, MPOL_PREFERRED, &nodes, 8ul * sizeof(nodes));
}

/* Every page of the mapping moves once, but pinned ones; so that all are on one node, new ones come
 * from there. */
static const char *migrate(void)
{
	int from = node_of(place);

	if (from < 0)
		return "ok";
	if (mbind(place, length, MPOL_BIND, 1ul << !from, MPOL_MF_MOVE_ALL))
		return result(1);
	if (mbind(place, length, MPOL_DEFAULT, 0, 0) < 0)
		return result(1);
	return result(node_of(place) == !from && prefer_node(!from) < 0);
}

const char *without_second_node(void)
{
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return "no memory";
	page[0] = 1;
	mbind(page, PAGE, MPOL_BIND, 1 << 1, MPOL_MF_MOVE_ALL);
	page[0] = 2;
	int node = node_of(page);

	munmap(page, PAGE);
	return node == 1 ? NULL : "there is no second NUMA node";
}

/* KPF_KSM (include/uapi/linux/kernel-page-flags.h) of the page. */
static int is_merged(const char *page)
{
	unsigned long long frame = entry_of(page) & ((1ull << 55) - 1), flags = 0;
	int pages = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);

	if (pread(pages, &flags, sizeof(flags), frame * sizeof(flags)) < 0)
		flags = 0;
	close(pages);
	return flags >> 21 & 1;
}

/* Three scans, in which all that is alike is merged; more while the page is not, for KSM passes over
 * one that is in use at that moment. One that is not after twenty will not be. -1 where KSM stops. */
static int wait_for_scans(const char *page)
{
	long first = number_in(KSM "full_scans"), last = first, now;

	for (int stuck = 0; stuck < STUCK; stuck++) {
		now = number_in(KSM "full_scans");
		if (now >= first + SCANS && (is_merged(page) || now >= first + MOST_SCANS))
			return 0;
		if (now != last)
			stuck = 0;
		last = now;
		usleep(1000);
	}
	errno = ETIMEDOUT;
	return -1;
}

/* VM_UFFD_RWP, since 7.3: whoever reads the page, the kernel too, ends in an event, or opens it. */
static int may_not_be_read(void)
{
	static char text[8192];
	char start[32];
	int fd = open("/proc/self/smaps", O_RDONLY | O_CLOEXEC);
	ssize_t got = pread(fd, text, sizeof(text) - 1, 0);

	close(fd);
	text[got > 0 ? got : 0] = 0;
	sprintf(start, "%lx-", (unsigned long)place);
	char *ours = strstr(text, start), *flags = ours ? strstr(ours, "VmFlags:") : NULL;
	if (!flags)
		return 0;
	*strchrnul(flags, '\n') = 0;
	return strstr(flags, " ur") != NULL;
}

/* What our page can hold is zeroes behind one of these: nothing, a store, or what its file had. */
static const char begins[] = { 0, 1, 'x' };

/* Two twins become one KSM page first, so that ours is the one that is replaced: what an earlier call
   has left to be scanned is taken back before. Two for each content where it may not be read. */
static const char *merge(void)
{
	char content[PAGE];
	char *twins;
	int pairs = 1, failed = 0;

	if (!has_bit(63) || !has_bit(56) || has_bit(61))
		return "ok";
	if (!is_merged(place) && madvise(place, length, MADV_UNMERGEABLE))
		return result(1);
	if (may_not_be_read()) {
		pairs = sizeof(begins);
		memset(content, 0, PAGE);
	} else {
		int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
		if (memory < 0 || pread(memory, content, PAGE, (off_t)place) != PAGE)
			return result(1);
		close(memory);
	}
	twins = mmap(NULL, 2 * pairs * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		     0);
	for (int i = 0; i < 2 * pairs; i++) {
		memcpy(twins + i * PAGE, content, PAGE);
		if (pairs > 1)
			twins[i * PAGE] = begins[i / 2];
	}
	if (madvise(twins, 2 * pairs * PAGE, MADV_MERGEABLE))
		return result(1);
	write_to(KSM "run", "1");
	for (int i = 0; i < pairs && !failed; i++)
		if (!i || !is_merged(twins + 2 * i * PAGE))
			failed = wait_for_scans(twins + 2 * i * PAGE);
	failed = failed || madvise(place, length, MADV_MERGEABLE) || wait_for_scans(place);
	write_to(KSM "run", "0");
	munmap(twins, 2 * pairs * PAGE);
	return result(failed);
}

const char *without_ksm(void)
{
	if (getpid() != 1)
		return NOT_OURS;
	if (number_in(KSM "full_scans") < 0)
		return "there is no KSM";
	if (access("/proc/kpageflags", R_OK))
		return "there is no /proc/kpageflags";
	write_to(KSM "sleep_millisecs", "1");
	write_to(KSM "pages_to_scan", "10000");
	write_to(KSM "use_zero_pages", "0");
	write_to(KSM "smart_scan", "0");
	return write_to(KSM "run", "0") ? "KSM cannot be set" : NULL;
}

/* The header of a swap area (include/linux/swap.h: union swap_header). */
const char *without_swap(void)
{
	static const char *reason = "";
	char header[PAGE];
	uint32_t info[3] = { 1, 0, 0 };
	int fd;

	if (!reason || *reason)
		return reason;
	if (getpid() != 1)
		return NOT_OURS;
	fd = open(SWAP_DEVICE, O_RDWR | O_CLOEXEC);
	reason = *no_disk ? no_disk : "there is no " SWAP_DEVICE;
	if (fd < 0)
		return reason;
	info[1] = lseek(fd, 0, SEEK_END) / PAGE - 1;
	memset(header, 0, sizeof(header));
	memcpy(header + 1024, info, sizeof(info));
	memcpy(header + PAGE - 10, "SWAPSPACE2", 10);
	reason = pwrite(fd, header, PAGE, 0) != PAGE || fsync(fd) ? SWAP_DEVICE " cannot be written"
		: NULL;
	close(fd);
	if (!reason && swapon(SWAP_DEVICE, 0))
		reason = "swapon fails";
	return reason;
}

/* A ring of io_uring that an earlier call closed interrupts us when it ends (io_ring_exit_work()),
 * which is some time later: then once more. */
static const char *empty_swap(void)
{
	int failed = 0;

	while (!failed && swapoff(SWAP_DEVICE))
		failed = errno != EINTR;
	return result(failed || swapon(SWAP_DEVICE, 0));
}

/* --- by name --- */

static const char *operate_uffd(const char *op)
{
	if (!strcmp(op, "register"))
		return register_range(UFFDIO_REGISTER_MODE_WP);
	if (!strcmp(op, "register:missing"))
		return register_range(UFFDIO_REGISTER_MODE_MISSING);
	if (!strcmp(op, "register:wp+missing"))
		return register_range(UFFDIO_REGISTER_MODE_WP | UFFDIO_REGISTER_MODE_MISSING);
	if (!strcmp(op, "register:minor"))
		return register_range(UFFDIO_REGISTER_MODE_MINOR);
	if (!strcmp(op, "register:wp+minor"))
		return register_range(UFFDIO_REGISTER_MODE_WP | UFFDIO_REGISTER_MODE_MINOR);
	if (!strcmp(op, "register:rwp"))
		return register_range(UFFDIO_REGISTER_MODE_RWP);
	if (!strcmp(op, "rwp"))
		return rwprotect(UFFDIO_RWPROTECT_MODE_RWP);
	if (!strcmp(op, "unrwp"))
		return rwprotect(0);
	if (!strcmp(op, "unregister"))
		return unregister_range();
	if (!strcmp(op, "wp"))
		return writeprotect(UFFDIO_WRITEPROTECT_MODE_WP);
	if (!strcmp(op, "unwp"))
		return writeprotect(0);
	if (!strcmp(op, "copy"))
		return copy(0);
	if (!strcmp(op, "copy:wp"))
		return copy(UFFDIO_COPY_MODE_WP);
	if (!strcmp(op, "other:unwp"))
		return by_another(unprotect);
	if (!strcmp(op, "other:unregister"))
		return by_another(unregister_range);
	if (!strcmp(op, "zeropage"))
		return fill_with_zeroes();
	if (!strcmp(op, "continue"))
		return proceed(0);
	if (!strcmp(op, "continue:wp"))
		return proceed(1 << 1 /* UFFDIO_CONTINUE_MODE_WP */);
	if (!strcmp(op, "poison"))
		return poison();
	if (!strcmp(op, "move:in"))
		return move_in();
	if (!strcmp(op, "move:in:wp"))
		return move_swapped_in();
	if (!strcmp(op, "move:out"))
		return move_out();
	if (!strcmp(op, "close"))
		return close_userfaultfd();
	if (!strcmp(op, "open"))
		return open_with(0, 0);
	if (!strcmp(op, "open:unpopulated"))
		return open_with(UFFD_FEATURE_WP_UNPOPULATED, 0);
	if (!strcmp(op, "open:async"))
		return open_with(UFFD_FEATURE_WP_ASYNC, 0);
	if (!strcmp(op, "open:events"))
		return open_with(EVENTS, O_NONBLOCK);
	if (!strcmp(op, "open:user"))
		return open_with(0, UFFD_USER_MODE_ONLY);
	if (!strcmp(op, "open:rwp"))
		return open_with(UFFD_FEATURE_RWP, 0);
	if (!strcmp(op, "open:rwp-async"))
		return open_with(UFFD_FEATURE_RWP | UFFD_FEATURE_RWP_ASYNC, 0);
	return NULL;
}

/* The worker that has written a page of a file to its disk holds it a moment longer. */
static const char *page_out(void)
{
	if (strstr(mapped, "file"))
		usleep(1000);
	return result(madvise(place, length, MADV_PAGEOUT));
}

static const char *operate_kernel(const char *op)
{
	if (!strcmp(op, "pageout"))
		return page_out();
	if (!strcmp(op, "migrate"))
		return migrate();
	if (!strcmp(op, "ksm"))
		return merge();
	if (!strcmp(op, "collapse"))
		return result(madvise(place, length, MADV_COLLAPSE));
	if (!strcmp(op, "split"))
		return split();
	if (!strcmp(op, "writeback"))
		return result(msync(place, length, MS_SYNC));
	return NULL;
}

/* Of the page before the part, which then reaches to its end: nothing may be mapped there. */
static const char *grow(void)
{
	return result(mremap(part - PAGE, PAGE, part_length + PAGE, 0) == MAP_FAILED);
}

/* What several pages alone have. */
static const char *operate_part(const char *op)
{
	if (!strcmp(op, "munmap"))
		return result(munmap(part, part_length));
	if (!strncmp(op, "mmap:", 5))
		return map_part(strtoul(op + 5, NULL, 10));
	if (!strcmp(op, "mremap:grow"))
		return grow();
	if (!strcmp(op, "madvise:dontfork"))
		return result(madvise(part, part_length, MADV_DONTFORK));
	return NULL;
}

static const char *operate_on(const char *op, long *faults)
{
	const char *done;

	if (!strcmp(op, "store"))
		return access_page(1, faults);
	if (!strcmp(op, "load"))
		return access_page(0, faults);
	if (!strcmp(op, "read"))
		return transfer(1);
	if (!strcmp(op, "write"))
		return transfer(0);
	if (!strcmp(op, "process_vm_readv"))
		return access_remotely(0);
	if (!strcmp(op, "process_vm_writev"))
		return access_remotely(1);
	if (!strcmp(op, "alias:store"))
		return store_by_alias();
	if (!strcmp(op, "truncate"))
		return truncate_file();
	if (!strcmp(op, "clear_refs"))
		return result(pwrite(refs, "4", 1, 0) != 1);
	if (!strncmp(op, "mprotect:", 9))
		return protect(op + 9);
	if (!strcmp(op, "dontneed"))
		return result(madvise(part, part_length, MADV_DONTNEED));
	if (!strcmp(op, "free"))
		return result(madvise(part, part_length, MADV_FREE));
	if (!strcmp(op, "remove"))
		return result(madvise(part, part_length, MADV_REMOVE));
	if (!strcmp(op, "guard"))
		return advise(102 /* MADV_GUARD_INSTALL */);
	if (!strcmp(op, "unguard"))
		return advise(103 /* MADV_GUARD_REMOVE */);
	if (!strcmp(op, "mremap"))
		return move(0);
	if (!strcmp(op, "mremap:dontunmap"))
		return move(MREMAP_DONTUNMAP);
	if (!strcmp(op, "mmap"))
		return map_anew();
	if (!strcmp(op, "scan:wp"))
		return scan_and_protect();
	if (!strcmp(op, "swapoff"))
		return empty_swap();
	if (!strcmp(op, "fork"))
		return fork_and_wait(0);
	if (!strcmp(op, "fork:child"))
		return become_child();
	if (!strcmp(op, "fork:write"))
		return fork_and_wait(1);
	if (!strcmp(op, "fork:stay"))
		return fork_and_stay();
	if (!strcmp(op, "pin"))
		return pin();
	if (!strcmp(op, "unpin"))
		return close_ring(), "ok";
	if (!strcmp(op, "pin:write"))
		return store_through_pin();
	done = operate_uffd(op);
	done = done ? done : operate_kernel(op);
	return done || !pages ? done : operate_part(op);
}

/* OP, or of some of several pages OP@FIRST or OP@FIRST-LAST. */
const char *operate(const char *op, long *faults)
{
	const char *where = strchr(op, '@');
	unsigned long first = 0, last = pages ? pages - 1 : 0;
	char name[64], *end;

	*faults = 0;
	part = place;
	part_length = length;
	if (!where)
		return operate_on(op, faults);
	first = last = strtoul(where + 1, &end, 10);
	if (*end == '-')
		last = strtoul(end + 1, &end, 10);
	if (*end || first > last || last >= pages || (unsigned long)(where - op) >= sizeof(name))
		return NULL;
	snprintf(name, sizeof(name), "%.*s", (int)(where - op), op);
	part = place + first * PAGE;
	part_length = (last - first + 1) * PAGE;
	return operate_on(name, faults);
}

/* --- a fresh mapping, and its end --- */

/* A file in memory is of another kind: the kernel asks nobody before its page is written. */
static const char *without_files(void)
{
	struct statfs told;

	if (*no_disk || *no_files)
		return *no_disk ? no_disk : no_files;
	if (statfs(FILE_SYSTEM, &told))
		return "there is no " FILE_SYSTEM;
	return told.f_type == TMPFS_MAGIC || told.f_type == RAMFS_MAGIC
		? FILE_SYSTEM " is in memory, not on a disk" : NULL;
}

/* Clean, and in the page cache. What there was of it before is truncated, whoever maps it. */
static int filled_file(enum from from)
{
	static char content[PAGE] = "x";
	static int memory = -1;

	if (from == TMPFS && memory < 0)
		memory = memfd_create("page", MFD_CLOEXEC);
	if (from == TMPFS && ftruncate(memory, 0))
		return -1;
	int fd = from == TMPFS ? dup(memory)
		: open(FILE_SYSTEM "/page", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	int failed = fd < 0 || ftruncate(fd, length);

	for (unsigned long at = 0; !failed && at < length; at += page_size)
		failed = pwrite(fd, content, PAGE, at) != PAGE;
	if (fd >= 0 && (failed || fsync(fd))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A page beside each place that small pages and those of hugetlb have: its page tables are theirs, so
 * that they are there before the first fault. */
static void make_table(char *at)
{
	char *page = mmap(at + (page_size == PAGE ? BESIDE : 2 * page_size), PAGE,
			  PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (page != MAP_FAILED)
		*(volatile char *)page = 1;
}

static void drop_table(char *at)
{
	munmap(at + (page_size == PAGE ? BESIDE : 2 * page_size), PAGE);
}

/* The number of pages behind the name of a mapping that has several: "shmem:4". */
static int find_kind(const char *name)
{
	unsigned long bytes = strcspn(name, ":");

	pages = name[bytes] ? strtoul(name + bytes + 1, NULL, 10) : 0;
	if (name[bytes] && (!pages || pages > MOST_PAGES))
		return 0;
	for (kind = 0; kind < sizeof(mappings) / sizeof(*mappings); kind++)
		if (strlen(mappings[kind].name) == bytes && !strncmp(name, mappings[kind].name, bytes))
			return !(pages && (mappings[kind].page_size != PAGE
					   || mappings[kind].from == REGULAR));
	return 0;
}

/* Of several pages of shared memory the file is kept, so that a part can be mapped anew. */
static int open_backing(void)
{
	if (mappings[kind].from != ANONYMOUS)
		return filled_file(mappings[kind].from);
	if (pages && mappings[kind].flags & MAP_SHARED) {
		int fd = memfd_create("pages", MFD_CLOEXEC);

		return fd < 0 || ftruncate(fd, length) ? -1 : fd;
	}
	errno = 0;
	return -1;
}

/* Pages of the mapping, or over them, from the page `from` of its file on. */
static char *map_pages(char *at, unsigned long bytes, int how, unsigned long from)
{
	int flags = mappings[kind].flags & ~(backing >= 0 ? MAP_ANONYMOUS : 0);

	return mmap(at, bytes, PROT_READ | PROT_WRITE, flags | how, backing, from * PAGE);
}

const char *make_mapping(const char *name)
{
	char *got;

	if (!find_kind(name))
		return "the agent does not know this mapping";
	page_size = mappings[kind].page_size;
	length = page_size * (pages ? pages : 1);
	part = place;
	part_length = length;
	if (mappings[kind].from == REGULAR && without_files())
		return without_files();
	backing = open_backing();
	if (backing < 0 && errno)
		return "no such file can be made";
	if (!mappings[kind].huge) {
		make_table(PLACE);
		if (!pages)
			make_table(OTHER_PLACE);
	}
	got = map_pages(place, length, MAP_FIXED_NOREPLACE, 0);
	if (!pages && backing >= 0) {
		close(backing);
		backing = -1;
	}
	if (got != place)
		return mappings[kind].flags & MAP_HUGETLB ? FEW_HUGE : "mmap fails";
	if (mappings[kind].huge && madvise(place, length, MADV_HUGEPAGE))
		return "MADV_HUGEPAGE fails";
	mapped = mappings[kind].name;
	return NULL;
}

const char *without_huge_page(void)
{
	char line[256];
	unsigned long kilobytes = 0, found;

	if (page_size == PAGE)
		return NULL;
	if (strstr(mapped, "hugetlb"))
		return number_in(HUGETLB "free_hugepages") < LEAST_HUGE ? FEW_HUGE : NULL;
	*(volatile char *)place = 1;
	FILE *smaps = fopen("/proc/self/smaps", "r");
	while (smaps && fgets(line, sizeof(line), smaps) && strncmp(line, "VmFlags:", 8))
		if (sscanf(line, "AnonHugePages: %lu", &found) == 1
		    || sscanf(line, "ShmemPmdMapped: %lu", &found) == 1)
			kilobytes += found;
	if (smaps)
		fclose(smaps);
	return kilobytes << 10 == length ? NULL : "a store gets no huge page "
		"(/sys/kernel/mm/transparent_hugepage)";
}

/* A part of several pages, which its file has from the page `from` on: the old goes at once. */
static const char *map_part(unsigned long from)
{
	return result(map_pages(part, part_length, MAP_FIXED, from) == MAP_FAILED);
}

static const char *map_anew(void)
{
	if (pages)
		return map_part((part - place) / PAGE);
	return result(munmap(place, length) || make_mapping(mapped));
}

/* All that was left where the mapping has been. */
static void drop_places(void)
{
	munmap(PLACE, length);
	drop_table(PLACE);
	if (pages)
		munmap(FRESH_PLACES, next_place + APART - FRESH_PLACES);
	else {
		munmap(OTHER_PLACE, length);
		drop_table(OTHER_PLACE);
	}
	if (backing >= 0)
		close(backing);
	backing = -1;
	place = PLACE;
	next_place = FRESH_PLACES;
}

void drop(void)
{
	end_children();
	close_ring();
	drop_places();
	syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0ul);
	if (uffd >= 0)
		close_userfaultfd();
	run_is_over = 0;
	if (is_heir) {
		fflush(stdout);
		_exit(0);
	}
}

void prepare_calls(void)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	open_files();
}
