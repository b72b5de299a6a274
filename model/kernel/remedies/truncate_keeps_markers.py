"""Truncation of hugetlb memory leaves the markers that hole punching leaves."""

from __future__ import annotations

from dataclasses import replace

from model.kernel.editions import Edition
from model.kernel.hugetlb import unmap_hugepage_range
from model.kernel.records import Entry, Vma


def hugetlb_vmtruncate(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    return replace(unmap_hugepage_range(ed, vma, entry), cache_in_child=False)
