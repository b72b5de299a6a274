"""fs/proc/task_mmu.c: clear_refs, what pagemap and smaps report, and PAGEMAP_SCAN. Read from
6.1.192, 6.12.117, 7.2.12 and 7.3.4.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from model.kernel.bits import VM_SOFTDIRTY
from model.kernel.editions import Edition
from model.kernel.hugetlb import huge_pte_mkuffd_wp
from model.kernel.logic import BV, Bool, clear_bits, conj, disj, has, ite, negate
from model.kernel.mirror import mirrors
from model.kernel.mmap import vma_set_page_prot
from model.kernel.pgtable import (
    is_swap_pte,
    pte_clear_soft_dirty,
    pte_mkuffd_wp,
    pte_none,
    pte_present,
    pte_soft_dirty,
    pte_special,
    pte_swp_clear_soft_dirty,
    pte_swp_mkuffd_wp,
    pte_swp_soft_dirty,
    pte_uffd_wp,
    pte_write,
    pte_wrprotect,
)
from model.kernel.records import Entry, Outcome, Vma, outcome
from model.kernel.swapops import is_migration_entry, make_uffd_wp_marker, pte_swp_uffd_wp_any
from model.kernel.userfaultfd import uffd_wp_range
from model.kernel.userfaultfd_k import (
    userfaultfd_rwp,
    userfaultfd_wp,
    userfaultfd_wp_use_markers,
)

_C = "fs/proc/task_mmu.c"


@mirrors(_C)
def pte_is_pinned(_ed: Edition, vma: Vma, entry: Entry) -> Bool:
    """A writable page of a private mapping that is pinned: a device may write to it at any time."""
    return conj(not vma.mapping.shared, pte_write(entry.pte), entry.pinned)


@mirrors(_C)
def clear_soft_dirty(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """A present entry loses soft-dirty and write permission, unless it is pinned, which
    clear_soft_dirty_pmd() does not ask; one that is not present, its swap bit. (Its caller
    clear_refs_pte_range is not called for hugetlb.)"""
    present = pte_clear_soft_dirty(pte_wrprotect(ed, entry.pte))
    spared = pte_is_pinned(ed, vma, entry)
    if vma.mapping.thp:
        spared = conj(spared, negate(entry.huge))
    present = ite(spared, entry.pte, present)
    pte = ite(pte_present(entry.pte), present,
              ite(is_swap_pte(entry.pte), pte_swp_clear_soft_dirty(entry.pte), entry.pte))
    return entry.with_pte(pte)


@mirrors(_C, ":clear_refs_pte_range", ":clear_refs_test_walk")
def clear_refs_write(ed: Edition, vma: Vma, entry: Entry) -> tuple[Vma, Entry]:
    """Writing "4" (CLEAR_REFS_SOFT_DIRTY). vm_page_prot is worked out anew only where
    VM_SOFTDIRTY was set."""
    cleared = vma.with_flags(clear_bits(vma.vm_flags, VM_SOFTDIRTY))
    new = ite(has(vma.vm_flags, VM_SOFTDIRTY), vma_set_page_prot(ed, cleared), vma)
    return new, entry if vma.mapping.hugetlb else clear_soft_dirty(ed, vma, entry)


@dataclass(frozen=True)
class Pagemap:
    """The flags of one pagemap entry: bits 63, 62, 61, 56, 57 and 55."""

    present: Bool
    swap: Bool
    file: Bool
    exclusive: Bool
    uffd_wp: Bool
    soft_dirty: Bool


@mirrors(_C)
def pagemap_hugetlb_range(ed: Edition, vma: Vma, entry: Entry) -> Pagemap:
    """The entry's own soft-dirty bit is not looked at, and a marker does not read as swap."""
    present = pte_present(entry.pte)
    return Pagemap(
        present=present, swap=False, file=conj(present, negate(entry.anon)),
        exclusive=conj(present, negate(entry.child_maps)),
        uffd_wp=ite(present, pte_uffd_wp(entry.pte), pte_swp_uffd_wp_any(ed, entry.pte)),
        soft_dirty=has(vma.vm_flags, VM_SOFTDIRTY))


