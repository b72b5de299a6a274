"""mm/huge_memory.c: one PMD that maps a huge page, or would. Read from 6.1.192, 6.12.117 and 7.3.4.

An entry of a mapping with huge pages is the PMD while `huge` holds, else the PTE of the page. The
bits of a PMD are those of a PTE with PSE, so the helpers of pgtable.py are used for both, as
arch/x86 has them in pairs. Left out: huge pages of other sizes, devices, and failed allocations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from model.kernel.bits import PAGE_DIRTY, PAGE_PSE, VM_SHARED, VM_WRITE
from model.kernel.editions import Edition
from model.kernel.logic import BV, Bool, clear_bits, conj, disj, has, ite, negate, set_bits, word
from model.kernel.mirror import mirrors
from model.kernel.mmap import pte_needs_soft_dirty_wp, vma_wants_manual_pte_write_upgrade
from model.kernel.pgtable import (
    maybe_mkwrite,
    mk_pte,
    pte_clear_uffd_wp,
    pte_dirty,
    pte_mkclean,
    pte_mkdirty,
    pte_mkold,
    pte_mksoft_dirty,
    pte_mkspecial,
    pte_mkuffd_wp,
    pte_mkwrite,
    pte_mkyoung,
    pte_modify,
    pte_none,
    pte_present,
    pte_protnone,
    pte_soft_dirty,
    pte_swp_clear_uffd_wp,
    pte_swp_mksoft_dirty,
    pte_swp_mkuffd_wp,
    pte_swp_soft_dirty,
    pte_swp_uffd_wp,
    pte_uffd_wp,
    pte_write,
    pte_wrprotect,
)
from model.kernel.records import CpFlags, Entry, Fault, Outcome, Vma, outcome
from model.kernel.swapops import (
    downgraded_migration_pte,
    is_migration_entry,
    is_writable_migration_entry,
    make_readable_migration_pte,
    migrating,
)
from model.kernel.userfaultfd_k import (
    rwp_armed,
    rwp_disarmed,
    rwp_restored,
    userfaultfd_missing,
    userfaultfd_pte_rwp,
    userfaultfd_pte_wp,
    vma_has_uffd_without_event_remap,
)

_C = "mm/huge_memory.c"


@mirrors("arch/x86/include/asm/pgtable.h")
def pmd_modify(ed: Edition, pmd: BV, newprot: BV) -> BV:
    """pgtable.h: pmd_modify. Since 6.6 the dirty bit of a writable PMD was lost with it, until
    f7491d7c81db."""
    lost = conj(ed.has("saved-dirty"), negate(ed.has("f7491d7c81db")))
    return pte_modify(ed, ite(lost, clear_bits(pmd, PAGE_DIRTY), pmd), newprot)


def pmd_mkhuge(pmd: BV) -> BV:
    return set_bits(pmd, PAGE_PSE)


def folio_unmapped(ed: Edition, entry: Entry) -> Entry:
    """A page of the file takes over the dirty bit of the entry that mapped it."""
    dirty = conj(pte_present(entry.pte), negate(entry.anon), pte_dirty(ed, entry.pte))
    return replace(entry, cache_dirty=disj(entry.cache_dirty, dirty))


# --- faults ---------------------------------------------------------------------------------------


@mirrors(_C)
def do_huge_pmd_anonymous_page(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Fault:
    """A load maps the huge zero page, read-only; a store a new huge page of the process's own."""
    if write:
        pmd = maybe_mkwrite(ed, pte_mkdirty(ed, mk_pte(ed, vma)), vma)
        mapped = entry.mapping_anon(pmd_mkhuge(pmd))
    else:
        mapped = replace(entry.unmapped(pmd_mkhuge(mk_pte(ed, vma))), zero_page=True)
    return ite(userfaultfd_missing(vma), Fault(entry, outcome(Outcome.event)),
               Fault(mapped, outcome(Outcome.ok)))


@mirrors("mm/memory.c")
def do_set_pmd(ed: Edition, vma: Vma, write: bool) -> BV:
    """The PMD of a huge page of the file."""
    pmd = mk_pte(ed, vma)
    if write:
        pmd = maybe_mkwrite(ed, pte_mkdirty(ed, pmd), vma)
    return pmd_mkhuge(pmd)


@dataclass(frozen=True)
class HugeFault:
    """A fault on the PMD; where `fallback` holds the entry of `fault` is a PTE, and handled next
    (VM_FAULT_FALLBACK)."""

    fault: Fault
    fallback: Bool


