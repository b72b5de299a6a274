"""PAGEMAP_SCAN leaves a poison marker as it is, as it does in hugetlb memory."""

from __future__ import annotations

from model.kernel import task_mmu
from model.kernel.editions import Edition
from model.kernel.logic import ite
from model.kernel.records import Entry


def make_uffd_wp_pte(ed: Edition, entry: Entry) -> Entry:
    return ite(entry.poison, entry, task_mmu.make_uffd_wp_pte(ed, entry))
