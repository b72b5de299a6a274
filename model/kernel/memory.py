"""mm/memory.c: what one fault does to the entry, and what drops and copies page tables.

Read from 6.1.192, 6.12.117 and 7.3.4. Left out: device memory, and lost races: each attempt sees
the entry that the one before it left.
"""

from __future__ import annotations

from dataclasses import replace

from model.kernel.bits import VM_ACCESS_FLAGS, VM_MAYSHARE, VM_SHARED, VM_WRITE
from model.kernel.editions import Edition
from model.kernel.filemap import do_async_mmap_readahead
from model.kernel.fork import vma_needs_copy
from model.kernel.huge_memory import (
    copy_huge_pmd,
    do_huge_pmd_anonymous_page,
    do_set_pmd,
    folio_unmapped,
    huge_pmd_hint,
    wp_huge_pmd,
    zap_huge_pmd,
)
from model.kernel.hugetlb import (
    copy_hugetlb_page_range,
    hugetlb_fault,
    unmap_hugepage_range,
)
from model.kernel.logic import BV, Bool, conj, disj, has, has_all, ite, negate, word
from model.kernel.migrate import remove_migration_pte
from model.kernel.mirror import mirrors
from model.kernel.mm_inline import pte_install_uffd_wp_if_needed
from model.kernel.mmap import pte_needs_soft_dirty_wp, vma_wants_manual_pte_write_upgrade
from model.kernel.mprotect import can_change_pte_writable
from model.kernel.pgtable import (
    maybe_mkwrite,
    mk_pte,
    pte_clear_uffd_wp,
    pte_mkdirty,
    pte_mksoft_dirty,
    pte_mkspecial,
    pte_mkuffd_wp,
    pte_mkwrite,
    pte_mkyoung,
    pte_modify,
    pte_none,
    pte_present,
    pte_protnone,
    pte_special,
    pte_swp_clear_exclusive,
    pte_swp_exclusive,
    pte_swp_soft_dirty,
    pte_swp_uffd_wp,
    pte_write,
    pte_wrprotect,
)
from model.kernel.records import Entry, Fault, Outcome, Vma, outcome
from model.kernel.swapops import (
    is_migration_entry,
    is_pte_marker,
    is_swap_slot,
    make_readable_migration_pte,
    pte_marker_uffd_wp,
)
from model.kernel.userfaultfd_k import (
    rwp_restored,
    userfaultfd_minor,
    userfaultfd_missing,
    userfaultfd_pte_rwp,
    userfaultfd_pte_wp,
    userfaultfd_rwp,
    userfaultfd_wp,
)

_C = "mm/memory.c"


def _retry(entry: Entry) -> Fault:
    return Fault(entry, outcome(Outcome.ok))


def vma_is_accessible(vma: Vma) -> Bool:
    """include/linux/mm.h: vma_is_accessible."""
    return has(vma.vm_flags, VM_ACCESS_FLAGS)


