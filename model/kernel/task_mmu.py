"""fs/proc/task_mmu.c: clear_refs, and what pagemap and smaps report. Read from 6.1.192,
6.12.117, 7.2.12 and 7.3.4.
"""

from __future__ import annotations

from dataclasses import dataclass

from model.kernel.bits import VM_SOFTDIRTY
from model.kernel.editions import Edition
from model.kernel.logic import Bool, clear_bits, conj, disj, has, ite, negate
from model.kernel.mirror import mirrors
from model.kernel.mmap import vma_set_page_prot
from model.kernel.pgtable import (
    is_migration_entry,
    is_swap_pte,
    pte_clear_soft_dirty,
    pte_present,
    pte_soft_dirty,
    pte_special,
    pte_swp_clear_soft_dirty,
    pte_swp_soft_dirty,
    pte_swp_uffd_wp_any,
    pte_uffd_wp,
    pte_write,
    pte_wrprotect,
)
from model.kernel.records import Entry, Vma

_C = "fs/proc/task_mmu.c"


@mirrors(_C)
def pte_is_pinned(_ed: Edition, vma: Vma, entry: Entry) -> Bool:
    """A writable page of a private mapping that is pinned: a device may write to it at any time."""
    return conj(not vma.mapping.shared, pte_write(entry.pte), entry.pinned)


@mirrors(_C)
def clear_soft_dirty(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """A present entry loses soft-dirty and write permission, unless it is pinned; one that is not
    present, its swap bit. (Its caller clear_refs_pte_range is not called for hugetlb.)"""
    present = pte_clear_soft_dirty(pte_wrprotect(ed, entry.pte))
    present = ite(pte_is_pinned(ed, vma, entry), entry.pte, present)
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