@mirrors(_C)
def pagemap_read(ed: Edition, vma: Vma, entry: Entry) -> Pagemap:
    """What one entry of /proc/PID/pagemap says."""
    if vma.mapping.hugetlb:
        return pagemap_hugetlb_range(ed, vma, entry)
    return pte_to_pagemap_entry(ed, vma, entry)


@mirrors(_C)
def pte_to_pagemap_entry(ed: Edition, vma: Vma, entry: Entry) -> Pagemap:
    """What pagemap says of the page, which no other process maps but a living child.

    A marker reads as swap, and before "pagemap-special" the huge zero page as a page of a file.
    VM_SOFTDIRTY makes every page of the VMA read as soft-dirty.
    """
    pte = entry.pte
    present = pte_present(pte)
    zero = conj(ed.has("pagemap-special"), entry.zero_page)
    page = conj(present, negate(disj(pte_special(pte), zero)))
    alone = conj(page, negate(disj(entry.child_maps, entry.zero_page)))
    return Pagemap(
        present=present,
        swap=is_swap_pte(pte),
        file=conj(disj(page, is_migration_entry(ed, pte)), negate(entry.anon)),
        exclusive=alone,
        uffd_wp=ite(present, pte_uffd_wp(pte), pte_swp_uffd_wp_any(ed, pte)),
        soft_dirty=disj(has(vma.vm_flags, VM_SOFTDIRTY), conj(present, pte_soft_dirty(pte)),
                        conj(is_swap_pte(pte), pte_swp_soft_dirty(pte))),
    )


# --- PAGEMAP_SCAN, since 52526ca7fdb9 -------------------------------------------------------------


@dataclass(frozen=True)
class Categories:
    """What PAGEMAP_SCAN says of a page: PAGE_IS_* of include/uapi/linux/fs.h. `guard` is for guard
    regions, `accessed` for mode RWP, where it is what is mapped and not protected."""

    written: Bool = False
    present: Bool = False
    swapped: Bool = False
    file: Bool = False
    pfnzero: Bool = False
    huge: Bool = False
    soft_dirty: Bool = False
    wpallowed: Bool = False
    guard: Bool = False
    accessed: Bool = False


def _written(ed: Edition, vma: Vma, unprotected: Bool) -> Bool:
    """An entry that is `unprotected` counts as written, since "scan-registered" in a VMA that is
    registered for write-protect mode alone."""
    return conj(unprotected, disj(negate(ed.has("scan-registered")), userfaultfd_wp(vma)))


def _protected(ed: Edition, pte: BV) -> Bool:
    return ite(pte_present(pte), pte_uffd_wp(pte), pte_swp_uffd_wp_any(ed, pte))


def _mapped(ed: Edition, vma: Vma, entry: Entry) -> Categories:
    """What the categories of an entry that is not empty have in common on all kinds of memory. A
    marker counts as swapped."""
    pte = entry.pte
    present, swapped = pte_present(pte), is_swap_pte(pte)
    page = conj(present, negate(disj(pte_special(pte), entry.zero_page)))
    return Categories(
        written=_written(ed, vma, negate(_protected(ed, pte))), present=present, swapped=swapped,
        file=conj(disj(page, is_migration_entry(ed, pte)), negate(entry.anon)),
        pfnzero=conj(present, entry.zero_page),
        accessed=conj(userfaultfd_rwp(vma), negate(_protected(ed, pte))),
        soft_dirty=disj(conj(present, pte_soft_dirty(pte)), conj(swapped, pte_swp_soft_dirty(pte))))


@mirrors(_C)
def pagemap_page_category(ed: Edition, vma: Vma, entry: Entry) -> Categories:
    """What the entry of a small page says. One that is empty is not protected, and since
    "scan-unpopulated" written."""
    empty = Categories(written=_written(ed, vma, ed.has("scan-unpopulated")))
    guard = conj(ed.has("scan-guard"), entry.guard)
    return ite(pte_none(entry.pte), empty, replace(_mapped(ed, vma, entry), guard=guard))


@mirrors(_C)
def pagemap_thp_category(ed: Edition, vma: Vma, entry: Entry) -> Categories:
    """What a PMD that maps a huge page says. The huge zero page was none before
    "scan-huge-zero"."""
    found = _mapped(ed, vma, entry)
    return replace(found, huge=True, pfnzero=conj(found.pfnzero, ed.has("scan-huge-zero")))