@mirrors(_C)
def do_anonymous_page(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Fault:
    """A load maps the shared zero page, read-only; a store a new page of the process's own.
    Both are missing-page events first where the VMA is registered for those."""
    if write:
        pte = pte_mkdirty(ed, mk_pte(ed, vma))
        pte = ite(has(vma.vm_flags, VM_WRITE), pte_mkwrite(ed, pte), mk_pte(ed, vma))
    else:
        pte = pte_mkspecial(mk_pte(ed, vma))
    pte = ite(conj(ed.has("2bad466cc9d9"), pte_marker_uffd_wp(ed, entry.pte)),
              pte_mkuffd_wp(ed, pte), pte)
    mapped = (entry.mapping_anon(pte) if write
              else replace(entry.unmapped(pte), zero_page=True))
    return ite(userfaultfd_missing(vma), Fault(entry, outcome(Outcome.event)), _retry(mapped))


@mirrors(_C)
def do_fault(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Fault:
    """A page of the file, or for a store to a private mapping its copy (do_read_fault,
    do_cow_fault, do_shared_fault). The marker in the empty entry becomes the uffd-wp bit.

    mm/shmem.c: a page that the page cache lacks is a missing-page event where the VMA is
    registered for those, and is allocated elsewhere, huge if may be; one that it has, or had and
    swapped out, is a minor-fault event where the VMA is registered for those, or read back, dirty.
    """
    missing = conj(userfaultfd_missing(vma), negate(entry.in_cache))
    minor = conj(userfaultfd_minor(vma), entry.in_cache)
    pte = set_pte_range(ed, vma, entry, write, pte_marker_uffd_wp(ed, entry.pte))
    whole = conj(entry.huge, negate(entry.cache_small))
    if vma.mapping.thp:
        pte = ite(whole, do_set_pmd(ed, vma, write), pte)
    cow = write and not vma.mapping.shared
    found = replace(entry, in_cache=True, cache_swapped=False, cache_reclaim=False, huge=whole)
    mapped = found.mapping_anon(pte) if cow else found.mapping_cache(pte, dirty=write)
    return ite(disj(missing, minor), Fault(entry, outcome(Outcome.event)),
               Fault(mapped, outcome(Outcome.ok), major=_read_back(ed, vma, entry)))


def _read_back(ed: Edition, vma: Vma, entry: Entry) -> Bool:
    """The page is on a disk, or its fault is counted as if it were."""
    again = do_async_mmap_readahead(ed, entry)
    return disj(negate(entry.in_cache), again) if vma.mapping.regular else entry.cache_swapped


@mirrors(_C, ":do_set_pte")
def set_pte_range(ed: Edition, vma: Vma, entry: Entry, write: bool, uffd_wp: Bool) -> BV:
    """The new entry (do_set_pte in 6.1). A load gets vm_page_prot as it is, write permission and
    all, and since 4e92030c05dc the dirty bit with that where the page is dirty; a store is recorded
    even where the uffd-wp bit keeps it from happening now."""
    pte = pte_mkyoung(mk_pte(ed, vma))
    if write:
        pte = maybe_mkwrite(ed, pte_mkdirty(ed, pte), vma)
    else:
        dirty = conj(ed.has("4e92030c05dc"), pte_write(pte), entry.cache_dirty)
        pte = ite(dirty, pte_mkdirty(ed, pte), pte)
    protected = ite(ed.has("f1eb1bacfba9"), pte, pte_wrprotect(ed, pte))
    return ite(uffd_wp, pte_mkuffd_wp(ed, protected), pte)


@mirrors(_C)
def do_pte_missing(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Fault:
    if vma.mapping.anonymous:
        return do_anonymous_page(ed, vma, entry, write)
    return do_fault(ed, vma, entry, write)


@mirrors(_C)
def handle_pte_marker(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Fault:
    """A uffd-wp marker is dropped where the VMA is no longer registered, else handled as an empty
    entry. Before 6.4 anonymous memory had none: SIGBUS, as for poison; guard regions: SIGSEGV."""
    bus = Fault(entry, outcome(Outcome.bus))
    marker = conj(disj(not vma.mapping.anonymous, ed.has("2bad466cc9d9")),
                  pte_marker_uffd_wp(ed, entry.pte))
    cleared = _retry(entry.unmapped(word(0)))
    handled = ite(userfaultfd_wp(vma), do_pte_missing(ed, vma, entry, write), cleared)
    return ite(entry.guard, Fault(entry, outcome(Outcome.segv)), ite(marker, handled, bus))


@mirrors(_C)
def wp_page_reuse(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """Record the store and map the same page writable. The uffd-wp bit stays as it is, and an
    anonymous page is the process's own from now on; a page of the file is dirty
    (fault_dirty_shared_page)."""
    pte = maybe_mkwrite(ed, pte_mkdirty(ed, pte_mkyoung(entry.pte)), vma)
    return replace(entry, pte=pte, anon_exclusive=entry.anon,
                   cache_dirty=disj(entry.cache_dirty, negate(entry.anon)))


@mirrors(_C)
def wp_page_copy(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """A new anonymous page; the entry starts from vm_page_prot, so the uffd-wp bit is gone."""
    pte = maybe_mkwrite(ed, pte_mkdirty(ed, mk_pte(ed, vma)), vma)
    return entry.mapping_anon(pte)


def wp_can_reuse_anon_folio(ed: Edition, entry: Entry) -> Bool:
    """Nobody else has the page: no living child, neither mapped nor in the swap slot, no other
    that KSM merged it with, and before 1da190f4d0a6 no other page of a huge one. (6.1: open-coded
    in do_wp_page.)"""
    large = conj(negate(ed.has("1da190f4d0a6")), entry.large)
    return negate(disj(entry.in_child, entry.slot_in_child, entry.ksm, large))


@mirrors(_C)
def do_wp_page(ed: Edition, vma: Vma, entry: Entry) -> Fault:
    """A store to a present, read-only entry: the event, or reuse of the page, or a copy.

    With WP_ASYNC there is no event: the uffd-wp bit is cleared, and the store goes on.
    """
    armed = userfaultfd_pte_wp(vma, entry.pte)
    no_event = conj(ed.has("d61ea1cb0095"), vma.wp_async)
    resumed = entry.with_pte(pte_clear_uffd_wp(entry.pte))
    entry = ite(conj(armed, no_event), resumed, entry)
    armed = conj(armed, negate(no_event))
    normal_page = negate(pte_special(entry.pte))
    owned = conj(normal_page, entry.anon,
                 disj(entry.anon_exclusive, wp_can_reuse_anon_folio(ed, entry)))
    shared = ite(ed.has("b9086fde6d44"), has(vma.vm_flags, VM_SHARED | VM_MAYSHARE),
                 has_all(vma.vm_flags, VM_WRITE | VM_SHARED))
    resolved = ite(disj(shared, owned), wp_page_reuse(ed, vma, entry), wp_page_copy(ed, vma, entry))
    return ite(armed, Fault(entry, outcome(Outcome.event)), _retry(resolved))


@mirrors(_C)
def do_swap_page(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Fault:
    """An entry that is neither empty nor present."""
    return ite(is_migration_entry(ed, entry.pte), migration_entry_wait(ed, vma, entry),
               ite(is_pte_marker(ed, entry.pte), handle_pte_marker(ed, vma, entry, write),
                   swap_in(ed, vma, entry, write)))


def migration_entry_wait(ed: Edition, vma: Vma, entry: Entry) -> Fault:
    """mm/migrate.c: migration_entry_wait, pmd_migration_entry_wait and migration_entry_wait_huge.
    An access to a page that migrates waits until the migration is over."""
    return _retry(remove_migration_pte(ed, vma, entry))


def swap_in(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Fault:
    """The part of do_swap_page() that reads the page from its slot. A page that nobody else has
    in the slot is new and the process's own (SWP_SYNCHRONOUS_IO passes the swap cache by); since
    f1879e8a0c60 nothing does, and the page is exclusive where its entry was.

    Before 20dfa5b7adc5 a store to such a page is done and recorded at once, write-protected or
    not, and a load maps it read-only. Since then it is mapped writable where a write fault has
    nothing to do; other stores go on into do_wp_page(), but what mode RWP traps.
    """
    alone = negate(disj(entry.slot_in_child, entry.in_swap_cache))
    passed_by = disj(alone, conj(write, negate(entry.slot_in_child)))
    exclusive = disj(pte_swp_exclusive(entry.pte),
                     conj(negate(ed.has("f1879e8a0c60")), passed_by))
    pte = rwp_restored(ed, vma, _restored(ed, mk_pte(ed, vma), entry.pte))
    trapped = conj(userfaultfd_rwp(vma), pte_swp_uffd_wp(entry.pte))
    nothing_to_do = conj(exclusive, negate(trapped), has(vma.vm_flags, VM_WRITE),
                         negate(userfaultfd_pte_wp(vma, pte)),
                         negate(pte_needs_soft_dirty_wp(vma, pte)))
    writable = pte_mkwrite(ed, pte)
    writable = pte_mkdirty(ed, writable) if write else writable
    stored = maybe_mkwrite(ed, pte_mkdirty(ed, mk_pte(ed, vma)), vma)
    stored = _restored(ed, stored, entry.pte)
    done = ite(ed.has("20dfa5b7adc5"), nothing_to_do, conj(exclusive, write))
    taken = ite(ed.has("20dfa5b7adc5"), writable, stored)
    mapped = replace(entry.mapping_anon(ite(done, taken, pte)), anon_exclusive=exclusive,
                     slot_in_child=entry.slot_in_child, unused=entry.unused,
                     page_dirty=disj(ed.has("f1879e8a0c60"), negate(alone)))
    over = disj(done, trapped)
    fault = ite(over, _retry(mapped), do_wp_page(ed, vma, mapped)) if write else _retry(mapped)
    return replace(fault, major=negate(entry.in_swap_cache))


def _restored(ed: Edition, pte: BV, swapped: BV) -> BV:
    """`pte` with the soft-dirty and uffd-wp bits that the swap entry has kept."""
    pte = ite(pte_swp_soft_dirty(swapped), pte_mksoft_dirty(pte), pte)
    return ite(pte_swp_uffd_wp(swapped), pte_wrprotect(ed, pte_mkuffd_wp(ed, pte)), pte)


@mirrors(_C)
def do_numa_page(ed: Edition, vma: Vma, entry: Entry) -> Fault:
    """A PROT_NONE entry of an accessible VMA, taken for a NUMA hint: it gets vm_page_prot back.

    Before 6a56ccbcf6c6 write permission is the entry's own (pte_savedwrite), since then that of
    vm_page_prot, or an upgrade. The page stays on its node.
    """
    pte = pte_modify(ed, entry.pte, vma.vm_page_prot)
    upgrade = conj(vma_wants_manual_pte_write_upgrade(ed, vma),
                   can_change_pte_writable(ed, vma, entry.with_pte(pte)))
    writable = ite(ed.has("6a56ccbcf6c6"), disj(pte_write(pte), upgrade), pte_write(entry.pte))
    pte = pte_mkyoung(pte)
    return _retry(entry.with_pte(ite(writable, pte_mkwrite(ed, pte), pte)))


@mirrors(_C)
def do_uffd_rwp(ed: Edition, vma: Vma, entry: Entry) -> Fault:
    """An access to a read-write protected entry: the event, or with RWP_ASYNC the entry gets
    vm_page_prot back, or an upgrade, and loses the uffd bit."""
    pte = pte_mkyoung(pte_clear_uffd_wp(pte_modify(ed, entry.pte, vma.vm_page_prot)))
    upgrade = conj(negate(pte_write(pte)), vma_wants_manual_pte_write_upgrade(ed, vma),
                   can_change_pte_writable(ed, vma, entry.with_pte(pte)))
    resolved = entry.with_pte(ite(upgrade, pte_mkwrite(ed, pte), pte))
    return ite(vma.rwp_async, _retry(resolved), Fault(entry, outcome(Outcome.event)))


@mirrors(_C)
def handle_pte_fault(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Fault:
    pte = entry.pte
    young = _retry(entry.with_pte(pte_mkyoung(pte_mkdirty(ed, pte) if write else pte)))
    hint = ite(userfaultfd_pte_rwp(vma, pte), do_uffd_rwp(ed, vma, entry),
               do_numa_page(ed, vma, entry))
    present = ite(negate(pte_write(pte)), do_wp_page(ed, vma, entry), young) if write else young
    return ite(pte_none(pte), do_pte_missing(ed, vma, entry, write),
               ite(negate(pte_present(pte)), do_swap_page(ed, vma, entry, write),
                   ite(conj(pte_protnone(pte), vma_is_accessible(vma)), hint, present)))


@mirrors(_C)
def handle_mm_fault(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Fault:
    if vma.mapping.hugetlb:
        return ite(is_migration_entry(ed, entry.pte), migration_entry_wait(ed, vma, entry),
                   hugetlb_fault(ed, vma, entry, write))
    if vma.mapping.thp:
        entry = replace(entry, no_tables=False)  # made before an event can be raised
        return ite(entry.huge, handle_huge_fault(ed, vma, entry, write),
                   handle_pte_fault(ed, vma, entry, write))
    return handle_pte_fault(ed, vma, entry, write)


def handle_huge_fault(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Fault:
    """The part of __handle_mm_fault() that looks at the PMD."""
    none = (do_huge_pmd_anonymous_page if vma.mapping.anonymous else do_fault)(
        ed, vma, entry, write)
    present = _retry(entry.with_pte(pte_mkyoung(entry.pte)))
    if write:
        on_pmd = wp_huge_pmd(ed, vma, entry)
        split = on_pmd.fault.entry
        on_pte = (do_wp_page(ed, vma, split) if vma.mapping.anonymous
                  else handle_pte_fault(ed, vma, split, write))
        wp = ite(on_pmd.fallback, on_pte, on_pmd.fault)
        present = ite(pte_write(entry.pte), present, wp)
    hint = conj(pte_protnone(entry.pte), vma_is_accessible(vma))
    present = ite(hint, huge_pmd_hint(ed, vma, entry), present)
    return ite(pte_none(entry.pte), none,
               ite(pte_present(entry.pte), present, migration_entry_wait(ed, vma, entry)))


# --- calls that drop or copy page tables ----------------------------------------------------------


@mirrors(_C)
def zap_pte_range(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """Drop the page; soft-dirty goes with it. Without ZAP_FLAG_DROP_MARKER: a uffd-wp marker of a
    file mapping stays, whoever is registered, and every guard region."""
    kept = conj(pte_marker_uffd_wp(ed, entry.pte), not vma.mapping.anonymous)
    pte = ite(pte_none(entry.pte), entry.pte,
              ite(kept, entry.pte, pte_install_uffd_wp_if_needed(ed, vma, entry.pte)))
    return ite(entry.guard, entry, folio_unmapped(ed, entry).unmapped(pte))


@mirrors("mm/pt_reclaim.c", "mm/memory.c:zap_pte_table_if_empty")
def try_to_free_pte(ed: Edition, entry: Entry, rest: Entry) -> Bool:
    """Whether the page table of a huge page's place is freed by MADV_DONTNEED, which has left
    nothing in it, so that the next fault may map a huge page."""
    return conj(ed.has("6375e95f381e"), pte_none(entry.pte), pte_none(rest.pte))


@mirrors(_C)
def unmap_single_vma(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    if vma.mapping.hugetlb:
        return unmap_hugepage_range(ed, vma, entry)
    if vma.mapping.thp:
        return ite(entry.huge, zap_huge_pmd(ed, entry), zap_pte_range(ed, vma, entry))
    return zap_pte_range(ed, vma, entry)


@mirrors(_C, ":copy_present_ptes", ":__copy_present_ptes", ":copy_present_page")
def copy_present_pte(ed: Edition, vma: Vma, entry: Entry, child_lives: bool) -> Entry:
    """fork(2), of the parent's entry: an anonymous page is now shared with the child, and no
    longer exclusive; a private entry loses write permission. A pinned page stays the parent's
    own: the child gets a copy (copy_present_page). (6.12: copy_present_ptes.)"""
    copied = vma_needs_copy(ed, vma, entry)
    normal_page = negate(pte_special(entry.pte))
    wrprotect = conj(not vma.mapping.shared, pte_write(entry.pte))
    pte = ite(wrprotect, pte_wrprotect(ed, entry.pte), entry.pte)
    shared = replace(entry.mapped_by_child(conj(child_lives, copied, normal_page)), pte=pte,
                     anon_exclusive=False)
    return ite(conj(entry.pinned, entry.anon_exclusive), entry, shared)


@mirrors(_C)
def copy_nonpresent_pte(ed: Edition, entry: Entry, child_lives: bool) -> Entry:
    """fork(2), of the parent's entry: a swap slot or a migrating page is no longer exclusive, and
    comes back read-only. Markers stay."""
    pte = entry.pte
    slot = replace(entry, pte=pte_swp_clear_exclusive(pte),
                   slot_in_child=disj(entry.slot_in_child, child_lives))
    migrating = replace(entry.mapped_by_child(child_lives), anon_exclusive=False,
                        pte=make_readable_migration_pte(ed, pte, False))
    return ite(is_swap_slot(pte), slot, ite(is_migration_entry(ed, pte), migrating, entry))


@mirrors(_C)
def copy_page_range(ed: Edition, vma: Vma, entry: Entry, child_lives: bool = False) -> Entry:
    """fork(2): what it leaves of the parent's entry, once the child has exited or while it
    lives. A shared one stays as it is, and the child maps its page where it is copied, but no PMD
    of a file."""
    if vma.mapping.shared:
        mapped = negate(disj(entry.huge, pte_none(entry.pte), is_pte_marker(ed, entry.pte)))
        return entry.mapped_by_child(conj(child_lives, vma_needs_copy(ed, vma, entry), mapped))
    if vma.mapping.hugetlb:
        return copy_hugetlb_page_range(ed, vma, entry, child_lives)
    small = ite(pte_present(entry.pte), copy_present_pte(ed, vma, entry, child_lives),
                copy_nonpresent_pte(ed, entry, child_lives))
    if vma.mapping.thp:
        return ite(entry.huge, copy_huge_pmd(ed, vma, entry, child_lives), small)
    return small
