"""PAGEMAP_SCAN leaves poison and guard markers as they are, as it does in hugetlb memory."""

from __future__ import annotations

from model.kernel import task_mmu
from model.kernel.editions import Edition
from model.kernel.logic import disj, ite
from model.kernel.records import Entry


def make_uffd_wp_pte(ed: Edition, entry: Entry) -> Entry:
    return ite(disj(entry.poison, entry.guard), entry, task_mmu.make_uffd_wp_pte(ed, entry))
