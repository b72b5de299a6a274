"""The PTE helpers against laws stated over bit numbers, for every 64-bit entry.

Each test is a law of an edition, so that a mutated edition can be put to it too (test_mutants.py).
Bits are numbered here once more, on purpose: a slip in the model's table must not hide itself.
"""

from __future__ import annotations

import pytest
import z3

from model.kernel import mmu, pgtable, swapops
from model.kernel.editions import Edition, find_edition
from model.kernel.logic import Bool, as_term, word
from model.kernel.records import Mapping, Vma
from model.kernel.terms import lean
from model.system.relation.nodes import Node, node_of

P, RW, US, PWT, PCD, A, D, PAT, PROTNONE, SPECIAL, UWP, SD, SAVED, NX = (
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 58, 63)
X, Y = z3.BitVecs("x y", 64)
MASK64 = (1 << 64) - 1

LAW_EDITIONS = ("v6.1", "before", "v6.3", "v6.12", "v6.1-51d3d5eb74ff", "v6.12-f369b07c8614",
                "v6.12-76aefad628aa", "v7.3")
editions = pytest.mark.parametrize(
    "ed", [pytest.param(find_edition(name), id=name) for name in LAW_EDITIONS])


def bit(value: z3.BitVecRef, number: int) -> z3.BoolRef:
    term = z3.Extract(number, number, value) == 1
    assert isinstance(term, z3.BoolRef)
    return term


_PROVED: dict[Node, z3.BoolRef] = {}


def always(claim: Bool) -> None:
    """Prove `claim` for every value of its variables, once; fail with a counterexample."""
    term = as_term(claim)
    if node_of(term) in _PROVED:
        return
    solver = z3.Solver()
    solver.add(z3.Not(term))
    assert solver.check() == z3.unsat, f"not always: {solver.model()}"
    _PROVED[node_of(term)] = term


def same(a: Bool, b: Bool) -> Bool:
    return as_term(a) == as_term(b)


def only(changed: tuple[int, ...], before: z3.BitVecRef, after: z3.BitVecRef) -> Bool:
    """No bit but those of `changed` differs."""
    mask = MASK64 & ~sum(1 << b for b in changed)
    return same(before & mask == after & mask, True)


def value(term: z3.BitVecRef) -> int:
    number = z3.simplify(term)
    assert isinstance(number, z3.BitVecNumRef)
    return int(number.as_long())


def saved_dirty(ed: Edition) -> bool:
    """Read-only entries keep their dirty bit elsewhere: 6.6 and later."""
    return ed.name.startswith(("v6.12", "v7"))


def dirty(ed: Edition, pte: z3.BitVecRef) -> z3.BoolRef:
    """The one abstract dirty bit, wherever it stands."""
    either = z3.Or(bit(pte, D), bit(pte, SAVED)) if saved_dirty(ed) else bit(pte, D)
    assert isinstance(either, z3.BoolRef)
    return either


def canonical(ed: Edition, pte: z3.BitVecRef) -> z3.BoolRef:
    """The dirty bit stands where the write bit wants it (6.6+); true before."""
    if not saved_dirty(ed):
        return z3.BoolVal(True)
    form = z3.If(bit(pte, RW), z3.Not(bit(pte, SAVED)), z3.Not(bit(pte, D)))
    assert isinstance(form, z3.BoolRef)
    return form


DIRTY_PLACES = (D, SAVED)


def places(ed: Edition) -> tuple[int, ...]:
    return DIRTY_PLACES if saved_dirty(ed) else (D,)


# --- what an entry is -----------------------------------------------------------------------------


@editions
def test_kinds_of_entry(ed: Edition) -> None:
    """Empty, present, PROT_NONE and swap are told apart by bits 0 and 8; A and D may stray."""
    none = (X & ~(1 << A | 1 << D)) == 0
    present = z3.Or(bit(X, P), bit(X, PROTNONE))
    always(same(pgtable.pte_none(X), none))
    always(same(pgtable.pte_present(X), present))
    always(same(pgtable.pte_protnone(X), z3.And(bit(X, PROTNONE), z3.Not(bit(X, P)))))
    always(same(pgtable.is_swap_pte(X), z3.And(z3.Not(none), z3.Not(present))))


@editions
def test_single_bits(ed: Edition) -> None:
    """Each question about a present entry reads the bit of that number."""
    for function, number in ((pgtable.pte_write, RW), (pgtable.pte_soft_dirty, SD),
                             (pgtable.pte_uffd_wp, UWP), (pgtable.pte_special, SPECIAL)):
        always(same(function(X), bit(X, number)))


@editions
def test_single_bit_helpers(ed: Edition) -> None:
    """The helpers of one bit change that bit and no other."""
    for function, number, state in ((pgtable.pte_mkyoung, A, True),
                                    (pgtable.pte_mkold, A, False),
                                    (pgtable.pte_mkspecial, SPECIAL, True),
                                    (pgtable.pte_clear_soft_dirty, SD, False),
                                    (pgtable.pte_clear_uffd_wp, UWP, False),
                                    (pgtable.pte_swp_clear_soft_dirty, 1, False)):
        after = function(X)
        always(same(bit(after, number), state))
        always(only((number,), X, after))


