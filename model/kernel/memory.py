"""mm/memory.c and arch/x86/mm/fault.c: what a load or a store does, fault by fault.

Read from 6.1.192 and 6.12.117. Left out: swap entries other than PTE markers, device memory, large
folios, and lost races: each attempt sees the entry that the one before it left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import z3

from model.kernel.bits import VM_ACCESS_FLAGS, VM_MAYSHARE, VM_SHARED, VM_WRITE
from model.kernel.editions import Edition
from model.kernel.hugetlb import (
    copy_hugetlb_page_range,
    hugetlb_fault,
    unmap_hugepage_range,
)
from model.kernel.logic import BV, Bool, conj, disj, has, has_all, ite, negate, word
from model.kernel.mirror import mirrors
from model.kernel.mmap import vma_wants_manual_pte_write_upgrade
from model.kernel.mprotect import can_change_pte_writable
from model.kernel.pgtable import (
    make_uffd_wp_marker,
    maybe_mkwrite,
    mmu_access,
    mmu_permits,
    pte_marker_uffd_wp,
    pte_mkdirty,
    pte_mkspecial,
    pte_mkuffd_wp,
    pte_mkwrite,
    pte_mkyoung,
    pte_modify,
    pte_none,
    pte_present,
    pte_protnone,
    pte_special,
    pte_swp_uffd_wp_any,
    pte_uffd_wp,
    pte_write,
    pte_wrprotect,
)
from model.kernel.records import Entry, Fault, Outcome, Vma, outcome
from model.kernel.userfaultfd_k import (
    userfaultfd_missing,
    userfaultfd_pte_wp,
    userfaultfd_wp,
)

_C = "mm/memory.c"

MAX_FAULTS = 4
"""Faults followed for one access. Three are enough (a stale marker, a missing page, then write
protection); the fourth lets an access that does not end be told from one that does."""
FAULT_BITS = 3


def _retry(entry: Entry) -> Fault:
    return Fault(entry, outcome(Outcome.ok))


@mirrors("arch/x86/mm/fault.c")
def access_error(_ed: Edition, vma: Vma, write: bool) -> Bool:
    """A store needs VM_WRITE; a load any access at all (write-only mappings are readable)."""
    return negate(has(vma.vm_flags, VM_WRITE) if write else vma_is_accessible(vma))


def vma_is_accessible(vma: Vma) -> Bool:
    """include/linux/mm.h: vma_is_accessible."""
    return has(vma.vm_flags, VM_ACCESS_FLAGS)


@mirrors(_C)
def do_anonymous_page(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Fault:
    """A load maps the shared zero page, read-only; a store a new page of the process's own.
    Both are missing-page events first where the VMA is registered for those."""
    if write:
        pte = pte_mkdirty(ed, vma.vm_page_prot)
        pte = ite(has(vma.vm_flags, VM_WRITE), pte_mkwrite(ed, pte), vma.vm_page_prot)
    else:
        pte = pte_mkspecial(vma.vm_page_prot)
    if ed.has("2bad466cc9d9"):
        pte = ite(pte_marker_uffd_wp(ed, entry.pte), pte_mkuffd_wp(ed, pte), pte)
    mapped = Entry(pte, anon=write, anon_exclusive=write, zero_page=not write, in_cache=False)
    return ite(userfaultfd_missing(vma), Fault(entry, outcome(Outcome.event)), _retry(mapped))


@mirrors(_C)
def do_fault(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Fault:
    """A page of the file, or for a store to a private mapping its copy (do_read_fault,
    do_cow_fault, do_shared_fault). The marker in the empty entry becomes the uffd-wp bit.

    mm/shmem.c: a page that the page cache lacks is a missing-page event where the VMA is
    registered for those, and is allocated elsewhere.
    """
    missing = conj(userfaultfd_missing(vma), negate(entry.in_cache))
    pte = set_pte_range(ed, vma, write, pte_marker_uffd_wp(ed, entry.pte))
    cow = write and not vma.mapping.shared
    mapped = Entry(pte, anon=cow, anon_exclusive=cow, zero_page=False, in_cache=True)
    return ite(missing, Fault(entry, outcome(Outcome.event)), _retry(mapped))


@mirrors(_C)
def set_pte_range(ed: Edition, vma: Vma, write: bool, uffd_wp: Bool) -> BV:
    """The new entry (do_set_pte in 6.1). A load gets vm_page_prot as it is, write permission and
    all; a store is recorded even where the uffd-wp bit keeps it from happening now."""
    pte = pte_mkyoung(vma.vm_page_prot)
    if write:
        pte = maybe_mkwrite(ed, pte_mkdirty(ed, pte), vma)
    protected = pte if ed.has("f1eb1bacfba9") else pte_wrprotect(ed, pte)
    return ite(uffd_wp, pte_mkuffd_wp(ed, protected), pte)


@mirrors(_C)
def do_pte_missing(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Fault:
    if vma.mapping.anonymous:
        return do_anonymous_page(ed, vma, entry, write)
    return do_fault(ed, vma, entry, write)


@mirrors(_C)
def handle_pte_marker(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Fault:
    """A uffd-wp marker is dropped where the VMA is no longer registered, else handled as an empty
    entry. Before 6.4 an anonymous mapping could not have one and got SIGBUS."""
    bus = Fault(entry, outcome(Outcome.bus))
    if vma.mapping.anonymous and not ed.has("2bad466cc9d9"):
        return bus
    marker = pte_marker_uffd_wp(ed, entry.pte)
    cleared = _retry(entry.unmapped(word(0)))
    handled = ite(userfaultfd_wp(vma), do_pte_missing(ed, vma, entry, write), cleared)
    return ite(marker, handled, bus)


@mirrors(_C)
def wp_page_reuse(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """Record the store and map the same page writable. The uffd-wp bit stays as it is, and an
    anonymous page is the process's own from now on."""
    pte = maybe_mkwrite(ed, pte_mkdirty(ed, pte_mkyoung(entry.pte)), vma)
    return replace(entry, pte=pte, anon_exclusive=entry.anon)


