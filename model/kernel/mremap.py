"""mm/mremap.c: mremap(2) to another place, of one PTE. Read from 6.1.192, 6.12.117 and 7.3.4.

With MREMAP_DONTUNMAP the old place stays mapped and registered, and is empty; what moves moves as
without it. Left out: growing and shrinking, and what becomes of the old place. No call reaches that
here, since each is of one place, and the run goes on at the new one. It is like one that
MADV_DONTNEED has emptied, but that no marker of a userfaultfd stays there, of a file either.
"""

from __future__ import annotations

from dataclasses import replace

from model.kernel.editions import Edition
from model.kernel.huge_memory import move_huge_pmd
from model.kernel.hugetlb import move_huge_pte
from model.kernel.ksm import break_ksm
from model.kernel.logic import BV, Bool, conj, disj, ite, word
from model.kernel.mirror import mirrors
from model.kernel.pgtable import (
    is_swap_pte,
    pte_clear_uffd_wp,
    pte_mksoft_dirty,
    pte_none,
    pte_present,
    pte_swp_clear_uffd_wp,
    pte_swp_mksoft_dirty,
)
from model.kernel.records import Entry, Vma
from model.kernel.swapops import pte_marker_uffd_wp
from model.kernel.userfaultfd import mremap_userfaultfd_prep
from model.kernel.userfaultfd_k import rwp_disarmed, vma_has_uffd_without_event_remap

_C = "mm/mremap.c"


@mirrors(_C, ":vma_to_resize")
def check_prep_vma(ed: Edition, vma: Vma) -> Bool:
    """Whether MREMAP_DONTUNMAP is allowed: not of hugetlb memory, which is VM_DONTEXPAND, and
    before "dontunmap-files" of private anonymous memory alone."""
    return conj(not vma.mapping.hugetlb, disj(vma.mapping.anonymous, ed.has("dontunmap-files")))


@mirrors(_C)
def move_soft_dirty_pte(_ed: Edition, pte: BV) -> BV:
    """A moved entry is soft-dirty: who tracks addresses must look here again."""
    return ite(pte_present(pte), pte_mksoft_dirty(pte),
               ite(is_swap_pte(pte), pte_swp_mksoft_dirty(pte), pte))


@mirrors(_C)
def move_ptes(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """One iteration; `vma` is the old one. Its protection by a userfaultfd does not
    move along, but with UFFD_FEATURE_EVENT_REMAP."""
    pte = move_soft_dirty_pte(ed, entry.pte)
    cleared = ite(pte_present(pte), pte_clear_uffd_wp(rwp_disarmed(ed, vma, pte)),
                  ite(is_swap_pte(pte), pte_swp_clear_uffd_wp(pte), pte))
    moved = ite(conj(ed.has("0cef0bb836e3"), vma_has_uffd_without_event_remap(ed, vma)),
                ite(pte_marker_uffd_wp(ed, pte), word(0), cleared), pte)
    return entry.with_pte(ite(pte_none(entry.pte), word(0), moved))


@mirrors(_C)
def move_vma(ed: Edition, vma: Vma, entry: Entry) -> tuple[Vma, Entry]:
    """The new VMA has the flags and the vm_page_prot of the old one, but a userfaultfd only with
    UFFD_FEATURE_EVENT_REMAP. No KSM page moves."""
    return mremap_userfaultfd_prep(ed, vma), move_page_tables(ed, vma, break_ksm(ed, vma, entry))


@mirrors(_C)
def move_page_tables(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """A page table that covers its 2M range is moved as it is (move_normal_pmd), and nothing in it
    becomes soft-dirty; since 0cef0bb836e3 not of a VMA that loses its registration, whose entries
    must change. For an empty PMD nothing is made at the new place."""
    if vma.mapping.hugetlb:
        return move_huge_pte(ed, vma, entry)
    if not vma.mapping.thp:
        return move_ptes(ed, vma, entry)
    table = ite(conj(ed.has("0cef0bb836e3"), vma_has_uffd_without_event_remap(ed, vma)),
                move_ptes(ed, vma, entry), entry)
    huge = replace(move_huge_pmd(ed, vma, entry), no_tables=pte_none(entry.pte))
    return ite(entry.huge, huge, table)
