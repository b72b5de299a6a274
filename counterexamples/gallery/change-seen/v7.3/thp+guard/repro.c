/*
 * change-seen on thp: What reads otherwise than at the last clear_refs, pagemap calls soft-dirty.
 * The steps are those of v7.3 (7.3.4 as Debian ships it), where they break the promise. Exit 1:
 * this kernel does the same. 0: it does otherwise. 4: it cannot be tried.
 *
 *     gcc -Wall -O2 repro.c -o repro && ./repro     (as root)
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NAME "change-seen on thp"
#define PLACE ((char *)0x100000000UL) /* holes on both sides: the VMA never merges */
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

#define THP "/sys/kernel/mm/transparent_hugepage"
#define CLEAR_REFS (pwrite(refs, "4", 1, 0) == 1 ? 0 : errno)
static int refs;

int main(void)
{
	printf("KTAP version 1\n1..1\n");
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	if (write(open(THP "/enabled", O_WRONLY), "madvise", 7) != 7)
		SKIP("huge pages", errno);
	refs = open("/proc/self/clear_refs", O_WRONLY);
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
	/* pte: guard marker; VM_READ VM_WRITE; prot: not RW */
	step("guard", guard(102 /* MADV_GUARD_INSTALL */), 0, 0, PM_SWAP);

	printf("%s 1 " NAME "\n", parted ? "ok" : "not ok");
	return !parted;
}
