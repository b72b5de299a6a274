"""The C that a reproducer is put together from, in an order in which C can read it."""

from __future__ import annotations

from counterexamples.reproducer.aliases import ALIASES
from counterexamples.reproducer.forced import FORCED
from counterexamples.reproducer.forks import EVENTS, FORK_CHILD, FORKS
from counterexamples.reproducer.moves import MOVES
from counterexamples.reproducer.part import Part
from counterexamples.reproducer.pins import PINS

HEADERS = ("errno.h", "fcntl.h", "stdio.h", "stdlib.h", "string.h", "sys/mman.h", "unistd.h")

COMMON = """
#define SKIP(why, error) (printf("ok 1 " NAME " # SKIP " why ": %s\\n", strerror(error)), exit(4))
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
	printf("# %d %s: %s, %d faults, pagemap %016llx%s\\n", steps++, call,
		got < 0 ? strsignal(-got) : strerror(got), faults, entry, other ? " <- other" : "");
	parted |= other;
	faults = 0;
}
"""

SCAN = Part(("sys/ioctl.h",), """
static int pagemap;

/* PAGEMAP_SCAN: how many ranges are written. Asked for that alone it counts what is empty too. */
static int scan(unsigned long length, int flags)
{
	unsigned long found[3], arg[12] = { /* struct pm_scan_arg */ sizeof(arg), flags, (long)PLACE,
		(long)PLACE + length, 0, (long)found, 1, 0, 0, 2, 0, flags ? 2 : 2 | 8 };

	return ioctl(pagemap, _IOWR('f', 16, arg), arg);
}
""")
"""Stands before COMMON, which may ask it after each step."""
SCANNED = Part((), "", """\
	if (scan(PAGE, 0) < 0)
		SKIP("PAGEMAP_SCAN", errno);
""")
_ALONE = "entry &= COMPARED;"
_WITH_SCAN = "entry = (entry & COMPARED) | (scan(PAGE, 0) ? PM_WRITTEN : 0);"


def common(scanned: bool) -> str:
    """What compares a step with the model's; `scanned`, with what PAGEMAP_SCAN calls written."""
    return COMMON.replace(_ALONE, _WITH_SCAN) if scanned else COMMON


_THP = '\n#define THP "/sys/kernel/mm/transparent_hugepage"\n'

