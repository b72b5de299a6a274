"""The PTEs of a PMD that is split are exactly as soft-dirty as it was, dirty or not."""

from __future__ import annotations

from model.kernel import huge_memory
from model.kernel.editions import Edition
from model.kernel.logic import conj, ite, negate
from model.kernel.pgtable import pte_clear_soft_dirty, pte_present, pte_soft_dirty
from model.kernel.records import Entry, Vma


def split_huge_pmd_locked(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    split = huge_memory.split_huge_pmd_locked(ed, vma, entry)
    clean = conj(pte_present(split.pte), negate(pte_soft_dirty(entry.pte)))
    return split.with_pte(ite(clean, pte_clear_soft_dirty(split.pte), split.pte))
