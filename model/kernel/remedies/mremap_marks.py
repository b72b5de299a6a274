"""A page table is not moved as a whole while soft-dirty tracking is on, so that each entry of it is
marked."""

from __future__ import annotations

from model.kernel import mremap
from model.kernel.editions import Edition
from model.kernel.logic import conj, ite, negate
from model.kernel.mmap import vma_soft_dirty_enabled
from model.kernel.mremap import move_ptes
from model.kernel.records import Entry, Vma


def move_page_tables(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    moved = mremap.move_page_tables(ed, vma, entry)
    one_by_one = conj(vma.mapping.thp, negate(entry.huge), vma_soft_dirty_enabled(vma))
    return ite(one_by_one, move_ptes(ed, vma, entry), moved)
