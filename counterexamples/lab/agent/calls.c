/* The calls of a run, by name; see calls.h. */
#define _GNU_SOURCE
#include "calls.h"
#include "events.h"
#include "rooms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

static const char *protect(const char *letters)
{
	for (unsigned int i = 0; i < sizeof(protections) / sizeof(*protections); i++)
		if (!strcmp(letters, protections[i].name))
			return result(mprotect(part, part_length, protections[i].prot));
	return NULL;
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
