"""Stated invariants: not promises, but why the promises hold.

Engines take these and the promises themselves as candidates and keep those that are inductive
together. A lemma that is false in some edition costs nothing but its check.
"""

from __future__ import annotations

from model.kernel.bits import (
    PAGE_ACCESSED,
    PAGE_DIRTY,
    PAGE_NX,
    PAGE_PRESENT,
    PAGE_PROTNONE,
    PAGE_RW,
    PAGE_SAVED_DIRTY,
    PAGE_SOFT_DIRTY,
    PAGE_SPECIAL,
    PAGE_UFFD_WP,
    PAGE_USER,
    VM_READ,
    VM_SOFTDIRTY,
    VM_UFFD_WP,
    VM_WRITE,
)
from model.kernel.logic import Bool, as_term, clear_bits, conj, disj, has, has_all, implies, negate
from model.kernel.pgtable import make_uffd_wp_marker, page_chg_mask, pte_dirty
from model.system.mappings import fresh_vma
from model.system.view import View
from properties.base import StatedInvariant

_MUTABLE_VM = VM_READ | VM_WRITE | VM_SOFTDIRTY | VM_UFFD_WP
_USED_PTE = (PAGE_PRESENT | PAGE_RW | PAGE_USER | PAGE_ACCESSED | PAGE_DIRTY | PAGE_PROTNONE
             | PAGE_SPECIAL | PAGE_UFFD_WP | PAGE_SOFT_DIRTY | PAGE_SAVED_DIRTY | PAGE_NX)


def _fixed_flags(s: View) -> Bool:
    fresh = fresh_vma(s.edition, s.mapping).vm_flags
    return conj(as_term(clear_bits(s.vma.vm_flags, _MUTABLE_VM) == clear_bits(fresh, _MUTABLE_VM)),
                implies(s.may_write, has(s.vma.vm_flags, VM_READ)))


def _form(s: View) -> Bool:
    pte = s.entry.pte
    return disj(as_term(pte == 0), as_term(pte == make_uffd_wp_marker(s.edition)),
                conj(s.present, has(pte, PAGE_ACCESSED), as_term(clear_bits(pte, _USED_PTE) == 0)))


def _permissions(s: View) -> Bool:
    pte = s.entry.pte
    accessible = conj(has_all(pte, PAGE_PRESENT | PAGE_USER), negate(has(pte, PAGE_PROTNONE)))
    closed = conj(has(pte, PAGE_PROTNONE), negate(has(pte, PAGE_PRESENT | PAGE_USER | PAGE_RW)))
    return implies(s.present, conj(implies(s.may_read, accessible),
                                   implies(negate(s.may_read), closed)))


def _page(s: View) -> Bool:
    if s.mapping.shared:
        return implies(s.present, negate(disj(s.special, s.entry.anon)))
    return implies(s.present, conj(implies(s.special, s.entry.zero_page),
                                   disj(s.special, s.owned)))


LEMMAS = (
    StatedInvariant("flags-fixed", "Only VM_READ, VM_WRITE, VM_SOFTDIRTY and VM_UFFD_WP ever "
                    "change, and writable means readable.", _fixed_flags),
    StatedInvariant("page-prot-fresh", "vm_page_prot is what vma_set_page_prot() would store.",
                    lambda s: s.page_prot_up_to_date),
    StatedInvariant("page-prot-plain", "Of the bits that a change of protection keeps, "
                    "vm_page_prot has the accessed bit alone.",
                    lambda s: s.vma.vm_page_prot & page_chg_mask(s.edition) == PAGE_ACCESSED),
    StatedInvariant("entry-form", "The entry is empty, a uffd-wp marker, or present with A set and "
                    "no bit that the model does not use.", _form),
    StatedInvariant("entry-permissions", "A present entry is open to the CPU exactly while the VMA "
                    "is accessible.", _permissions),
    StatedInvariant("entry-page", "A shared mapping maps its page; a private one the zero page or "
                    "a page of its own.", _page),
    StatedInvariant("zero-page-clean", "The zero page is never mapped writable, dirty or "
                    "soft-dirty.",
                    lambda s: implies(s.special, negate(disj(s.write_bit, s.dirty, s.soft_dirty)))),
    StatedInvariant("write-bit-allowed", "An entry has the write bit only where the VMA allows "
                    "writing.", lambda s: implies(s.write_bit, s.may_write)),
    StatedInvariant("soft-dirty-is-dirty", "A soft-dirty entry is dirty.",
                    lambda s: implies(s.soft_dirty, pte_dirty(s.edition, s.entry.pte))),
    StatedInvariant("store-kept", "A store since the last clear_refs is in VM_SOFTDIRTY or in the "
                    "entry.",
                    lambda s: implies(s.history.stored, disj(negate(s.tracked), s.soft_dirty))),
    StatedInvariant("marker-registered", "Markers stand in registered VMAs that use them.",
                    lambda s: implies(s.marker, s.takes_markers)),
    StatedInvariant("protected-registered", "After `wp` the VMA is registered.",
                    lambda s: implies(disj(s.history.protected, s.history.protected_populated),
                                      s.registered)),
    StatedInvariant("protected-marked", "After `wp` the entry has the uffd-wp bit or a marker.",
                    lambda s: implies(s.history.protected, s.uffd_wp_any)),
    StatedInvariant("populated-marked", "After `wp` on a mapped page the entry has the uffd-wp "
                    "bit.", lambda s: implies(s.history.protected_populated, s.uffd_wp)),
)
