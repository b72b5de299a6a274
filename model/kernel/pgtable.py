"""PTE helpers: arch/x86/include/asm/pgtable.h, pgtable_types.h, pgprot.c; include/linux/swapops.h.

Read from 6.1.192 and 6.12.117. Left out: shadow stacks (no modelled mapping is one), protection
keys, encryption, and the frame number with its inversion in PROT_NONE entries.
"""

from __future__ import annotations

from model.kernel.bits import (
    PAGE_ACCESSED,
    PAGE_DEVMAP,
    PAGE_DEVMAP_BEFORE_SAVED_DIRTY,
    PAGE_DIRTY,
    PAGE_PAT,
    PAGE_PCD,
    PAGE_PRESENT,
    PAGE_PROTNONE,
    PAGE_PWT,
    PAGE_RW,
    PAGE_SAVED_DIRTY,
    PAGE_SOFT_DIRTY,
    PAGE_SPECIAL,
    PAGE_UFFD_WP,
    PROT_COPY,
    PROT_COPY_EXEC,
    PROT_NONE_PGPROT,
    PROT_READONLY,
    PROT_READONLY_EXEC,
    PROT_SHARED,
    PROT_SHARED_EXEC,
    PTE_KNL_ERRATUM,
    PTE_MARKER_UFFD_WP,
    PTE_PFN_MASK,
    SWP_EXCLUSIVE,
    SWP_MIG_DIRTY,
    SWP_MIGRATION_READ,
    SWP_MIGRATION_READ_6_1,
    SWP_OFFSET_MASK,
    SWP_OFFSET_SHIFT,
    SWP_PTE_MARKER,
    SWP_PTE_MARKER_6_1,
    SWP_SLOT_OFFSET,
    SWP_SOFT_DIRTY,
    SWP_TYPE_MASK,
    SWP_TYPE_SHIFT,
    SWP_UFFD_WP,
    VM_EXEC,
    VM_READ,
    VM_SHARED,
    VM_WRITE,
)
from model.kernel.editions import Edition
from model.kernel.logic import (
    BV,
    Bool,
    as_term,
    clear_bits,
    complement,
    conj,
    disj,
    folded,
    has,
    ite,
    negate,
    set_bits,
    word,
)
from model.kernel.mirror import mirrors
from model.kernel.records import Vma

_H = "arch/x86/include/asm/pgtable.h"

# --- what an entry is -----------------------------------------------------------------------------


def pte_none(pte: BV) -> Bool:
    """pgtable.h: pte_none. Stray accessed and dirty bits (KNL erratum) do not count."""
    return clear_bits(pte, PTE_KNL_ERRATUM) == word(0)


def pte_present(pte: BV) -> Bool:
    """pgtable.h: pte_present. A PROT_NONE entry is present to the kernel, not to the CPU."""
    return has(pte, PAGE_PRESENT | PAGE_PROTNONE)


def pte_protnone(pte: BV) -> Bool:
    """pgtable.h: pte_protnone (CONFIG_NUMA_BALANCING=y)."""
    return conj(has(pte, PAGE_PROTNONE), negate(has(pte, PAGE_PRESENT)))


def is_swap_pte(pte: BV) -> Bool:
    """swapops.h: is_swap_pte."""
    return conj(negate(pte_none(pte)), negate(pte_present(pte)))


# --- reading the bits of a present entry ----------------------------------------------------------


def pte_write(pte: BV) -> Bool:
    return has(pte, PAGE_RW)


def pte_soft_dirty(pte: BV) -> Bool:
    return has(pte, PAGE_SOFT_DIRTY)


def pte_uffd_wp(pte: BV) -> Bool:
    return has(pte, PAGE_UFFD_WP)


def pte_special(pte: BV) -> Bool:
    return has(pte, PAGE_SPECIAL)


@mirrors(_H)
def pte_dirty(ed: Edition, pte: BV) -> Bool:
    """pgtable.h: pte_dirty; from 6.6 on either place of the dirty bit counts."""
    return ite(ed.has("saved-dirty"), has(pte, PAGE_DIRTY | PAGE_SAVED_DIRTY),
               has(pte, PAGE_DIRTY))


