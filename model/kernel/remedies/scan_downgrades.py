"""PAGEMAP_SCAN makes the migration entry that it protects readable, as mprotect(2) does."""

from __future__ import annotations

from model.kernel import task_mmu
from model.kernel.editions import Edition
from model.kernel.logic import ite
from model.kernel.pgtable import pte_swp_mkuffd_wp
from model.kernel.records import Entry
from model.kernel.swapops import is_writable_migration_entry, make_readable_migration_pte


def make_uffd_wp_pte(ed: Edition, entry: Entry) -> Entry:
    readable = pte_swp_mkuffd_wp(make_readable_migration_pte(ed, entry.pte, entry.anon))
    return ite(is_writable_migration_entry(ed, entry.pte), entry.with_pte(readable),
               task_mmu.make_uffd_wp_pte(ed, entry))
