"""The frame number of a page, which the model leaves 0, and the proof that nothing depends on it.

What a step does must not depend on where in memory a page lies, or in which swap slot: a function
that takes bits of that for something else would be right in the model by chance alone. So each step
is put to Z3 twice: as the model has it, and with the page anywhere, before the step and where the
step maps it anew. What is left and what the caller sees must be the same but for the place. Then
every run has one beside it for each choice of places, and a verdict speaks of them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType

import z3

from model.kernel.bits import (
    PROT_NONE_PGPROT,
    PROT_SHARED,
    PTE_PFN_MASK,
    SWP_MIG_DIRTY,
    SWP_OFFSET_MASK,
    SWP_OFFSET_SHIFT,
)
from model.kernel.editions import Edition
from model.kernel.logic import (
    BV,
    WORD,
    Bool,
    as_term,
    clear_bits,
    complement,
    conj,
    disj,
    has,
    implies,
    ite,
    negate,
    set_bits,
    word,
)
from model.kernel.pgtable import mk_pte, pte_present
from model.kernel.records import Entry, Vma
from model.kernel.swapops import is_migration_entry, is_swap_slot, make_swap_pte, pte_none_mostly
from model.kernel.task_mmu import do_pagemap_scan, pagemap_read
from model.system.actions.effect import Effect
from model.system.relation.kernel import KernelSystem
from model.system.relation.library import Branch
from model.system.state.state import State, flatten

REPORTS = ""
"""In place of an operation: what pagemap and PAGEMAP_SCAN report."""
_SWP_FRAME = (SWP_MIG_DIRTY // 2 - 1) << SWP_OFFSET_SHIFT
"""Of an entry that is not present: the 40 bits of the offset that a migration entry has for the
frame number (swapops.h: SWP_PFN_BITS), and more than a swap area has slots."""


_PGPROT = PROT_NONE_PGPROT | PROT_SHARED
"""All bits that a vm_page_prot has."""


@dataclass(frozen=True)
class Dependence:
    """A step of `op` that depends on the place: `bits` of an entry, as few as are found, are taken
    for something else."""

    op: str
    bits: int

    def __str__(self) -> str:
        what = f"a step of {self.op}" if self.op else "what pagemap or PAGEMAP_SCAN reports"
        return (f"{what} depends on the frame number of the page, or on its swap slot "
                f"({self.bits:#x} in an entry), which the model holds constant")


def dependence(kernel: KernelSystem, op: str) -> Dependence | None:
    """How a step of `op` depends on where the page lies; None where it does not. Asked of every
    state of usual entries, which a step leaves usual, whatever else the state says."""
    ed, plain = kernel.edition, kernel.before
    before, anew = z3.BitVecs("frame anew", WORD)
    moved = _with_entries(plain, lambda pte: _placed(ed, pte, before))
    if op == REPORTS:
        seen = [(*flatten(pagemap_read(ed, s.vma, s.entry)),
                 *flatten(do_pagemap_scan(ed, s.vma, s.entry))) for s in (plain, moved)]
        left: Bool = True
    else:
        effects = [kernel.effect(op, plain, ed), kernel.effect(op, moved, placing(ed, anew))]
        after = [_with_entries(e.state, lambda pte: _unplaced(ed, pte)) for e in effects]
        seen = [(*flatten(s), e.outcome, e.faults) for s, e in zip(after, effects, strict=True)]
        left = _usual(ed, after[0])
    same = conj(left, *(x == y for x, y in zip(*seen, strict=True) if not x.eq(y)))
    differing = z3.And(as_term(conj(_usual(ed, plain), _one_pmd(plain))), as_term(negate(same)))
    bits = [bit for i in range(WORD) if (bit := 1 << i) & (PTE_PFN_MASK | _SWP_FRAME)]
    if not _possible(differing, before | anew, bits):
        return None
    while len(bits) > 1:
        half = len(bits) // 2
        enough = (part for part in (bits[half:], bits[:half])
                  if _possible(differing, before | anew, part))
        if (found := next(enough, None)) is None:
            break
        bits = found
    return Dependence(op, sum(bits))


@lru_cache(maxsize=64)
def place_matters(kernel: KernelSystem) -> str:
    """How what a user's functions do depends on where the page lies; empty where it does not, and
    for the model's own functions, of which a test has shown that nothing does."""
    if kernel.edition.patch is None:
        return ""
    changed = (op for op, branch in zip(kernel.actions, kernel.system.branches, strict=True)
               if not _unchanged(branch, kernel.effect(op, kernel.before, kernel.edition.base)))
    found = (dependence(kernel, op) for op in (REPORTS, *changed))
    return next((str(told) for told in found if told), "")


