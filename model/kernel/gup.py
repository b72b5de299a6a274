"""mm/gup.c: pages of a process that the kernel gets by their address, without FOLL_FORCE: for a
long-term pin for writing (FOLL_PIN|FOLL_LONGTERM|FOLL_WRITE), as io_uring takes of a buffer, and
for one access (FOLL_PIN, with FOLL_WRITE to store). Read from 6.1.192, 6.12.117 and 7.3.4.

Left out: a long-term pin for reading. What takes one (vfio, RDMA, vDPA, V4L2) needs a device, or
a module that Debian's cloud kernels do not have; a buffer of io_uring or AF_XDP is pinned for
writing. Its unsharing of anonymous pages is that of process_vm_readv(2).
"""

from __future__ import annotations

from dataclasses import replace

from model.kernel.bits import VM_READ, VM_SHARED, VM_WRITE
from model.kernel.editions import Edition
from model.kernel.fault import MAX_FAULTS
from model.kernel.huge_memory import split_huge_pmd_locked
from model.kernel.hugetlb import huge_pte_mkuffd_wp, make_huge_pte
from model.kernel.logic import BV, Bool, as_term, conj, disj, has, has_all, ite, negate
from model.kernel.memory import (
    do_numa_page,
    handle_mm_fault,
    vma_is_accessible,
    wp_can_reuse_anon_folio,
)
from model.kernel.mirror import mirrors
from model.kernel.mmu import mmu_permits
from model.kernel.pgtable import (
    mk_pte,
    pte_mksoft_dirty,
    pte_mkuffd_wp,
    pte_present,
    pte_protnone,
    pte_soft_dirty,
    pte_uffd_wp,
    pte_write,
)
from model.kernel.records import Entry, Fault, Outcome, Vma, outcome
from model.kernel.userfaultfd_k import userfaultfd_rwp

_C = "mm/gup.c"


@mirrors("mm/vma.c", "mm/mmap.c")
def vma_needs_dirty_tracking(_ed: Edition, vma: Vma) -> Bool:
    """A file system must hear of each store, or write back what was stored."""
    return conj(vma.mapping.page_mkwrite or vma.mapping.can_writeback,
                has_all(vma.vm_flags, VM_WRITE | VM_SHARED))


@mirrors(_C)
def writable_file_mapping_allowed(ed: Edition, vma: Vma) -> Bool:
    """Asked for a long-term pin for writing: since 8ac268436e6d what is pinned may not be memory
    whose stores a file system must hear of."""
    return disj(negate(ed.has("8ac268436e6d")), negate(vma_needs_dirty_tracking(ed, vma)))


@mirrors(_C)
def check_vma_flags(ed: Edition, vma: Vma, write: bool, longterm: bool) -> Bool:
    """Whether the VMA lets it. A write-only mapping, which the CPU reads, may not be read so."""
    allowed = has(vma.vm_flags, VM_WRITE if write else VM_READ)
    return conj(allowed, writable_file_mapping_allowed(ed, vma)) if longterm else allowed


@mirrors("mm/internal.h", "include/linux/mm.h")
def gup_must_unshare(_ed: Edition, entry: Entry, write: bool) -> Bool:
    """To pin for reading, an anonymous page must be the process's own; to write, the entry must be
    writable anyway."""
    if write:
        return False
    return conj(entry.anon, negate(entry.anon_exclusive))


@mirrors("include/linux/mm.h")
def gup_can_follow_protnone(ed: Edition, vma: Vma) -> Bool:
    """Since d74943a2f3cd NUMA hints are for those who ask to heed them (FOLL_HONOR_NUMA_FAULT); in
    a VMA of mode RWP every PROT_NONE entry faults."""
    return conj(ed.has("d74943a2f3cd"),
                negate(conj(userfaultfd_rwp(vma), vma_is_accessible(vma))))


@mirrors(_C, ":follow_huge_pmd", "mm/huge_memory.c:follow_trans_huge_pmd",
         "mm/hugetlb.c:__follow_hugetlb_must_fault")
