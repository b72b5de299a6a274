"""Stated invariants: not promises, but why the promises hold.

Engines take these and the promises themselves as candidates and keep those that are inductive
together. A lemma that is false in some edition costs nothing but its check.
"""

from __future__ import annotations

from model.system.language import Bool, conj, disj, implies, negate
from model.system.view import View
from properties.base import StatedInvariant


def _page(s: View) -> Bool:
    if s.mapping.shared:
        return implies(s.present, negate(disj(s.special, s.anon)))
    return implies(s.present, conj(implies(s.special, s.zero_page), disj(s.special, s.owned)))


LEMMAS = (
    StatedInvariant("flags-fixed", "Only VM_READ, VM_WRITE, VM_SOFTDIRTY and VM_UFFD_WP ever "
                    "change, and writable means readable.",
                    lambda s: conj(s.flags_as_mapped, implies(s.may_write, s.flag_read))),
    StatedInvariant("page-prot-fresh", "vm_page_prot is what vma_set_page_prot() would store.",
                    lambda s: s.page_prot_up_to_date),
    StatedInvariant("page-prot-plain", "Of the bits that a change of protection keeps, "
                    "vm_page_prot has the accessed bit alone.",
                    lambda s: s.page_prot_plain),
    StatedInvariant("entry-form", "The entry is empty, a uffd-wp marker, or present with A set and "
                    "no bit that the model does not use.",
                    lambda s: disj(s.entry_zero, s.entry_uffd_wp_marker, s.entry_plain)),
    StatedInvariant("entry-permissions", "A present entry is open to the CPU exactly while the VMA "
                    "is accessible.",
                    lambda s: implies(s.present, disj(conj(s.may_read, s.entry_open),
                                                      conj(negate(s.may_read), s.entry_closed)))),
    StatedInvariant("entry-page", "A shared mapping maps its page; a private one the zero page or "
                    "a page of its own.", _page),
    StatedInvariant("zero-page-clean", "The zero page is never mapped writable, dirty or "
                    "soft-dirty.",
                    lambda s: implies(s.special, negate(disj(s.write_bit, s.dirty, s.soft_dirty)))),
    StatedInvariant("write-bit-allowed", "An entry has the write bit only where the VMA allows "
                    "writing.", lambda s: implies(s.write_bit, s.may_write)),
    StatedInvariant("soft-dirty-is-dirty", "A soft-dirty entry is dirty.",
                    lambda s: implies(s.soft_dirty, s.dirty)),
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
