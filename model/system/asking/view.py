"""What promises and lemmas are written in: questions about a state. Those about one step are in
step_view.py."""

from __future__ import annotations

from functools import cached_property

from model.kernel.bits import (
    PAGE_ACCESSED,
    PAGE_DIRTY,
    PAGE_NX,
    PAGE_PRESENT,
    PAGE_PROTNONE,
    PAGE_PSE,
    PAGE_RW,
    PAGE_SAVED_DIRTY,
    PAGE_SOFT_DIRTY,
    PAGE_SPECIAL,
    PAGE_UFFD_WP,
    PAGE_USER,
    VM_ACCESS_FLAGS,
    VM_READ,
    VM_SHARED,
    VM_SOFTDIRTY,
    VM_UFFD_FLAGS,
    VM_WRITE,
)
from model.kernel.editions import Edition
from model.kernel.logic import (
    Bool,
    as_term,
    clear_bits,
    conj,
    disj,
    has,
    has_all,
    ite,
    negate,
    word,
)
from model.kernel.mmap import vma_set_page_prot, vma_soft_dirty_enabled
from model.kernel.mmu import mmu_permits
from model.kernel.pgtable import (
    is_swap_pte,
    page_chg_mask,
    pte_dirty,
    pte_none,
    pte_present,
    pte_protnone,
    pte_soft_dirty,
    pte_special,
    pte_uffd_wp,
    pte_write,
)
from model.kernel.swapops import (
    is_migration_entry,
    is_pte_marker,
    make_uffd_wp_marker,
    pte_swp_uffd_wp_any,
)
from model.kernel.task_mmu import Categories, Pagemap, do_pagemap_scan, pagemap_read
from model.kernel.userfaultfd_k import (
    userfaultfd_minor,
    userfaultfd_missing,
    userfaultfd_rwp,
    userfaultfd_wp,
    userfaultfd_wp_use_markers,
)
from model.system.actions.content import barred
from model.system.state.mappings import fresh_vma
from model.system.state.state import State

_MUTABLE_VM = VM_ACCESS_FLAGS | VM_SOFTDIRTY | VM_UFFD_FLAGS
_USED_PTE = (PAGE_PRESENT | PAGE_RW | PAGE_USER | PAGE_ACCESSED | PAGE_DIRTY | PAGE_PROTNONE
             | PAGE_SPECIAL | PAGE_UFFD_WP | PAGE_SOFT_DIRTY | PAGE_SAVED_DIRTY | PAGE_NX
             | PAGE_PSE)


