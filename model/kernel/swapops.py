"""include/linux/swapops.h: PTE markers, and entries that stand for swap slots and migrating pages.

Read from 6.1.192, 6.12.117 and 7.3.4 (there include/linux/leafops.h too).
"""

from __future__ import annotations

from model.kernel.bits import (
    PTE_MARKER_GUARD,
    PTE_MARKER_POISONED,
    PTE_MARKER_UFFD_WP,
    SWP_MIG_DIRTY,
    SWP_MIGRATION_READ,
    SWP_MIGRATION_READ_6_1,
    SWP_OFFSET_MASK,
    SWP_OFFSET_SHIFT,
    SWP_PTE_MARKER,
    SWP_PTE_MARKER_6_1,
    SWP_SLOT_OFFSET,
    SWP_TYPE_MASK,
    SWP_TYPE_SHIFT,
    SWP_UFFD_WP,
)
from model.kernel.editions import Edition
from model.kernel.logic import (
    BV,
    Bool,
    as_term,
    clear_bits,
    conj,
    disj,
    folded,
    has,
    ite,
    negate,
    word,
)
from model.kernel.pgtable import (
    is_swap_pte,
    pte_dirty,
    pte_none,
    pte_soft_dirty,
    pte_swp_clear_uffd_wp,
    pte_swp_mksoft_dirty,
    pte_swp_mkuffd_wp,
    pte_uffd_wp,
    pte_write,
)


def swp_pte_marker(ed: Edition) -> BV:
    """include/linux/swap.h: SWP_PTE_MARKER, in the place of the type: 30 while swap errors had a
    type of their own, then 31 (x86-64, CONFIG_DEVICE_PRIVATE=n, CONFIG_MEMORY_FAILURE=y)."""
    return ite(ed.has("15520a3f0469"), word(SWP_PTE_MARKER << SWP_TYPE_SHIFT),
               word(SWP_PTE_MARKER_6_1 << SWP_TYPE_SHIFT))


def make_uffd_wp_marker(ed: Edition) -> BV:
    """swapops.h: make_pte_marker(PTE_MARKER_UFFD_WP)."""
    offset = ~(PTE_MARKER_UFFD_WP << SWP_OFFSET_SHIFT) & SWP_OFFSET_MASK
    return folded(swp_pte_marker(ed) | word(offset))


def is_pte_marker(ed: Edition, pte: BV) -> Bool:
    """swapops.h: is_pte_marker."""
    is_marker = (pte & word(SWP_TYPE_MASK)) == swp_pte_marker(ed)
    return conj(is_swap_pte(pte), is_marker)


def pte_marker_uffd_wp(ed: Edition, pte: BV) -> Bool:
    """swapops.h: pte_marker_entry_uffd_wp. The offset is stored inverted."""
    return conj(is_pte_marker(ed, pte), negate(has(pte, PTE_MARKER_UFFD_WP << SWP_OFFSET_SHIFT)))


def pte_none_mostly(ed: Edition, pte: BV) -> Bool:
    """swapops.h: pte_none_mostly: empty, or a marker."""
    return disj(pte_none(pte), is_pte_marker(ed, pte))


def pte_swp_uffd_wp_any(ed: Edition, pte: BV) -> Bool:
    """include/linux/swapops.h: pte_swp_uffd_wp_any, of an entry that may also be present."""
    return conj(is_swap_pte(pte), disj(has(pte, SWP_UFFD_WP), pte_marker_uffd_wp(ed, pte)))


def make_pte_marker(ed: Edition, marker: int) -> BV:
    """swapops.h: make_pte_marker. The offset, which has the PTE_MARKER_* bits, is stored
    inverted."""
    offset = SWP_OFFSET_MASK & ~(marker << SWP_OFFSET_SHIFT)
    return folded(swp_pte_marker(ed) | word(offset))


def make_poison_marker(ed: Edition) -> BV:
    """swapops.h: make_poisoned_swp_entry, as a PTE."""
    return make_pte_marker(ed, PTE_MARKER_POISONED)


def make_guard_marker(ed: Edition) -> BV:
    """mm/madvise.c: guard_install_set_pte, as a PTE."""
    return make_pte_marker(ed, PTE_MARKER_GUARD)


# --- entries that are not present: swap slots and migration ---------------------------------------


