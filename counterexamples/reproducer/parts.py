"""The C that a reproducer is put together from: for each operation its call, and what that needs.

To add an operation: a row in CALLS, and where it needs one a part in PARTS, in an order in which C
can read them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Call:
    """An operation as a C expression whose value is 0, an errno, or minus a signal."""

    expression: str
    needs: tuple[str, ...]


CALLS = {
    "store": Call("touch(1)", ("touch",)),
    "load": Call("touch(0)", ("touch",)),
    "clear_refs": Call("CLEAR_REFS", ("clear_refs",)),
    "register": Call("UFFD(REGISTER, reg)", ("uffd", "reg")),
    "unregister": Call("UFFD(UNREGISTER, range)", ("uffd", "range")),
    "wp": Call("UFFD(WRITEPROTECT, wp)", ("uffd", "wp")),
    "unwp": Call("UFFD(WRITEPROTECT, unwp)", ("uffd", "unwp")),
    "mprotect:none": Call("MPROTECT(PROT_NONE)", ("mprotect",)),
    "mprotect:r": Call("MPROTECT(PROT_READ)", ("mprotect",)),
    "mprotect:rw": Call("MPROTECT(PROT_READ | PROT_WRITE)", ("mprotect",)),
    "mprotect:w": Call("MPROTECT(PROT_WRITE)", ("mprotect",)),
    "mprotect:rx": Call("MPROTECT(PROT_READ | PROT_EXEC)", ("mprotect",)),
    "mprotect:rwx": Call("MPROTECT(PROT_READ | PROT_WRITE | PROT_EXEC)", ("mprotect",)),
    "register:missing": Call("UFFD(REGISTER, reg_missing)", ("uffd", "reg:missing")),
    "register:wp+missing": Call("UFFD(REGISTER, reg_both)", ("uffd", "reg:both")),
    "close": Call("close(uffd) ? errno : (uffd = -1, 0)", ("uffd",)),
    "open": Call("open_uffd()", ("uffd", "open")),
    "dontneed": Call("madvise(PLACE, LENGTH, MADV_DONTNEED) ? errno : 0", ()),
    "fork": Call("fork_and_wait()", ("fork",)),
    "mremap": Call("move()", ("mremap",)),
}


@dataclass(frozen=True)
class Memory:
    """A mapping: the flags, the file and the length that mmap() gets, and what that needs."""

    flags: str
    needs: tuple[str, ...] = ()
    file: str = "-1"
    length: str = "PAGE"


_HUGE = "(2UL << 20)"
MAPPINGS = {
    "anon": Memory("MAP_PRIVATE | MAP_ANONYMOUS"),
    "shmem": Memory("MAP_SHARED | MAP_ANONYMOUS"),
    "private-shmem": Memory("MAP_PRIVATE", ("file",), "file()"),
    "hugetlb": Memory("MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB", ("hugetlb",), length=_HUGE),
    "private-hugetlb": Memory("MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB", ("hugetlb",),
                              length=_HUGE),
}

OUTCOMES = {"ok": "0", "event": "-SIGBUS", "bus": "-SIGBUS", "segv": "-SIGSEGV",
            "refault": "-SIGALRM"}
"""Other outcomes are errno names, which C knows."""

BITS = {"present": ("PM_PRESENT", 63), "swap": ("PM_SWAP", 62), "file": ("PM_FILE", 61),
        "uffd_wp": ("PM_UFFD_WP", 57), "exclusive": ("PM_MMAP_EXCLUSIVE", 56),
        "soft_dirty": ("PM_SOFT_DIRTY", 55)}
"""Pagemap bits by the kernel's names (fs/proc/task_mmu.c)."""


@dataclass(frozen=True)
class Part:
    """What a program needs for a call, beside what every program has; `start` stands in main()."""

    headers: tuple[str, ...] = ()
    text: str = ""
    start: str = ""


HEADERS = ("errno.h", "fcntl.h", "stdio.h", "stdlib.h", "string.h", "sys/mman.h", "unistd.h")

