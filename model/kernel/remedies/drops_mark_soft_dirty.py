"""What makes memory read otherwise without a store leaves a soft-dirty marker, whatever the bit of
the entry was: dropping what is the program's own, in memory or in swap, or moving it elsewhere; a
hole in the file, or its truncation, in every entry; poison, and a guard region that comes or goes.

The markers are those of soft_dirty_markers.py, whose functions are in these.
"""

from __future__ import annotations

from dataclasses import replace

from model.kernel import madvise, rmap, truncate, userfaultfd
from model.kernel.editions import Edition
from model.kernel.logic import BV, Bool, as_term, conj, disj, ite, negate
from model.kernel.mmap import vma_soft_dirty_enabled
from model.kernel.pgtable import pte_mksoft_dirty, pte_swp_mksoft_dirty
from model.kernel.records import CpFlags, Entry, Fault, Outcome, Vma, outcome
from model.kernel.remedies import guard_over_markers, soft_dirty_markers
from model.kernel.remedies.soft_dirty_markers import with_soft_dirty
from model.kernel.swapops import is_swap_slot


def _own(vma: Vma, entry: Entry) -> Bool:
    """It reads otherwise once it is dropped."""
    zeroed = conj(entry.zero_page, not vma.mapping.anonymous)
    return disj(entry.anon, is_swap_slot(entry.pte), entry.poison, zeroed)


def _marked(ed: Edition, vma: Vma, entry: Entry, changed: Bool = True) -> Entry:
    """`entry`, which maps nothing, with the bit where it has `changed`; a PMD leaves a page table
    of markers."""
    marked = replace(entry, pte=with_soft_dirty(ed, entry.pte), huge=False)
    return ite(conj(vma_soft_dirty_enabled(vma), changed), marked, entry)


def unmap_single_vma(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    dropped = soft_dirty_markers.unmap_single_vma(ed, vma, entry)
    own = conj(not vma.mapping.shared, negate(entry.guard), _own(vma, entry))
    poisoned = conj(entry.poison, not vma.mapping.hugetlb)
    return _marked(ed, vma, dropped, conj(disj(own, poisoned), not vma.mapping.hugetlb))


def madvise_remove(ed: Edition, vma: Vma, entry: Entry) -> tuple[Entry, BV]:
    punched, result = madvise.madvise_remove(ed, vma, entry)
    done = as_term(result == outcome(Outcome.ok))
    return _marked(ed, vma, punched, conj(done, not vma.mapping.hugetlb)), result


def unmap_mapping_range(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    return _marked(ed, vma, truncate.unmap_mapping_range(ed, vma, entry))


def madvise_free_pte_range(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    freed = soft_dirty_markers.madvise_free_pte_range(ed, vma, entry)
    return _marked(ed, vma, freed, disj(is_swap_slot(entry.pte), entry.poison))


def try_to_unmap_one(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    left = rmap.try_to_unmap_one(ed, vma, entry)
    return _marked(ed, vma, left, conj(entry.anon, negate(_own(vma, left))))


def unmap_lazyfree_folio(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    left = rmap.unmap_lazyfree_folio(ed, vma, entry)
    return _marked(ed, vma, left, conj(entry.anon, negate(_own(vma, left))))


def move_pages_pmd(ed: Edition, dst_vma: Vma, src_vma: Vma, dst: Entry, src: Entry,
                   unused: Bool = False) -> tuple[Entry, Entry, BV]:
    moved, left, result = soft_dirty_markers.move_pages_pmd(ed, dst_vma, src_vma, dst, src, unused)
    done = as_term(result == outcome(Outcome.ok))
    return moved, _marked(ed, src_vma, left, conj(done, src.huge, left.huge)), result


def move_pages_ptes(ed: Edition, dst_vma: Vma, src_vma: Vma, dst: Entry, src: Entry,
                    unused: Bool = False) -> tuple[Entry, Entry, BV]:
    moved, left, result = soft_dirty_markers.move_pages_ptes(
        ed, dst_vma, src_vma, dst, src, unused)
    done = as_term(result == outcome(Outcome.ok))
    return moved, _marked(ed, src_vma, left, done), result


def mfill_atomic_pte_poison(ed: Edition, entry: Entry) -> Entry:
    poisoned = userfaultfd.mfill_atomic_pte_poison(ed, entry)
    return poisoned.with_pte(pte_swp_mksoft_dirty(poisoned.pte))


def mfill_atomic_pte_zeropage(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """In a private mapping of a file."""
    zeroed = userfaultfd.mfill_atomic_pte_zeropage(ed, vma, entry)
    return zeroed if vma.mapping.anonymous else zeroed.with_pte(pte_mksoft_dirty(zeroed.pte))


def madvise_guard_install(ed: Edition, vma: Vma, entry: Entry) -> tuple[Vma, Entry, BV]:
    """The marker takes the place of another."""
    prepared, guarded, result = guard_over_markers.madvise_guard_install(ed, vma, entry)
    came = conj(guarded.guard, negate(entry.guard))
    return prepared, _marked(ed, vma, guarded, came), result


def madvise_guard_remove(ed: Edition, vma: Vma, entry: Entry) -> tuple[Entry, BV]:
    removed, result = madvise.madvise_guard_remove(ed, vma, entry)
    return _marked(ed, vma, removed, conj(entry.guard, negate(removed.guard))), result


# --- as of soft_dirty_markers.py ------------------------------------------------------------------


def pte_install_uffd_wp_if_needed(ed: Edition, vma: Vma, pteval: BV) -> BV:
    return soft_dirty_markers.pte_install_uffd_wp_if_needed(ed, vma, pteval)


def handle_pte_marker(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Fault:
    return soft_dirty_markers.handle_pte_marker(ed, vma, entry, write)


def change_pte_range(ed: Edition, vma: Vma, entry: Entry, newprot: BV, cp: CpFlags) -> Entry:
    return soft_dirty_markers.change_pte_range(ed, vma, entry, newprot, cp)


def clear_soft_dirty(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    return soft_dirty_markers.clear_soft_dirty(ed, vma, entry)


def make_uffd_wp_pte(ed: Edition, entry: Entry) -> Entry:
    return soft_dirty_markers.make_uffd_wp_pte(ed, entry)
