/* What a program sees after a step, as agent.c says it. */
#define _GNU_SOURCE
#include "told.h"
#include "calls.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define PRESENT_BIT 63
#define SOFT_DIRTY_BIT 55

static const int pagemap_bits[] = { PRESENT_BIT, 62, 61, 56, 57, SOFT_DIRTY_BIT };
static const char *const letters[] = { "rd", "wr", "sh", "mw", "uw", "um", "sd", "ur" };

/* A VMA of the mapping: its pages, and its VmFlags. */
struct vma {
	unsigned long first, last;
	char flags[32];
};

/* Of the process that makes the run: see "fork:child". */
static int smaps_file(void)
{
	static int smaps = -1;
	static pid_t owner;

	if (owner != getpid()) {
		owner = getpid();
		close(smaps);
		smaps = open("/proc/self/smaps", O_RDONLY | O_CLOEXEC);
	}
	return smaps;
}

/* Its lines from `at` on, one by one; NULL at the end. The kernel makes a VMA's lines when the first
 * of them is read: what is not asked for costs nothing. */
static char *next_line(off_t *at)
{
	static char text[1024];
	static size_t used, filled;
	char *line, *end;
	ssize_t got;

	if (!*at)
		used = filled = 0;
	while (!(end = memchr(text + used, '\n', filled - used))) {
		memmove(text, text + used, filled - used);
		filled -= used;
		used = 0;
		got = pread(smaps_file(), text + filled, sizeof(text) / 2, *at);
		if (got <= 0 || filled + got > sizeof(text))
			return NULL;
		filled += got;
		*at += got;
	}
	line = text + used;
	*end = 0;
	used = end + 1 - text;
	return line;
}

/* The VmFlags that the lab compares, in the order of `letters`. */
static void name_flags(const char *line, char *into)
{
	char *end = into;

	strcpy(into, "-");
	for (unsigned int i = 0; i < sizeof(letters) / sizeof(*letters); i++)
		if (strstr(line, letters[i]))
			end += sprintf(end, "%s%s", end == into ? "" : ",", letters[i]);
}

/* The VMAs of the mapping, in order; how many. */
static int read_vmas(struct vma *vmas)
{
	unsigned long start, end, ours = (unsigned long)place;
	int count = 0, inside = 0;
	off_t at = 0;
	char *line;

	while ((line = next_line(&at))) {
		if (sscanf(line, "%lx-%lx", &start, &end) == 2) {
			if (start >= ours + length)
				break;
			inside = start >= ours && count < (int)MOST_PAGES;
			if (inside) {
				vmas[count].first = (start - ours) / PAGE;
				vmas[count].last = (end - ours) / PAGE - 1;
				strcpy(vmas[count++].flags, "?");
			}
		} else if (inside && !strncmp(line, "VmFlags:", 8)) {
			name_flags(line + 8, vmas[count - 1].flags);
			if (end >= ours + length)
				break;
		}
	}
	return count;
}

static char shown_flags[512];		/* of the step before; empty at the start of a run */
static char shown[MOST_PAGES][32];	/* pages of several, likewise */

/* As text; NULL where it is one of several and as before. */
static const char *new_page(unsigned long page, unsigned long long entry, long categories)
{
	char text[32], *end = text;

	for (unsigned int i = 0; i < sizeof(pagemap_bits) / sizeof(*pagemap_bits); i++)
		*end++ = '0' + (int)(entry >> pagemap_bits[i] & 1);
	*end = 0;
	if (categories >= 0)
		sprintf(end, "+%lx", categories);
	return !pages || strcmp(text, shown[page]) ? strcpy(shown[page], text) : NULL;
}

static void print_pages(const struct vma *vmas, int count)
{
	unsigned long long entries[MOST_PAGES];
	long categories[MOST_PAGES];
	int slashes = 0;

	read_pages(entries, categories);
	for (unsigned long page = 0; page < (pages ? pages : 1); page++, slashes++) {
		int mapped = !pages;
		const char *text;

		for (int i = 0; i < count; i++)
			mapped |= vmas[i].first <= page && page <= vmas[i].last;
		text = mapped ? new_page(page, entries[page], categories[page])
			: strcmp(shown[page], ".") ? strcpy(shown[page], ".") : NULL;
		if (!text)
			continue;
		while (slashes) {
			putchar('/');
			slashes--;
		}
		fputs(text, stdout);
	}
}

void begin_run(void)
{
	*shown_flags = 0;
	memset(shown, 0, sizeof(shown));
}

void print_step(const char *outcome, long faults)
{
	struct vma vmas[MOST_PAGES];
	char flags[sizeof(shown_flags)] = "?", *end = flags;
	int count = read_vmas(vmas);

	printf("%s %ld ", outcome, faults);
	print_pages(vmas, count);
	if (!pages) {
		if (count)
			strcpy(flags, vmas[0].flags);
	} else {
		strcpy(flags, ".");
		for (int i = 0; i < count; i++)
			end += sprintf(end, "%s%lu-%lu,%s", i ? ";" : "", vmas[i].first,
				       vmas[i].last, vmas[i].flags);
	}
	if (strcmp(flags, shown_flags))
		printf(" %s", strcpy(shown_flags, flags));
}
