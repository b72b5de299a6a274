"""kernel/fork.c: the child's mapping. Read from 6.1.192, 6.12.117 and 7.3.4.

What fork(2) leaves of the parent's is in memory.py, huge_memory.py and hugetlb.py: the functions
here are the other halves of those, and an edition decides in them by the same names. Left out:
UFFD_FEATURE_EVENT_FORK.
"""

from __future__ import annotations

from dataclasses import replace

from model.kernel.bits import PAGE_DIRTY, PAGE_SAVED_DIRTY, VM_WRITE
from model.kernel.editions import Edition
from model.kernel.hugetlb import make_huge_pte, readable_for_child
from model.kernel.logic import BV, Bool, clear_bits, conj, disj, has, ite, negate, word
from model.kernel.mirror import mirrors
from model.kernel.mmap import vma_needs_copy
from model.kernel.pgtable import (
    maybe_mkwrite,
    pte_clear_uffd_wp,
    pte_mkdirty,
    pte_none,
    pte_present,
    pte_special,
    pte_swp_clear_exclusive,
    pte_swp_clear_uffd_wp,
    pte_wrprotect,
)
from model.kernel.records import Entry, Vma
from model.kernel.swapops import (
    is_migration_entry,
    is_pte_marker,
    is_swap_slot,
    make_guard_marker,
    make_poison_marker,
    make_readable_migration_pte,
)
from model.kernel.userfaultfd import dup_userfaultfd
from model.kernel.userfaultfd_k import rwp_disarmed, userfaultfd_wp


@mirrors("kernel/fork.c")
def dup_mmap(ed: Edition, vma: Vma, entry: Entry) -> tuple[Vma, Entry]:
    """The child's VMA and entry, while the parent lives on. Page tables are copied where a fault
    could not make them anew (vma_needs_copy), but no PMD of a file."""
    child = dup_userfaultfd(ed, vma)
    page = conj(pte_present(entry.pte), negate(entry.anon), negate(pte_special(entry.pte)))
    there = replace(entry, pinned=False,
                    cache_in_child=disj(entry.cache_in_child, conj(page, negate(entry.zero_page))))
    empty = replace(there.unmapped(word(0)), huge=vma.mapping.thp, no_tables=vma.mapping.thp)
    if vma.mapping.shared:
        shared = ite(there.huge, replace(empty, no_tables=there.no_tables),
                     _copied_shared(ed, child, there, vma))
        return child, ite(vma_needs_copy(ed, vma, there), shared, empty)
    copied = (_copied_hugetlb if vma.mapping.hugetlb else _copied)(ed, vma, child, there)
    kept = replace(copied, pinned=False)
    own = ite(conj(entry.pinned, entry.anon_exclusive), _copied_page(ed, child, there), kept)
    return child, ite(vma_needs_copy(ed, vma, entry), own, empty)


def _copied_shared(ed: Edition, child: Vma, entry: Entry, vma: Vma) -> Entry:
    """mm/memory.c: __copy_present_ptes and copy_nonpresent_pte of a shared mapping: the child's
    entry is clean, and keeps its write permission."""
    clear = negate(userfaultfd_wp(child))
    present = clear_bits(rwp_disarmed(ed, vma, entry.pte), PAGE_DIRTY | PAGE_SAVED_DIRTY)
    present = ite(clear, pte_clear_uffd_wp(present), present)
    swp = ite(clear, pte_swp_clear_uffd_wp(entry.pte), entry.pte)
    marker = _marker(ed, entry, ed.has("49d6d7fb6313"))
    return entry.with_pte(ite(pte_present(entry.pte), present,
                              ite(pte_none(entry.pte), entry.pte,
                                  ite(is_pte_marker(ed, entry.pte), marker, swp))))


def _copied_page(ed: Edition, child: Vma, entry: Entry) -> Entry:
    """mm/memory.c: copy_present_page, mm/hugetlb.c: hugetlb_install_folio, of a page that the
    parent has pinned."""
    if child.mapping.hugetlb:
        return entry.mapping_anon(make_huge_pte(ed, child, writable=True))
    pte = maybe_mkwrite(ed, pte_mkdirty(ed, child.vm_page_prot), child)
    return replace(entry.mapping_anon(pte), huge=False, unused=entry.unused)


