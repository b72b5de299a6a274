"""UFFDIO_MOVE takes the uffd-wp bit from a page that is swapped out, as from any other."""

from __future__ import annotations

from model.kernel import userfaultfd_move
from model.kernel.editions import Edition
from model.kernel.pgtable import pte_swp_clear_uffd_wp
from model.kernel.records import Entry, Vma


def move_swap_pte(ed: Edition, dst_vma: Vma, dst: Entry, src: Entry) -> Entry:
    bare = src.with_pte(pte_swp_clear_uffd_wp(src.pte))
    return userfaultfd_move.move_swap_pte(ed, dst_vma, dst, bare)
