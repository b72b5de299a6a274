"""mm/vmscan.c and mm/rmap.c: reclaim of the page, as madvise(MADV_PAGEOUT) asks for it.

Read from 6.1.192 and 6.12.117, with a swap device that writes at once, so that a page that was
swapped out is no longer in memory.
"""

from __future__ import annotations

from dataclasses import replace

from model.kernel.editions import Edition
from model.kernel.logic import BV, conj, disj, ite, negate
from model.kernel.memory import folio_unmapped, pte_install_uffd_wp_if_needed
from model.kernel.mirror import mirrors
from model.kernel.pgtable import (
    make_swap_pte,
    pte_present,
    pte_soft_dirty,
    pte_special,
    pte_swp_mkexclusive,
    pte_swp_mksoft_dirty,
    pte_swp_mkuffd_wp,
    pte_uffd_wp,
)
from model.kernel.records import Entry, Outcome, Vma, outcome


@mirrors("mm/rmap.c")
def try_to_unmap_one(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """An anonymous page leaves a swap entry that keeps soft-dirty and uffd-wp; a page of the file
    an empty entry or a uffd-wp marker, and soft-dirty is forgotten."""
    pte = entry.pte
    swp = make_swap_pte()
    swp = ite(entry.anon_exclusive, pte_swp_mkexclusive(swp), swp)
    swp = ite(pte_soft_dirty(pte), pte_swp_mksoft_dirty(swp), swp)
    swp = ite(pte_uffd_wp(pte), pte_swp_mkuffd_wp(swp), swp)
    swapped = replace(entry.unmapped(swp), slot_in_child=entry.slot_in_child)
    unmapped = folio_unmapped(ed, entry)
    dropped = unmapped.unmapped(pte_install_uffd_wp_if_needed(ed, vma, pte))
    return ite(entry.anon, swapped, dropped)


@mirrors("mm/vmscan.c")
def shrink_folio_list(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """A pinned page stays in memory: an anonymous one is not even unmapped. A page of the file
    that is clean is dropped from the page cache, a dirty one written to swap."""
    unmapped = try_to_unmap_one(ed, vma, entry)
    of_file = conj(negate(entry.anon), negate(entry.pinned))
    dirty = unmapped.cache_dirty
    reclaimed = replace(unmapped,
                        in_cache=conj(unmapped.in_cache, disj(negate(of_file), dirty)),
                        cache_swapped=disj(unmapped.cache_swapped, conj(of_file, dirty)))
    return ite(conj(entry.anon, entry.pinned), entry, reclaimed)


@mirrors("mm/madvise.c")
def madvise_pageout(ed: Edition, vma: Vma, entry: Entry) -> tuple[Entry, BV]:
    """A page that a living child maps too is left alone; hugetlb is refused."""
    if vma.mapping.hugetlb:
        return entry, outcome(Outcome.EINVAL)
    alone = conj(pte_present(entry.pte), negate(pte_special(entry.pte)), negate(entry.in_child))
    return ite(alone, shrink_folio_list(ed, vma, entry), entry), outcome(Outcome.ok)
