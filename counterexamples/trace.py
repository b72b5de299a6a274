"""A trace as data: operations, outcomes, and the state after each, in plain ints and bools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model.kernel.bits import (
    PAGE_DEVMAP,
    PAGE_DEVMAP_BEFORE_SAVED_DIRTY,
    PAGE_PRESENT,
    PAGE_PROTNONE,
    PAGE_SAVED_DIRTY,
    PTE_FLAG_NAMES,
    PTE_KNL_ERRATUM,
    PTE_MARKER_GUARD,
    PTE_MARKER_POISONED,
    PTE_MARKER_UFFD_WP,
    SWP_EXCLUSIVE,
    SWP_MIG_DIRTY,
    SWP_MIGRATION_READ,
    SWP_MIGRATION_READ_6_1,
    SWP_OFFSET_MASK,
    SWP_OFFSET_SHIFT,
    SWP_PTE_MARKER,
    SWP_PTE_MARKER_6_1,
    SWP_SOFT_DIRTY,
    SWP_TYPE_MASK,
    SWP_TYPE_SHIFT,
    SWP_UFFD_WP,
    VM_FLAG_NAMES,
    VM_UFFD_MINOR,
    VM_UFFD_RWP,
)
from model.kernel.editions import Edition
from model.system.actions.operations import OPERATIONS
from model.system.relation.compiled import Values
from model.system.relation.kernel import KernelSystem

FRESH = "mmap"
"""The name of step 0, which makes the mapping."""
SCANNING = frozenset({"open:async", "scan:wp"})
"""Calls of who wants to know what is written."""


@dataclass(frozen=True)
class TraceStep:
    """One step: `values` are the leaves of the state by name, `pagemap` and `vm_flags` what a
    program observes, `written` whether PAGEMAP_SCAN says so, which is False without one. The step
    `mmap` has outcome "ok" and no faults."""

    op: str
    outcome: str
    faults: int
    values: Mapping[str, int | bool]
    pagemap: Mapping[str, bool]
    vm_flags: tuple[str, ...]
    written: bool = False

    @property
    def by(self) -> str:
        """Who did it: "program", or "kernel" for what the kernel does on its own (a step of the
        environment)."""
        return "kernel" if self.op in OPERATIONS and OPERATIONS[self.op].by_kernel else "program"

    @property
    def call(self) -> str:
        """The operation, and who did it where that is not the program."""
        return f"{self.op} (kernel)" if self.by == "kernel" else self.op


@dataclass(frozen=True)
class Trace:
    """The violation of a promise, or another edition's run of the same calls.

    `steps[0]` is the fresh mapping; `steps[i]` is the i-th operation. `because` is the understood
    reason, where there is one; `promise` the file of a promise that is a user's own, and
    `of_soft_dirty` says that it may speak of soft-dirty, whatever the calls.
    """

    edition: Edition
    mapping: str
    prop: str
    claim: str
    because: str
    steps: tuple[TraceStep, ...]
    promise: str = ""
    of_soft_dirty: bool = False

    @property
    def kernel(self) -> str:
        """The edition's name."""
        return self.edition.name

    @property
    def kernel_title(self) -> str:
        return self.edition.title

    @property
    def scanned(self) -> bool:
        """Whether one looks for what is written, as with WP_ASYNC, and can."""
        return self.edition.has("52526ca7fdb9") is True and not SCANNING.isdisjoint(self.ops)

    @property
    def ops(self) -> tuple[str, ...]:
        return tuple(step.op for step in self.steps[1:])


def run_trace(kernel: KernelSystem, ops: Sequence[str], *, prop: str, claim: str,
              because: str = "") -> Trace:
    """Run `ops` in the simulator and keep everything. KeyError for an unknown operation."""
    fresh = _step(kernel, FRESH, "ok", 0, kernel.machine.initial)
    steps = [_step(kernel, s.op, s.outcome, s.faults, s.values) for s in kernel.run(ops)]
    return Trace(kernel.edition, kernel.mapping.name, prop, claim, because, (fresh, *steps))


def _step(kernel: KernelSystem, op: str, outcome: str, faults: int, values: Values) -> TraceStep:
    return TraceStep(op, outcome, faults, dict(zip(kernel.names, values, strict=True)),
                     kernel.pagemap(values), tuple(kernel.vm_flags(values)),
                     kernel.scans and "written" in kernel.scan(values))


