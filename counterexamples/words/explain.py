"""A paragraph of English that says why a trace breaks its promise."""

from __future__ import annotations

from counterexamples.trace import Trace, TraceStep, pte_flags, pte_state, vm_flag_names
from model.kernel.bits import PAGE_RW
from model.kernel.editions import Edition

_SHOWN_PTE = ("RW", "SOFT_DIRTY", "UFFD_WP", "PROTNONE")
_ACCESSES = ("store", "load")
_ENTRY = {"none": "the entry empty", "marker": "a PTE marker", "swap": "a swap entry",
          "migrating": "a migration entry"}


def explain(trace: Trace, fixed: Trace | None) -> str:
    """What each call did, what the last one broke, and where the fixed edition parts from it."""
    told = [_told(trace.edition, before, step, number) for number, (before, step) in
            enumerate(zip(trace.steps, trace.steps[1:], strict=False), start=1)]
    parts = [*filter(None, told), _ending(trace.steps[-1])]
    if trace.because:
        parts.append(f"The reason: {trace.because}.")
    if fixed is not None:
        parts.append(_parting(trace, fixed))
    return " ".join(parts)


def _changes(edition: Edition, before: TraceStep, after: TraceStep) -> list[str]:
    """What a step did to the VMA and the entry, in words."""
    told: list[str] = []
    flags = [set(vm_flag_names(s.values["vm_flags"])) for s in (before, after)]
    told += [f"sets {name}" for name in sorted(flags[1] - flags[0])]
    told += [f"clears {name}" for name in sorted(flags[0] - flags[1])]
    prot = [bool(s.values["vm_page_prot"] & PAGE_RW) for s in (before, after)]
    if prot[0] != prot[1]:
        told.append(f"makes vm_page_prot {'writable' if prot[1] else 'write-protected'}")
    if _form(before) != _form(after):
        told.append(f"leaves {_form(after)}" + _with(edition, after))
    elif after.pagemap["present"]:
        bits = [set(pte_flags(edition, s.values["pte"])) & set(_SHOWN_PTE) for s in (before, after)]
        told += [f"sets {name} in the entry" for name in sorted(bits[1] - bits[0])]
        told += [f"clears {name} in the entry" for name in sorted(bits[0] - bits[1])]
    return told


def _with(edition: Edition, step: TraceStep) -> str:
    shown = [f for f in pte_flags(edition, step.values["pte"]) if f in _SHOWN_PTE]
    if not step.pagemap["present"]:
        return ""
    return f" with {' and '.join(shown)}" if shown else ", read-only and clean"


def _form(step: TraceStep) -> str:
    if step.pagemap["present"]:
        return "the zero page mapped" if step.values["zero_page"] else "a page mapped"
    return _ENTRY[pte_state(int(step.values["pte"]))]


def _told(edition: Edition, before: TraceStep, step: TraceStep, number: int) -> str:
    changes = _changes(edition, before, step)
    outcome = "" if step.outcome == "ok" else f" ends in {step.outcome} and"
    faults = f" takes {step.faults} fault{'s'[:step.faults != 1]}" if step.faults else ""
    if not changes and not faults:
        return f"Call {number}, {step.call},{outcome} changes nothing."
    if faults and changes:
        faults += " and"
    return f"Call {number}, {step.call},{outcome}{faults} {_listed(changes)}".rstrip() + "."


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _ending(last: TraceStep) -> str:
    seen = (f"pagemap then reads soft-dirty {int(last.pagemap['soft_dirty'])}, "
            f"uffd-wp {int(last.pagemap['uffd_wp'])}")
    if last.op in _ACCESSES and last.outcome == "ok" and last.faults == 0:
        return f"No fault, so no kernel code ran: the CPU found the entry open. At the end {seen}."
    return f"At the end {seen}."


def _facts(step: TraceStep) -> tuple[object, ...]:
    return dict(step.values), step.outcome, step.faults


def _parting(trace: Trace, fixed: Trace) -> str:
    pairs = zip(trace.steps, fixed.steps, strict=True)
    for number, (ours, theirs) in enumerate(pairs):
        if _facts(ours) != _facts(theirs):
            did = _changes(fixed.edition, fixed.steps[number - 1], theirs)
            what = _listed(did) or "changes nothing"
            return (f"In {fixed.kernel} the same calls part at call {number}, {theirs.op}: there "
                    f"it {what} (outcome {theirs.outcome}, faults {theirs.faults}), and the "
                    "promise holds.")
    return f"In {fixed.kernel} the same calls give the same states, and the promise holds."
