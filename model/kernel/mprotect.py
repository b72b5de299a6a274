"""mm/mprotect.c: change_protection() and mprotect(2), of one PTE.

Read from 6.1.192, 6.12.117 and 7.3.4. Left out: the commit charge, PFN mappings, and running out of
memory.
"""

from __future__ import annotations

from dataclasses import replace

from model.kernel.bits import (
    PAGE_ACCESSED,
    PAGE_DIRTY,
    PAGE_SAVED_DIRTY,
    PROT_NONE_PGPROT,
    VM_ACCESS_FLAGS,
    VM_MAY_SHIFT,
    VM_SHARED,
    VM_WRITE,
)
from model.kernel.editions import Edition
from model.kernel.huge_memory import change_huge_pmd, split_huge_pmd_locked
from model.kernel.hugetlb import hugetlb_change_protection
from model.kernel.logic import (
    BV,
    Bool,
    as_term,
    clear_bits,
    conj,
    disj,
    has,
    ite,
    negate,
    set_bits,
    shift_right,
    word,
)
from model.kernel.mirror import mirrors
from model.kernel.mmap import (
    pte_needs_soft_dirty_wp,
    vma_set_page_prot,
    vma_soft_dirty_enabled,
    vma_wants_manual_pte_write_upgrade,
)
from model.kernel.pgtable import (
    pte_clear_uffd_wp,
    pte_dirty,
    pte_mkdirty,
    pte_mkuffd_wp,
    pte_mkwrite,
    pte_modify,
    pte_none,
    pte_present,
    pte_protnone,
    pte_soft_dirty,
    pte_special,
    pte_swp_clear_uffd_wp,
    pte_swp_mkuffd_wp,
    pte_uffd_wp,
    pte_write,
    pte_wrprotect,
)
from model.kernel.records import Area, CpFlags, Entry, Outcome, Vma, outcome
from model.kernel.swapops import (
    downgraded_migration_pte,
    is_pte_marker,
    make_uffd_wp_marker,
    pte_marker_uffd_wp,
)
from model.kernel.userfaultfd_k import (
    rwp_restored,
    userfaultfd_pte_wp,
    userfaultfd_wp_use_markers,
)

_C = "mm/mprotect.c"


@mirrors(_C)
def can_change_pte_writable(ed: Edition, vma: Vma, entry: Entry) -> Bool:
    """Whether the write fault would map this entry writable with nothing to record.

    Asked of writable VMAs only (6.2 and later warn and say no otherwise). A private mapping may be
    upgraded where it maps an anonymous page that it owns exclusively; a shared one where the entry
    is dirty, so that the file system has been told.
    """
    soft_dirty = ite(ed.has("76aefad628aa"), pte_needs_soft_dirty_wp(vma, entry.pte),
                     conj(negate(vma_soft_dirty_enabled(vma)), negate(pte_soft_dirty(entry.pte))))
    normal_page = negate(pte_special(entry.pte))
    owned = conj(normal_page, entry.anon, entry.anon_exclusive)
    owned = conj(owned, disj(ed.has("d84887739d5c"), pte_dirty(ed, entry.pte)))
    return conj(disj(negate(ed.has("7ea7e333842e")), has(vma.vm_flags, VM_WRITE)),
                negate(pte_protnone(entry.pte)),
                negate(soft_dirty),
                negate(userfaultfd_pte_wp(vma, entry.pte)),
                ite(has(vma.vm_flags, VM_SHARED), pte_dirty(ed, entry.pte), owned))