# --- changing them --------------------------------------------------------------------------------


@mirrors(_H)
def pte_mksaveddirty(ed: Edition, pte: BV) -> BV:
    """pgtable.h: mksaveddirty_shift (6.6+). A read-only entry keeps its dirty bit in SAVED_DIRTY,
    because RW=0, DIRTY=1 means shadow stack to the CPU. No-op before."""
    moved = ite(has(pte, PAGE_DIRTY), set_bits(clear_bits(pte, PAGE_DIRTY), PAGE_SAVED_DIRTY), pte)
    return ite(disj(negate(ed.has("saved-dirty")), pte_write(pte)), pte, moved)


@mirrors(_H)
def pte_clear_saveddirty(ed: Edition, pte: BV) -> BV:
    """pgtable.h: clear_saveddirty_shift (6.6+), the way back for a writable entry."""
    moved = ite(has(pte, PAGE_SAVED_DIRTY),
                set_bits(clear_bits(pte, PAGE_SAVED_DIRTY), PAGE_DIRTY), pte)
    return ite(conj(ed.has("saved-dirty"), pte_write(pte)), moved, pte)


@mirrors(_H)
def pte_wrprotect(ed: Edition, pte: BV) -> BV:
    return pte_mksaveddirty(ed, clear_bits(pte, PAGE_RW))


@mirrors(_H, "arch/x86/mm/pgtable.c")
def pte_mkwrite(ed: Edition, pte: BV) -> BV:
    """pgtable.h: pte_mkwrite (6.1); mm/pgtable.c: pte_mkwrite with its VMA (6.6+)."""
    return pte_clear_saveddirty(ed, set_bits(pte, PAGE_RW))


@mirrors(_H)
def pte_mkdirty(ed: Edition, pte: BV) -> BV:
    """pgtable.h: pte_mkdirty. The one helper that records a store: it sets soft-dirty too."""
    return pte_mksaveddirty(ed, set_bits(pte, PAGE_DIRTY | PAGE_SOFT_DIRTY))


def pte_mkyoung(pte: BV) -> BV:
    return set_bits(pte, PAGE_ACCESSED)


def pte_mkspecial(pte: BV) -> BV:
    return set_bits(pte, PAGE_SPECIAL)


def pte_clear_soft_dirty(pte: BV) -> BV:
    return clear_bits(pte, PAGE_SOFT_DIRTY)


def pte_mksoft_dirty(pte: BV) -> BV:
    return set_bits(pte, PAGE_SOFT_DIRTY)


def pte_clear_uffd_wp(pte: BV) -> BV:
    return clear_bits(pte, PAGE_UFFD_WP)


@mirrors(_H)
def pte_mkuffd_wp(ed: Edition, pte: BV) -> BV:
    """pgtable.h: pte_mkuffd_wp; from f1eb1bacfba9 on it write-protects by itself."""
    marked = set_bits(pte, PAGE_UFFD_WP)
    return ite(ed.has("f1eb1bacfba9"), pte_wrprotect(ed, marked), marked)


def page_chg_mask(ed: Edition) -> BV:
    """pgtable_types.h: _PAGE_CHG_MASK, what a change of protection leaves as it is."""
    common = (PTE_PFN_MASK | PAGE_PCD | PAGE_PWT | PAGE_SPECIAL | PAGE_ACCESSED | PAGE_DIRTY
              | PAGE_SOFT_DIRTY | PAGE_UFFD_WP | PAGE_PAT)
    return ite(ed.has("saved-dirty"), word(common | PAGE_SAVED_DIRTY | PAGE_DEVMAP),
               word(common | PAGE_DEVMAP_BEFORE_SAVED_DIRTY))


@mirrors(_H)
def pgprot_modify(ed: Edition, oldprot: BV, newprot: BV) -> BV:
    kept = page_chg_mask(ed)
    return (oldprot & kept) | (newprot & complement(kept))


