"""A page of hugetlb memory is mapped writable only where its VMA may be written, whoever asks."""

from __future__ import annotations

from model.kernel import hugetlb
from model.kernel.bits import VM_WRITE
from model.kernel.editions import Edition
from model.kernel.logic import BV, has, ite
from model.kernel.records import Vma


def make_huge_pte(ed: Edition, vma: Vma, writable: bool) -> BV:
    return ite(has(vma.vm_flags, VM_WRITE), hugetlb.make_huge_pte(ed, vma, writable),
               hugetlb.make_huge_pte(ed, vma, False))
