"""MADV_GUARD_INSTALL takes the soft-dirty bit of what it replaces over into its marker."""

from __future__ import annotations

from model.kernel import madvise
from model.kernel.editions import Edition
from model.kernel.logic import BV, conj, disj, ite
from model.kernel.mmap import vma_soft_dirty_enabled
from model.kernel.pgtable import (
    is_swap_pte,
    pte_present,
    pte_soft_dirty,
    pte_swp_mksoft_dirty,
    pte_swp_soft_dirty,
)
from model.kernel.records import Entry, Vma


def madvise_guard_install(ed: Edition, vma: Vma, entry: Entry) -> tuple[Vma, Entry, BV]:
    prepared, guarded, result = madvise.madvise_guard_install(ed, vma, entry)
    was = disj(conj(pte_present(entry.pte), pte_soft_dirty(entry.pte)),
               conj(is_swap_pte(entry.pte), pte_swp_soft_dirty(entry.pte)))
    kept = conj(guarded.guard, vma_soft_dirty_enabled(vma), was)
    marked = guarded.with_pte(pte_swp_mksoft_dirty(guarded.pte))
    return prepared, ite(kept, marked, guarded), result
