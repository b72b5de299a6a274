"""A paragraph of English that says why a trace breaks its promise."""

from __future__ import annotations

from dataclasses import dataclass

import z3

from counterexamples.trace import Trace, TraceStep, entry_flags, pte_state, vm_flag_names
from model.kernel.bits import PAGE_RW
from model.kernel.editions import Edition
from model.kernel.logic import word
from model.kernel.mmu import mmu_permits

_TOLD = {"RW", "SOFT_DIRTY", "UFFD_WP", "PROTNONE", "EXCLUSIVE"}
_LEFT_OUT = {"P", "US", "A", "NX", "PAT"}
"""Of an entry: what the form says, and what no promise speaks of."""
_ACCESSES = ("store", "load")
_ENTRY = {"none": "the entry empty", "marker": "a uffd-wp marker", "swap": "a swap entry",
          "poison": "a poison marker", "guard": "a guard marker"}
_MIGRATING = ("a readable migration entry", "a writable migration entry")
_PAGE, _ZERO_PAGE = "a page mapped", "the zero page mapped"


def explain(trace: Trace, fixed: Trace | None) -> str:
    """What each call did, what the last one broke, and where the fixed edition parts from it."""
    told = [_told(trace.edition, before, step, number) for number, (before, step) in
            enumerate(zip(trace.steps, trace.steps[1:], strict=False), start=1)]
    parts = list(told)
    if trace.ops:
        parts.append(_ending(trace.steps[-2], trace.steps[-1], trace.scanned))
    if trace.because:
        parts.append(f"The reason: {trace.because}.")
    if fixed is not None:
        parts.append(_parting(trace, fixed))
    return " ".join(parts)


@dataclass(frozen=True)
class _Shown:
    """What is told of a state: named bits by the place they are in, and the form of the entry."""

    vma: frozenset[str]
    prot: bool
    form: str
    entry: frozenset[str]


_NOTHING = _Shown(frozenset(), False, "", frozenset())
"""Before the mapping is made."""


def _shown(edition: Edition, step: TraceStep) -> _Shown:
    flags = {"D" if flag == "SAVED_DIRTY" else flag
             for flag in entry_flags(edition, step.values["pte"])} - _LEFT_OUT
    form = _form(step, "RW" in flags)
    rwp = ["VM_UFFD_RWP"] if step.values["uffd_rwp"] else []
    return _Shown(frozenset([*vm_flag_names(step.values["vm_flags"]), *rwp]),
                  bool(step.values["vm_page_prot"] & PAGE_RW), form,
                  frozenset(flags - {"RW"} if form in _MIGRATING else flags))


def _changes(edition: Edition, before: TraceStep, after: TraceStep) -> list[str]:
    """What a step did to the VMA and the entry, in words."""
    old, new = _shown(edition, before), _shown(edition, after)
    told = [f"sets {name}" for name in sorted(new.vma - old.vma)]
    told += [f"clears {name}" for name in sorted(old.vma - new.vma)]
    if old.prot != new.prot:
        told.append(_prot(new, "makes"))
    if old.form != new.form:
        told.append(f"leaves {_whole(new)}")
    elif new.form != _ENTRY["none"]:
        told += [f"sets {name} in the entry" for name in sorted((new.entry - old.entry) & _TOLD)]
        told += [f"clears {name} in the entry" for name in sorted((old.entry - new.entry) & _TOLD)]
    return told


def _prot(shown: _Shown, verb: str) -> str:
    return f"{verb} vm_page_prot {'writable' if shown.prot else 'write-protected'}"


def _whole(shown: _Shown) -> str:
    """The entry as a whole."""
    flags = sorted(shown.entry & _TOLD)
    if flags and shown.form != _ENTRY["marker"]:
        return f"{shown.form} with {_listed(flags)}"
    return f"{shown.form}{', read-only and clean' * (shown.form in (_PAGE, _ZERO_PAGE))}"


def _form(step: TraceStep, writable: bool) -> str:
    state = pte_state(int(step.values["pte"]))
    if state == "migrating":
        return _MIGRATING[writable]
    if state in _ENTRY:
        return _ENTRY[state]
    return _ZERO_PAGE if step.values["zero_page"] else _PAGE


