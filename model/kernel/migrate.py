"""mm/migrate.c and mm/rmap.c: a page moves to another place in memory, in two steps.

Read from 6.1.192 and 6.12.117. Between the steps the entry is a migration entry, and whatever does
not wait for it may change it. Left out: device memory, poison, and running out of memory.
"""

from __future__ import annotations

from dataclasses import replace

from model.kernel.editions import Edition
from model.kernel.logic import conj, disj, ite, negate
from model.kernel.mirror import mirrors
from model.kernel.pgtable import (
    is_migration_entry,
    is_migration_entry_dirty,
    is_readable_migration_entry,
    is_writable_migration_entry,
    make_migration_pte,
    maybe_mkwrite,
    pte_clear_soft_dirty,
    pte_dirty,
    pte_mkdirty,
    pte_mksoft_dirty,
    pte_mkuffd_wp,
    pte_mkwrite,
    pte_present,
    pte_soft_dirty,
    pte_special,
    pte_swp_mksoft_dirty,
    pte_swp_mkuffd_wp,
    pte_swp_soft_dirty,
    pte_swp_uffd_wp,
    pte_uffd_wp,
    pte_write,
    pte_wrprotect,
)
from model.kernel.records import Entry, Vma


@mirrors("mm/rmap.c")
def try_to_migrate_one(ed: Edition, entry: Entry) -> Entry:
    """The first step, of a page that nobody has pinned. The entry keeps soft-dirty, uffd-wp, and
    whether it was dirty and writable; the page takes over the dirty bit."""
    pte = entry.pte
    swp = make_migration_pte(ed, pte_write(pte), entry.anon_exclusive, pte_dirty(ed, pte))
    swp = ite(pte_soft_dirty(pte), pte_swp_mksoft_dirty(swp), swp)
    swp = ite(pte_uffd_wp(pte), pte_swp_mkuffd_wp(swp), swp)
    moving = conj(pte_present(pte), negate(pte_special(pte)), negate(entry.pinned))
    dirty = conj(negate(entry.anon), pte_dirty(ed, pte))
    return ite(moving, replace(entry, pte=swp, cache_dirty=disj(entry.cache_dirty, dirty)), entry)


@mirrors("mm/migrate.c")
def remove_migration_pte(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """The second step: the entry is made anew from vm_page_prot and from what it has kept.

    Before 63222c14c269 a page that was dirty came back soft-dirty, whatever the entry had kept;
    before migration-prot a shared page that was read-only came back read-only.
    """
    swp = entry.pte
    soft_dirty, dirty = pte_swp_soft_dirty(swp), is_migration_entry_dirty(swp)
    pte = vma.vm_page_prot
    if ed.has("63222c14c269"):
        pte = ite(dirty, pte_mkdirty(ed, pte), pte)
        pte = ite(soft_dirty, pte_mksoft_dirty(pte), pte_clear_soft_dirty(pte))
    else:
        pte = ite(soft_dirty, pte_mksoft_dirty(pte), pte)
        pte = ite(dirty, pte_mkdirty(ed, pte), pte)
    if ed.has("migration-prot"):
        writable, readable = pte_mkwrite(ed, pte), pte
    else:
        writable, readable = maybe_mkwrite(ed, pte, vma), pte_wrprotect(ed, pte)
    pte = ite(is_writable_migration_entry(ed, swp), writable,
              ite(pte_swp_uffd_wp(swp), pte_mkuffd_wp(ed, pte), readable))
    exclusive = conj(entry.anon, negate(is_readable_migration_entry(ed, swp)))
    back = replace(entry, pte=pte, anon_exclusive=exclusive)
    return ite(is_migration_entry(ed, swp), back, entry)
