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
    PTE_PFN_MASK,
    SWP_EXCLUSIVE,
    SWP_SOFT_DIRTY,
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
    clear_bits,
    complement,
    conj,
    disj,
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


def pte_mkold(pte: BV) -> BV:
    return clear_bits(pte, PAGE_ACCESSED)


@mirrors(_H)
def pte_mkclean(ed: Edition, pte: BV) -> BV:
    """pgtable.h: pte_mkclean; from 6.6 on in both places of the dirty bit. Soft-dirty stays."""
    return ite(ed.has("saved-dirty"), clear_bits(pte, PAGE_DIRTY | PAGE_SAVED_DIRTY),
               clear_bits(pte, PAGE_DIRTY))


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


@mirrors("include/linux/mm.h", ":folio_mk_pte", _H + ":pfn_pte")
def mk_pte(ed: Edition, vma: Vma) -> BV:
    """mk_pte(page, vma->vm_page_prot), and those of its kind for PMDs and hugetlb. The frame number
    is left 0: that no step depends on one is what model/system/asking/frames.py proves."""
    return vma.vm_page_prot


# --- entries that are not present -----------------------------------------------------------------


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
