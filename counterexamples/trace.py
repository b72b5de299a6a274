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
    SWP_MIG_DIRTY,
    SWP_OFFSET_MASK,
    SWP_OFFSET_SHIFT,
    SWP_PTE_MARKER,
    SWP_PTE_MARKER_6_1,
    SWP_TYPE_MASK,
    SWP_TYPE_SHIFT,
    VM_FLAG_NAMES,
)
from model.kernel.editions import Edition
from model.system.actions.operations import OPERATIONS
from model.system.relation.compiled import Values
from model.system.relation.kernel import KernelSystem

FRESH = "mmap"
"""The name of step 0, which makes the mapping."""


@dataclass(frozen=True)
class TraceStep:
    """One step: `values` are the leaves of the state by name, `pagemap` and `vm_flags` what a
    program observes. The step `mmap` has outcome "ok" and no faults."""

    op: str
    outcome: str
    faults: int
    values: Mapping[str, int | bool]
    pagemap: Mapping[str, bool]
    vm_flags: tuple[str, ...]

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
    reason, where there is one.
    """

    edition: Edition
    mapping: str
    prop: str
    claim: str
    because: str
    steps: tuple[TraceStep, ...]

    @property
    def kernel(self) -> str:
        """The edition's name."""
        return self.edition.name

    @property
    def kernel_title(self) -> str:
        return self.edition.title

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
                     kernel.pagemap(values), tuple(kernel.vm_flags(values)))


def pte_flags(edition: Edition, pte: int) -> list[str]:
    """The names of the bits that are set in a present entry, lowest bit first."""
    names = dict(PTE_FLAG_NAMES)
    if edition.has("saved-dirty"):
        names |= {PAGE_SAVED_DIRTY: "SAVED_DIRTY", PAGE_DEVMAP: "DEVMAP"}
    else:
        names[PAGE_DEVMAP_BEFORE_SAVED_DIRTY] = "DEVMAP"
    return [names[bit] for bit in sorted(names) if pte & bit]


def vm_flag_names(vm_flags: int) -> list[str]:
    """The names of the VMA flags that are set, lowest bit first."""
    return [VM_FLAG_NAMES[bit] for bit in sorted(VM_FLAG_NAMES) if vm_flags & bit]


def pte_state(pte: int) -> str:
    """What an entry is: none, present, protnone, marker, migrating or swap."""
    if not pte & ~PTE_KNL_ERRATUM:
        return "none"
    if pte & (PAGE_PRESENT | PAGE_PROTNONE):
        return "present" if pte & PAGE_PRESENT else "protnone"
    kind = (pte & SWP_TYPE_MASK) >> SWP_TYPE_SHIFT
    if kind == 0:
        return "swap"
    # The type of a marker before 6.2 is that of a writable migration entry since: the frame number
    # tells them apart, which the model leaves 0, while a marker says in its place what it marks.
    offset = (~pte & SWP_OFFSET_MASK) >> SWP_OFFSET_SHIFT & ~SWP_MIG_DIRTY
    return "marker" if kind in (SWP_PTE_MARKER_6_1, SWP_PTE_MARKER) and offset else "migrating"


ENTRY_WORDS = {"none": "empty", "marker": "uffd-wp marker", "swap": "swap entry",
               "migrating": "migration entry"}
"""What an entry without a page is, by `pte_state`."""
