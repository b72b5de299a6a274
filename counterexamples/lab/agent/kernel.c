/* What the kernel does on its own, asked for; see rooms.h. */
#define _GNU_SOURCE
#include "rooms.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define MPOL_DEFAULT 0
#define MPOL_PREFERRED 1
#define MPOL_BIND 2
#define MPOL_MF_MOVE_ALL (1 << 2)

#define SWAP_DEVICE "/dev/ram0"
#define NOT_OURS "this is no virtual machine, whose settings are not the lab's to change"
#define KSM "/sys/kernel/mm/ksm/"
#define SCANS 3
#define MOST_SCANS 20
#define STUCK 60000		/* milliseconds without one more scan */

char no_disk[128], no_files[64];

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

/* A VMA split inside the huge page, and merged again: the page table is split and stays so. */
static const char *split(void)
{
	char *last = place + length - PAGE;

	return result(madvise(last, PAGE, MADV_DONTFORK) || madvise(last, PAGE, MADV_DOFORK));
}

/* The worker that has written a page of a file to its disk holds it a moment longer. */
static const char *page_out(void)
{
	if (strstr(mapped, "file"))
		usleep(1000);
	return result(madvise(place, length, MADV_PAGEOUT));
}

const char *operate_kernel(const char *op)
{
	if (!strcmp(op, "pageout"))
		return page_out();
	if (!strcmp(op, "swapoff"))
		return empty_swap();
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
