"""A trace as plain text, 72 columns wide, fit for a mail."""

from __future__ import annotations

import textwrap

from counterexamples.trace import ENTRY_WORDS, Trace, TraceStep, pte_flags, pte_state
from counterexamples.words.explain import explain
from model.kernel.bits import PAGE_PRESENT, PAGE_RW

WIDTH = 72
_SHORT = {"SOFT_DIRTY": "SD", "UFFD_WP": "WP", "SAVED_DIRTY": "SAVED", "PROTNONE": "NONE",
          "SPECIAL": "ZERO"}
_HIDDEN = {"US", "A", "NX", "P", "PAT"}


def trace_text(trace: Trace, fixed: Trace | None, verdict: str = "violated") -> str:
    """The promise, the calls with the state after each, and the explanation."""
    calls = len(trace.ops)
    lines = [f"{trace.prop}: {verdict} on {trace.mapping} in {trace.kernel}",
             *textwrap.wrap(f"({trace.kernel_title}), {calls} call{'s'[:calls != 1]}", WIDTH), "",
             *textwrap.wrap(trace.claim, WIDTH), "", *table(trace), ""]
    lines += textwrap.wrap(explain(trace, fixed), WIDTH)
    if fixed is not None:
        lines += beside(fixed)
    return "\n".join(lines) + "\n"


def beside(other: Trace) -> list[str]:
    """Another edition's run of the same calls, for the end of a text."""
    told = f"The same calls in {other.kernel} ({other.kernel_title}):"
    return ["", *textwrap.wrap(told, WIDTH), "", *table(other)]


def table(trace: Trace) -> list[str]:
    """One line a step: the call, its outcome and minor faults, the VMA, vm_page_prot, the PTE."""
    widest = max(13, *(len(step.call) for step in trace.steps))
    row = f"{{:>2}}  {{:{widest}}} {{:7}} {{:>3}}  {{:15}} {{:4}}  {{}}"
    lines = [row.format("#", "call", "outcome", "flt", "VmFlags", "prot", "pte")]
    for number, step in enumerate(trace.steps):
        flags = " ".join(f for f in step.vm_flags if f not in ("mw", "sh"))
        prot = step.values["vm_page_prot"]
        shown = "none" if not prot & PAGE_PRESENT else "rw" if prot & PAGE_RW else "ro"
        lines.append(row.format(number, step.call, step.outcome, step.faults, flags, shown,
                                entry(step, pte_flags(trace.edition, step.values["pte"]))))
    return lines


def entry(step: TraceStep, flags: list[str]) -> str:
    """The PTE in a few words: the flags that matter, or what an entry without a page is."""
    if not step.pagemap["present"]:
        return ENTRY_WORDS[pte_state(int(step.values["pte"]))]
    shown = [_SHORT.get(f, f) for f in flags if f not in _HIDDEN]
    return " ".join(shown if "RW" in flags or "PROTNONE" in flags else ["RO", *shown])