@mirrors(_C)
def do_huge_pmd_wp_page(ed: Edition, vma: Vma, entry: Entry) -> HugeFault:
    """A store to a read-only anonymous PMD: the page is reused where nobody else has it, else the
    PMD is split. Since 1ced09e0331f the huge zero page gives way to a huge page of the process's
    own (do_huge_zero_wp_pmd)."""
    pmd = maybe_mkwrite(ed, pte_mkdirty(ed, pte_mkyoung(entry.pte)), vma)
    reused = Fault(replace(entry, pte=pmd, anon_exclusive=True), outcome(Outcome.ok))
    split = Fault(split_huge_pmd_locked(ed, vma, entry), outcome(Outcome.ok))
    reuse = conj(negate(entry.zero_page), disj(entry.anon_exclusive, negate(entry.in_child)))
    anew = maybe_mkwrite(ed, pte_mkdirty(ed, mk_pte(ed, vma)), vma)
    huge = Fault(entry.mapping_anon(pmd_mkhuge(anew)), outcome(Outcome.ok))
    whole = conj(ed.has("1ced09e0331f"), entry.zero_page)
    return HugeFault(ite(whole, huge, ite(reuse, reused, split)), negate(disj(whole, reuse)))


@mirrors("mm/memory.c")
def wp_huge_pmd(ed: Edition, vma: Vma, entry: Entry) -> HugeFault:
    """A store to a read-only PMD. The event of an anonymous one; with WP_ASYNC, and for a page of
    the file, the PMD is split first."""
    split = HugeFault(Fault(split_huge_pmd_locked(ed, vma, entry), outcome(Outcome.ok)), True)
    if not vma.mapping.anonymous:
        return split
    armed = userfaultfd_pte_wp(vma, entry.pte)
    event = HugeFault(Fault(entry, outcome(Outcome.event)), False)
    event = ite(conj(ed.has("d61ea1cb0095"), vma.wp_async), split, event)
    return ite(armed, event, do_huge_pmd_wp_page(ed, vma, entry))


@mirrors(_C)
def do_huge_pmd_numa_page(ed: Edition, vma: Vma, entry: Entry) -> Fault:
    """See do_numa_page()."""
    pmd = pmd_modify(ed, entry.pte, vma.vm_page_prot)
    upgrade = conj(vma_wants_manual_pte_write_upgrade(ed, vma),
                   can_change_pmd_writable(ed, vma, entry.with_pte(pmd)))
    writable = ite(ed.has("6a56ccbcf6c6"), disj(pte_write(pmd), upgrade), pte_write(entry.pte))
    pmd = pte_mkyoung(pmd)
    return Fault(entry.with_pte(ite(writable, pte_mkwrite(ed, pmd), pmd)), outcome(Outcome.ok))


@mirrors(_C)
def do_huge_pmd_uffd_rwp(ed: Edition, vma: Vma, entry: Entry) -> Fault:
    """See do_uffd_rwp()."""
    pmd = pte_mkyoung(pte_clear_uffd_wp(pmd_modify(ed, entry.pte, vma.vm_page_prot)))
    upgrade = conj(negate(pte_write(pmd)), vma_wants_manual_pte_write_upgrade(ed, vma),
                   can_change_pmd_writable(ed, vma, entry.with_pte(pmd)))
    resolved = entry.with_pte(ite(upgrade, pte_mkwrite(ed, pmd), pmd))
    return ite(vma.rwp_async, Fault(resolved, outcome(Outcome.ok)),
               Fault(entry, outcome(Outcome.event)))


def huge_pmd_hint(ed: Edition, vma: Vma, entry: Entry) -> Fault:
    """The part of __handle_mm_fault() about a PROT_NONE PMD of a VMA that may be accessed."""
    return ite(userfaultfd_pte_rwp(vma, entry.pte), do_huge_pmd_uffd_rwp(ed, vma, entry),
               do_huge_pmd_numa_page(ed, vma, entry))


# --- splitting ------------------------------------------------------------------------------------


