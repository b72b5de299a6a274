"""What is dropped leaves its soft-dirty bit behind in a PTE marker, as it does its uffd-wp bit, and
the page that comes next takes it over. clear_refs takes the marker away.

The marker here is one with the soft-dirty bit of a swap entry, which pagemap shows already.
"""

from __future__ import annotations

from dataclasses import replace

from model.kernel import madvise, memory, mm_inline, mprotect, task_mmu, userfaultfd_move
from model.kernel.bits import PTE_MARKER_UFFD_WP, SWP_OFFSET_SHIFT
from model.kernel.editions import Edition
from model.kernel.logic import BV, Bool, as_term, conj, disj, ite, negate, word
from model.kernel.migrate import remove_migration_pte
from model.kernel.mmap import vma_soft_dirty_enabled
from model.kernel.pgtable import (
    is_swap_pte,
    pte_mksoft_dirty,
    pte_none,
    pte_present,
    pte_soft_dirty,
    pte_swp_clear_soft_dirty,
    pte_swp_mksoft_dirty,
    pte_swp_soft_dirty,
)
from model.kernel.records import CpFlags, Entry, Fault, Outcome, Vma, outcome
from model.kernel.swapops import (
    is_pte_marker,
    is_swap_slot,
    make_guard_marker,
    make_uffd_wp_marker,
    pte_marker_uffd_wp,
)


def soft_dirty_marker(ed: Edition) -> BV:
    """A marker with the soft-dirty bit alone; the offset is stored inverted."""
    return pte_swp_mksoft_dirty(make_uffd_wp_marker(ed)
                                | word(PTE_MARKER_UFFD_WP << SWP_OFFSET_SHIFT))


def _marked(ed: Edition, entry: Entry) -> Bool:
    """A marker with the bit, that is neither poison nor a guard region."""
    return conj(is_pte_marker(ed, entry.pte), pte_swp_soft_dirty(entry.pte),
                negate(disj(entry.poison, entry.guard)))


def _without(ed: Edition, pte: BV) -> BV:
    """A marker less its soft-dirty bit; empty where that was all."""
    return ite(pte_marker_uffd_wp(ed, pte), pte_swp_clear_soft_dirty(pte), word(0))


def with_soft_dirty(ed: Edition, pte: BV) -> BV:
    """A marker, or an empty entry, with the soft-dirty bit."""
    return ite(pte_none(pte), soft_dirty_marker(ed), pte_swp_mksoft_dirty(pte))


def pte_install_uffd_wp_if_needed(ed: Edition, vma: Vma, pteval: BV) -> BV:
    left = mm_inline.pte_install_uffd_wp_if_needed(ed, vma, pteval)
    was = disj(conj(pte_present(pteval), pte_soft_dirty(pteval)),
               conj(is_swap_pte(pteval), pte_swp_soft_dirty(pteval)))
    return ite(conj(vma_soft_dirty_enabled(vma), was), with_soft_dirty(ed, left), left)


def madvise_free_pte_range(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    marked = entry.unmapped(pte_install_uffd_wp_if_needed(ed, vma, entry.pte))
    return ite(is_swap_slot(entry.pte), marked, madvise.madvise_free_pte_range(ed, vma, entry))


def move_pages_pmd(ed: Edition, dst_vma: Vma, src_vma: Vma, dst: Entry, src: Entry,
                   unused: Bool = False) -> tuple[Entry, Entry, BV]:
    """A PMD leaves a page table of markers, and so it is split for one."""
    moved, left, result = userfaultfd_move.move_pages_pmd(ed, dst_vma, src_vma, dst, src, unused)
    there = remove_migration_pte(ed, src_vma, src)
    was = conj(as_term(result == outcome(Outcome.ok)), src.huge, left.huge,
               vma_soft_dirty_enabled(src_vma), pte_present(there.pte), pte_soft_dirty(there.pte))
    return moved, ite(was, replace(left, pte=soft_dirty_marker(ed), huge=False), left), result


def move_pages_ptes(ed: Edition, dst_vma: Vma, src_vma: Vma, dst: Entry, src: Entry,
                    unused: Bool = False) -> tuple[Entry, Entry, BV]:
    """What is moved leaves a marker, and takes the place of one."""
    bare = ite(_marked(ed, dst), dst.with_pte(_without(ed, dst.pte)), dst)
    moved, left, result = userfaultfd_move.move_pages_ptes(ed, dst_vma, src_vma, bare, src, unused)
    there = remove_migration_pte(ed, src_vma, src)
    marked = left.with_pte(pte_install_uffd_wp_if_needed(ed, src_vma, there.pte))
    done = as_term(result == outcome(Outcome.ok))
    return ite(done, moved, dst), ite(done, marked, left), result


def unmap_single_vma(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """A PMD leaves a page table of markers."""
    dropped = memory.unmap_single_vma(ed, vma, entry)
    was = conj(vma.mapping.thp, entry.huge, vma_soft_dirty_enabled(vma),
               pte_present(entry.pte), pte_soft_dirty(entry.pte))
    return ite(was, replace(dropped, pte=soft_dirty_marker(ed), huge=False), dropped)


def madvise_guard_install(ed: Edition, vma: Vma, entry: Entry) -> tuple[Vma, Entry, BV]:
    """A marker that a zap has left for soft-dirty alone is no reason to zap again."""
    prepared, guarded, result = madvise.madvise_guard_install(ed, vma, entry)
    left = conj(_marked(ed, guarded), negate(pte_marker_uffd_wp(ed, guarded.pte)),
                as_term(result == outcome(Outcome.never)))
    installed = replace(guarded.unmapped(make_guard_marker(ed)), guard=True)
    return prepared, ite(left, installed, guarded), ite(left, outcome(Outcome.ok), result)


def handle_pte_marker(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Fault:
    marked = _marked(ed, entry)
    bare = entry.with_pte(_without(ed, entry.pte))
    fault = ite(pte_none(bare.pte), memory.do_pte_missing(ed, vma, bare, write),
                memory.handle_pte_marker(ed, vma, bare, write))
    pte = fault.entry.pte
    carried = ite(pte_present(pte), pte_mksoft_dirty(pte), with_soft_dirty(ed, pte))
    kept = replace(fault, entry=fault.entry.with_pte(carried))
    return ite(marked, kept, memory.handle_pte_marker(ed, vma, entry, write))


def change_pte_range(ed: Edition, vma: Vma, entry: Entry, newprot: BV, cp: CpFlags) -> Entry:
    bare = entry.with_pte(_without(ed, entry.pte))
    changed = mprotect.change_pte_range(ed, vma, bare, newprot, cp)
    return ite(_marked(ed, entry), changed.with_pte(with_soft_dirty(ed, changed.pte)),
               mprotect.change_pte_range(ed, vma, entry, newprot, cp))


def clear_soft_dirty(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    bare = entry.with_pte(_without(ed, entry.pte))
    return ite(_marked(ed, entry), bare, task_mmu.clear_soft_dirty(ed, vma, entry))


def make_uffd_wp_pte(ed: Edition, entry: Entry) -> Entry:
    bare = entry.with_pte(_without(ed, entry.pte))
    protected = task_mmu.make_uffd_wp_pte(ed, bare)
    return ite(_marked(ed, entry), protected.with_pte(with_soft_dirty(ed, protected.pte)),
               task_mmu.make_uffd_wp_pte(ed, entry))
