"""The C of UFFDIO_POISON and of UFFDIO_MOVE, and of the other place that this moves from or to."""

from __future__ import annotations

from counterexamples.reproducer.part import Part

MOVES = {
    "poison": Part((), """\
static int poison(void)
{
	struct { struct uffdio_range range; __u64 mode; __s64 updated; } arg = {
		{ (long)PLACE, LENGTH }, 0, 0 };

	return ioctl(uffd, _IOWR(0xAA, 8, arg) /* UFFDIO_POISON */, &arg) ? errno : 0;
}
"""),
    "elsewhere": Part((), """
/* The other place, fresh for one call; registered in `mode` if that is not 0. */
#define ELSEWHERE ((char *)0x180000000UL)
static char *elsewhere(int mode)
{
	struct uffdio_register there = { .range = { (long)ELSEWHERE, LENGTH }, .mode = mode };
	char *at = mmap(ELSEWHERE, LENGTH, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (at != ELSEWHERE)
		SKIP("another place", errno);
	if (mode)
		ioctl(uffd, UFFDIO_REGISTER, &there); /* fails where the move will, with none open */
	return at;
}

static int move_page(char *to, char *from)
{
	struct { __u64 dst, src, len, mode; __s64 move; } arg = { (long)to, (long)from, LENGTH, 0, 0 };
	int failed = ioctl(uffd, _IOWR(0xAA, 5, arg) /* UFFDIO_MOVE */, &arg) ? errno : 0;

	munmap(ELSEWHERE, LENGTH);
	return failed;
}
"""),
    "move:in": Part((), """
static int move_in(void)
{
	char *from = elsewhere(0);

	*(volatile char *)from = 1;
	return move_page(PLACE, from);
}
"""),
    "move:in:wp": Part((), """
/* A page that is write-protected and swapped out where it comes from. */
static int move_swapped_in(void)
{
	char *from = elsewhere(UFFDIO_REGISTER_MODE_WP);
	struct uffdio_writeprotect there = { .range = { (long)from, LENGTH },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP };
	unsigned long long entry = 0;
	int tries;

	*(volatile char *)from = 1;
	ioctl(uffd, UFFDIO_WRITEPROTECT, &there);
	for (tries = 0; tries < 100 && !(entry >> 62 & 1); tries++)
		if (madvise(from, LENGTH, 21 /* MADV_PAGEOUT */)
				|| pread(pagemap, &entry, sizeof(entry), (long)from / PAGE * sizeof(entry)) < 0)
			SKIP("a page in swap", errno);
	return move_page(PLACE, from);
}
"""),
    "move:out": Part((), """
static int move_out(void)
{
	return move_page(elsewhere(UFFDIO_REGISTER_MODE_MISSING), PLACE);
}
"""),
}

HUGE_MOVES = {
    "elsewhere": Part(("sched.h", "sys/wait.h", "time.h"), """
/* The other place, fresh for one call; registered in `mode` if that is not 0. */
#define ELSEWHERE ((char *)0x180000000UL)
static char *elsewhere(int mode)
{
	struct uffdio_register there = { .range = { (long)ELSEWHERE, LENGTH }, .mode = mode };
	char *at = mmap(ELSEWHERE, LENGTH, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (at != ELSEWHERE || madvise(at, LENGTH, MADV_HUGEPAGE))
		SKIP("another place", errno);
	if (mode)
		ioctl(uffd, UFFDIO_REGISTER, &there); /* fails where the move will, with none open */
	return at;
}

static struct { __u64 dst, src, len, mode; __s64 move; } moving;
static volatile int move_failed;

static int move_pages(void *unused)
{
	int failed = ioctl(uffd, _IOWR(0xAA, 5, moving) /* UFFDIO_MOVE */, &moving);

	move_failed = failed ? errno : 0;
	return unused != NULL;
}

/* The move may never return, and then death alone ends it: that of a process with our memory. */
static int move_page(char *to, char *from)
{
	static char stack[1 << 16] __attribute__((aligned(16)));
	struct timespec used, pause = { 0, 1000000 };
	clockid_t clock;
	pid_t child;

	moving.dst = (long)to;
	moving.src = (long)from;
	moving.len = LENGTH;
	move_failed = -SIGALRM;
	child = clone(move_pages, stack + sizeof(stack), CLONE_VM | CLONE_FILES | SIGCHLD, NULL);
	while (!waitpid(child, NULL, WNOHANG)) {
		if (!clock_getcpuclockid(child, &clock) && !clock_gettime(clock, &used) && used.tv_sec)
			kill(child, SIGKILL);
		nanosleep(&pause, NULL);
	}
	munmap(ELSEWHERE, LENGTH);
	return move_failed;
}
"""),
}
"""Of huge pages."""