@mirrors(_C)
def pagemap_hugetlb_category(ed: Edition, vma: Vma, entry: Entry) -> Categories:
    """An empty entry is never written, and a page that migrates never one of a file."""
    found = _mapped(ed, vma, entry)
    mapped = replace(found, huge=True, file=conj(found.file, found.present))
    return ite(pte_none(entry.pte), Categories(huge=True), mapped)


@mirrors(_C)
def pagemap_scan_pte_hole(ed: Edition, vma: Vma, _entry: Entry) -> Categories:
    """Where there is no page table: since "scan-hole" written in a VMA that is registered for
    write-protect mode, as zapping takes markers away."""
    return Categories(written=conj(ed.has("scan-hole"), userfaultfd_wp(vma)))


@mirrors(_C, ":pagemap_scan_test_walk")
def do_pagemap_scan(ed: Edition, vma: Vma, entry: Entry) -> Categories:
    """What a scan for all categories says of the page. The page tables of small pages and of
    hugetlb memory are there."""
    if vma.mapping.hugetlb:
        found = pagemap_hugetlb_category(ed, vma, entry)
    elif vma.mapping.thp:
        on_pmd = ite(pte_none(entry.pte), pagemap_scan_pte_hole(ed, vma, entry),
                     pagemap_thp_category(ed, vma, entry))
        found = ite(entry.huge, on_pmd, pagemap_page_category(ed, vma, entry))
    else:
        found = pagemap_page_category(ed, vma, entry)
    return replace(found, wpallowed=_wp_allowed(ed, vma),
                   soft_dirty=disj(found.soft_dirty, has(vma.vm_flags, VM_SOFTDIRTY)))


def _wp_allowed(ed: Edition, vma: Vma) -> Bool:
    return conj(vma.wp_async, userfaultfd_wp_use_markers(ed, vma))


@mirrors(_C, ":make_uffd_wp_pmd")
def make_uffd_wp_pte(ed: Edition, entry: Entry) -> Entry:
    """The entry of a small page, or a PMD that is not empty, is protected; an empty one by a
    marker."""
    pte = entry.pte
    return entry.with_pte(ite(pte_present(pte), pte_mkuffd_wp(ed, pte), ite(
        pte_none(pte), make_uffd_wp_marker(ed), pte_swp_mkuffd_wp(pte))))


@mirrors(_C)
def make_uffd_wp_huge_pte(ed: Edition, entry: Entry) -> Entry:
    """As make_uffd_wp_pte(), of hugetlb memory; a marker stays what it is."""
    pte = entry.pte
    return entry.with_pte(ite(pte_present(pte), huge_pte_mkuffd_wp(ed, pte), ite(
        pte_none(pte), make_uffd_wp_marker(ed),
        ite(is_migration_entry(ed, pte), pte_swp_mkuffd_wp(pte), pte))))


@mirrors(_C, ":pagemap_scan_thp_entry", ":pagemap_scan_hugetlb_entry")
def pagemap_scan_pmd_entry(ed: Edition, vma: Vma, entry: Entry) -> tuple[Entry, BV]:
    """A scan for what is written that protects it (PM_SCAN_WP_MATCHING, PM_SCAN_CHECK_WPASYNC).
    EPERM where the VMA is not registered with WP_ASYNC.

    Of small pages the way that asks for nothing else takes every entry that is not protected for
    written, an empty one too.
    """
    unprotected = negate(_protected(ed, entry.pte))
    small = ite(unprotected, make_uffd_wp_pte(ed, entry), entry)
    written = do_pagemap_scan(ed, vma, entry).written
    if vma.mapping.hugetlb:
        done = ite(written, make_uffd_wp_huge_pte(ed, entry), entry)
    elif vma.mapping.thp:
        on_pmd = ite(pte_none(entry.pte), uffd_wp_range(ed, vma, entry, True), small)
        done = ite(entry.huge, ite(written, on_pmd, entry), small)
    else:
        done = small
    allowed = _wp_allowed(ed, vma)
    known = ed.has("52526ca7fdb9")
    return (ite(conj(known, allowed), done, entry),
            ite(known, ite(allowed, outcome(Outcome.ok), outcome(Outcome.EPERM)),
                outcome(Outcome.ENOTTY)))
