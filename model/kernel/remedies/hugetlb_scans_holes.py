"""PAGEMAP_SCAN calls an empty entry of hugetlb memory written where it is registered, as it does of
other memory, and protects it."""

from __future__ import annotations

from dataclasses import replace

from model.kernel import task_mmu
from model.kernel.editions import Edition
from model.kernel.logic import conj, disj
from model.kernel.pgtable import pte_none
from model.kernel.records import Entry, Vma
from model.kernel.task_mmu import Categories
from model.kernel.userfaultfd_k import userfaultfd_wp


def pagemap_hugetlb_category(ed: Edition, vma: Vma, entry: Entry) -> Categories:
    found = task_mmu.pagemap_hugetlb_category(ed, vma, entry)
    empty = conj(pte_none(entry.pte), userfaultfd_wp(vma))
    return replace(found, written=disj(found.written, empty))