def pte_flags(edition: Edition, pte: int) -> list[str]:
    """The names of the bits that are set in a present entry, lowest bit first."""
    names = dict(PTE_FLAG_NAMES)
    if edition.has("saved-dirty"):
        names |= {PAGE_SAVED_DIRTY: "SAVED_DIRTY", PAGE_DEVMAP: "DEVMAP"}
    else:
        names[PAGE_DEVMAP_BEFORE_SAVED_DIRTY] = "DEVMAP"
    return [names[bit] for bit in sorted(names) if pte & bit]


def vm_flag_names(values: Mapping[str, int | bool]) -> list[str]:
    """The names of the VMA flags that are set in a step, lowest bit first."""
    flags = (int(values["vm_flags"]) | VM_UFFD_MINOR * bool(values["minor"])
             | VM_UFFD_RWP * bool(values["uffd_rwp"]))
    return [VM_FLAG_NAMES[bit] for bit in sorted(VM_FLAG_NAMES) if flags & bit]


def pte_state(pte: int) -> str:
    """What an entry is: none, present, protnone, marker (of uffd-wp), poison, guard, migrating or
    swap."""
    if not pte & ~PTE_KNL_ERRATUM:
        return "none"
    if pte & (PAGE_PRESENT | PAGE_PROTNONE):
        return "present" if pte & PAGE_PRESENT else "protnone"
    kind = _swap_type(pte)
    if kind == 0:
        return "swap"
    # The type of a marker before 6.2 is that of a writable migration entry since: the frame number
    # tells them apart, which the model leaves 0, while a marker says in its place what it marks.
    marks = _swap_offset(pte) & ~SWP_MIG_DIRTY
    if kind not in (SWP_PTE_MARKER_6_1, SWP_PTE_MARKER) or not marks:
        return "migrating"
    return next((name for bit, name in _MARKERS.items() if marks & bit), "marker")


_MARKERS = {PTE_MARKER_POISONED: "poison", PTE_MARKER_GUARD: "guard"}


def _swap_type(pte: int) -> int:
    return (pte & SWP_TYPE_MASK) >> SWP_TYPE_SHIFT


def _swap_offset(pte: int) -> int:
    return (~pte & SWP_OFFSET_MASK) >> SWP_OFFSET_SHIFT


def swap_flags(edition: Edition, pte: int) -> list[str]:
    """What an entry without a page keeps for the page's return: RW and D of a migration entry,
    SOFT_DIRTY, UFFD_WP (of a marker too), and EXCLUSIVE (PageAnonExclusive). The type of a
    migration entry says RW, or RO and EXCLUSIVE, or RO."""
    state, flags = pte_state(pte), list[str]()
    if state == "marker":
        return ["UFFD_WP"] if _swap_offset(pte) & PTE_MARKER_UFFD_WP else []
    exclusive = state == "swap" and bool(pte & SWP_EXCLUSIVE)
    if state == "migrating":
        first = SWP_MIGRATION_READ if edition.has("15520a3f0469") else SWP_MIGRATION_READ_6_1
        exclusive, writable = (_swap_type(pte) == first + kind for kind in (1, 2))
        flags += ["RW"] * writable + ["D"] * bool(_swap_offset(pte) & SWP_MIG_DIRTY)
    if state in ("migrating", "swap", "poison", "guard"):
        flags += ["SOFT_DIRTY"] * bool(pte & SWP_SOFT_DIRTY)
        flags += ["UFFD_WP"] * bool(pte & SWP_UFFD_WP)
    return flags + ["EXCLUSIVE"] * exclusive


def entry_flags(edition: Edition, pte: int) -> list[str]:
    """The bits of an entry by name, whether it maps a page (`pte_flags`) or not (`swap_flags`)."""
    mapped = pte_state(pte) in ("present", "protnone")
    return pte_flags(edition, pte) if mapped else swap_flags(edition, pte)


ENTRY_WORDS = {"none": "empty", "marker": "uffd-wp marker", "poison": "poison marker",
               "guard": "guard marker", "swap": "swap entry",
               "migrating": "migration entry"}
"""What an entry without a page is, by `pte_state`."""
