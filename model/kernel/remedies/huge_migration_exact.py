"""The PMD of a huge page that has migrated is exactly as soft-dirty as its entry has kept, as the
PTE of a small one is (63222c14c269)."""

from __future__ import annotations

from model.kernel import huge_memory
from model.kernel.editions import Edition
from model.kernel.logic import BV, Bool, ite
from model.kernel.pgtable import pte_clear_soft_dirty, pte_mksoft_dirty, pte_swp_soft_dirty
from model.kernel.records import Vma


def remove_migration_pmd(ed: Edition, vma: Vma, swp: BV, dirty: Bool) -> BV:
    pmd = huge_memory.remove_migration_pmd(ed, vma, swp, dirty)
    return ite(pte_swp_soft_dirty(swp), pte_mksoft_dirty(pmd), pte_clear_soft_dirty(pmd))
