"""Stated invariants: not promises, but why the promises hold.

Engines take these and the promises themselves as candidates and keep those that are inductive
together. A lemma that is false in some edition costs nothing but its check.
"""

from __future__ import annotations

from model.system.asking.language import Bool, conj, disj, implies, negate
from model.system.asking.view import View
from properties.base import StatedInvariant


def _page(s: View) -> Bool:
    if s.mapping.shared:
        return conj(negate(s.anon), implies(s.present, negate(s.special)))
    if s.mapping.anonymous:
        return implies(s.present, conj(implies(s.special, s.zero_page), disj(s.special, s.anon)))
    return implies(s.present, negate(s.special))


LEMMAS = (
    StatedInvariant("flags-fixed", "Only the access flags, VM_SOFTDIRTY and the VM_UFFD_* flags "
                    "ever change.", lambda s: s.flags_as_mapped),
    StatedInvariant("writable-readable", "Writable means readable.",
                    lambda s: implies(s.may_write, s.flag_read)),
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
    StatedInvariant("entry-page", "A shared mapping maps its page, an anonymous one the zero page "
                    "or an anonymous page, a private one of a file any but the zero page.", _page),
    StatedInvariant("zero-page-clean", "The zero page is never mapped writable or dirty.",
                    lambda s: implies(s.special, negate(disj(s.write_bit, s.dirty)))),
    StatedInvariant("zero-page-not-soft-dirty", "The zero page is never soft-dirty.",
                    lambda s: implies(s.special, negate(s.soft_dirty))),
    StatedInvariant("protected-read-only", "An entry with the uffd-wp bit is not writable, "
                    "whoever is registered.",
                    lambda s: implies(s.uffd_wp, negate(s.write_bit))),
    StatedInvariant("registration-open", "A registered VMA has an open userfaultfd.",
                    lambda s: implies(disj(s.registered, s.registered_missing), s.uffd_open)),
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
