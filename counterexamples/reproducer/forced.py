"""The C that makes the kernel do what it does by itself, in an order in which C can read it.

Nothing here waits for a time: each ends by what is seen, with a limit that only a kernel meets that
does nothing any more.
"""

from __future__ import annotations

from counterexamples.reproducer.part import Part

FORCED = {
    "swap": Part(("sched.h", "sys/swap.h", "sys/sysinfo.h"), """
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
""", """\
	struct sysinfo memory;
	cpu_set_t here;

	CPU_ZERO(&here); /* pages that another CPU is about to list cannot be reclaimed */
	CPU_SET(sched_getcpu(), &here);
	sched_setaffinity(0, sizeof(here), &here);
	if (sysinfo(&memory) || (!memory.totalswap && LENGTH > PAGE)) /* a file splits it */
		SKIP("swap on a block device, as zram", ENODEV);
	if (!memory.totalswap && no_swap())
		SKIP("swap, for which 4 MB of /var/tmp would do", errno);
"""),
    "pageout": Part((), """
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
"""),
    "swapoff": Part(("sys/swap.h",), """
/* And swapon again; of the first that /proc/swaps names. A ring of io_uring that we have closed
 * interrupts us when it ends, which is some time later: then once more. */
static int empty_swap(void)
{
	char name[256];
	FILE *swaps = fopen("/proc/swaps", "r");
	int failed = !swaps || fscanf(swaps, "%*[^\\n] %255s", name) != 1;

	fclose(swaps);
	while (!failed && swapoff(name))
		failed = errno != EINTR;
	return failed || swapon(name, 0) ? errno : 0;
}
"""),
    "split": Part((), """
/* The VMA is split inside the huge page and merged again: the page table stays split. */
static int split(void)
{
	char *last = PLACE + LENGTH - PAGE;

	return madvise(last, PAGE, MADV_DONTFORK) || madvise(last, PAGE, MADV_DOFORK) ? errno : 0;
}
"""),
    "migrate": Part(("sys/syscall.h",), """
#define MOVE_ALL (1 << 2)
#define MPOL_BIND 2

/* To the other of two NUMA nodes; PROT_NONE memory too. */
static int migrate(void)
{
	static unsigned long node = 1;
	unsigned long nodes = 1UL << node;

	node = !node;
	return syscall(SYS_mbind, PLACE, LENGTH, MPOL_BIND, &nodes, 64UL, MOVE_ALL) ? errno : 0;
}
""", """\
	unsigned long first = 1;

	if (access("/sys/devices/system/node/node1", F_OK))
		SKIP("a second NUMA node", ENODEV);
	syscall(SYS_set_mempolicy, MPOL_BIND, &first, 64UL);
"""),
    "ksm": Part((), """
#define KSM "/sys/kernel/mm/ksm/"
static void set(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY);

	if (write(fd, text, strlen(text)) < 0)
		SKIP("KSM", errno);
	close(fd);
}

static unsigned long long number(int fd, long place)
{
	unsigned long long read = 0;

	return pread(fd, &read, sizeof(read), place * sizeof(read)) < 0 ? 0 : read;
}

/* Whether it is a page of KSM, after three scans or, while it is none, twenty. */
static int merged(const char *page, int scans)
{
	int fd = open(KSM "full_scans", O_RDONLY), flags = open("/proc/kpageflags", O_RDONLY), is;
	long first = -1, last = -1, now = 0, stuck = 0;
	char text[32] = "";

	do {
		usleep(1000);
		stuck = now == last ? stuck + 1 : 0;
		last = now;
		if (pread(fd, text, sizeof(text) - 1, 0) <= 0 || stuck > 60000)
			SKIP("KSM that scans", ETIMEDOUT);
		now = atol(text);
		first = first < 0 ? now : first;
		is = number(flags, number(pagemap, (long)page / PAGE) & ((1ULL << 55) - 1)) >> 21 & 1;
	} while (now < first + scans || (scans && !is && now < first + 20));
	return close(flags) || close(fd) ? 0 : is;
}

/* Two twins become one KSM page first, so that ours is the one that is replaced: what an earlier
 * call has left to be scanned is taken back before. */
static int merge(void)
{
	static char content[PAGE];
	int fd = open("/proc/self/mem", O_RDONLY), failed;
	unsigned long long entry = number(pagemap, (long)PLACE / PAGE);
	char *twins;

	if ((entry & (PM_PRESENT | PM_MMAP_EXCLUSIVE | PM_FILE)) != (PM_PRESENT | PM_MMAP_EXCLUSIVE))
		return close(fd);
	failed = pread(fd, content, PAGE, (long)PLACE) != PAGE;
	failed |= !merged(PLACE, 0) && madvise(PLACE, LENGTH, MADV_UNMERGEABLE);
	twins = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(memcpy(twins, content, PAGE) + PAGE, content, PAGE);
	failed |= madvise(twins, 2 * PAGE, MADV_MERGEABLE);
	set(KSM "run", "1");
	if (!failed && !merged(twins, 3))
		SKIP("KSM that merges", EBUSY);
	failed |= madvise(PLACE, LENGTH, MADV_MERGEABLE);
	merged(PLACE, 3);
	set(KSM "run", "0");
	munmap(twins, 2 * PAGE);
	return close(fd) || failed ? errno : 0;
}
""", """\
	set(KSM "sleep_millisecs", "1");
	set(KSM "pages_to_scan", "10000");
	if (!access(KSM "smart_scan", F_OK))
		set(KSM "smart_scan", "0");
"""),
}


_READ = "\tfailed = pread(fd, content, PAGE, (long)PLACE) != PAGE;\n\tfailed |= "
_COPIED = "\tmemcpy(memcpy(twins, content, PAGE) + PAGE, content, PAGE);\n"
_MERGED = "\tif (!failed && !merged(twins, 3))\n\t\tSKIP"


def _unread(part: Part) -> Part:
    """KSM without a look at the page, which mode RWP would tell of, or let open: its content is
    zeroes behind what a fresh page, a store or the file begins with, and there are twins of each.
    """
    text = part.text
    for old, new in (
            ("\tstatic char content[PAGE];\n", ""),
            ("\tchar *twins;\n", "\tchar *twins, begins[] = { 0, 1, 'x' };\n\tint i;\n"),
            (_READ, "\tfailed = "),
            (_COPIED, "\tfor (i = 0; i < 6; i++)\n\t\ttwins[i * PAGE] = begins[i / 2];\n"),
            (_MERGED, "\tfor (i = 0; i < 6 && !failed; i += 2)\n"
                      "\t\tif (!merged(twins + i * PAGE, 3))\n\t\t\tSKIP"),
            ("2 * PAGE", "6 * PAGE")):
        assert old in text, old
        text = text.replace(old, new)
    return Part(part.headers, text, part.start)


UNREAD = _unread(FORCED["ksm"])