COMMON = """
#define SKIP(why, error) (printf("ok 1 " NAME " # SKIP " why ": %s\\n", strerror(error)), exit(4))
static int pagemap, steps, parted;
static long faults;

/* Compare what a call did with what the model says. `got` is 0, an errno, or minus a signal. */
static void step(const char *call, int got, int outcome, long minor, unsigned long long bits)
{
	unsigned long long entry;
	int other;

	if (pread(pagemap, &entry, sizeof(entry), (long)PLACE / PAGE * sizeof(entry)) < 0)
		SKIP("pagemap", errno);
	entry &= COMPARED;
	other = got != outcome || faults != minor || entry != bits;
	printf("# %d %s: %s, %ld faults, pagemap %016llx%s\\n", steps++, call,
		got < 0 ? strsignal(-got) : strerror(got), faults, entry, other ? " <- other" : "");
	parted |= other;
	faults = 0;
}
"""

PARTS = {
    "touch": Part(("setjmp.h", "signal.h", "sys/resource.h"), """
static sigjmp_buf back;
static volatile sig_atomic_t caught;

static void on_signal(int signal)
{
	caught = signal;
	siglongjmp(back, 1);
}

/* A hole first, for the faults of our own pages. The alarm ends an access that faults for ever. */
static int touch(int write)
{
	static struct rusage before, after;
	static volatile char *at;

	for (at = PLACE - PAGE; at <= PLACE; at += PAGE) {
		caught = 0;
		alarm(2);
		getrusage(RUSAGE_THREAD, &before);
		if (!sigsetjmp(back, 1))
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
    "file": Part((), """
/* A tmpfs file of the mapping's length that has content. */
static int file(void)
{
	int fd = memfd_create("page", 0);

	return fd < 0 || ftruncate(fd, LENGTH) || pwrite(fd, "x", 1, 0) != 1 ? -1 : fd;
}
"""),
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
    "fork": Part(("sys/wait.h",), """
static int fork_and_wait(void)
{
	pid_t child = fork();

	if (!child)
		_exit(0);
	return child < 0 || waitpid(child, NULL, 0) != child ? errno : 0;
}
"""),
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
#ifndef UFFD_FEATURE_WP_HUGETLBFS_SHMEM
#define UFFD_FEATURE_WP_HUGETLBFS_SHMEM (1 << 12)
#endif
#define UFFD(call, arg) (ioctl(uffd, UFFDIO_##call, &arg) ? errno : 0)
#define FEATURES (UFFD_FEATURE_WP_HUGETLBFS_SHMEM | UFFD_FEATURE_SIGBUS)
static int uffd;
static struct uffdio_api api = { .api = UFFD_API, .features = FEATURES };
""", """\
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0 || UFFD(API, api))
		SKIP("userfaultfd that write-protects shmem", errno);
"""),
    "fixed": Part((), """\
#define RANGE { (long)PLACE, LENGTH }
"""),
    "moving": Part((), """\
#undef UFFD /* every argument but that of UFFDIO_API starts with the address */
#define UFFD(call, arg) \\
	((void)(UFFDIO_##call == UFFDIO_API || (*(__u64 *)&arg = (long)PLACE)), \\
		ioctl(uffd, UFFDIO_##call, &arg) ? errno : 0)
#define RANGE { 0, LENGTH }
"""),
    "open": Part((), """
static int open_uffd(void)
{
	if (uffd >= 0)
		return 0;
	api.features = FEATURES; /* the call before put there all that the kernel has */
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	return uffd < 0 || ioctl(uffd, UFFDIO_API, &api) ? errno : 0;
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
    "wp": Part((), """\
static struct uffdio_writeprotect wp = { .range = RANGE, .mode = UFFDIO_WRITEPROTECT_MODE_WP };
"""),
    "unwp": Part((), """\
static struct uffdio_writeprotect unwp = { .range = RANGE, .mode = 0 };
"""),
}