PARTS = {
    "tables": Part((), "", """\
	/* A page beside each place, for page tables that are there before the first fault. */
	char *at;

	for (at = PLACE; at < PLACE + (1L << 34); at += 1L << 30)
		if (mmap(at + LENGTH + (LENGTH == PAGE ? 64 * PAGE : LENGTH), PAGE, PROT_WRITE, MAP_FIXED |
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) == MAP_FAILED)
			SKIP("a page beside", errno);
"""),
    "touch": Part(("setjmp.h", "signal.h", "sys/resource.h"), """
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
""", """\
	signal(SIGBUS, on_signal);
	signal(SIGSEGV, on_signal);
	signal(SIGALRM, on_signal);
"""),
    "guard": Part(("setjmp.h", "signal.h"), """
static sigjmp_buf out;

static void give_up(int signal)
{
	siglongjmp(out, signal);
}

/* A call that does not return is given up after five seconds. */
static int guard(int advice)
{
	static void (*others)(int);
	static int ended;

	others = signal(SIGALRM, give_up);
	alarm(5);
	ended = -sigsetjmp(out, 1);
	if (!ended && madvise(PLACE, LENGTH, advice))
		ended = errno;
	alarm(0);
	signal(SIGALRM, others);
	return ended;
}
"""),
    "transfer": Part((), """
/* A byte of a file in memory into the page, or from it. */
static int transfer(int into)
{
	int file = memfd_create("bytes", 0), failed;

	failed = pwrite(file, "\\1", 1, 0) != 1 ||
		(into ? pread(file, PLACE, 1, 0) : pwrite(file, PLACE, 1, 0)) != 1 ? errno : 0;
	close(file);
	return failed;
}
"""),
    "remote": Part(("sys/uio.h",), """
static char byte = 1;
static struct iovec ours = { &byte, 1 };
#define REMOTE(call) \\
	(call(getpid(), &ours, 1, &(struct iovec) { PLACE, 1 }, 1, 0) == 1 ? 0 : errno)
"""),
    "file": Part((), """
/* A tmpfs file of the mapping's length that has content. */
static int file(void)
{
	int fd = memfd_create("page", 0);

	return fd < 0 || ftruncate(fd, LENGTH) || pwrite(fd, "x", 1, 0) != 1 ? -1 : fd;
}
"""),
    "regular": Part((), """
/* Of a file system on a disk, clean, with content. */
static int file(void)
{
	int fd = open("/var/tmp", O_RDWR | O_TMPFILE, 0600);

	return fd < 0 || ftruncate(fd, LENGTH) || pwrite(fd, "x", 1, 0) != 1 || fsync(fd) ? -1 : fd;
}
"""),
    "thp": Part((), _THP, """\
	if (write(open(THP "/enabled", O_WRONLY), "madvise", 7) != 7)
		SKIP("huge pages", errno);
"""),
    "shmem-thp": Part((), _THP, """\
	if (write(open(THP "/shmem_enabled", O_WRONLY), "advise", 6) != 6)
		SKIP("huge pages of shared memory", errno);
"""),
    **EVENTS,
    **ALIASES,
    **FORCED,
    "hugetlb": Part((), "", """\
	if (write(open("/proc/sys/vm/nr_hugepages", O_WRONLY), "8", 1) != 1)
		SKIP("huge pages", errno);
"""),
    "mremap": Part((), """
static int move(void)
{
	char *to = PLACE + (1L << 30);

	if (mremap(PLACE, LENGTH, LENGTH, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED)
		return errno;
	place = to;
	return 0;
}
"""),
    "mmap": Part((), """
static int map_anew(void)
{
	munmap(PLACE, LENGTH);
	return mmap(PLACE, LENGTH, PROT_READ | PROT_WRITE, FLAGS | MAP_FIXED, CONTENT, 0) != PLACE ||
		(ADVICE && madvise(PLACE, LENGTH, ADVICE)) ? errno : 0;
}
"""),
    **FORKS,
    **PINS,
    "clear_refs": Part((), """\
#define CLEAR_REFS (pwrite(refs, "4", 1, 0) == 1 ? 0 : errno)
static int refs;
""", """\
	refs = open("/proc/self/clear_refs", O_WRONLY);
"""),
    "mprotect": Part((), """\
#define MPROTECT(prot) (mprotect(PLACE, LENGTH, prot) ? errno : 0)
"""),
    "uffd": Part(("linux/userfaultfd.h", "sys/ioctl.h", "sys/syscall.h"), """\
#define FEATURES (UFFD_FEATURE_SIGBUS | 1 << 12 /* UFFD_FEATURE_WP_HUGETLBFS_SHMEM */)
static int uffd;
static struct uffdio_api api = { .api = UFFD_API, .features = FEATURES };
""", """\
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api))
		SKIP("userfaultfd that write-protects shmem", errno);
"""),
    "fixed": Part((), """\
#define UFFD(call, arg) (ioctl(uffd, UFFDIO_##call, &arg) ? errno : 0)
#define RANGE { (long)PLACE, LENGTH }
"""),
    "moving": Part((), """\
/* Every argument starts with the address. */
#define UFFD(call, arg) \\
	(*(__u64 *)&arg = (long)PLACE, ioctl(uffd, UFFDIO_##call, &arg) ? errno : 0)
#define RANGE { 0, LENGTH }
"""),
    "fork:child": FORK_CHILD,
    "open": Part((), """
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
"""),
    "open:user": Part((), """
static int open_for_user(void)
{
	int failed;

	if (uffd >= 0)
		return 0;
	api = (struct uffdio_api) { .api = UFFD_API, .features = FEATURES };
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC | 1 /* UFFD_USER_MODE_ONLY */);
	failed = uffd < 0 || ioctl(uffd, UFFDIO_API, &api) ? errno : 0;
	if (failed) {
		close(uffd);
		uffd = -1;
	}
	return failed;
}
"""),
    "other": Part((), """
/* A second userfaultfd of this process makes the call. */
static int own_uffd, answered;
#define BY_OTHER(call) (own_uffd = uffd, uffd = -1, open_uffd(0), answered = call, close(uffd), \\
	uffd = own_uffd, answered)
"""),
    "copy": Part((), """
static int copy(int mode)
{
	static char source[LENGTH] __attribute__((aligned(4096)));
	struct uffdio_copy arg = { (long)PLACE, (long)source, LENGTH, mode, 0 };

	source[0] = 1;
	return ioctl(uffd, UFFDIO_COPY, &arg) ? errno : 0;
}
"""),
    "range": Part((), """\
static struct uffdio_range range = RANGE;
"""),
    "reg": Part((), """\
static struct uffdio_register reg = { .range = RANGE, .mode = UFFDIO_REGISTER_MODE_WP };
"""),
    "reg:missing": Part((), """\
static struct uffdio_register reg_missing = { .range = RANGE,
	.mode = UFFDIO_REGISTER_MODE_MISSING };
"""),
    "reg:both": Part((), """\
static struct uffdio_register reg_both = { .range = RANGE,
	.mode = UFFDIO_REGISTER_MODE_WP | UFFDIO_REGISTER_MODE_MISSING };
"""),
    "reg:minor": Part((), """\
static struct uffdio_register reg_minor = { .range = RANGE, .mode = UFFDIO_REGISTER_MODE_MINOR };
"""),
    "reg:wp+minor": Part((), """\
static struct uffdio_register reg_wp_minor = { .range = RANGE,
	.mode = UFFDIO_REGISTER_MODE_WP | UFFDIO_REGISTER_MODE_MINOR };
"""),
    "continue": Part((), """\
static int proceed(int mode)
{
	struct uffdio_continue arg = { { (long)PLACE, LENGTH }, mode, 0 };

	return ioctl(uffd, UFFDIO_CONTINUE, &arg) ? errno : 0;
}
"""),
    "reg:rwp": Part((), """\
static struct uffdio_register reg_rwp = { .range = RANGE,
	.mode = 1 << 3 /* UFFDIO_REGISTER_MODE_RWP */ };
"""),
    "rwprotect": Part((), """\
struct rwprotect { struct uffdio_range range; __u64 mode; };
/* UFFDIO_RWPROTECT */
#define UFFD_RWPROTECT(arg) (arg.range.start = (long)PLACE, \\
	ioctl(uffd, _IOWR(0xAA, 9, arg), &arg) ? errno : 0)
"""),
    "rwp": Part((), """\
static struct rwprotect rwp = { .range = RANGE, .mode = 1 /* UFFDIO_RWPROTECT_MODE_RWP */ };
"""),
    "unrwp": Part((), """\
static struct rwprotect unrwp = { .range = RANGE, .mode = 0 };
"""),
    "wp": Part((), """\
static struct uffdio_writeprotect wp = { .range = RANGE, .mode = UFFDIO_WRITEPROTECT_MODE_WP };
"""),
    "unwp": Part((), """\
static struct uffdio_writeprotect unwp = { .range = RANGE, .mode = 0 };
"""),
    "zero": Part((), """\
static struct uffdio_zeropage zero = { .range = RANGE };
"""),
    **MOVES,
}
