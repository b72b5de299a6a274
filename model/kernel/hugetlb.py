"""mm/hugetlb.c: faults, change of protection, unmapping, fork and mremap of one huge page.

Read from 6.1.192, 6.12.117, 7.2.12 and 7.3.4. clear_refs does not come here: soft-dirty is no
concern of hugetlb. Left out: poison entries, sharing of page tables, reservations (there
are pages enough). Unsharing for GUP is in gup.py.
"""

from __future__ import annotations

from dataclasses import replace

from model.kernel.bits import (
    PAGE_PSE,
    PAGE_RW,
    VM_ACCESS_FLAGS,
    VM_MAYSHARE,
    VM_SHARED,
    VM_WRITE,
)
from model.kernel.editions import Edition
from model.kernel.logic import BV, Bool, conj, disj, has, has_all, ite, negate, set_bits, word
from model.kernel.mirror import mirrors
from model.kernel.pgtable import (
    is_swap_pte,
    mk_pte,
    pte_clear_uffd_wp,
    pte_mkdirty,
    pte_mkuffd_wp,
    pte_mkyoung,
    pte_modify,
    pte_none,
    pte_present,
    pte_protnone,
    pte_swp_clear_soft_dirty,
    pte_swp_clear_uffd_wp,
    pte_swp_mkuffd_wp,
    pte_swp_uffd_wp,
    pte_uffd_wp,
    pte_write,
    pte_wrprotect,
)
from model.kernel.records import CpFlags, Entry, Fault, Outcome, Vma, outcome
from model.kernel.swapops import (
    is_migration_entry,
    is_pte_marker,
    is_readable_migration_entry,
    is_writable_migration_entry,
    make_readable_migration_pte,
    make_uffd_wp_marker,
    pte_marker_uffd_wp,
    pte_swp_uffd_wp_any,
)
from model.kernel.userfaultfd_k import (
    rwp_disarmed,
    rwp_restored,
    userfaultfd_minor,
    userfaultfd_missing,
    userfaultfd_pte_rwp,
    userfaultfd_wp,
    vma_has_uffd_without_event_remap,
)

_C = "mm/hugetlb.c"


@mirrors("include/asm-generic/hugetlb.h")
def huge_pte_mkwrite(_ed: Edition, pte: BV) -> BV:
    """The saved dirty bit stays where it is: pte_mkwrite_novma() does not move it."""
    return set_bits(pte, PAGE_RW)


@mirrors("include/asm-generic/hugetlb.h")
def huge_pte_mkuffd_wp(ed: Edition, pte: BV) -> BV:
    """From f1eb1bacfba9 on it write-protects by itself; before, every caller does."""
    return pte_mkuffd_wp(ed, ite(ed.has("f1eb1bacfba9"), pte, pte_wrprotect(ed, pte)))


@mirrors(_C)
def make_huge_pte(ed: Edition, vma: Vma, writable: bool) -> BV:
    """The entry for a new page. Writable or not is the caller's word, not vm_page_prot's, and since
    "huge-pte-vm-write" that of the VMA too."""
    pte = pte_wrprotect(ed, mk_pte(ed, vma))
    if writable:
        allowed = disj(negate(ed.has("huge-pte-vm-write")), has(vma.vm_flags, VM_WRITE))
        pte = ite(allowed, huge_pte_mkwrite(ed, pte_mkdirty(ed, mk_pte(ed, vma))), pte)
    return set_bits(pte_mkyoung(pte), PAGE_PSE)