@mirrors(_C)
def change_pte_range(ed: Edition, vma: Vma, entry: Entry, newprot: BV, cp: CpFlags) -> Entry:
    """One iteration: a present entry, a swap entry, a migration entry, a PTE marker, or nothing.
    Mode RWP leaves no markers in what is empty, and stays in force whatever mprotect asks."""
    pte = entry.pte
    changed = pte_modify(ed, pte, newprot)
    if cp.uffd_prot:
        changed = ite(ed.has("f1eb1bacfba9"), changed, pte_wrprotect(ed, changed))
        changed = pte_mkuffd_wp(ed, changed)
    elif cp.uffd_prot_resolve:
        changed = pte_clear_uffd_wp(changed)
    changed = rwp_restored(ed, vma, changed)
    upgrade = conj(cp.try_change_writable, negate(pte_write(changed)),
                   can_change_pte_writable(ed, vma, entry.with_pte(changed)))
    changed = ite(upgrade, pte_mkwrite(ed, changed), changed)

    marker = pte
    if cp.uffd_prot_resolve:
        marker = ite(pte_marker_uffd_wp(ed, pte), word(0), pte)

    swapped = downgraded_migration_pte(ed, pte, entry.anon)
    if cp.uffd_prot:
        swapped = ite(ed.has("f45ec5ff16a7"), pte_swp_mkuffd_wp(swapped), swapped)
    elif cp.uffd_prot_resolve:
        swapped = pte_swp_clear_uffd_wp(swapped)

    empty = pte
    if cp.uffd_wp:
        empty = ite(userfaultfd_wp_use_markers(ed, vma), make_uffd_wp_marker(ed), pte)

    return entry.with_pte(ite(pte_present(pte), changed,
                              ite(pte_none(pte), empty,
                                  ite(is_pte_marker(ed, pte), marker, swapped))))


@mirrors("include/linux/pgtable.h", ":ptep_modify_prot_start")
def modify_prot_start_ptes(ed: Edition, vma: Vma, entry: Entry, rest: Entry,
                           uffd_rwp: bool = False) -> tuple[Entry, Entry]:
    """The entry and those of the other pages of the huge one as change_protection() finds them:
    since cac1db8c3aad consecutive ones that differ in accessed and dirty alone are one batch, and
    each is made from the first. Where one that follows is dirty that is made dirty, and
    pte_mkdirty() makes it soft-dirty. Mode RWP passes over those that it has closed already.
    """
    apart = PAGE_ACCESSED | PAGE_DIRTY | PAGE_SAVED_DIRTY
    alike = as_term(clear_bits(entry.pte, apart) == clear_bits(rest.pte, apart))
    of_file = conj(vma.mapping.shared, negate(rest.cache_small))
    of_huge = conj(ed.has("cac1db8c3aad"), negate(rest.huge), pte_present(rest.pte),
                   disj(rest.large, of_file),
                   negate(conj(uffd_rwp, pte_protnone(rest.pte), pte_uffd_wp(rest.pte))))
    together = conj(of_huge, alike, disj(entry.large, of_file))
    dirty = pte_dirty(ed, rest.pte)
    first = ite(conj(together, dirty), pte_mkdirty(ed, entry.pte), entry.pte)
    others = ite(conj(of_huge, dirty), pte_mkdirty(ed, rest.pte), rest.pte)
    return entry.with_pte(first), rest.with_pte(ite(together, first, others))


@mirrors(_C)
def change_protection(ed: Edition, vma: Vma, entry: Entry, newprot: BV, cp: CpFlags) -> Entry:
    """The argument `newprot` is gone since 1ef488edd6c4: vma->vm_page_prot is what every caller
    passed by then, so the modelled callers go on passing it. Read-write protection closes the
    entry whatever it says."""
    if cp.uffd_rwp:
        newprot = word(PROT_NONE_PGPROT)
    if vma.mapping.hugetlb:
        return hugetlb_change_protection(ed, vma, entry, newprot, cp)
    if vma.mapping.thp:
        return change_pmd_range(ed, vma, entry, newprot, cp)
    return change_pte_range(ed, vma, entry, newprot, cp)


