"""A C program that makes the calls of a trace and says whether the kernel does as the model.

In the style of kselftest: KTAP output, exit 1 where every step is as in the trace, so that the
promise is broken; 0 where the kernel does otherwise; 4 where it cannot be tried.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from counterexamples.reproducer.calls import (
    BITS,
    CALLS,
    MAPPINGS,
    OUTCOMES,
    WRITTEN,
    Memory,
)
from counterexamples.reproducer.forced import UNREAD
from counterexamples.reproducer.forks import HEARD_CALLS, HEARD_PARTS, needed
from counterexamples.reproducer.moves import HUGE_MOVES
from counterexamples.reproducer.parts import HEADERS, PARTS, SCAN, SCANNED, common
from counterexamples.trace import (
    ENTRY_WORDS,
    Trace,
    TraceStep,
    pte_flags,
    pte_state,
    vm_flag_names,
)
from model.kernel.bits import PAGE_RW
from model.kernel.editions import Edition

WIDTH = 100
_TAB = 8
_ALWAYS = {"P", "US", "A", "NX", "PAT"}
_CLAIM = ("The steps are those of {kernel} ({title}), where they break the promise. Exit 1: this "
           "kernel does the same. 0: it does otherwise. 4: it cannot be tried.")


_FIXED = ("#define PLACE ((char *)0x100000000UL) /* holes on both sides: the VMA never merges */",)
_MOVING = ("static char *place = (char *)0x100000000UL; /* holes on both sides: no VMA merges */",
           "#define PLACE place")


_MOVES = {"mremap", "dontunmap"}
"""After these the memory is at another place."""


def program(trace: Trace, shown: int = 0) -> str:
    """The program; the last `shown` steps belong to no trace but make the violation visible.

    Raises KeyError for a mapping or an operation that no C is known for.
    """
    memory = MAPPINGS[trace.mapping]
    needs = {*memory.needs, *(name for op in trace.ops for name in CALLS[op].needs)}
    if needs & {"range", "reg", "reg:missing", "reg:both", "reg:minor", "reg:wp+minor", "reg:rwp",
                "wp", "unwp", "rwp", "unrwp", "zero"}:
        needs.add("moving" if needs & _MOVES else "fixed")
    if trace.scanned:
        needs |= {"scan"} if memory.advice else {"scan", "tables"}
    first = [SCAN] * ("scan" in needs)
    other = {"ksm": UNREAD} if "reg:rwp" in needs else {}
    if memory.advice:
        other |= HUGE_MOVES
    if "events" in needs:
        needs |= needed(needs, trace.ops)
        other |= HEARD_PARTS
    parts = [SCANNED] * trace.scanned + [part for name, part in (PARTS | other).items()
                                         if name in needs]
    headers = sorted({*HEADERS, *(header for part in (*first, *parts) for header in part.headers)})
    lines = [*head(f"{trace.prop} on {trace.mapping}: {trace.claim}", trace.edition), "",
             "#define _GNU_SOURCE", *(f"#include <{h}>" for h in headers), "",
             f'#define NAME "{trace.prop} on {trace.mapping}"',
             *(_MOVING if needs & _MOVES else _FIXED), "#define PAGE 4096UL",
             f"#define LENGTH {memory.length}",
             *(_to_map_anew(memory) if "mmap" in needs else ()),
             *_bits(trace), "",
             *(line for part in first for line in (*part.text.strip().split("\n"), "")),
             common(trace.scanned).strip(), "",
             *"".join(part.text for part in parts).strip().split("\n"), "",
             "int main(void)", "{", '\tprintf("KTAP version 1\\n1..1\\n");',
             '\tpagemap = open("/proc/self/pagemap", O_RDONLY);',
             *"".join(part.start for part in parts).splitlines(),
             *_steps(trace, shown), "",
             '\tprintf("%s 1 " NAME "\\n", parted ? "ok" : "not ok");',
             "\treturn !parted;", "}"]
    return "\n".join(lines) + "\n"


def _to_map_anew(memory: Memory) -> Iterator[str]:
    yield f"#define FLAGS ({memory.flags})"
    yield f"#define CONTENT {memory.file}"
    yield f"#define ADVICE {memory.advice or 0}"


def head(what: str, edition: Edition) -> Iterator[str]:
    """The comment that a program begins with: what it shows, and of which kernel."""
    yield "/*"
    for text in (what, _CLAIM.format(kernel=edition.name, title=edition.title)):
        yield from (f" * {line}" for line in textwrap.wrap(text, WIDTH - 4))
    yield " *"
    yield " *     gcc -Wall -O2 repro.c -o repro && ./repro     (as root)"
    yield " */"


def _compared(trace: Trace) -> list[str]:
    """Without clear_refs every page stays soft-dirty, and a kernel need not have it at all, unless
    the promise speaks of it."""
    return bits_compared(trace.of_soft_dirty or "clear_refs" in trace.ops)


def bits_compared(soft_dirty: bool) -> list[str]:
    """The bits of pagemap, with soft-dirty or without."""
    return [bit for bit in BITS if bit != "soft_dirty" or soft_dirty]


def compared_mask(compared: Sequence[str]) -> str:
    """The C of what is looked at in an entry."""
    return f"#define COMPARED ({' | '.join(BITS[bit][0] for bit in compared)})"


def _bits(trace: Trace) -> Iterator[str]:
    compared = _compared(trace)
    numbers = ["{} = 1ULL << {}".format(*BITS[bit]) for bit in compared]
    rows = [", ".join(numbers[at:at + 3]) for at in range(0, len(numbers), 3)]
    if trace.scanned:
        rows.append("{} = 1ULL << {}".format(*WRITTEN))
    yield "static const unsigned long long " + ",\n\t".join(rows) + ";"
    yield compared_mask(compared)


def _steps(trace: Trace, shown: int) -> Iterator[str]:
    edition = trace.edition
    compared = _compared(trace)
    yield f"\t/* {_state(edition, trace.steps[0])} */"
    memory = MAPPINGS[trace.mapping]
    yield "\tif (mmap(PLACE, LENGTH, PROT_READ | PROT_WRITE,"
    yield f"\t\t {memory.flags} | MAP_FIXED_NOREPLACE, {memory.file}, 0) != PLACE)"
    yield '\t\tSKIP("mmap", errno);'
    if memory.advice:
        yield f"\tif (madvise(PLACE, LENGTH, {memory.advice}))"
        yield f'\t\tSKIP("{memory.advice}", errno);'
    calls = CALLS | HEARD_CALLS if "open:events" in trace.ops else CALLS
    yield from _step(trace.steps[0], "0", compared, trace.scanned)
    if "soft_dirty" in compared:
        yield "\tif (parted)"
        yield '\t\tSKIP("soft-dirty tracking", EOPNOTSUPP);'
    for number, step in enumerate(trace.steps[1:], start=1):
        if shown and number == len(trace.ops) - shown + 1:
            yield "\t/* The promise is broken. This shows it to a program: */"
        yield f"\t/* {'by the kernel; ' * (step.by == 'kernel')}{_state(edition, step)} */"
        yield from _step(step, calls[step.op].expression, compared, trace.scanned)


def _step(step: TraceStep, call: str, compared: list[str], scanned: bool) -> Iterator[str]:
    outcome = OUTCOMES.get(step.outcome, step.outcome)
    names = [BITS[bit][0] for bit in compared if step.pagemap[bit]]
    bits = " | ".join([*names, *[WRITTEN[0]] * (scanned and step.written)]) or "0"
    made = f'step("{step.op}", {call}, {outcome}, {step.faults},'
    if _TAB + len(f"{made} {bits});") <= WIDTH:
        yield f"\t{made} {bits});"
    else:
        yield f"\t{made}"
        yield f"\t     {bits});"


def _state(edition: Edition, step: TraceStep) -> str:
    """The entry and the VMA that the model has after a step."""
    pte = int(step.values["pte"])
    if step.pagemap["present"]:
        entry = " ".join(f for f in pte_flags(edition, pte) if f not in _ALWAYS) or "read-only"
    else:
        entry = ENTRY_WORDS[pte_state(pte)]
    flags = " ".join(f for f in vm_flag_names(step.values)
                     if not f.startswith(("VM_MAY", "VM_SHARED")))
    prot = "RW" if step.values["vm_page_prot"] & PAGE_RW else "not RW"
    return f"pte: {entry}; {flags or 'no VM_READ'}; prot: {prot}"
