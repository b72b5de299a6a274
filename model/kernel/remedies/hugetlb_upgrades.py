"""hugetlb_change_protection() heeds MM_CP_TRY_CHANGE_WRITABLE, and shared mappings ask for it."""

from __future__ import annotations

from model.kernel import hugetlb
from model.kernel.bits import VM_WRITE
from model.kernel.editions import Edition
from model.kernel.hugetlb import huge_pte_mkwrite
from model.kernel.logic import BV, Bool, conj, has, ite, negate
from model.kernel.pgtable import pte_dirty, pte_mkdirty, pte_present, pte_protnone, pte_uffd_wp
from model.kernel.records import CpFlags, Entry, Vma


def vma_wants_manual_pte_write_upgrade(ed: Edition, vma: Vma) -> Bool:
    return has(vma.vm_flags, VM_WRITE)


def hugetlb_change_protection(ed: Edition, vma: Vma, entry: Entry, newprot: BV,
                              cp: CpFlags) -> Entry:
    changed = hugetlb.hugetlb_change_protection(ed, vma, entry, newprot, cp)
    pte = changed.pte
    own = True if vma.mapping.shared else conj(entry.anon, entry.anon_exclusive)
    upgrade = conj(cp.try_change_writable, pte_present(pte), negate(pte_protnone(pte)),
                   negate(pte_uffd_wp(pte)), pte_dirty(ed, pte), own)
    return changed.with_pte(ite(upgrade, huge_pte_mkwrite(ed, pte_mkdirty(ed, pte)), pte))
