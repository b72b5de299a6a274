"""What a userfaultfd fills is no guard region: EEXIST."""

from __future__ import annotations

from model.kernel import userfaultfd
from model.kernel.editions import Edition
from model.kernel.logic import BV, as_term, conj, ite
from model.kernel.records import Entry, Outcome, Vma, outcome


def _spared(entry: Entry, filled: Entry, result: BV) -> tuple[Entry, BV]:
    over = conj(entry.guard, as_term(result == outcome(Outcome.ok)))
    return ite(over, entry, filled), ite(over, outcome(Outcome.EEXIST), result)


def mfill_atomic(ed: Edition, vma: Vma, entry: Entry, wp: bool,
                 zeropage: bool = False, poison: bool = False) -> tuple[Vma, Entry, BV]:
    prepared, filled, result = userfaultfd.mfill_atomic(ed, vma, entry, wp, zeropage, poison)
    return prepared, *_spared(entry, filled, result)


def mfill_atomic_pte_continue(ed: Edition, vma: Vma, entry: Entry,
                              wp: bool) -> tuple[Entry, BV]:
    filled, result = userfaultfd.mfill_atomic_pte_continue(ed, vma, entry, wp)
    return _spared(entry, filled, result)