@mirrors(_C)
def wp_page_copy(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """A new anonymous page; the entry starts from vm_page_prot, so the uffd-wp bit is gone."""
    pte = maybe_mkwrite(ed, pte_mkdirty(ed, vma.vm_page_prot), vma)
    return Entry(pte, anon=True, anon_exclusive=True, zero_page=False, in_cache=entry.in_cache)


@mirrors(_C)
def do_wp_page(ed: Edition, vma: Vma, entry: Entry) -> Fault:
    """A store to a present, read-only entry: the event, or reuse of the page, or a copy.

    An anonymous page that is not exclusive has no other user left either (wp_can_reuse_anon_folio:
    the child of every fork has exited), so it is reused too.
    """
    normal_page = negate(pte_special(entry.pte))
    owned = conj(normal_page, entry.anon)
    if ed.has("b9086fde6d44"):
        shared = has(vma.vm_flags, VM_SHARED | VM_MAYSHARE)
    else:
        shared = has_all(vma.vm_flags, VM_WRITE | VM_SHARED)
    resolved = ite(disj(shared, owned), wp_page_reuse(ed, vma, entry), wp_page_copy(ed, vma, entry))
    return ite(userfaultfd_pte_wp(vma, entry.pte),
               Fault(entry, outcome(Outcome.event)), _retry(resolved))


@mirrors(_C)
def do_numa_page(ed: Edition, vma: Vma, entry: Entry) -> Fault:
    """A PROT_NONE entry of an accessible VMA, taken for a NUMA hint: it gets vm_page_prot back.

    Before 6a56ccbcf6c6 write permission is the entry's own (pte_savedwrite), since then that of
    vm_page_prot, or an upgrade. The page stays on its node.
    """
    pte = pte_modify(ed, entry.pte, vma.vm_page_prot)
    if ed.has("6a56ccbcf6c6"):
        upgrade = conj(vma_wants_manual_pte_write_upgrade(ed, vma),
                       can_change_pte_writable(ed, vma, entry.with_pte(pte)))
        writable = disj(pte_write(pte), upgrade)
    else:
        writable = pte_write(entry.pte)
    pte = pte_mkyoung(pte)
    return _retry(entry.with_pte(ite(writable, pte_mkwrite(ed, pte), pte)))


@mirrors(_C)
def handle_pte_fault(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Fault:
    pte = entry.pte
    young = _retry(entry.with_pte(pte_mkyoung(pte_mkdirty(ed, pte) if write else pte)))
    present = ite(negate(pte_write(pte)), do_wp_page(ed, vma, entry), young) if write else young
    return ite(pte_none(pte), do_pte_missing(ed, vma, entry, write),
               ite(negate(pte_present(pte)), handle_pte_marker(ed, vma, entry, write),
                   ite(conj(pte_protnone(pte), vma_is_accessible(vma)),
                       do_numa_page(ed, vma, entry), present)))


@mirrors(_C)
def handle_mm_fault(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Fault:
    if vma.mapping.hugetlb:
        return hugetlb_fault(ed, vma, entry, write)
    return handle_pte_fault(ed, vma, entry, write)


@dataclass(frozen=True)
class Access:
    """A load or store from start to end: the entry, the outcome, the minor faults (3 bits)."""

    entry: Entry
    outcome: BV
    faults: BV


def user_access(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Access:
    """The CPU tries, faults, and tries again (exc_page_fault, do_user_addr_fault)."""

    def attempt(entry: Entry, faults: int) -> Access:
        count = z3.BitVecVal(faults, FAULT_BITS)
        done = Access(entry.with_pte(mmu_access(entry.pte, write)), outcome(Outcome.ok), count)
        denied = Access(entry, outcome(Outcome.segv), count)
        if faults == MAX_FAULTS:
            other = Access(entry, outcome(Outcome.refault), count)
        else:
            fault = handle_mm_fault(ed, vma, entry, write)
            over = Access(fault.entry, fault.outcome, count)
            again = fault.outcome == outcome(Outcome.ok)
            other = ite(again, attempt(fault.entry, faults + 1), over)
        return ite(mmu_permits(entry.pte, write), done,
                   ite(access_error(ed, vma, write), denied, other))

    return attempt(entry, 0)


# --- calls that drop or copy page tables ----------------------------------------------------------


@mirrors("include/linux/mm_inline.h")
def pte_install_uffd_wp_if_needed(ed: Edition, vma: Vma, pteval: BV) -> BV:
    """What an entry becomes that was `pteval` and is dropped: a marker where a registered file
    mapping was write-protected, else empty."""
    armed = disj(conj(pte_present(pteval), pte_uffd_wp(pteval)), pte_swp_uffd_wp_any(ed, pteval))
    return ite(conj(not vma.mapping.anonymous, userfaultfd_wp(vma), armed),
               make_uffd_wp_marker(ed), word(0))


@mirrors(_C)
def zap_pte_range(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """Drop the page; soft-dirty goes with it. Without ZAP_FLAG_DROP_MARKER: a uffd-wp marker of a
    file mapping stays, whoever is registered."""
    kept = conj(pte_marker_uffd_wp(ed, entry.pte), not vma.mapping.anonymous)
    pte = ite(pte_none(entry.pte), entry.pte,
              ite(kept, entry.pte, pte_install_uffd_wp_if_needed(ed, vma, entry.pte)))
    return entry.unmapped(pte)


@mirrors(_C)
def unmap_single_vma(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    if vma.mapping.hugetlb:
        return unmap_hugepage_range(ed, entry)
    return zap_pte_range(ed, vma, entry)


@mirrors(_C)
def copy_present_pte(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """fork(2), of the parent's entry: an anonymous page is now shared with the child, and no
    longer exclusive; a private entry loses write permission. (6.12: copy_present_ptes.)

    Page tables are copied where the VMA has an anon_vma (vma_needs_copy); without one there is no
    anonymous page and no writable private entry, and copying would change nothing.
    """
    wrprotect = conj(not vma.mapping.shared, pte_write(entry.pte))
    pte = ite(wrprotect, pte_wrprotect(ed, entry.pte), entry.pte)
    return ite(pte_present(entry.pte), replace(entry, pte=pte, anon_exclusive=False), entry)


@mirrors(_C)
def copy_page_range(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """fork(2) with a child that exits at once: what it leaves of the parent's entry."""
    if vma.mapping.hugetlb:
        return copy_hugetlb_page_range(ed, vma, entry)
    return copy_present_pte(ed, vma, entry)
