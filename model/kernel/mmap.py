"""Write notification and vma->vm_page_prot: mm/mmap.c (6.1), mm/vma.c, mm/vma.h (6.12)."""

from __future__ import annotations

from dataclasses import replace

from model.kernel.bits import VM_SHARED, VM_SOFTDIRTY, VM_UFFD_WP, VM_WRITE
from model.kernel.editions import Edition
from model.kernel.logic import BV, Bool, clear_bits, conj, disj, has, has_all, ite, negate
from model.kernel.mirror import mirrors
from model.kernel.pgtable import pgprot_modify, pte_soft_dirty, vm_get_page_prot
from model.kernel.records import Entry, Vma


def vma_soft_dirty_enabled(vma: Vma) -> Bool:
    """mm/internal.h: vma_soft_dirty_enabled (CONFIG_MEM_SOFT_DIRTY=y): tracking is on while
    VM_SOFTDIRTY, "the whole VMA is dirty", is clear."""
    return negate(has(vma.vm_flags, VM_SOFTDIRTY))


def pte_needs_soft_dirty_wp(vma: Vma, pte: BV) -> Bool:
    """mm/internal.h: pte_needs_soft_dirty_wp (6.12; open-coded in 6.1)."""
    return conj(vma_soft_dirty_enabled(vma), negate(pte_soft_dirty(pte)))


@mirrors("mm/vma.h", "mm/mmap.c")
def vm_pgprot_modify(ed: Edition, oldprot: BV, vm_flags: BV) -> BV:
    return pgprot_modify(ed, oldprot, vm_get_page_prot(ed, vm_flags))


@mirrors("mm/vma.c", "mm/mmap.c")
def vma_wants_writenotify(ed: Edition, vma: Vma, vm_page_prot: BV) -> Bool:
    """Whether a store to a shared mapping must fault although the VMA allows it.

    The comparison of pgprots means "a driver chose this protection, leave it alone". It is also
    false for every vm_page_prot from which write permission was already taken. Before f96f7a40874d
    soft-dirty tracking was a reason for hugetlb too, which does not track.
    """
    shared_writable = has_all(vma.vm_flags, VM_WRITE | VM_SHARED)
    if vma.mapping.page_mkwrite:
        return shared_writable
    plain_pgprot = vm_page_prot == vm_pgprot_modify(ed, vm_page_prot, vma.vm_flags)
    soft_dirty = conj(ed.has("64e455079e1b"), vma_soft_dirty_enabled(vma),
                      disj(not vma.mapping.hugetlb, negate(ed.has("f96f7a40874d"))))
    uffd_wp = conj(ed.has("51d3d5eb74ff"), has(vma.vm_flags, VM_UFFD_WP))
    return conj(shared_writable, plain_pgprot,
                disj(soft_dirty, uffd_wp, vma.mapping.can_writeback))


@mirrors("mm/mmap.c")
def vma_set_page_prot(ed: Edition, vma: Vma) -> Vma:
    """Work out vm_page_prot anew from vm_flags; wanting notification takes VM_SHARED away."""
    prot = vm_pgprot_modify(ed, vma.vm_page_prot, vma.vm_flags)
    notified = vm_pgprot_modify(ed, prot, clear_bits(vma.vm_flags, VM_SHARED))
    prot = ite(vma_wants_writenotify(ed, vma, prot), notified, prot)
    return replace(vma, vm_page_prot=prot)


@mirrors("mm/vma.h")
def vma_wants_manual_pte_write_upgrade(ed: Edition, vma: Vma) -> Bool:
    """Whether change_protection() should try to keep single entries writable (open-coded in 6.1).

    For shared mappings it asks vma_wants_writenotify() about the vm_page_prot that is stored, and
    that is already write-protected wherever notification is wanted: on x86 the pgprot check then
    answers no. Only a mapping with page_mkwrite, which is asked first, is ever upgraded.
    """
    return ite(has(vma.vm_flags, VM_SHARED), vma_wants_writenotify(ed, vma, vma.vm_page_prot),
               has(vma.vm_flags, VM_WRITE))


def vma_needs_copy(ed: Edition, vma: Vma, entry: Entry) -> Bool:
    """mm/memory.c: page tables are copied where a fault could not make them anew: where the VMA has
    an anon_vma, and since "guard-flag" where it may have guard regions. A shared mapping has an
    anon_vma because of those alone."""
    if vma.mapping.shared:
        return conj(vma.maybe_guard, not vma.mapping.hugetlb)
    return disj(entry.anon, vma.anon_vma, conj(ed.has("guard-flag"), vma.maybe_guard))
