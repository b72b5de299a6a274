"""Whether single entries may be made writable again is for can_change_pte_writable() to say; that
vm_page_prot is write-protected is no reason not to ask it."""

from __future__ import annotations

from model.kernel.bits import VM_WRITE
from model.kernel.editions import Edition
from model.kernel.logic import Bool, has
from model.kernel.records import Vma


def vma_wants_manual_pte_write_upgrade(ed: Edition, vma: Vma) -> Bool:
    return has(vma.vm_flags, VM_WRITE)