@mirrors(_H)
def pte_modify(ed: Edition, pte: BV, newprot: BV) -> BV:
    """pgtable.h: pte_modify. Takes P, RW, NX, PROT_NONE from `newprot`; keeps A, D, SD, UFFD_WP."""
    kept = page_chg_mask(ed)
    changed = (pte & kept) | (newprot & complement(kept))
    return ite(pte_write(pte), pte_mksaveddirty(ed, changed), pte_clear_saveddirty(ed, changed))


@mirrors("include/linux/mm.h")
def maybe_mkwrite(ed: Edition, pte: BV, vma: Vma) -> BV:
    return ite(has(vma.vm_flags, VM_WRITE), pte_mkwrite(ed, pte), pte)


# --- entries that are not present: PTE markers ----------------------------------------------------


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


def pte_swp_soft_dirty(pte: BV) -> Bool:
    return has(pte, SWP_SOFT_DIRTY)


def pte_swp_clear_soft_dirty(pte: BV) -> BV:
    return clear_bits(pte, SWP_SOFT_DIRTY)


def pte_swp_mksoft_dirty(pte: BV) -> BV:
    return set_bits(pte, SWP_SOFT_DIRTY)


def pte_swp_clear_uffd_wp(pte: BV) -> BV:
    return clear_bits(pte, SWP_UFFD_WP)


def pte_swp_mkuffd_wp(pte: BV) -> BV:
    return set_bits(pte, SWP_UFFD_WP)


def pte_swp_uffd_wp(pte: BV) -> Bool:
    return has(pte, SWP_UFFD_WP)


def pte_swp_exclusive(pte: BV) -> Bool:
    return has(pte, SWP_EXCLUSIVE)


def pte_swp_mkexclusive(pte: BV) -> BV:
    return set_bits(pte, SWP_EXCLUSIVE)


def pte_swp_clear_exclusive(pte: BV) -> BV:
    return clear_bits(pte, SWP_EXCLUSIVE)


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
    readable. The frame number is left 0, and the accessed bit out."""
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


# --- the protection map ---------------------------------------------------------------------------

PROTECTION_MAP = {
    0: PROT_NONE_PGPROT,
    VM_READ: PROT_READONLY,
    VM_WRITE: PROT_COPY,
    VM_WRITE | VM_READ: PROT_COPY,
    VM_EXEC: PROT_READONLY_EXEC,
    VM_EXEC | VM_READ: PROT_READONLY_EXEC,
    VM_EXEC | VM_WRITE: PROT_COPY_EXEC,
    VM_EXEC | VM_WRITE | VM_READ: PROT_COPY_EXEC,
    VM_SHARED: PROT_NONE_PGPROT,
    VM_SHARED | VM_READ: PROT_READONLY,
    VM_SHARED | VM_WRITE: PROT_SHARED,
    VM_SHARED | VM_WRITE | VM_READ: PROT_SHARED,
    VM_SHARED | VM_EXEC: PROT_READONLY_EXEC,
    VM_SHARED | VM_EXEC | VM_READ: PROT_READONLY_EXEC,
    VM_SHARED | VM_EXEC | VM_WRITE: PROT_SHARED_EXEC,
    VM_SHARED | VM_EXEC | VM_WRITE | VM_READ: PROT_SHARED_EXEC,
}
"""arch/x86/mm/pgprot.c: protection_map."""


@mirrors("arch/x86/mm/pgprot.c", ":protection_map")
def vm_get_page_prot(ed: Edition, vm_flags: BV) -> BV:
    """The pgprot that `vm_flags` ask for, before anyone wants write notification."""

    def row(index: int, rest: tuple[int, ...]) -> BV:
        if not rest:
            return word(PROTECTION_MAP[index])
        return ite(has(vm_flags, rest[0]), row(index | rest[0], rest[1:]), row(index, rest[1:]))

    return row(0, (VM_SHARED, VM_WRITE, VM_EXEC, VM_READ))
