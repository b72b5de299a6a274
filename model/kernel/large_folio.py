"""mm/huge_memory.c and mm/migrate.c: a huge page that PTEs map becomes small ones; mm/memory.c: and
what a fault on one of its pages maps of the others.

Read from 6.1.192, 6.12.117 and 7.3.4. Left out: pages that are locked in memory, and
running out of it.
"""

from __future__ import annotations

from dataclasses import replace

from model.kernel.editions import Edition
from model.kernel.huge_memory import split_huge_pmd_locked
from model.kernel.logic import Bool, conj, disj, ite, negate
from model.kernel.memory import set_pte_range
from model.kernel.migrate import remove_migration_pte
from model.kernel.mirror import mirrors
from model.kernel.pgtable import (
    mk_pte,
    pte_mksoft_dirty,
    pte_mkspecial,
    pte_mkuffd_wp,
    pte_none,
    pte_present,
    pte_swp_soft_dirty,
    pte_swp_uffd_wp,
)
from model.kernel.records import Entry, Vma
from model.kernel.rmap import try_to_migrate_one
from model.kernel.swapops import is_migration_entry
from model.kernel.userfaultfd_k import (
    rwp_restored,
    userfaultfd_armed,
    userfaultfd_minor,
    userfaultfd_rwp,
    userfaultfd_wp,
)


@mirrors("mm/huge_memory.c", "include/linux/huge_mm.h", ":split_huge_page_to_list",
         ":split_huge_page_to_list_to_order")
def split_folio(ed: Edition, vma: Vma, entry: Entry, unused: Bool = False) -> Entry:
    """A huge page becomes small ones: its PMD is split, or its PTEs migrate in place. One that is
    `unused`, all zeroes, gives way to the zero page since b1f202060afe. A pinned one stays as it is
    (can_split_folio)."""
    split = split_huge_pmd_locked(ed, vma, entry)
    moving = try_to_migrate_one(ed, entry)
    in_place = remove_migration_pte(ed, vma, moving)
    in_place = ite(conj(ed.has("b1f202060afe"), unused, is_migration_entry(ed, moving.pte)),
                   try_to_map_unused_to_zeropage(ed, vma, moving), in_place)
    whole = ite(entry.huge, split, ite(entry.large, in_place, entry))
    return ite(entry.pinned, entry, replace(whole, large=False, partially_mapped=False))


@mirrors("mm/memory.c", ":do_fault_around")
def finish_fault(ed: Edition, vma: Vma, before: Entry, after: Entry, rest: Entry,
                 write: bool) -> Entry:
    """The others of a huge page of the file, of which a fault has mapped the first by a PTE: all
    are mapped, where none is and no userfaultfd listens; a load maps those near by of a page that
    the page cache has, but where a userfaultfd protects or waits for minor faults
    (uffd_disable_fault_around).

    Older kernels do so too, but before cac1db8c3aad nothing looks at two entries together.
    """
    faulted = conj(ed.has("cac1db8c3aad"), vma.mapping.shared, negate(after.huge),
                   pte_present(after.pte), negate(pte_present(before.pte)))
    whole = negate(disj(userfaultfd_armed(vma), after.cache_small))
    near = conj(not write, before.in_cache,
                negate(disj(userfaultfd_wp(vma), userfaultfd_minor(vma), userfaultfd_rwp(vma))))
    mapped = rest.mapping_cache(set_pte_range(ed, vma, before, write, False), dirty=write)
    return ite(conj(faulted, pte_none(rest.pte), disj(whole, near)), mapped, rest)


@mirrors("mm/migrate.c")
def try_to_map_unused_to_zeropage(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """The zero page in place of the page that migrates: soft-dirty and uffd-wp stay since
    9658d698a8a8."""
    pte, kept = pte_mkspecial(mk_pte(ed, vma)), ed.has("9658d698a8a8")
    pte = ite(conj(kept, pte_swp_soft_dirty(entry.pte)), pte_mksoft_dirty(pte), pte)
    pte = ite(conj(kept, pte_swp_uffd_wp(entry.pte)), pte_mkuffd_wp(ed, pte), pte)
    return replace(entry.unmapped(rwp_restored(ed, vma, pte)), zero_page=True)


@mirrors("mm/migrate.c")
def migrate_pages_batch(ed: Edition, vma: Vma, entry: Entry, unused: Bool = False) -> Entry:
    """The first step of migration; a huge page that is partly mapped is split before."""
    partly = conj(entry.large, entry.partially_mapped, pte_present(entry.pte))
    return try_to_migrate_one(ed, ite(partly, split_folio(ed, vma, entry, unused), entry))
