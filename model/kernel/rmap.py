"""mm/rmap.c: what happens to an entry because of its page.

Read from 6.1.192, 6.12.117 and 7.3.4."""

from __future__ import annotations

from dataclasses import replace

from model.kernel.editions import Edition
from model.kernel.huge_memory import (
    folio_unmapped,
    set_pmd_migration_entry,
    split_huge_pmd_locked,
)
from model.kernel.logic import conj, disj, ite, negate
from model.kernel.mirror import mirrors
from model.kernel.mm_inline import pte_install_uffd_wp_if_needed
from model.kernel.pgtable import (
    pte_dirty,
    pte_mkclean,
    pte_present,
    pte_soft_dirty,
    pte_special,
    pte_swp_mkexclusive,
    pte_swp_mksoft_dirty,
    pte_swp_mkuffd_wp,
    pte_uffd_wp,
    pte_write,
    pte_wrprotect,
)
from model.kernel.records import Entry, Vma
from model.kernel.swapops import make_swap_pte, migrating

_C = "mm/rmap.c"


@mirrors(_C)
def try_to_unmap_one(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """An anonymous page leaves a swap entry that keeps soft-dirty and uffd-wp; a page of the file
    an empty entry or a uffd-wp marker, and soft-dirty is forgotten."""
    pte = entry.pte
    swp = make_swap_pte()
    swp = ite(entry.anon_exclusive, pte_swp_mkexclusive(swp), swp)
    swp = ite(conj(ed.has("179ef71cbc08"), pte_soft_dirty(pte)), pte_swp_mksoft_dirty(swp), swp)
    swp = ite(conj(ed.has("f45ec5ff16a7"), pte_uffd_wp(pte)), pte_swp_mkuffd_wp(swp), swp)
    swapped = replace(entry.unmapped(swp), slot_in_child=entry.slot_in_child, unused=entry.unused)
    unmapped = folio_unmapped(ed, entry)
    dropped = unmapped.unmapped(pte_install_uffd_wp_if_needed(ed, vma, pte))
    anonymous = ite(entry.lazyfree, ttu_anon_lazyfree_folio(ed, entry, dropped), swapped)
    return ite(entry.astray, entry, ite(entry.anon, anonymous, dropped))


@mirrors(_C, ":try_to_unmap_one")
def ttu_anon_lazyfree_folio(ed: Edition, entry: Entry, dropped: Entry) -> Entry:
    """What MADV_FREE has given up is `dropped`, unless it was stored to since: then it is as any
    other again. So it is where somebody else holds the page, before "swapbacked-dirty"; since then
    it waits."""
    dirty = disj(entry.page_dirty, pte_dirty(ed, entry.pte))
    waits = conj(ed.has("swapbacked-dirty"), negate(dirty))
    kept = replace(entry, page_dirty=dirty, lazyfree=waits)
    return ite(disj(dirty, entry.pinned), kept, dropped)


@mirrors(_C, ":try_to_unmap_one")
def unmap_lazyfree_folio(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """try_to_unmap_one() of a huge page that MADV_FREE has given up: its PMD is split, page table
    and all. From 735ecdfaf4e8 to "lazyfree-by-pte" a clean one was dropped with its PMD
    (unmap_huge_pmd_locked), and since "swapbacked-dirty" a dirty one kept it. Before 735ecdfaf4e8
    the page was split first, which a pinned one can not be."""
    dirty = disj(entry.page_dirty, pte_dirty(ed, entry.pte))
    by_pmd = conj(ed.has("735ecdfaf4e8"), negate(ed.has("lazyfree-by-pte")), entry.huge,
                  disj(negate(dirty), ed.has("swapbacked-dirty")))
    table = ite(disj(by_pmd, negate(entry.huge)), entry, split_huge_pmd_locked(ed, vma, entry))
    left = pte_install_uffd_wp_if_needed(ed, vma, table.pte)
    unmapped = ttu_anon_lazyfree_folio(ed, table, table.unmapped(left))
    return ite(conj(entry.pinned, negate(ed.has("735ecdfaf4e8"))), entry, unmapped)


@mirrors(_C)
def try_to_migrate_one(ed: Edition, entry: Entry) -> Entry:
    """The first step, which takes over the dirty bit. A page of the process's own that is pinned is
    left alone; one of a file that is pinned does not move, but its entry is made anew all the same.

    The pages of a huge one are unmapped one by one; the new one is queued as the old one was
    (8a8ca142a488).
    """
    pte = entry.pte
    swp = migrating(ed, pte, entry.anon_exclusive, ed.has("f45ec5ff16a7"))
    swp = ite(entry.huge, set_pmd_migration_entry(ed, entry), swp)
    normal_page = negate(disj(pte_special(pte), entry.zero_page))
    moving = conj(pte_present(pte), normal_page, negate(entry.astray),
                  negate(conj(entry.pinned, entry.anon_exclusive)))
    dirty = conj(negate(entry.anon), pte_dirty(ed, pte))
    moved = replace(entry, pte=swp, cache_dirty=disj(entry.cache_dirty, dirty),
                    page_dirty=disj(entry.page_dirty, conj(entry.anon, pte_dirty(ed, pte))))
    queued = ite(ed.has("8a8ca142a488"), folio_remove_rmap_pte(ed, moved), moved)
    return ite(moving, queued, entry)


@mirrors(_C, ":__folio_remove_rmap")
def folio_remove_rmap_pte(ed: Edition, entry: Entry) -> Entry:
    """The entry of a page of the huge one of which another page is mapped no more. What becomes of
    it is followed since b1f202060afe."""
    left = conj(ed.has("b1f202060afe"), entry.large, entry.anon)
    return replace(entry, partially_mapped=disj(entry.partially_mapped, left))


@mirrors(_C)
def page_vma_mkclean_one(ed: Edition, entry: Entry) -> Entry:
    """The page is written back: its entry is clean and read-only, so that the file system hears of
    the next store. Soft-dirty stays."""
    pte = entry.pte
    clean = pte_mkclean(ed, pte_wrprotect(ed, pte))
    written = conj(pte_present(pte), disj(pte_dirty(ed, pte), pte_write(pte)))
    return ite(entry.cache_dirty,
               replace(entry, pte=ite(written, clean, pte), cache_dirty=False,
                       cache_reclaim=False), entry)