@editions
def test_dirty(ed: Edition) -> None:
    """From 6.6 on an entry is dirty by either of two bits, before by one; a clean one has neither,
    and nothing else is changed."""
    always(same(pgtable.pte_dirty(ed, X), dirty(ed, X)))
    clean = pgtable.pte_mkclean(ed, X)
    always(z3.Not(as_term(pgtable.pte_dirty(ed, clean))))
    always(only((D, SAVED) if ed.has("saved-dirty") else (D,), X, clean))


# --- changing it ----------------------------------------------------------------------------------


@editions
def test_wrprotect(ed: Edition) -> None:
    """It takes the write bit alone, and no dirty bit is lost."""
    after = pgtable.pte_wrprotect(ed, X)
    always(z3.Not(bit(after, RW)))
    always(same(dirty(ed, after), dirty(ed, X)))
    always(only((RW, *(places(ed) if saved_dirty(ed) else ())), X, after))


@editions
def test_mkwrite(ed: Edition) -> None:
    """It gives the write bit alone, and no dirty bit is lost or made."""
    after = pgtable.pte_mkwrite(ed, X)
    always(bit(after, RW))
    always(same(dirty(ed, after), dirty(ed, X)))
    always(only((RW, *(places(ed) if saved_dirty(ed) else ())), X, after))


@editions
def test_wrprotect_then_mkwrite(ed: Edition) -> None:
    """Write-protecting loses nothing but the write bit: giving it back restores the entry."""
    there_and_back = pgtable.pte_mkwrite(ed, pgtable.pte_wrprotect(ed, X))
    always(z3.Implies(z3.And(canonical(ed, X), bit(X, RW)), there_and_back == X))


@editions
def test_mkdirty(ed: Edition) -> None:
    """Recording a store: dirty and soft-dirty, nothing else."""
    after = pgtable.pte_mkdirty(ed, X)
    always(dirty(ed, after))
    always(bit(after, SD))
    always(only((*places(ed), SD), X, after))


@editions
def test_mkuffd_wp(ed: Edition) -> None:
    """The bit, and from f1eb1bacfba9 on write protection too; a dirty page stays dirty."""
    after = pgtable.pte_mkuffd_wp(ed, X)
    protects = ed.name.startswith(("v6.3", "v6.12", "v7"))
    always(bit(after, UWP))
    always(same(bit(after, RW), z3.And(bit(X, RW), not protects)))
    always(same(dirty(ed, after), dirty(ed, X)))
    always(only((UWP, RW, *places(ed)), X, after))


@editions
def test_saved_dirty_shuffle(ed: Edition) -> None:
    """The two shuffles over all eight combinations of RW, DIRTY and SAVED_DIRTY."""
    for rw in (0, 1):
        for d in (0, 1):
            for saved in (0, 1):
                entry = rw << RW | d << D | saved << SAVED | 1 << P | 1 << UWP
                rest = entry & ~(1 << D | 1 << SAVED)
                down = rest | (d | saved) << SAVED if not rw else entry
                up = rest | (d | saved) << D if rw else entry
                if not saved_dirty(ed):
                    down = up = entry
                assert value(pgtable.pte_mksaveddirty(ed, word(entry))) == down
                assert value(pgtable.pte_clear_saveddirty(ed, word(entry))) == up


@editions
def test_canonical_form(ed: Edition) -> None:
    """From 6.6 on no helper leaves a dirty bit in the wrong place for the write bit."""
    results = (pgtable.pte_wrprotect(ed, X), pgtable.pte_mkwrite(ed, X), pgtable.pte_mkdirty(ed, X),
               pgtable.pte_mkuffd_wp(ed, X), pgtable.pte_modify(ed, X, Y), pgtable.pte_mkyoung(X),
               pgtable.pte_clear_soft_dirty(X), pgtable.pte_clear_uffd_wp(X))
    for after in results:
        always(z3.Implies(canonical(ed, X), canonical(ed, after)))


def _kept_by_modify(ed: Edition) -> int:
    """Frame number, cache bits, special, A, soft-dirty, uffd-wp and DEVMAP; not the dirty bits."""
    frame = sum(1 << b for b in range(12, 52))
    devmap = 57 if saved_dirty(ed) else 58
    return frame | sum(1 << b for b in (PWT, PCD, PAT, A, SPECIAL, UWP, SD, devmap))


@editions
def test_pte_modify(ed: Edition) -> None:
    """Protection comes from the new pgprot, everything else stays with the entry."""
    after = pgtable.pte_modify(ed, X, Y)
    kept = _kept_by_modify(ed)
    wandering = sum(1 << b for b in places(ed))
    taken = MASK64 & ~kept & ~wandering
    for number in (P, RW, US, PROTNONE, NX):
        assert taken >> number & 1
    always(same((after & kept) == (X & kept), True))
    always(same((after & taken) == (Y & taken), True))
    always(z3.Implies(canonical(ed, X), same(dirty(ed, after), dirty(ed, X))))