def any_place_matters(kernels: Iterable[KernelSystem]) -> str:
    """What is said of the first of which something is said."""
    return next(filter(None, map(place_matters, kernels)), "")


def _unchanged(branch: Branch, effect: Effect) -> bool:
    own = (*flatten(effect.state), effect.outcome, effect.faults)
    return all(x.eq(y) for x, y in zip(branch, own, strict=True))


def _possible(formula: z3.BoolRef, place: BV, bits: Sequence[int]) -> bool:
    """Whether it can be true with no more than these bits of `place` set."""
    solver = z3.SolverFor("QF_BV")
    solver.add(formula, clear_bits(place, sum(bits)) == word(0))
    return bool(solver.check() == z3.sat)


def placing(edition: Edition, place: BV) -> Edition:
    """The edition where a page that is mapped anew lies at `place`, in the bits of a PTE."""

    def placed(ed: Edition, vma: Vma) -> BV:
        return mk_pte(replace(ed, overrides=edition.overrides), vma) | (place & word(PTE_PFN_MASK))

    return replace(edition, overrides=MappingProxyType({**edition.overrides, "mk_pte": placed}))


def _placed(ed: Edition, pte: BV, place: BV) -> BV:
    """A usual entry, of a page that lies at `place`; a swap slot differs by it."""
    return ite(pte_present(pte), pte | (place & word(PTE_PFN_MASK)),
               ite(is_migration_entry(ed, pte), pte & complement(place & word(_SWP_FRAME)),
                   ite(is_swap_slot(pte), pte ^ (place & word(_SWP_FRAME)), pte)))


def _unplaced(ed: Edition, pte: BV) -> BV:
    """The entry, of a page that lies where the model has it."""
    slot = clear_bits(pte, SWP_OFFSET_MASK) | (make_swap_pte() & word(SWP_OFFSET_MASK))
    return ite(pte_present(pte), clear_bits(pte, PTE_PFN_MASK),
               ite(is_migration_entry(ed, pte), set_bits(pte, _SWP_FRAME),
                   ite(is_swap_slot(pte), slot, pte)))


def _usual(ed: Edition, state: State) -> Bool:
    """vm_page_prot is a pgprot, and entries are as they can be, for pages where the model has them:
    a huge one is in no swap slot, and neither the zero page nor one that is pinned moves."""
    prot = state.vma.vm_page_prot
    entries = [e for e in (state.entry, state.rest) if e is not None]
    return conj(pte_present(prot), negate(has(prot, ~_PGPROT & (1 << WORD) - 1)), *(
        conj(e.pte == _unplaced(ed, e.pte),
             implies(disj(e.zero_page, conj(e.pinned, e.anon_exclusive)),
                     pte_present(e.pte)),
             disj(pte_none_mostly(ed, e.pte), pte_present(e.pte), is_migration_entry(ed, e.pte),
                  conj(is_swap_slot(e.pte), negate(disj(state.vma.mapping.hugetlb, e.huge)))))
        for e in entries))


def _one_pmd(state: State) -> Bool:
    """What is said of a State: while one PMD maps all pages, it is that of each."""
    if state.rest is None:
        return True
    ours, theirs = flatten(state.entry), flatten(state.rest)
    return implies(disj(state.entry.huge, state.rest.huge),
                   conj(*(x == y for x, y in zip(ours, theirs, strict=True) if not x.eq(y))))


def _with_entries(state: State, at: Callable[[BV], BV]) -> State:
    """The state with other entries."""
    def other(entry: Entry) -> Entry:
        return entry.with_pte(at(entry.pte))

    return replace(state, entry=other(state.entry),
                   rest=None if state.rest is None else other(state.rest))
