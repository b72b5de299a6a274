"""kernel/fork.c: the child's mapping. Read from 6.1.192, 6.12.117 and 7.3.4.

What fork(2) leaves of the parent's is in memory.py, huge_memory.py and hugetlb.py: the functions
here are the other halves of those, and an edition decides in them by the same names. With
UFFD_FEATURE_EVENT_FORK the child's VMA is registered as its parent's is, and its entries are
protected as those are.
"""

from __future__ import annotations

from dataclasses import replace

from model.kernel.bits import PAGE_DIRTY, PAGE_SAVED_DIRTY, VM_WRITE
from model.kernel.editions import Edition
from model.kernel.hugetlb import huge_pte_mkuffd_wp, make_huge_pte, readable_for_child
from model.kernel.logic import BV, Bool, clear_bits, conj, disj, has, ite, negate, word
from model.kernel.mirror import mirrors
from model.kernel.pgtable import (
    maybe_mkwrite,
    mk_pte,
    pte_clear_uffd_wp,
    pte_mkdirty,
    pte_mkuffd_wp,
    pte_none,
    pte_present,
    pte_special,
    pte_swp_clear_exclusive,
    pte_swp_clear_soft_dirty,
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
from model.kernel.userfaultfd_k import rwp_disarmed, userfaultfd_pte_wp, userfaultfd_wp


@mirrors("mm/memory.c")
def vma_needs_copy(ed: Edition, vma: Vma, entry: Entry) -> Bool:
    """Page tables are copied where a fault could not make them anew: where the VMA has an anon_vma,
    since c56d1b62cce8 where the child's is registered for write-protect mode (before, hugetlb was
    copied always), and since "guard-flag" where it may have guard regions. A shared mapping has
    an anon_vma because of those alone."""
    tracked = conj(vma.events, disj(vma.mapping.hugetlb, ed.has("c56d1b62cce8")),
                   userfaultfd_wp(dup_userfaultfd(ed, vma)))  # without events never: costs nothing
    if vma.mapping.shared:
        guarded = conj(vma.maybe_guard, not vma.mapping.hugetlb)
        return disj(tracked, guarded)
    return disj(tracked, entry.anon, vma.anon_vma, conj(ed.has("guard-flag"), vma.maybe_guard))


@mirrors("kernel/fork.c")
def dup_mmap(ed: Edition, vma: Vma, entry: Entry) -> tuple[Vma, Entry]:
    """The child's VMA and entry, while the parent lives on. Page tables are copied where a fault
    could not make them anew (vma_needs_copy), but no PMD of a file."""
    child = dup_userfaultfd(ed, vma)
    page = conj(pte_present(entry.pte), negate(entry.anon), negate(pte_special(entry.pte)))
    there = replace(entry, pinned=False,
                    cache_in_child=disj(entry.cache_in_child, conj(page, negate(entry.zero_page))))
    empty = replace(there.unmapped(word(0)), huge=vma.mapping.thp, no_tables=vma.mapping.thp)
    if vma.mapping.shared and not vma.mapping.hugetlb:
        shared = ite(there.huge, replace(empty, no_tables=there.no_tables),
                     _copied_shared(ed, child, there, vma))
        return child, ite(vma_needs_copy(ed, vma, there), shared, empty)
    copied = (_copied_hugetlb if vma.mapping.hugetlb else _copied)(ed, vma, child, there)
    kept = replace(copied, pinned=False)
    own = ite(conj(entry.pinned, entry.anon_exclusive), copy_present_page(ed, child, there), kept)
    return child, ite(vma_needs_copy(ed, vma, entry), own, empty)


def _copied_shared(ed: Edition, child: Vma, entry: Entry, vma: Vma) -> Entry:
    """mm/memory.c: __copy_present_ptes and copy_nonpresent_pte of a shared mapping: the child's
    entry is clean, and keeps its write permission."""
    clear = negate(userfaultfd_wp(child))
    present = clear_bits(rwp_disarmed(ed, vma, entry.pte), PAGE_DIRTY | PAGE_SAVED_DIRTY)
    present = ite(clear, pte_clear_uffd_wp(present), present)
    swp = ite(clear, pte_swp_clear_uffd_wp(entry.pte), entry.pte)
    marker = copy_pte_marker(ed, child, entry, ed.has("49d6d7fb6313"))
    return entry.with_pte(ite(pte_present(entry.pte), present,
                              ite(pte_none(entry.pte), entry.pte,
                                  ite(is_pte_marker(ed, entry.pte), marker, swp))))


@mirrors("mm/memory.c", "mm/hugetlb.c:hugetlb_install_folio", "mm/hugetlb.c:hugetlb_install_page")
def copy_present_page(ed: Edition, child: Vma, entry: Entry) -> Entry:
    """Of a page that the parent has pinned the child gets a copy of its own. Before 8f34f1eac382,
    of hugetlb before 5a2f8d22ace4, the copy had no uffd-wp bit, whoever is registered."""
    if child.mapping.hugetlb:
        pte = make_huge_pte(ed, child, writable=True)
        fixed, marked = ed.has("5a2f8d22ace4"), huge_pte_mkuffd_wp(ed, pte)
    else:
        pte = maybe_mkwrite(ed, pte_mkdirty(ed, mk_pte(ed, child)), child)
        fixed, marked = ed.has("8f34f1eac382"), pte_wrprotect(ed, pte_mkuffd_wp(ed, pte))
    kept = conj(fixed, userfaultfd_pte_wp(child, entry.pte))
    return replace(entry.mapping_anon(ite(kept, marked, pte)), huge=False, unused=entry.unused)


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
    marker = copy_pte_marker(ed, child, entry, ed.has("49d6d7fb6313"))
    return _shared(ed, entry, present, marker, swp)


def _copied_hugetlb(ed: Edition, vma: Vma, child: Vma, entry: Entry) -> Entry:
    """mm/hugetlb.c: copy_hugetlb_page_range. Before 5a2f8d22ace4 the uffd-wp bit of a page was
    copied whoever is registered, before 83abe2fd5b3a that of a migration entry."""
    present = rwp_disarmed(ed, vma, entry.pte)
    present = present if vma.mapping.shared else pte_wrprotect(ed, present)
    clear = conj(ed.has("5a2f8d22ace4"), negate(userfaultfd_wp(child)))
    present = ite(clear, pte_clear_uffd_wp(present), present)
    swp = readable_for_child(ed, vma, entry.pte)
    clear = conj(ed.has("83abe2fd5b3a"), negate(userfaultfd_wp(child)))
    swp = ite(clear, pte_swp_clear_uffd_wp(swp), swp)
    return _shared(ed, entry, present, copy_pte_marker(ed, child, entry, True), swp)


@mirrors("include/linux/mm_inline.h", "mm/memory.c:copy_nonpresent_pte")
def copy_pte_marker(ed: Edition, child: Vma, entry: Entry, dropped: Bool) -> BV:
    """The child of a marker: what is poisoned or a guard region stays so, and that of uffd-wp where
    the child's VMA is registered for it; or, unless they are to be `dropped`, in every case. Since
    af19487f00f3 it is made anew, and that mremap has moved it is forgotten."""
    marked = ite(ed.has("af19487f00f3"), pte_swp_clear_soft_dirty(entry.pte), entry.pte)
    unmarked = ite(entry.guard, make_guard_marker(ed), ite(dropped, word(0), entry.pte))
    unmarked = ite(entry.poison, make_poison_marker(ed), unmarked)
    return ite(userfaultfd_wp(child), marked, unmarked)


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


def child_stores(ed: Edition, vma: Vma, entry: Entry) -> Bool:
    """Whether a store of the child completes: it may write, and got no poison and no guard region
    from its parent."""
    barred = conj(vma_needs_copy(ed, vma, entry), disj(entry.poison, entry.guard))
    return conj(has(vma.vm_flags, VM_WRITE), negate(barred))


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
    return ite(child_stores(ed, vma, entry), stored, entry)