@editions
def test_pgprot_modify(ed: Edition) -> None:
    """Of two pgprots: the same bits as pte_modify, with the dirty bits left where they are."""
    after = pgtable.pgprot_modify(ed, X, Y)
    kept = _kept_by_modify(ed) | sum(1 << b for b in places(ed))
    always(same(after == ((X & kept) | (Y & (MASK64 & ~kept))), True))


@editions
def test_maybe_mkwrite(ed: Edition) -> None:
    """The write bit only where the VMA may be written."""
    flags = z3.BitVec("flags", 64)
    vma = Vma(flags, Y, Mapping("any", "any", anonymous=False, shared=True))
    after = pgtable.maybe_mkwrite(ed, X, vma)
    always(z3.Implies(z3.Not(bit(flags, 1)), after == X))
    always(z3.Implies(bit(flags, 1), bit(after, RW)))
    always(z3.Implies(bit(flags, 1), same(dirty(ed, after), dirty(ed, X))))
    always(only((RW, *places(ed)), X, after))


# --- entries that are not present -----------------------------------------------------------------


def _marker_type(ed: Edition) -> int:
    return 30 if ed.name.startswith("v6.1") and not ed.name.startswith(("v6.12", "v7")) else 31


def _swap_entry(kind: int, offset: int) -> int:
    """Type in bits 59 to 63, the offset inverted in bits 9 to 58."""
    return kind << 59 | ((1 << 50) - 1 - offset) << 9


@editions
def test_marker_value(ed: Edition) -> None:
    """The uffd-wp marker is the swap entry of the marker type with offset 1, bit for bit."""
    marker = value(swapops.make_uffd_wp_marker(ed))
    assert marker == _swap_entry(_marker_type(ed), 1)
    assert not marker & (1 << P | 1 << PROTNONE | 0b1110)


@editions
def test_markers_are_told_apart(ed: Edition) -> None:
    """Marker, poison marker, swap entries of another type, empty and present entries."""
    uffd_wp, poison = _swap_entry(_marker_type(ed), 1), _swap_entry(_marker_type(ed), 2)
    other, both = _swap_entry(61 - _marker_type(ed), 1), _swap_entry(_marker_type(ed), 3)
    table = {  # entry: (is a marker, says uffd-wp, uffd-wp of any kind)
        uffd_wp: (True, True, True), poison: (True, False, False), both: (True, True, True),
        other: (False, False, False), other | 0b100: (False, False, True),
        poison | 0b100: (True, False, True),
        0: (False, False, False), 1 << P | 1 << UWP | 0b100: (False, False, False),
        uffd_wp | 1 << P: (False, False, False), _swap_entry(0, 5): (False, False, False),
    }
    for entry, expected in table.items():
        pte = word(entry)
        answers = (swapops.is_pte_marker(ed, pte), swapops.pte_marker_uffd_wp(ed, pte),
                   swapops.pte_swp_uffd_wp_any(ed, pte))
        assert tuple(z3.is_true(z3.simplify(as_term(a))) for a in answers) == expected, hex(entry)


# --- the protection map ---------------------------------------------------------------------------

NONE, RO, ROX, SHARED, SHAREDX = 0x120, 0x8000000000000025, 0x25, 0x8000000000000027, 0x27
COPY, COPYX = RO, ROX
PROTECTION_MAP = (  # by VM_SHARED, VM_EXEC, VM_WRITE, VM_READ as a number
    NONE, RO, COPY, COPY, ROX, ROX, COPYX, COPYX,
    NONE, RO, SHARED, SHARED, ROX, ROX, SHAREDX, SHAREDX,
)


@editions
def test_protection_map(ed: Edition) -> None:
    """All sixteen rows, as the 64-bit constants of x86."""
    for flags, pgprot in enumerate(PROTECTION_MAP):
        assert value(pgtable.vm_get_page_prot(ed, word(flags))) == pgprot, flags


@editions
def test_protection_map_reads_four_flags(ed: Edition) -> None:
    """Nothing but VM_READ, VM_WRITE, VM_EXEC and VM_SHARED decides a pgprot."""
    always(same(pgtable.vm_get_page_prot(ed, X) == pgtable.vm_get_page_prot(ed, X & 15), True))


# --- the CPU --------------------------------------------------------------------------------------


@editions
def test_mmu(ed: Edition) -> None:
    """A load needs P and USER, a store RW too; the CPU sets A and D and knows no soft-dirty."""
    readable = z3.And(bit(X, P), bit(X, US))
    always(same(mmu.mmu_permits(X, write=False), readable))
    always(same(mmu.mmu_permits(X, write=True), z3.And(readable, bit(X, RW))))
    always(same(mmu.mmu_access(X, write=False) == X | 1 << A, True))
    always(same(mmu.mmu_access(X, write=True) == X | 1 << A | 1 << D, True))


def test_terms_are_printed_as_z3py_does() -> None:
    """A number has a class of its own there; who changes a function prints what it sees."""
    for term in (z3.BitVecVal(3, 64), X & 3, z3.BoolVal(True), X == Y):
        assert repr(lean(term)) == str(lean(term)) == repr(term)
