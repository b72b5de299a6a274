"""A C program of the calls on a mapping with several pages: as program.py, and what it compares is
the pagemap entry of every page, and the VMAs with their flags."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from counterexamples.reproducer.calls import BITS, CALLS, MAPPINGS, OUTCOMES, Call
from counterexamples.reproducer.part import Part
from counterexamples.reproducer.parts import HEADERS, PARTS
from counterexamples.reproducer.program import bits_compared, compared_mask, head
from counterexamples.trace import FRESH
from model.system.actions.spans import find_span
from model.system.relation.kernel import Step
from model.system.relation.ranges import RangeSystem
from model.system.state.mappings import memory_name

_FLAGS = ("rd", "wr", "uw", "um", "sd")
_OWN = {
    "munmap": Call("munmap(PLACE, LENGTH) ? errno : 0", ()),
    "mmap": Call("map_part(first)", ()),
    "mremap": Call("move()", ("mremap",)),
    "mremap:grow": Call("mremap(PLACE - PAGE, PAGE, LENGTH + PAGE, 0) == MAP_FAILED ? errno : 0",
                        ()),
    "madvise:dontfork": Call("madvise(PLACE, LENGTH, MADV_DONTFORK) ? errno : 0", ()),
}
_HEAD = """
/* What a call is of: `count` pages from `first` on. There are holes on both sides: no VMA merges
   with what is none of ours. */
static char *memory = (char *)0x100000000UL;
static unsigned long first, count;
static int backing = -1;
#define PAGE 4096UL
#define PLACE (memory + first * PAGE)
#define LENGTH (count * PAGE)
#define HOLE (memory - PAGE)
#define OF(from, to, call) (first = (from), count = (to) - (from) + 1, (call))
#define NONE (~0ULL) /* where nothing is mapped */
"""
_COMMON = """
#define SKIP(why, error) (printf("ok 1 " NAME " # SKIP " why ": %s\\n", strerror(error)), exit(4))
static int pagemap, steps, parted, faults;
static char vmas[1024];

/* The VMAs, as text, and in `entries` where there are some: 0, else NONE. */
static void read_vmas(unsigned long long *entries)
{
	static const char *const flags[] = { FLAGS };
	unsigned long from, to, at, flag, start = (long)memory;
	FILE *smaps = fopen("/proc/self/smaps", "r");
	int inside = 0;
	char line[512];

	for (at = 0; at < PAGES; at++)
		entries[at] = NONE;
	vmas[0] = 0;
	while (smaps && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx", &from, &to) == 2) {
			inside = from >= start && from < start + PAGES * PAGE;
			if (!inside)
				continue;
			sprintf(vmas + strlen(vmas), "%s%lu-%lu", *vmas ? "; " : "", (from - start) / PAGE,
				(to - start) / PAGE - 1);
			for (at = from; at < to; at += PAGE)
				entries[(at - start) / PAGE] = 0;
		} else if (inside && !strncmp(line, "VmFlags:", 8)) {
			for (flag = 0; flag < sizeof(flags) / sizeof(*flags); flag++)
				if (strstr(line + 8, flags[flag]))
					sprintf(vmas + strlen(vmas), " %s", flags[flag]);
		}
	}
	if (smaps)
		fclose(smaps);
}

/* Compare what a call did with what the model says. `got` is 0, an errno, or minus a signal. */
static void step(const char *call, int got, int outcome, int minor, const char *wanted,
		const unsigned long long *bits)
{
	unsigned long long entries[PAGES], found;
	int at, other;

	if (got)
		faults = 0;
	read_vmas(entries);
	other = got != outcome || faults != minor || strcmp(vmas, wanted);
	printf("# %d %s: %s, %d faults;", steps++, call, got < 0 ? strsignal(-got) : strerror(got),
		faults);
	for (at = 0; at < (int)PAGES; at++) {
		if (pread(pagemap, &found, sizeof(found), ((long)memory / PAGE + at) * sizeof(found)) < 0)
			SKIP("pagemap", errno);
		if (entries[at] != NONE)
			entries[at] = found & COMPARED;
		other |= entries[at] != bits[at];
		printf(entries[at] == NONE ? " nothing" : " %016llx", entries[at]);
	}
	printf("; %s%s\\n", *vmas ? vmas : "no VMA", other ? " <- other" : "");
	parted |= other;
	faults = 0;
}
#define BITS(...) (const unsigned long long[]) { __VA_ARGS__ }

/* The pages of our file from `page` on. */
static int map_part(unsigned long page)
{
	return mmap(PLACE, LENGTH, PROT_READ | PROT_WRITE, MAPPED | MAP_FIXED, backing,
		backing < 0 ? 0 : page * PAGE) == MAP_FAILED ? errno : 0;
}
"""
_AIM = Part((), """\
/* Every argument starts with the address and the length. */
static void *aim(void *arg);
#define UFFD(call, arg) (ioctl(uffd, UFFDIO_##call, aim(&arg)) ? errno : 0)
#define RANGE { 0, 0 }
static void *aim(void *arg)
{
	struct uffdio_range range = { (long)PLACE, LENGTH };

	return memcpy(arg, &range, sizeof(range));
}
""")
_TOUCH = PARTS["touch"]
_PARTS = PARTS | {
    "touch": Part(_TOUCH.headers, _TOUCH.text.replace(
        "for (at = PLACE - PAGE; at <= PLACE; at += PAGE) {",
        "for (at = HOLE; at; at = at == HOLE ? PLACE : NULL) {"), _TOUCH.start),
    "fixed": _AIM,
    "mremap": Part((), """