@mirrors(_C)
def hugetlb_wp(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """A store to a present, read-only page: since 60d5b473d61b nothing while the uffd-wp bit is
    set, whoever is registered; else write permission, for a private page of the file after a copy.

    An anonymous page that a living child maps too is copied. Before 1d8d14641fd9 a shared mapping
    was not looked for, and got an anonymous copy too.
    """
    writable = replace(entry, pte=huge_pte_mkwrite(ed, pte_mkdirty(ed, entry.pte)),
                       anon_exclusive=entry.anon)
    copied = entry.mapping_anon(make_huge_pte(ed, vma, writable=True))
    own = conj(entry.anon, negate(entry.in_child))
    shared = conj(ed.has("1d8d14641fd9"), has(vma.vm_flags, VM_MAYSHARE))
    return ite(conj(ed.has("60d5b473d61b"), pte_uffd_wp(entry.pte)), entry,
               ite(disj(shared, own), writable, copied))


@mirrors(_C)
def hugetlb_no_page(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Fault:
    """An empty entry or a marker. A shared writable mapping gets its page writable and dirty even
    for a load; a private one read-only, and a store goes on into hugetlb_wp(). Since
    "hugetlb-marker" a marker is believed only where the VMA is registered. A page that the page
    cache lacks, or has, may be an event before that."""
    missing = conj(userfaultfd_missing(vma), negate(entry.in_cache))
    minor = conj(userfaultfd_minor(vma), entry.in_cache)
    pte = ite(has_all(vma.vm_flags, VM_WRITE | VM_SHARED),
              make_huge_pte(ed, vma, writable=True), make_huge_pte(ed, vma, writable=False))
    believed = disj(negate(ed.has("hugetlb-marker")), userfaultfd_wp(vma))
    pte = ite(conj(believed, pte_marker_uffd_wp(ed, entry.pte)), huge_pte_mkuffd_wp(ed, pte), pte)
    own = not vma.mapping.shared
    mapped = entry.mapping_anon(pte) if own else entry.mapping_cache(pte, dirty=False)
    if write and own:
        mapped = hugetlb_wp(ed, vma, mapped)
    return ite(disj(missing, minor), Fault(entry, outcome(Outcome.event)),
               Fault(mapped, outcome(Outcome.ok)))


@mirrors(_C)
def hugetlb_fault(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Fault:
    """handle_mm_fault() for hugetlb: the uffd-wp event before anything is copied. A bit that raises
    none is dropped, since "hugetlb-leftover" where nobody is registered too. Poison ends it."""
    pte, armed = entry.pte, entry
    young = entry.with_pte(pte_mkyoung(pte_mkdirty(ed, pte) if write else pte))
    present = Fault(young, outcome(Outcome.ok))
    if write:
        protected = conj(pte_uffd_wp(pte), negate(pte_write(pte)))
        no_event = conj(ed.has("d61ea1cb0095"), vma.wp_async)
        event = conj(userfaultfd_wp(vma), protected, negate(no_event))
        resumed = conj(protected, negate(event),
                       disj(userfaultfd_wp(vma), ed.has("hugetlb-leftover")))
        entry = ite(resumed, entry.with_pte(pte_clear_uffd_wp(pte)), entry)
        resolved = ite(pte_write(pte), young, hugetlb_wp(ed, vma, entry))
        present = ite(event, Fault(entry, outcome(Outcome.event)),
                      Fault(resolved, outcome(Outcome.ok)))
    missing = ite(entry.poison, Fault(entry, outcome(Outcome.bus)),
                  hugetlb_no_page(ed, vma, entry, write))
    present = ite(conj(pte_protnone(pte), has(vma.vm_flags, VM_ACCESS_FLAGS),
                       userfaultfd_pte_rwp(vma, pte)), hugetlb_uffd_rwp(ed, vma, armed), present)
    return ite(disj(pte_none(pte), is_pte_marker(ed, pte)), missing, present)


def hugetlb_uffd_rwp(ed: Edition, vma: Vma, entry: Entry) -> Fault:
    """The part of hugetlb_fault() that finds a read-write protected entry: the event, or with
    RWP_ASYNC the entry open again, for the next fault to make writable. Outside of mode RWP no
    such entry is left behind here, and what the function does with one is left out."""
    pte = pte_clear_uffd_wp(pte_modify(ed, entry.pte, vma.vm_page_prot))
    return ite(vma.rwp_async, Fault(entry.with_pte(pte_mkyoung(pte)), outcome(Outcome.ok)),
               Fault(entry, outcome(Outcome.event)))


@mirrors(_C)
def hugetlb_change_protection(ed: Edition, vma: Vma, entry: Entry, newprot: BV,
                              cp: CpFlags) -> Entry:
    """MM_CP_TRY_CHANGE_WRITABLE is not looked at; an empty entry takes a marker always. Before
    fed15f1345dc it did not where there was no page table to hold it, as for a fresh mapping.

    Before 0e678153f5be a marker was taken for a page, and so was the empty entry that it had
    become: either got the bits of a present one, and mapped memory that nobody had given. Before
    44f86392bdd1 only a writable migration entry, which becomes readable, was protected or not.
    """
    pte = entry.pte
    changed = pte_modify(ed, pte, newprot)
    if cp.uffd_prot:
        changed = huge_pte_mkuffd_wp(ed, changed)
    elif cp.uffd_prot_resolve:
        changed = pte_clear_uffd_wp(changed)
    changed = rwp_restored(ed, vma, changed)
    marker = ite(pte_marker_uffd_wp(ed, pte), word(0), pte) if cp.uffd_prot_resolve else pte
    mistaken = pte_modify(ed, marker, newprot)
    if cp.uffd_wp:
        mistaken = huge_pte_mkuffd_wp(ed, mistaken)
    elif cp.uffd_wp_resolve:
        mistaken = pte_clear_uffd_wp(mistaken)
    marker = ite(ed.has("0e678153f5be"), marker, set_bits(mistaken, PAGE_PSE))
    writable = is_writable_migration_entry(ed, pte)
    moved = ite(writable, _readable(ed, pte, entry.anon), pte)
    marked = moved
    if cp.uffd_prot:
        marked = pte_swp_mkuffd_wp(moved)
    elif cp.uffd_prot_resolve:
        marked = pte_swp_clear_uffd_wp(moved)
    moved = ite(disj(ed.has("44f86392bdd1"), writable), marked, moved)
    held = conj(cp.uffd_wp, ed.has("fed15f1345dc"))
    empty = ite(held, make_uffd_wp_marker(ed), pte)
    return entry.with_pte(ite(is_pte_marker(ed, pte), marker,
                              ite(pte_none(pte), empty, ite(pte_present(pte), changed, moved))))


def _readable(ed: Edition, swp: BV, exclusive: Bool) -> BV:
    """A migration entry made readable, and its swap bits lost."""
    return pte_swp_clear_soft_dirty(pte_swp_clear_uffd_wp(
        make_readable_migration_pte(ed, swp, exclusive)))


@mirrors(_C, ":hugetlb_mcopy_atomic_pte")
def hugetlb_mfill_atomic_pte(ed: Edition, vma: Vma, entry: Entry, wp: bool) -> Entry:
    """UFFDIO_COPY of a huge page, and UFFDIO_CONTINUE with one of the page cache (6.1:
    hugetlb_mcopy_atomic_pte)."""
    writable = conj(not wp, has(vma.vm_flags, VM_WRITE))
    pte = ite(writable, make_huge_pte(ed, vma, writable=True),
              make_huge_pte(ed, vma, writable=False))
    pte = pte_mkdirty(ed, pte)
    pte = huge_pte_mkuffd_wp(ed, pte) if wp else pte
    return entry.mapping_cache(pte, dirty=False) if vma.mapping.shared else entry.mapping_anon(pte)


@mirrors(_C)
def unmap_hugepage_range(ed: Edition, vma: Vma, entry: Entry, drop_marker: bool = False) -> Entry:
    """__unmap_hugepage_range. Without ZAP_FLAG_DROP_MARKER what was write-protected leaves a
    marker, private or not, and before "hugetlb-zap" whoever is registered."""
    armed = ite(pte_present(entry.pte), pte_uffd_wp(entry.pte),
                pte_swp_uffd_wp_any(ed, entry.pte))
    heeded = conj(not drop_marker, disj(negate(ed.has("hugetlb-zap")), userfaultfd_wp(vma)))
    return entry.unmapped(ite(conj(heeded, armed), make_uffd_wp_marker(ed), word(0)))


@mirrors("fs/hugetlbfs/inode.c")
def hugetlb_vmtruncate(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """Every mapping of the file is unmapped, and no uffd-wp marker stays."""
    return replace(unmap_hugepage_range(ed, vma, entry, drop_marker=True), cache_in_child=False)


@mirrors(_C)
def copy_hugetlb_page_range(ed: Edition, vma: Vma, entry: Entry, child_lives: bool) -> Entry:
    """fork(2), of the parent's entry in a private mapping, for a shared one stays as it is; see
    copy_present_pte() and copy_nonpresent_pte(). A page of its own that is pinned stays so: the
    child gets a copy."""
    shared = replace(entry.mapped_by_child(child_lives), pte=pte_wrprotect(ed, entry.pte),
                     anon_exclusive=False)
    pinned = conj(entry.pinned, entry.anon_exclusive)
    migrating = replace(entry.mapped_by_child(child_lives), anon_exclusive=False,
                        pte=readable_for_child(ed, vma, entry.pte))
    return ite(pte_present(entry.pte), ite(pinned, entry, shared),
               ite(is_migration_entry(ed, entry.pte), migrating, entry))


def readable_for_child(ed: Edition, vma: Vma, swp: BV) -> BV:
    """The part of copy_hugetlb_page_range() that makes a migration entry of a private mapping
    readable; that of a shared one stays. Before 5a2f8d22ace4 and 83abe2fd5b3a the uffd-wp bit was
    looked for, and set, where it is in a present entry."""
    kept = conj(disj(ed.has("5a2f8d22ace4"), ed.has("83abe2fd5b3a")), userfaultfd_wp(vma),
                pte_swp_uffd_wp(swp))
    readable = _readable(ed, swp, False)
    readable = ite(kept, pte_swp_mkuffd_wp(readable), readable)
    return ite(disj(vma.mapping.shared, is_readable_migration_entry(ed, swp)), swp, readable)


@mirrors(_C)
def move_huge_pte(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """mremap(2); see move_ptes(). Soft-dirty is not set."""
    pte = entry.pte
    cleared = ite(pte_present(pte), pte_clear_uffd_wp(rwp_disarmed(ed, vma, pte)),
                  ite(is_swap_pte(pte), pte_swp_clear_uffd_wp(pte), pte))
    moved = ite(pte_marker_uffd_wp(ed, pte), word(0), cleared)
    reset = conj(ed.has("0cef0bb836e3"), vma_has_uffd_without_event_remap(ed, vma))
    return entry.with_pte(ite(reset, moved, pte))
