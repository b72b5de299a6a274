"""UFFDIO_MOVE refuses a huge page that is pinned: EBUSY, as for any other, since 7.3.4."""

from __future__ import annotations

from model.kernel import userfaultfd_move
from model.kernel.editions import Edition
from model.kernel.logic import BV, Bool, as_term, ite
from model.kernel.records import Entry, Outcome, Vma, outcome


def move_pages_ptes(ed: Edition, dst_vma: Vma, src_vma: Vma, dst: Entry, src: Entry,
                    unused: Bool = False) -> tuple[Entry, Entry, BV]:
    moved, left, result = userfaultfd_move.move_pages_ptes(ed, dst_vma, src_vma, dst, src, unused)
    stuck = as_term(result == outcome(Outcome.never))
    return moved, left, ite(stuck, outcome(Outcome.EBUSY), result)
