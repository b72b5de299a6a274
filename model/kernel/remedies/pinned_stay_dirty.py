"""clear_refs leaves a page that is pinned soft-dirty, whoever maps it and however: a device may
write to it at any time."""

from __future__ import annotations

from model.kernel import task_mmu
from model.kernel.editions import Edition
from model.kernel.logic import conj, ite
from model.kernel.pgtable import pte_mksoft_dirty, pte_present
from model.kernel.records import Entry, Vma


def clear_soft_dirty(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    stays = conj(pte_present(entry.pte), entry.pinned)
    return ite(stays, entry.with_pte(pte_mksoft_dirty(entry.pte)),
               task_mmu.clear_soft_dirty(ed, vma, entry))
