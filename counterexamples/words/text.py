"""A trace as plain text, 72 columns wide, fit for a mail."""

from __future__ import annotations

import textwrap

from counterexamples.trace import Trace
from counterexamples.words.entry import entry_words
from counterexamples.words.explain import explain
from counterexamples.words.refused import refused
from model.kernel.bits import PAGE_PRESENT, PAGE_RW

WIDTH = 72
_BY_KERNEL = "*"


def trace_text(trace: Trace, fixed: Trace | None, verdict: str = "violated") -> str:
    """The promise, the calls with the state after each, and the explanation."""
    calls = len(trace.ops)
    lines = [*wrapped(f"{trace.prop}: {verdict} on {trace.mapping} in {trace.kernel}"),
             *wrapped(f"({trace.kernel_title}), {calls} call{'s'[:calls != 1]}"), "",
             *wrapped(trace.claim), "", *table(trace), ""]
    lines += wrapped(explain(trace, fixed))
    if fixed is not None:
        lines += beside(fixed)
    return "\n".join(lines) + "\n"


def wrapped(told: str) -> list[str]:
    """Prose in lines; a word with a hyphen in it, which may be a name, is not broken."""
    return textwrap.wrap(told, WIDTH, break_on_hyphens=False)


def beside(other: Trace) -> list[str]:
    """Another edition's run of the same calls, for the end of a text."""
    told = f"The same calls in {other.kernel} ({other.kernel_title}):"
    return ["", *wrapped(told), "", *table(other)]


def table(trace: Trace) -> list[str]:
    """One line a step: the call, its outcome and minor faults, the VMA, vm_page_prot, the PTE; and
    what a reader needs to know of them."""
    rows = [["#", "call", "outcome", "minflt", "VmFlags", "prot", "pte"]]
    for number, step in enumerate(trace.steps):
        flags = " ".join(f for f in step.vm_flags if f not in ("mw", "sh"))
        prot = step.values["vm_page_prot"]
        shown = "none" if not prot & PAGE_PRESENT else "rw" if prot & PAGE_RW else "ro"
        mark = _BY_KERNEL if step.by == "kernel" else ""
        rows.append([f"{number}{mark}", step.op, step.outcome, str(step.faults), flags, shown,
                     entry_words(trace.edition, int(step.values["pte"]))])
    marked = any(row[0].endswith(_BY_KERNEL) for row in rows)
    for row in rows:
        row[0] += " " * (marked and not row[0].endswith(_BY_KERNEL))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_row(row, widths, "  ") for row in rows]
    if max(map(len, lines)) > WIDTH:
        lines = [_row(row, widths, " ") for row in rows]
    under_pte = " " * (lines[0].rindex(rows[0][-1]) + 2)
    return [part for line in lines for part in textwrap.wrap(
        line, WIDTH, subsequent_indent=under_pte, break_on_hyphens=False)] + _notes(trace)


def _row(cells: list[str], widths: list[int], gap: str) -> str:
    number, call, outcome, faults, flags, prot, pte = (
        cell.rjust(max(width, 2)) if at in (0, 3) else cell.ljust(width)
        for at, (cell, width) in enumerate(zip(cells, widths, strict=True)))
    return gap.join([number, call, f"{outcome} {faults}", flags, f"{prot} {pte}"]).rstrip()


def _notes(trace: Trace) -> list[str]:
    notes = []
    if any(step.by == "kernel" for step in trace.steps):
        notes.append(f"{_BY_KERNEL} a step of the kernel's own")
    for number, step in enumerate(trace.steps):
        why = refused(trace, number)
        if why and f"{step.outcome}: {why}" not in notes:
            notes.append(f"{step.outcome}: {why}")
    return [line for note in notes for line in textwrap.wrap(note, WIDTH - 1, initial_indent=" ",
                                                             subsequent_indent="   ")]
