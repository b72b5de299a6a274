"""mm/migrate.c: a page moves to another place in memory, in two steps; see try_to_migrate_one() of
rmap.py for the first.

Read from 6.1.192, 6.12.117 and 7.3.4. Between the steps the entry is a migration entry, and
whatever does not wait for it may change it. Left out: device memory, poison, and running out of
memory.
"""

from __future__ import annotations

from dataclasses import replace

from model.kernel.bits import PAGE_PSE, PROT_NONE_PGPROT
from model.kernel.editions import Edition
from model.kernel.huge_memory import remove_migration_pmd
from model.kernel.logic import conj, ite, negate, set_bits, word
from model.kernel.mirror import mirrors
from model.kernel.pgtable import (
    maybe_mkwrite,
    mk_pte,
    pte_clear_soft_dirty,
    pte_mkdirty,
    pte_mksoft_dirty,
    pte_mkuffd_wp,
    pte_mkwrite,
    pte_modify,
    pte_swp_soft_dirty,
    pte_swp_uffd_wp,
    pte_wrprotect,
)
from model.kernel.records import Entry, Vma
from model.kernel.swapops import (
    is_migration_entry,
    is_migration_entry_dirty,
    is_readable_migration_entry,
    is_writable_migration_entry,
)
from model.kernel.userfaultfd_k import userfaultfd_rwp


@mirrors("mm/migrate.c")
def remove_migration_pte(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """The second step: the entry is made anew from vm_page_prot and from what it has kept.

    Before 63222c14c269 a page that was dirty came back soft-dirty, whatever the entry had kept;
    before 3c811f7883c4 a shared page that was read-only came back read-only.
    """
    swp = entry.pte
    soft_dirty, dirty = pte_swp_soft_dirty(swp), is_migration_entry_dirty(swp)
    pte = mk_pte(ed, vma)
    exact = ite(dirty, pte_mkdirty(ed, pte), pte)
    exact = ite(soft_dirty, pte_mksoft_dirty(exact), pte_clear_soft_dirty(exact))
    before = ite(soft_dirty, pte_mksoft_dirty(pte), pte)
    before = ite(dirty, pte_mkdirty(ed, before), before)
    pte = ite(ed.has("63222c14c269"), exact, before)
    writable = ite(ed.has("3c811f7883c4"), pte_mkwrite(ed, pte), maybe_mkwrite(ed, pte, vma))
    readable = ite(ed.has("3c811f7883c4"), pte, pte_wrprotect(ed, pte))
    pte = ite(is_writable_migration_entry(ed, swp), writable,
              ite(pte_swp_uffd_wp(swp), pte_mkuffd_wp(ed, pte), readable))
    pte = ite(conj(userfaultfd_rwp(vma), pte_swp_uffd_wp(swp)),
              pte_modify(ed, pte, word(PROT_NONE_PGPROT)), pte)
    if vma.mapping.hugetlb:
        pte = set_bits(pte, PAGE_PSE)
    if vma.mapping.thp:
        pte = ite(entry.huge, remove_migration_pmd(ed, vma, swp, dirty), pte)
    exclusive = conj(entry.anon, negate(is_readable_migration_entry(ed, swp)))
    back = replace(entry, pte=pte, anon_exclusive=exclusive)
    return ite(is_migration_entry(ed, swp), back, entry)