def _swp_entry(swp_type: int, offset: int) -> int:
    """arch/x86/include/asm/pgtable_64.h: __swp_entry. The offset is stored inverted."""
    return swp_type << SWP_TYPE_SHIFT | ~(offset << SWP_OFFSET_SHIFT) & SWP_OFFSET_MASK


def make_swap_pte() -> BV:
    """swp_entry_to_pte() of the slot that holds the one page."""
    return word(_swp_entry(0, SWP_SLOT_OFFSET))


def is_swap_slot(pte: BV) -> Bool:
    """A genuine swap entry: is_swap_pte() and not non_swap_entry()."""
    return conj(is_swap_pte(pte), as_term((pte & word(SWP_TYPE_MASK)) == word(0)))


def swp_migration(ed: Edition, kind: int) -> BV:
    """include/linux/swap.h: SWP_MIGRATION_READ, _READ_EXCLUSIVE and _WRITE (kinds 0 to 2), in the
    place of the type; one less while swap errors had their own type."""
    return ite(ed.has("15520a3f0469"), word((SWP_MIGRATION_READ + kind) << SWP_TYPE_SHIFT),
               word((SWP_MIGRATION_READ_6_1 + kind) << SWP_TYPE_SHIFT))


def make_migration_pte(ed: Edition, writable: Bool, exclusive: Bool, dirty: Bool) -> BV:
    """swp_entry_to_pte() of a migration entry: writable, else readable and exclusive, else
    readable. The frame number is left 0 (frames.py), and the accessed bit
    out."""
    kinds = [folded(swp_migration(ed, kind) | word(_swp_entry(0, 0))) for kind in range(3)]
    entry = ite(writable, kinds[2], ite(exclusive, kinds[1], kinds[0]))
    return ite(dirty, clear_bits(entry, SWP_MIG_DIRTY << SWP_OFFSET_SHIFT), entry)


def _is_migration(ed: Edition, pte: BV, kind: int) -> Bool:
    swp_type = pte & word(SWP_TYPE_MASK)
    return conj(is_swap_pte(pte), as_term(swp_type == swp_migration(ed, kind)))


def is_readable_migration_entry(ed: Edition, pte: BV) -> Bool:
    return _is_migration(ed, pte, 0)


def is_readable_exclusive_migration_entry(ed: Edition, pte: BV) -> Bool:
    return _is_migration(ed, pte, 1)


def is_writable_migration_entry(ed: Edition, pte: BV) -> Bool:
    return _is_migration(ed, pte, 2)


def is_migration_entry(ed: Edition, pte: BV) -> Bool:
    return disj(is_readable_migration_entry(ed, pte),
                is_readable_exclusive_migration_entry(ed, pte),
                is_writable_migration_entry(ed, pte))


def is_migration_entry_dirty(pte: BV) -> Bool:
    """swapops.h: is_migration_entry_dirty. The offset is stored inverted."""
    return negate(has(pte, SWP_MIG_DIRTY << SWP_OFFSET_SHIFT))


def migrating(ed: Edition, pte: BV, exclusive: Bool, keep_uffd_wp: Bool) -> BV:
    """The migration entry that takes the place of `pte`, which maps a page: it keeps soft-dirty,
    and whether the entry was dirty and writable."""
    swp = make_migration_pte(ed, pte_write(pte), exclusive, pte_dirty(ed, pte))
    swp = ite(pte_soft_dirty(pte), pte_swp_mksoft_dirty(swp), swp)
    return ite(conj(keep_uffd_wp, pte_uffd_wp(pte)), pte_swp_mkuffd_wp(swp), swp)


def make_readable_migration_pte(ed: Edition, pte: BV, exclusive: Bool) -> BV:
    """A migration entry made readable, its offset and its swap bits kept."""
    rest = clear_bits(pte, SWP_TYPE_MASK)
    return ite(exclusive, rest | swp_migration(ed, 1), rest | swp_migration(ed, 0))


def downgraded_migration_pte(ed: Edition, pte: BV, anon: Bool) -> BV:
    """A migration entry without write permission: vm_page_prot decides when it comes back."""
    readable = make_readable_migration_pte(ed, pte, anon)
    readable = ite(ed.has("migration-downgrade"), pte_swp_clear_uffd_wp(readable), readable)
    return ite(is_writable_migration_entry(ed, pte), readable, pte)