@mirrors(_C, ":__split_huge_pmd_locked")
def split_huge_pmd_locked(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """__split_huge_pmd_locked: the PTE that a page of the huge page gets; a migration entry is as
    that of the PMD. The page of a file is unmapped instead, and its soft-dirty bit forgotten; there
    is no page table then.

    Since 5436d6556937 a PTE is dirty where the PMD was, and pte_mkdirty() makes it soft-dirty.
    """
    pmd = entry.pte
    if not vma.mapping.anonymous:
        return ite(pte_none(pmd), entry, folio_unmapped(ed, entry).unmapped(word(0)))
    pte = mk_pte(ed, vma)
    pte = ite(pte_write(pmd), pte_mkwrite(ed, pte), pte)
    pte = ite(conj(ed.has("5436d6556937"), pte_dirty(ed, pmd)), pte_mkdirty(ed, pte), pte)
    pte = ite(pte_soft_dirty(pmd), pte_mksoft_dirty(pte), pte)
    pte = ite(pte_uffd_wp(pmd), pte_mkuffd_wp(ed, pte), pte)
    pte = ite(is_migration_entry(ed, pmd), pmd, rwp_restored(ed, vma, pte))
    zero = split_huge_zero_page_pmd(ed, vma, entry)
    dirty = conj(pte_present(pmd), pte_dirty(ed, pmd))
    page = replace(entry, pte=ite(entry.zero_page, zero, pte), huge=False,
                   large=negate(entry.zero_page), page_dirty=disj(entry.page_dirty, dirty))
    return ite(pte_none(pmd), entry, page)


@mirrors(_C, ":__split_huge_zero_page_pmd")
def split_huge_zero_page_pmd(ed: Edition, vma: Vma, entry: Entry) -> BV:
    """__split_huge_zero_page_pmd: soft-dirty is dropped, before 42b2af2c9b7e uffd-wp too."""
    pte = pte_mkspecial(mk_pte(ed, vma))
    pte = ite(conj(ed.has("42b2af2c9b7e"), pte_uffd_wp(entry.pte)), pte_mkuffd_wp(ed, pte), pte)
    return rwp_restored(ed, vma, pte)


# --- what calls do to it --------------------------------------------------------------------------


@mirrors(_C)
def can_change_pmd_writable(ed: Edition, vma: Vma, entry: Entry) -> Bool:
    """See can_change_pte_writable()."""
    owned = conj(entry.anon, entry.anon_exclusive)
    return conj(has(vma.vm_flags, VM_WRITE), negate(pte_protnone(entry.pte)),
                negate(pte_needs_soft_dirty_wp(vma, entry.pte)),
                negate(userfaultfd_pte_wp(vma, entry.pte)),
                ite(has(vma.vm_flags, VM_SHARED), pte_dirty(ed, entry.pte), owned))


@mirrors(_C)
def change_huge_pmd(ed: Edition, vma: Vma, entry: Entry, newprot: BV, cp: CpFlags) -> Entry:
    """Before c27f479ef542 MM_CP_TRY_CHANGE_WRITABLE was not looked at; before 24bf08c4376b
    protection passed by a migration entry."""
    changed = pmd_modify(ed, entry.pte, newprot)
    if cp.uffd_prot:
        changed = ite(ed.has("f1eb1bacfba9"), changed, pte_wrprotect(ed, changed))
        changed = pte_mkuffd_wp(ed, changed)
    elif cp.uffd_prot_resolve:
        changed = pte_clear_uffd_wp(changed)
    changed = rwp_restored(ed, vma, changed)
    upgrade = conj(ed.has("c27f479ef542"), cp.try_change_writable, negate(pte_write(changed)),
                   can_change_pmd_writable(ed, vma, entry.with_pte(changed)))
    changed = ite(upgrade, pte_mkwrite(ed, changed), changed)

    moved = downgraded_migration_pte(ed, entry.pte, entry.anon)
    if cp.uffd_prot:
        moved = ite(ed.has("24bf08c4376b"), pte_swp_mkuffd_wp(moved), moved)
    elif cp.uffd_prot_resolve:
        moved = ite(ed.has("24bf08c4376b"), pte_swp_clear_uffd_wp(moved), moved)

    return ite(pte_none(entry.pte), entry,
               entry.with_pte(ite(pte_present(entry.pte), changed, moved)))


@mirrors(_C)
def madvise_free_huge_pmd(ed: Edition, entry: Entry) -> Entry:
    """See madvise_free_pte_range(); a huge page that others map is passed by."""
    freed = replace(entry, pte=pte_mkclean(ed, pte_mkold(entry.pte)), lazyfree=True,
                    page_dirty=False)
    return ite(conj(pte_present(entry.pte), negate(disj(entry.zero_page, entry.in_child))),
               freed, entry)


@mirrors(_C)
def zap_huge_pmd(ed: Edition, entry: Entry) -> Entry:
    """Drop the page; soft-dirty and uffd-wp go with it (a PMD of a file is never protected). Before
    fe6cf984939d the page of a file did not take over the dirty bit."""
    page = ite(ed.has("fe6cf984939d"), folio_unmapped(ed, entry), entry)
    return ite(pte_none(entry.pte), entry, page.unmapped(word(0)))


@mirrors(_C)
def copy_huge_pmd(ed: Edition, vma: Vma, entry: Entry, child_lives: bool) -> Entry:
    """fork(2), of the parent's PMD: see copy_present_pte(). That of a pinned page is split, and its
    pages are copied for the child."""
    in_child = disj(entry.in_child, conj(child_lives, entry.anon))
    pmd = ite(is_migration_entry(ed, entry.pte), make_readable_migration_pte(ed, entry.pte, False),
              pte_wrprotect(ed, entry.pte))
    shared = replace(entry, pte=pmd, anon_exclusive=False, in_child=in_child)
    shared = ite(conj(entry.pinned, entry.anon_exclusive), split_huge_pmd_locked(ed, vma, entry),
                 shared)
    return ite(pte_none(entry.pte), entry, shared)


@mirrors(_C)
def move_huge_pmd(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """mremap(2): see move_ptes()."""
    present = pte_present(entry.pte)
    pmd = ite(present, pte_mksoft_dirty(entry.pte), pte_swp_mksoft_dirty(entry.pte))
    cleared = ite(present, pte_clear_uffd_wp(rwp_disarmed(ed, vma, pmd)),
                  pte_swp_clear_uffd_wp(pmd))
    reset = conj(ed.has("0cef0bb836e3"), vma_has_uffd_without_event_remap(ed, vma))
    pmd = ite(reset, cleared, pmd)
    return ite(pte_none(entry.pte), entry, entry.with_pte(pmd))


@mirrors(_C)
def move_pages_huge_pmd(ed: Edition, dst_vma: Vma, dst: Entry,
                        src: Entry) -> tuple[Entry, Entry, BV]:
    """UFFDIO_MOVE of a huge page, whole, to where no page table is: dirty, and so soft-dirty, and
    writable; EBUSY where it is not the process's own alone, or pinned. The huge zero page was
    mapped anew as vm_page_prot says; since "move-zero-pmd" its PMD moves, soft-dirty and without
    the uffd-wp bit."""
    page = pte_mkwrite(ed, pte_mkdirty(ed, mk_pte(ed, dst_vma)))
    kept = pte_clear_uffd_wp(pte_mksoft_dirty(src.pte))
    zero = ite(ed.has("move-zero-pmd"), kept, pmd_mkhuge(mk_pte(ed, dst_vma)))
    mapped = replace(dst.mapping_anon(rwp_armed(ed, dst_vma, pmd_mkhuge(page))), huge=True,
                     lazyfree=src.lazyfree, page_dirty=src.page_dirty, unused=src.unused)
    zeroes = replace(dst.unmapped(rwp_armed(ed, dst_vma, zero)), huge=True, zero_page=True)
    busy = conj(negate(src.zero_page), disj(negate(src.anon_exclusive), src.pinned))
    moved = ite(src.zero_page, zeroes, mapped)
    return (ite(busy, dst, moved), ite(busy, src, src.unmapped(word(0))),
            ite(busy, outcome(Outcome.EBUSY), outcome(Outcome.ok)))


# --- migration ------------------------------------------------------------------------------------


@mirrors(_C)
def set_pmd_migration_entry(ed: Edition, entry: Entry) -> BV:
    """See try_to_migrate_one(). Before 24bf08c4376b uffd-wp was dropped."""
    return migrating(ed, entry.pte, entry.anon_exclusive, ed.has("24bf08c4376b"))


@mirrors(_C)
def remove_migration_pmd(ed: Edition, vma: Vma, swp: BV, dirty: Bool) -> BV:
    """See remove_migration_pte(). A dirty page comes back soft-dirty, since pmd_mkdirty() is
    last."""
    pmd = pmd_mkhuge(mk_pte(ed, vma))
    pmd = ite(pte_swp_soft_dirty(swp), pte_mksoft_dirty(pmd), pmd)
    writable = is_writable_migration_entry(ed, swp)
    since = ite(writable, pte_mkwrite(ed, pmd), pmd)
    since = ite(pte_swp_uffd_wp(swp), pte_mkuffd_wp(ed, since), since)
    since = rwp_restored(ed, vma, since)
    since = ite(dirty, pte_mkdirty(ed, since), since)
    before = ite(pte_swp_uffd_wp(swp), pte_wrprotect(ed, pte_mkuffd_wp(ed, pmd)), pmd)
    before = ite(dirty, pte_mkdirty(ed, before), before)
    before = ite(writable, maybe_mkwrite(ed, before, vma), pte_wrprotect(ed, before))
    return ite(ed.has("3c811f7883c4"), since, before)