class View:
    """Named questions about one state of one edition; all answers are terms.

    What a question means does not depend on functions that the edition replaces; what pagemap
    reports does.
    """

    def __init__(self, edition: Edition, state: State) -> None:
        self._reporting = edition
        self.edition = edition.unpatched
        self.vma = state.vma
        self.entry = state.entry
        self.uffd_open = state.uffd_open
        self.history = state.history
        self.mapping = state.vma.mapping

    @property
    def pte_none(self) -> Bool:
        return pte_none(self.entry.pte)

    @property
    def marker(self) -> Bool:
        """The entry is a PTE marker."""
        return is_pte_marker(self.edition, self.entry.pte)

    @property
    def not_present(self) -> Bool:
        """The entry is neither empty nor present: a marker or a swap entry."""
        return is_swap_pte(self.entry.pte)

    @property
    def swapped(self) -> Bool:
        """The page is in swap."""
        return conj(self.not_present, negate(self.marker),
                    negate(is_migration_entry(self.edition, self.entry.pte)))

    @property
    def present(self) -> Bool:
        """The kernel calls the entry present, PROT_NONE included."""
        return pte_present(self.entry.pte)

    @property
    def movable(self) -> Bool:
        """A page that migration takes: present, no hint of NUMA balancing, and not pinned."""
        return conj(self.present, negate(self.protnone), negate(self.entry.pinned))

    @property
    def protnone(self) -> Bool:
        return pte_protnone(self.entry.pte)

    @property
    def special(self) -> Bool:
        return conj(self.present, pte_special(self.entry.pte))

    @property
    def readable(self) -> Bool:
        """The CPU lets a load through without a fault."""
        return mmu_permits(self.entry.pte, write=False)

    @property
    def writable(self) -> Bool:
        """The CPU lets a store through without a fault: nothing the kernel wants will run."""
        return mmu_permits(self.entry.pte, write=True)

    @property
    def write_bit(self) -> Bool:
        return conj(self.present, pte_write(self.entry.pte))

    @property
    def soft_dirty(self) -> Bool:
        """The entry's own soft-dirty bit."""
        return conj(self.present, pte_soft_dirty(self.entry.pte))

    @property
    def dirty(self) -> Bool:
        return conj(self.present, pte_dirty(self.edition, self.entry.pte))

    @property
    def uffd_wp(self) -> Bool:
        """The entry is present and has the uffd-wp bit."""
        return conj(self.present, pte_uffd_wp(self.entry.pte))

    @property
    def uffd_wp_any(self) -> Bool:
        """The uffd-wp bit of a present entry, of a swap entry, or of a marker."""
        return disj(self.uffd_wp, pte_swp_uffd_wp_any(self.edition, self.entry.pte))

    @property
    def registered(self) -> Bool:
        """The VMA is registered for write-protect mode (VM_UFFD_WP)."""
        return userfaultfd_wp(self.vma)

    @property
    def registered_missing(self) -> Bool:
        """The VMA is registered for missing pages (VM_UFFD_MISSING)."""
        return userfaultfd_missing(self.vma)

    @property
    def registered_minor(self) -> Bool:
        """The VMA is registered for minor faults (VM_UFFD_MINOR)."""
        return userfaultfd_minor(self.vma)

    @property
    def registered_rwp(self) -> Bool:
        """The VMA is registered for read-write protection (VM_UFFD_RWP)."""
        return userfaultfd_rwp(self.vma)

    @property
    def takes_markers(self) -> Bool:
        return userfaultfd_wp_use_markers(self.edition, self.vma)

    @property
    def tracked(self) -> Bool:
        """Soft-dirty tracking is on: VM_SOFTDIRTY is clear, and it is not hugetlb."""
        return conj(vma_soft_dirty_enabled(self.vma), not self.mapping.hugetlb)

    @property
    def may_read(self) -> Bool:
        return has(self.vma.vm_flags, VM_ACCESS_FLAGS)

    @property
    def may_write(self) -> Bool:
        return has(self.vma.vm_flags, VM_WRITE)

    @property
    def writenotify_wanted(self) -> Bool:
        """Somebody wants stores to this shared mapping to fault: stated here without the kernel's
        own vma_wants_writenotify(), which is what the promise is about."""
        return conj(has_all(self.vma.vm_flags, VM_SHARED | VM_WRITE),
                    disj(self.mapping.page_mkwrite, self.tracked, self.registered,
                         self.mapping.can_writeback))

    @property
    def owned(self) -> Bool:
        """The entry maps an anonymous page that no other process can see: marked so
        (PG_anon_exclusive), and mapped by no child."""
        return conj(self.present, negate(pte_special(self.entry.pte)), negate(self.entry.zero_page),
                    self.entry.anon, self.entry.anon_exclusive, negate(self.entry.in_child))

    @property
    def nothing_to_record(self) -> Bool:
        """The write fault would map this very page writable, and record nothing new: the page is
        dirty already, soft-dirty or untracked, not write-protected, and needs no copy."""
        return conj(self.may_write, self.dirty, negate(self.protnone),
                    disj(negate(self.tracked), self.soft_dirty),
                    negate(conj(self.registered, self.uffd_wp)),
                    True if self.mapping.shared else self.owned)

    @property
    def maps_own_page(self) -> Bool:
        """The page that a present entry maps is one that the mapping may have, and the zero page
        is special where it is a small one."""
        e, special = self.entry, pte_special(self.entry.pte)
        of_file = conj(e.in_cache, negate(disj(e.anon, e.zero_page, special)))
        if self.mapping.shared:
            return of_file
        own = disj(conj(e.anon, negate(disj(e.zero_page, special))),
                   conj(e.zero_page, negate(e.anon), disj(e.huge, special)))
        return own if self.mapping.anonymous or self.mapping.hugetlb else disj(own, of_file)

    @property
    def asked_unpopulated(self) -> Bool:
        """The userfaultfd that is open was asked for with WP_UNPOPULATED."""
        return conj(self.uffd_open, self.vma.wp_unpopulated)

    @property
    def asked_events(self) -> Bool:
        """The userfaultfd that is open was asked for with the events of fork and mremap."""
        return conj(self.uffd_open, self.vma.events)

    @property
    def flags_as_mapped(self) -> Bool:
        """No VMA flag differs from the fresh mapping's but those that calls change."""
        fresh = fresh_vma(self.edition, self.mapping).vm_flags
        return as_term(clear_bits(self.vma.vm_flags, _MUTABLE_VM) == clear_bits(fresh, _MUTABLE_VM))

    @property
    def flag_read(self) -> Bool:
        return has(self.vma.vm_flags, VM_READ)

    @property
    def page_prot_writable(self) -> Bool:
        return has(self.vma.vm_page_prot, PAGE_RW)

    @property
    def page_prot_plain(self) -> Bool:
        """Of what a change of protection keeps, vm_page_prot has the accessed bit alone."""
        kept = self.vma.vm_page_prot & page_chg_mask(self.edition)
        return as_term(kept == word(PAGE_ACCESSED))

    @property
    def page_prot_up_to_date(self) -> Bool:
        """The stored vm_page_prot is what vma_set_page_prot() would store."""
        prot: Bool = self.vma.vm_page_prot == vma_set_page_prot(self.edition, self.vma).vm_page_prot
        return prot

    @property
    def anon(self) -> Bool:
        """The page is PageAnon."""
        return self.entry.anon

    @property
    def zero_page(self) -> Bool:
        return self.entry.zero_page

    @property
    def entry_zero(self) -> Bool:
        return as_term(self.entry.pte == word(0))

    @property
    def entry_uffd_wp_marker(self) -> Bool:
        return as_term(self.entry.pte == make_uffd_wp_marker(self.edition))

    @property
    def entry_plain(self) -> Bool:
        """Present, accessed, and no bit set that the model does not use."""
        return conj(self.present, has(self.entry.pte, PAGE_ACCESSED),
                    as_term(clear_bits(self.entry.pte, _USED_PTE) == word(0)))

    @property
    def entry_open(self) -> Bool:
        """The permission bits of an entry that a load may go through."""
        return conj(self.readable, negate(has(self.entry.pte, PAGE_PROTNONE)))

    @property
    def entry_closed(self) -> Bool:
        """The permission bits of a PROT_NONE entry."""
        return conj(has(self.entry.pte, PAGE_PROTNONE),
                    negate(has(self.entry.pte, PAGE_PRESENT | PAGE_USER | PAGE_RW)))

    @property
    def reads_otherwise(self) -> Bool:
        """A load would get other than at the last clear_refs (or mmap): other bytes, or a signal
        from poison or a guard region in the place of bytes; or bytes where it was a signal."""
        signal, was = barred(self.entry), self.history.barred
        return ite(signal, negate(was), disj(was, self.history.changed))

    @cached_property
    def pagemap(self) -> Pagemap:
        return pagemap_read(self._reporting, self.vma, self.entry)

    @cached_property
    def scan(self) -> Categories:
        """What PAGEMAP_SCAN says of the page, where the kernel has it."""
        return do_pagemap_scan(self._reporting, self.vma, self.entry)

    @property
    def asynchronous(self) -> Bool:
        """The VMA is registered for write-protect mode with WP_ASYNC."""
        return conj(self.registered, self.vma.wp_async)