def follow_page_pte(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Bool:
    """Whether the entry gives the page as it stands."""
    pte = entry.pte
    if write:
        allowed = pte_write(pte)
    else:
        allowed = disj(pte_write(pte), negate(gup_must_unshare(ed, entry, write)))
    hint = conj(pte_protnone(pte), disj(not vma.mapping.hugetlb, userfaultfd_rwp(vma)),
                negate(gup_can_follow_protnone(ed, vma)))
    return conj(pte_present(pte), negate(hint), allowed)


def unshare_fault(ed: Edition, vma: Vma, entry: Entry) -> Fault:
    """handle_mm_fault() with FAULT_FLAG_UNSHARE, of an anonymous page that may be another's too:
    the process's own from now on, where nobody else has it, else a copy. Nothing is stored: no
    event, no dirty bit, no write permission. A NUMA hint goes first."""
    if vma.mapping.hugetlb:
        return Fault(_unshared_hugetlb(ed, vma, entry), outcome(Outcome.ok))
    small = ite(conj(pte_protnone(entry.pte), vma_is_accessible(vma)),
                do_numa_page(ed, vma, entry).entry, _unshared(ed, vma, entry))
    if vma.mapping.thp:
        split = _unshared(ed, vma, split_huge_pmd_locked(ed, vma, entry))
        huge = ite(entry.in_child, split, replace(entry, anon_exclusive=True))
        small = ite(entry.huge, huge, small)
    return Fault(small, outcome(Outcome.ok))


def unsharing_copy(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """wp_page_copy() with FAULT_FLAG_UNSHARE: the copy keeps the soft-dirty and uffd-wp bits."""
    pte = mk_pte(ed, vma)
    pte = ite(pte_soft_dirty(entry.pte), pte_mksoft_dirty(pte), pte)
    pte = ite(pte_uffd_wp(entry.pte), pte_mkuffd_wp(ed, pte), pte)
    return entry.mapping_anon(pte)


def _unshared(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """do_wp_page() and wp_page_copy()."""
    copied = replace(unsharing_copy(ed, vma, entry), unused=entry.unused)
    return ite(wp_can_reuse_anon_folio(ed, entry), replace(entry, anon_exclusive=True), copied)


def _unshared_hugetlb(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """hugetlb_wp(): before 0f230bc24b6e the copy lost the uffd-wp bit."""
    pte = make_huge_pte(ed, vma, writable=False)
    kept = conj(ed.has("0f230bc24b6e"), pte_uffd_wp(entry.pte))
    copied = entry.mapping_anon(ite(kept, huge_pte_mkuffd_wp(ed, pte), pte))
    return ite(entry.in_child, copied, replace(entry, anon_exclusive=True))


@mirrors(_C)
def faultin_page(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Fault:
    """The fault that is to make the entry give the page."""
    fault = handle_mm_fault(ed, vma, entry, write)
    shared = conj(pte_present(entry.pte), negate(pte_write(entry.pte)),
                  gup_must_unshare(ed, entry, write),
                  negate(conj(pte_protnone(entry.pte), negate(gup_can_follow_protnone(ed, vma)))))
    return fault if write else ite(shared, unshare_fault(ed, vma, entry), fault)


@mirrors(_C, ":__get_user_pages", "mm/hugetlb.c:follow_hugetlb_page")
def get_user_pages(ed: Edition, vma: Vma, entry: Entry, write: bool,
                   longterm: bool = False) -> tuple[Entry, BV]:
    """Faults until the entry gives the page; EFAULT where a load or store would not complete. The
    CPU stores nothing: no dirty bit but what a fault sets."""

    def attempt(entry: Entry, tries: int) -> tuple[Entry, BV]:
        if tries == MAX_FAULTS:
            other = entry, outcome(Outcome.refault)
        else:
            fault = faultin_page(ed, vma, entry, write)
            again = as_term(fault.outcome == outcome(Outcome.ok))
            then, result = attempt(fault.entry, tries + 1)
            other = (ite(again, then, fault.entry),
                     ite(again, result, outcome(Outcome.EFAULT)))
        done = follow_page_pte(ed, vma, entry, write)
        return ite(done, entry, other[0]), ite(done, outcome(Outcome.ok), other[1])

    faulted, result = attempt(entry, 0)
    allowed = check_vma_flags(ed, vma, write, longterm)
    return ite(allowed, faulted, entry), ite(allowed, result, outcome(Outcome.EFAULT))


@mirrors(_C)
def pin_user_pages(ed: Edition, vma: Vma, entry: Entry) -> tuple[Entry, BV]:
    """The long-term pin, for writing."""
    faulted, result = get_user_pages(ed, vma, entry, write=True, longterm=True)
    pinned = replace(faulted, pinned=True)
    return ite(result == outcome(Outcome.ok), pinned, faulted), result


@mirrors(_C, ":folio_fast_pin_allowed")
def gup_fast_folio_allowed(_ed: Edition, vma: Vma, entry: Entry) -> Bool:
    """Of a page that is to be pinned long for writing: it is no page of a file on a disk."""
    return disj(entry.anon, not vma.mapping.regular)


@mirrors(_C)
def pin_user_pages_fast(ed: Edition, vma: Vma, entry: Entry) -> tuple[Entry, BV]:
    """A page whose entry the CPU would take for a store is pinned with no look at the VMA."""
    slow, result = pin_user_pages(ed, vma, entry)
    fast = conj(mmu_permits(entry.pte, write=True), gup_fast_folio_allowed(ed, vma, entry))
    return (ite(fast, replace(entry, pinned=True), slow),
            ite(fast, outcome(Outcome.ok), result))
