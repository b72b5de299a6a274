"""hugetlb memory is tracked as other memory is: clear_refs visits its entries, pagemap shows their
bit, and tracking is a reason for write notification. No one of the three is enough."""

from __future__ import annotations

from model.kernel import mmap, task_mmu
from model.kernel.bits import VM_SHARED, VM_WRITE
from model.kernel.editions import Edition
from model.kernel.logic import BV, Bool, conj, disj, has_all
from model.kernel.mmap import vma_soft_dirty_enabled
from model.kernel.pgtable import pte_present, pte_soft_dirty
from model.kernel.records import Entry, Vma
from model.kernel.task_mmu import Pagemap, clear_soft_dirty


def clear_refs_write(ed: Edition, vma: Vma, entry: Entry) -> tuple[Vma, Entry]:
    new, _ = task_mmu.clear_refs_write(ed, vma, entry)
    return new, clear_soft_dirty(ed, vma, entry)


def pagemap_hugetlb_range(ed: Edition, vma: Vma, entry: Entry) -> Pagemap:
    shown = task_mmu.pagemap_hugetlb_range(ed, vma, entry)
    own = conj(pte_present(entry.pte), pte_soft_dirty(entry.pte))
    return Pagemap(shown.present, shown.swap, shown.file, shown.exclusive, shown.uffd_wp,
                   soft_dirty=disj(shown.soft_dirty, own))


def vma_wants_writenotify(ed: Edition, vma: Vma, vm_page_prot: BV) -> Bool:
    tracked = conj(vma.mapping.hugetlb, has_all(vma.vm_flags, VM_WRITE | VM_SHARED),
                   vma_soft_dirty_enabled(vma))
    return disj(mmap.vma_wants_writenotify(ed, vma, vm_page_prot), tracked)
