"""mm/vmscan.c: reclaim of the page, as madvise(MADV_PAGEOUT) asks for it.

Read from 6.1.192, 6.12.117 and 7.3.4, with a swap device that writes at once, so that a page
that was swapped out is no longer in memory.
"""

from __future__ import annotations

from dataclasses import replace

from model.kernel.editions import Edition
from model.kernel.large_folio import split_folio
from model.kernel.logic import BV, Bool, conj, disj, ite, negate
from model.kernel.mirror import mirrors
from model.kernel.pgtable import pte_present, pte_special
from model.kernel.records import Entry, Outcome, Vma, outcome
from model.kernel.rmap import try_to_unmap_one, unmap_lazyfree_folio


@mirrors("mm/vmscan.c")
def shrink_folio_list(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """A pinned page stays in memory: an anonymous one with content is not even unmapped. A page of
    the file that is clean is dropped from the page cache, a dirty one written to swap, or where it
    is of a disk, unmapped and left to writeback."""
    unmapped = try_to_unmap_one(ed, vma, entry)
    of_file = conj(negate(entry.anon), negate(entry.pinned))
    dirty = unmapped.cache_dirty
    left = conj(of_file, dirty, vma.mapping.regular)
    reclaimed = replace(unmapped,
                        in_cache=conj(unmapped.in_cache, disj(negate(of_file), dirty)),
                        cache_reclaim=disj(unmapped.cache_reclaim, left),
                        cache_swapped=disj(unmapped.cache_swapped, conj(
                            of_file, dirty, negate(left))))
    return ite(conj(entry.anon, entry.pinned, negate(entry.lazyfree)), entry, reclaimed)


@mirrors("mm/madvise.c")
def madvise_pageout(ed: Edition, vma: Vma, entry: Entry,
                    unused: Bool = False) -> tuple[Entry, BV]:
    """A page that a living child maps too is left alone; hugetlb is refused. A huge page that is
    partly mapped is split, with what that does to an `unused` one of its pages."""
    if vma.mapping.hugetlb:
        return entry, outcome(Outcome.EINVAL)
    normal_page = negate(disj(pte_special(entry.pte), entry.zero_page))
    alone = conj(pte_present(entry.pte), normal_page, negate(entry.child_maps))
    to_zero = conj(unused, entry.partially_mapped)
    small = split_folio(ed, vma, entry, to_zero) if vma.mapping.thp else entry
    reclaimed = ite(small.zero_page, small, shrink_folio_list(ed, vma, small))
    if vma.mapping.thp:
        whole = conj(entry.lazyfree, disj(entry.huge, conj(
            entry.large, negate(entry.partially_mapped), ed.has("pageout-batch"))))
        reclaimed = ite(whole, unmap_lazyfree_folio(ed, vma, entry), reclaimed)
    return ite(alone, reclaimed, entry), outcome(Outcome.ok)