@mirrors(_C)
def change_pmd_range(ed: Edition, vma: Vma, entry: Entry, newprot: BV, cp: CpFlags) -> Entry:
    """The PMD as a whole, where it need not be split: to protect pages of a file, their PTEs must
    hold markers, and the page table is made for those. Mode RWP, which has none, splits it too."""
    table = entry
    if cp.uffd_rwp and not vma.mapping.anonymous:
        split = ite(entry.huge, split_huge_pmd_locked(ed, vma, entry), entry)
        return ite(split.huge, split, change_pte_range(ed, vma, split, newprot, cp))
    if cp.uffd_wp and not vma.mapping.anonymous:
        table = split_huge_pmd_locked(ed, vma, entry)
        by_pte: Bool = True
    elif cp.uffd_wp:
        by_pte = conj(pte_none(entry.pte), userfaultfd_wp_use_markers(ed, vma))
    else:
        by_pte = False
    table = replace(table, huge=False, no_tables=False)
    whole = change_huge_pmd(ed, vma, entry, newprot, cp)
    return ite(entry.huge, ite(by_pte, change_pte_range(ed, vma, table, newprot, cp), whole),
               change_pte_range(ed, vma, entry, newprot, cp))


@mirrors("mm/mempolicy.c")
def change_prot_numa(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """change_protection() with MM_CP_PROT_NUMA, of a VMA that may be accessed (task_numa_work):
    the entry becomes PROT_NONE, for the next access to fault. Pages that KSM merged, and those of
    a private mapping that others map too or that are pinned, are left alone; since "prot-numa-skip"
    those of a shared one that are pinned too.

    Before 6a56ccbcf6c6 the entry keeps its write permission (pte_savedwrite).
    """
    pte = entry.pte
    pinned = conj(entry.pinned, disj(not vma.mapping.shared, ed.has("prot-numa-skip")))
    hint = pte_modify(ed, pte, word(PROT_NONE_PGPROT))
    hint = ite(conj(negate(ed.has("6a56ccbcf6c6")), pte_write(pte)), pte_mkwrite(ed, hint), hint)
    hinted = conj(has(vma.vm_flags, VM_ACCESS_FLAGS), pte_present(pte), negate(pte_special(pte)),
                  negate(pte_protnone(pte)), negate(entry.ksm),
                  negate(pinned), disj(vma.mapping.shared,
                                       negate(disj(entry.child_maps, entry.slot_in_child))))
    return ite(hinted, entry.with_pte(hint), entry)


@mirrors(_C)
def mprotect_fixup(ed: Edition, vma: Vma, entry: Entry, newflags: BV) -> tuple[Vma, Entry]:
    """Set `newflags`; the upgrade is asked for with the new flags and the old vm_page_prot, before
    64fe24a3e05e for shared mappings alone."""
    new = vma.with_flags(newflags)
    upgrade = conj(vma_wants_manual_pte_write_upgrade(ed, new),
                   disj(ed.has("64fe24a3e05e"), has(newflags, VM_SHARED)))
    new = vma_set_page_prot(ed, new)
    changed = change_protection(ed, new, entry, new.vm_page_prot, CpFlags(upgrade))
    same = newflags == vma.vm_flags
    return ite(same, vma, new), ite(same, entry, changed)


def vma_accounted(ed: Edition, area: Area, newflags: BV) -> Bool:
    """The part of mprotect_fixup() about VM_ACCOUNT: private memory that becomes writable has it
    from then on; anonymous memory without an anon_vma loses it since "unaccount-unfaulted" where
    it becomes anything else."""
    mapping = area.vma.mapping
    kept = disj(negate(ed.has("unaccount-unfaulted")), not mapping.anonymous, area.faulted)
    since = has(area.vma.vm_flags, VM_WRITE)
    gained = conj(not mapping.shared, negate(since))
    return ite(has(newflags, VM_WRITE), disj(area.account, gained), conj(area.account, kept))


@mirrors(_C)
def do_mprotect_pkey(ed: Edition, vma: Vma, entry: Entry, prot: int) -> tuple[Vma, Entry, BV]:
    """mprotect(2), `prot` as VM_READ and VM_WRITE bits; EACCES beyond VM_MAYREAD and its like."""
    newflags = set_bits(clear_bits(vma.vm_flags, VM_ACCESS_FLAGS), prot)
    denied = has(newflags & ~shift_right(newflags, VM_MAY_SHIFT), VM_ACCESS_FLAGS)
    new, changed = mprotect_fixup(ed, vma, entry, newflags)
    return (ite(denied, vma, new), ite(denied, entry, changed),
            ite(denied, outcome(Outcome.EACCES), outcome(Outcome.ok)))
