"""hugetlb_wp() heeds the uffd-wp bit only where the VMA is registered for write-protect mode."""

from __future__ import annotations

from model.kernel import hugetlb
from model.kernel.editions import Edition
from model.kernel.logic import ite
from model.kernel.pgtable import pte_clear_uffd_wp
from model.kernel.records import Entry, Vma
from model.kernel.userfaultfd_k import userfaultfd_pte_wp


def hugetlb_wp(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    stale = entry.with_pte(pte_clear_uffd_wp(entry.pte))
    return ite(userfaultfd_pte_wp(vma, entry.pte), entry, hugetlb.hugetlb_wp(ed, vma, stale))
