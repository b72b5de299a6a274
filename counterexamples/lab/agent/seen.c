/* What /proc says of the pages of the mapping; see rooms.h. */
#define _GNU_SOURCE
#include "rooms.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

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

int refs = -1, pagemap = -1;

unsigned long long entry_of(const char *page)
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

int has_bit(int bit)
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

const char *scan_and_protect(void)
{
	struct page_region found;

	return result(scan(part, part_length, PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC, PAGE_IS_WRITTEN,
			   PAGE_IS_WRITTEN, &found, 1) < 0);
}

/* Of this very process. */
void open_files(void)
{
	if (pagemap >= 0)
		close(pagemap);
	if (refs >= 0)
		close(refs);
	pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	refs = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
}