def _told(edition: Edition, before: TraceStep, step: TraceStep, number: int) -> str:
    changes = _changes(edition, before, step)
    outcome = "" if step.outcome == "ok" else f" ends in {step.outcome} and"
    faults = _faults(before, step)
    if not changes and not faults:
        return f"Call {number}, {step.call},{outcome} changes nothing."
    if faults and changes:
        faults += " and"
    return f"Call {number}, {step.call},{outcome}{faults} {_listed(changes)}".rstrip() + "."


def _faults(before: TraceStep, step: TraceStep) -> str:
    """The faults of a step; what was read from swap made a major one, which is not counted."""
    if step.faults:
        return f" takes {step.faults} minor fault{'s'[:step.faults != 1]}"
    if step.op in _ACCESSES and step.outcome == "ok" and not _open(before, step):
        return " takes a major fault (the page is read from swap)"
    return ""


def _open(before: TraceStep, access: TraceStep) -> bool:
    """Whether the CPU lets a load or store through with no fault."""
    permits = mmu_permits(word(int(before.values["pte"])), write=access.op == "store")
    return bool(z3.is_true(z3.simplify(permits)))


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _ending(before: TraceStep, last: TraceStep, scanned: bool) -> str:
    seen = (f"pagemap then reads soft-dirty {int(last.pagemap['soft_dirty'])}, "
            f"uffd-wp {int(last.pagemap['uffd_wp'])}")
    if scanned:
        seen += f", and PAGEMAP_SCAN written {int(last.written)}"
    if last.op in _ACCESSES and last.outcome == "ok" and _open(before, last):
        return f"No fault, so no kernel code ran: the CPU found the entry open. At the end {seen}."
    return f"At the end {seen}."


def _facts(step: TraceStep) -> tuple[object, ...]:
    return dict(step.values), step.outcome, step.faults


def _parting(trace: Trace, fixed: Trace) -> str:
    pairs = zip(trace.steps, fixed.steps, strict=True)
    for number, (ours, theirs) in enumerate(pairs):
        if _facts(ours) != _facts(theirs):
            what = _listed(_otherwise(trace, fixed, number))
            return (f"In {fixed.kernel} the same calls part at call {number}, {theirs.op}: there "
                    f"it {what}, and the promise holds.")
    return f"In {fixed.kernel} the same calls give the same states, and the promise holds."


def _otherwise(trace: Trace, fixed: Trace, number: int) -> list[str]:
    """What the step does in `fixed` that it does not in `trace`, from the same state; what it does
    in both is not told."""
    ours, theirs = trace.steps[number], fixed.steps[number]
    before = _shown(fixed.edition, fixed.steps[number - 1]) if number else _NOTHING
    here, there = _shown(trace.edition, ours), _shown(fixed.edition, theirs)
    told: list[str] = []
    if ours.outcome != theirs.outcome:
        told.append(f"ends in {theirs.outcome}")
    if ours.faults != theirs.faults:
        told.append((_faults(fixed.steps[number - 1], theirs) or " takes no minor fault").strip())
    told += _bits(here.vma, there.vma, before.vma)
    if here.prot != there.prot:
        told.append(_prot(there, "leaves" if before.prot == there.prot else "makes"))
    if here.form != there.form:
        told.append(f"leaves {_whole(there)}")
    else:
        old = before.entry if before.form == there.form else frozenset()
        told += [f"{bit} in the entry" for bit in _bits(here.entry, there.entry, old)]
    facts = [name for name, value in theirs.values.items() if value != ours.values[name]]
    return told or [f"leaves {name} {_value(theirs.values[name])}" for name in facts]


def _bits(here: frozenset[str], there: frozenset[str], before: frozenset[str]) -> list[str]:
    """Where `there` differs from `here`: sets, clears, or leaves as it was `before`."""
    told = []
    for name in sorted(here ^ there):
        on = name in there
        if on == (name in before):
            told.append(f"leaves {name} {'set' if on else 'clear'}")
        else:
            told.append(f"{'sets' if on else 'clears'} {name}")
    return told


def _value(value: int | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return hex(value)