/* To an address where nothing has been. */
static int move(void)
{
	static char *to = (char *)0x1000000000UL;

	to += (1L << 30) + 16 * PAGE;
	if (mremap(memory, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) ==
			MAP_FAILED)
		return errno;
	memory = to;
	return 0;
}
""")}
_FILE = """\
	/* A file in memory; out of the way of a child that closes what it has open. */
	backing = fcntl(memfd_create("pages", 0), F_DUPFD, 64);
	if (backing < 0 || ftruncate(backing, PAGES * PAGE))
		SKIP("a file in memory", errno);
"""
_CONTENT = """\
	for (first = 0; first < PAGES; first++)
		if (pwrite(backing, "x", 1, first * PAGE) != 1)
			SKIP("a file in memory", errno);
"""


@dataclass(frozen=True)
class Shown:
    """What a program is of: the promise, its claim, and whether that speaks of soft-dirty."""

    prop: str
    claim: str
    of_soft_dirty: bool = True


def _call(op: str) -> Call:
    """Raises KeyError where no C is known."""
    if op.startswith("mmap:"):
        return Call(f"map_part({op.removeprefix('mmap:')})", ())
    return _OWN.get(op) or CALLS[op]


def program_of_pages(kernel: RangeSystem, ops: Sequence[str], shown: Shown) -> str:
    """The program. Raises KeyError for an operation that no C is known for."""
    spans = [find_span(op, kernel.pages) for op in ops]
    needs = {name for span in spans for name in _call(span.op).needs}
    if "uffd" in needs:
        needs.add("fixed")
    told = shown.of_soft_dirty or "clear_refs" in ops
    compared = bits_compared(told)
    flags = [flag for flag in _FLAGS if flag != "sd" or told]
    parts = [part for name, part in _PARTS.items() if name in needs]
    headers = sorted({*HEADERS, *(header for part in parts for header in part.headers)})
    named = memory_name(kernel.mapping, kernel.pages)
    mapped = "MAP_PRIVATE | MAP_ANONYMOUS"
    if not kernel.mapping.anonymous:
        mapped = MAPPINGS[kernel.mapping.name].flags.removesuffix(" | MAP_ANONYMOUS")
    fresh = kernel.observe(Step(FRESH, "ok", 0, kernel.machine.initial))
    steps = [fresh, *map(kernel.observe, kernel.run(ops))]
    calls = ["OF(0, PAGES - 1, map_part(0))",
             *(f"OF({span.first}, {span.last}, {_call(span.op).expression})" for span in spans)]
    lines = [
        *head(f"{shown.prop} on {named}: {shown.claim}", kernel.edition), "", "#define _GNU_SOURCE",
        *(f"#include <{header}>" for header in headers), "",
        f'#define NAME "{shown.prop} on {named}"', f"#define PAGES {kernel.pages}UL",
        f"#define MAPPED ({mapped})", "#define FLAGS " + ", ".join(f'"{flag}"' for flag in flags),
        *_HEAD.strip().split("\n"), *_constants(compared), "", *_COMMON.strip().split("\n"), "",
        *"".join(part.text for part in parts).strip().split("\n"), "",
        "int main(void)", "{", '\tprintf("KTAP version 1\\n1..1\\n");',
        '\tpagemap = open("/proc/self/pagemap", O_RDONLY);',
        *"".join(part.start for part in parts).splitlines(),
        *(() if kernel.mapping.anonymous else _FILE.splitlines()),
        *(_CONTENT.splitlines() if kernel.mapping.filled else ()),
        *(line for number, (step, call) in enumerate(zip(steps, calls, strict=True))
          for line in _step(step, call, compared, flags, number == 0 and told)), "",
        '\tprintf("%s 1 " NAME "\\n", parted ? "ok" : "not ok");', "\treturn !parted;", "}"]
    return "\n".join(lines) + "\n"


def _constants(compared: Sequence[str]) -> Iterator[str]:
    yield from (f"#define {BITS[bit][0]} (1ULL << {BITS[bit][1]})" for bit in compared)
    yield compared_mask(compared)


def _step(step: dict[str, Any], call: str, compared: Sequence[str], flags: Sequence[str],
          first: bool) -> Iterator[str]:
    """A call, and what is seen after it; without soft-dirty there is nothing to show."""
    outcome = OUTCOMES.get(step["outcome"], step["outcome"])
    vmas = "; ".join(" ".join([f"{vma['first']}-{vma['last']}", *(
        flag for flag in flags if flag in vma["vm_flags"])]) for vma in step["vmas"])
    yield f'\tstep("{step["op"]}", {call},'
    yield f'\t     {outcome}, {step["faults"]}, "{vmas}",'
    pages = ["NONE" if page is None else
             " | ".join(BITS[bit][0] for bit in compared if page[bit]) or "0"
             for page in step["pages"]]
    yield "\t     BITS(" + ",\n\t\t  ".join(pages) + "));"
    if first:
        yield "\tif (parted)"
        yield '\t\tSKIP("soft-dirty tracking", EOPNOTSUPP);'
