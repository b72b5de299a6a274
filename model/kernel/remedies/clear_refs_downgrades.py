"""clear_refs makes a writable migration entry a readable one, as change_pte_range() does."""

from __future__ import annotations

from model.kernel import task_mmu
from model.kernel.editions import Edition
from model.kernel.logic import ite
from model.kernel.records import Entry, Vma
from model.kernel.swapops import is_writable_migration_entry, make_readable_migration_pte


def clear_soft_dirty(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    cleared = task_mmu.clear_soft_dirty(ed, vma, entry)
    readable = make_readable_migration_pte(ed, cleared.pte, entry.anon)
    return ite(is_writable_migration_entry(ed, entry.pte), cleared.with_pte(readable), cleared)
