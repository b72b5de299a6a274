"""mm/memory.c and arch/x86/mm/fault.c: what a load or a store does, fault by fault.

Read from 6.1.192 and 6.12.117. Left out: swap entries other than PTE markers, device memory, large
folios, NUMA hinting entries (no modelled operation makes one), copy-on-write of a page that turns
out to have one owner, and lost races: each attempt sees the entry that the one before it left.
"""

from __future__ import annotations

from dataclasses import dataclass

import z3

from model.kernel.bits import VM_ACCESS_FLAGS, VM_MAYSHARE, VM_SHARED, VM_WRITE
from model.kernel.editions import Edition
from model.kernel.logic import BV, Bool, conj, disj, has, has_all, ite, negate, word
from model.kernel.mirror import mirrors
from model.kernel.pgtable import (
    maybe_mkwrite,
    mmu_access,
    mmu_permits,
    pte_marker_uffd_wp,
    pte_mkdirty,
    pte_mkspecial,
    pte_mkuffd_wp,
    pte_mkwrite,
    pte_mkyoung,
    pte_none,
    pte_present,
    pte_special,
    pte_write,
    pte_wrprotect,
)
from model.kernel.records import Entry, Outcome, Vma, outcome
from model.kernel.userfaultfd_k import userfaultfd_pte_wp, userfaultfd_wp

_C = "mm/memory.c"

MAX_FAULTS = 3
"""Faults followed for one access. Two are enough (a marker or a missing page, then write
protection); the third lets an access that does not end be told from one that does."""
FAULT_BITS = 3


@dataclass(frozen=True)
class Fault:
    """One run of handle_mm_fault(): the entry it leaves, and whether the access is over.

    `outcome` is `event` (VM_UFFD_WP delivered), `bus`, or `ok` for "try the access again"; only
    the last is counted as a minor fault (mm_account_fault).
    """

    entry: Entry
    outcome: BV


def _retry(entry: Entry) -> Fault:
    return Fault(entry, outcome(Outcome.ok))


def _unmapped(pte: BV) -> Entry:
    return Entry(pte, anon=False, anon_exclusive=False, zero_page=False)


@mirrors("arch/x86/mm/fault.c")
def access_error(_ed: Edition, vma: Vma, write: bool) -> Bool:
    """A store needs VM_WRITE; a load any access at all (write-only mappings are readable)."""
    return negate(has(vma.vm_flags, VM_WRITE if write else VM_ACCESS_FLAGS))


@mirrors(_C)
def do_anonymous_page(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Fault:
    """A load maps the shared zero page, read-only; a store a new page of the process's own."""
    if write:
        pte = pte_mkdirty(ed, vma.vm_page_prot)
        pte = ite(has(vma.vm_flags, VM_WRITE), pte_mkwrite(ed, pte), vma.vm_page_prot)
    else:
        pte = pte_mkspecial(vma.vm_page_prot)
    if ed.has("2bad466cc9d9"):
        pte = ite(pte_marker_uffd_wp(ed, entry.pte), pte_mkuffd_wp(ed, pte), pte)
    return _retry(Entry(pte, anon=write, anon_exclusive=write, zero_page=not write))


@mirrors(_C)
def do_fault(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Fault:
    """A page of the file, or for a store to a private mapping its copy (do_read_fault,
    do_cow_fault, do_shared_fault). The marker in the empty entry becomes the uffd-wp bit."""
    mapped = set_pte_range(ed, vma, write, pte_marker_uffd_wp(ed, entry.pte))
    cow = write and not vma.mapping.shared
    return _retry(Entry(mapped, anon=cow, anon_exclusive=cow, zero_page=False))


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
    cleared = _retry(_unmapped(word(0)))
    handled = ite(userfaultfd_wp(vma), do_pte_missing(ed, vma, entry, write), cleared)
    return ite(marker, handled, bus)


@mirrors(_C)
def wp_page_reuse(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """Record the store and map the same page writable. The uffd-wp bit stays as it is."""
    pte = maybe_mkwrite(ed, pte_mkdirty(ed, pte_mkyoung(entry.pte)), vma)
    return Entry(pte, entry.anon, entry.anon_exclusive, entry.zero_page)


@mirrors(_C)
def wp_page_copy(ed: Edition, vma: Vma, _entry: Entry) -> Entry:
    """A new anonymous page; the entry starts from vm_page_prot, so the uffd-wp bit is gone."""
    pte = maybe_mkwrite(ed, pte_mkdirty(ed, vma.vm_page_prot), vma)
    return Entry(pte, anon=True, anon_exclusive=True, zero_page=False)


@mirrors(_C)
def do_wp_page(ed: Edition, vma: Vma, entry: Entry) -> Fault:
    """A store to a present, read-only entry: the event, or reuse of the page, or a copy."""
    normal_page = negate(pte_special(entry.pte))
    owned = conj(normal_page, entry.anon, entry.anon_exclusive)
    if ed.has("b9086fde6d44"):
        shared = has(vma.vm_flags, VM_SHARED | VM_MAYSHARE)
    else:
        shared = has_all(vma.vm_flags, VM_WRITE | VM_SHARED)
    resolved = ite(disj(shared, owned), wp_page_reuse(ed, vma, entry), wp_page_copy(ed, vma, entry))
    return ite(userfaultfd_pte_wp(vma, entry.pte),
               Fault(entry, outcome(Outcome.event)), _retry(resolved))


@mirrors(_C)
def handle_pte_fault(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Fault:
    pte = entry.pte
    young = _retry(Entry(pte_mkyoung(pte_mkdirty(ed, pte) if write else pte),
                         entry.anon, entry.anon_exclusive, entry.zero_page))
    present = ite(negate(pte_write(pte)), do_wp_page(ed, vma, entry), young) if write else young
    return ite(pte_none(pte), do_pte_missing(ed, vma, entry, write),
               ite(negate(pte_present(pte)), handle_pte_marker(ed, vma, entry, write), present))


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
        after = Entry(mmu_access(entry.pte, write), entry.anon, entry.anon_exclusive,
                      entry.zero_page)
        done = Access(after, outcome(Outcome.ok), count)
        denied = Access(entry, outcome(Outcome.segv), count)
        if faults == MAX_FAULTS:
            other = Access(entry, outcome(Outcome.refault), count)
        else:
            fault = handle_pte_fault(ed, vma, entry, write)
            over = Access(fault.entry, fault.outcome, count)
            again = fault.outcome == outcome(Outcome.ok)
            other = ite(again, attempt(fault.entry, faults + 1), over)
        return ite(mmu_permits(entry.pte, write), done,
                   ite(access_error(ed, vma, write), denied, other))

    return attempt(entry, 0)