def _copied(ed: Edition, vma: Vma, child: Vma, entry: Entry) -> Entry:
    """mm/memory.c: copy_present_pte and copy_nonpresent_pte; mm/huge_memory.c: copy_huge_pmd.

    Before 8f34f1eac382 they asked the parent's VMA whether protection is wanted, or nobody; before
    49d6d7fb6313 a marker was copied whoever is registered.
    """
    fixed = ed.has("8f34f1eac382")
    present = pte_wrprotect(ed, rwp_disarmed(ed, vma, entry.pte))
    clear = negate(userfaultfd_wp(ite(fixed, child, vma)))
    present = ite(clear, pte_clear_uffd_wp(present), present)
    swp = entry.pte
    swp = ite(is_migration_entry(ed, swp), make_readable_migration_pte(ed, swp, False),
              pte_swp_clear_exclusive(swp))
    swp = ite(conj(fixed, negate(userfaultfd_wp(child))), pte_swp_clear_uffd_wp(swp), swp)
    return _shared(ed, entry, present, _marker(ed, entry, ed.has("49d6d7fb6313")), swp)


def _copied_hugetlb(ed: Edition, vma: Vma, child: Vma, entry: Entry) -> Entry:
    """mm/hugetlb.c: copy_hugetlb_page_range. Before 5a2f8d22ace4 the uffd-wp bit of a page was
    copied whoever is registered, before 83abe2fd5b3a that of a migration entry."""
    present = pte_wrprotect(ed, rwp_disarmed(ed, vma, entry.pte))
    clear = conj(ed.has("5a2f8d22ace4"), negate(userfaultfd_wp(child)))
    present = ite(clear, pte_clear_uffd_wp(present), present)
    swp = readable_for_child(ed, vma, entry.pte)
    clear = conj(ed.has("83abe2fd5b3a"), negate(userfaultfd_wp(child)))
    swp = ite(clear, pte_swp_clear_uffd_wp(swp), swp)
    return _shared(ed, entry, present, _marker(ed, entry, True), swp)


def _marker(ed: Edition, entry: Entry, dropped: Bool) -> BV:
    """The child of a marker: it is registered with no userfaultfd, and what is poisoned or
    a guard region stays so (copy_pte_marker)."""
    kept = ite(entry.guard, make_guard_marker(ed), ite(dropped, word(0), entry.pte))
    return ite(entry.poison, make_poison_marker(ed), kept)


def _shared(ed: Edition, entry: Entry, present: BV, marker: BV, swp: BV) -> Entry:
    """The page, or its slot in swap, is now the parent's too."""
    pte = entry.pte
    mapped = replace(entry, pte=present, anon_exclusive=False,
                     in_child=disj(entry.in_child, entry.anon))
    migrating = is_migration_entry(ed, pte)
    slot = replace(entry, pte=swp, anon_exclusive=False,
                   slot_in_child=disj(entry.slot_in_child, negate(migrating)),
                   in_child=disj(entry.in_child, conj(migrating, entry.anon)),
                   cache_in_child=disj(entry.cache_in_child, conj(migrating, negate(entry.anon))))
    return ite(pte_present(pte), mapped,
               ite(pte_none(pte), entry,
                   ite(is_pte_marker(ed, pte), entry.with_pte(marker), slot)))


def stored_by_child(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """What a store of a child that then exits leaves: the page of a shared file, dirty; the page
    that a private mapping swapped out, in the swap cache, since the parent has its slot too. The
    pages of private hugetlb memory are no file's. Where page tables are copied the child has poison
    and guard regions too, and ends there."""
    private_slot = conj(not vma.mapping.shared, is_swap_slot(entry.pte))
    of_file = not vma.mapping.anonymous and (vma.mapping.shared or not vma.mapping.hugetlb)
    read = conj(of_file, negate(entry.anon), negate(private_slot))
    stored = replace(
        entry, in_cache=disj(entry.in_cache, read),
        cache_dirty=disj(entry.cache_dirty, conj(vma.mapping.shared, read)),
        cache_swapped=conj(entry.cache_swapped, negate(read)),
        cache_reclaim=conj(entry.cache_reclaim, negate(read)),
        in_swap_cache=disj(entry.in_swap_cache, private_slot))
    ended = conj(disj(entry.guard, entry.poison), vma_needs_copy(ed, vma, entry))
    return ite(conj(has(vma.vm_flags, VM_WRITE), negate(ended)), stored, entry)
