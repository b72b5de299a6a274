"""What is dropped from memory of a file leaves its read-write protection behind in a marker, as
write-protection does; an access to it raises the event, and UFFDIO_RWPROTECT takes it away."""

from __future__ import annotations

from model.kernel import hugetlb, memory, mm_inline
from model.kernel.editions import Edition
from model.kernel.logic import BV, Bool, conj, disj, ite, negate
from model.kernel.pgtable import pte_present, pte_uffd_wp
from model.kernel.records import Entry, Fault, Outcome, Vma, outcome
from model.kernel.swapops import make_uffd_wp_marker, pte_marker_uffd_wp, pte_swp_uffd_wp_any
from model.kernel.userfaultfd_k import userfaultfd_rwp


def _armed(ed: Edition, vma: Vma, pte: BV) -> Bool:
    protected = disj(conj(pte_present(pte), pte_uffd_wp(pte)), pte_swp_uffd_wp_any(ed, pte))
    return conj(not vma.mapping.anonymous, userfaultfd_rwp(vma), protected)


def pte_install_uffd_wp_if_needed(ed: Edition, vma: Vma, pteval: BV) -> BV:
    left = mm_inline.pte_install_uffd_wp_if_needed(ed, vma, pteval)
    return ite(_armed(ed, vma, pteval), make_uffd_wp_marker(ed), left)


def unmap_hugepage_range(ed: Edition, vma: Vma, entry: Entry,
                         drop_marker: bool = False) -> Entry:
    marked = entry.unmapped(make_uffd_wp_marker(ed))
    zapped = hugetlb.unmap_hugepage_range(ed, vma, entry, drop_marker)
    return ite(conj(not drop_marker, _armed(ed, vma, entry.pte)), marked, zapped)


def handle_pte_marker(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Fault:
    return _event(ed, vma, entry, memory.handle_pte_marker(ed, vma, entry, write))


def hugetlb_fault(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Fault:
    return _event(ed, vma, entry, hugetlb.hugetlb_fault(ed, vma, entry, write))


def _event(ed: Edition, vma: Vma, entry: Entry, other: Fault) -> Fault:
    """With RWP_ASYNC the marker is dropped, as one that nobody is registered for."""
    trapped = conj(userfaultfd_rwp(vma), pte_marker_uffd_wp(ed, entry.pte), negate(vma.rwp_async))
    return ite(trapped, Fault(entry, outcome(Outcome.event)), other)
