"""include/linux/swapops.h: PTE markers other than those of uffd-wp, which are in pgtable.py.

Read from 6.12.117 and 7.3.4 (there include/linux/leafops.h too).
"""

from __future__ import annotations

from model.kernel.bits import (
    PTE_MARKER_GUARD,
    PTE_MARKER_POISONED,
    SWP_OFFSET_MASK,
    SWP_OFFSET_SHIFT,
)
from model.kernel.editions import Edition
from model.kernel.logic import BV, folded, word
from model.kernel.pgtable import swp_pte_marker


def make_pte_marker(ed: Edition, marker: int) -> BV:
    """swapops.h: make_pte_marker. The offset, which has the PTE_MARKER_* bits, is stored
    inverted."""
    offset = SWP_OFFSET_MASK & ~(marker << SWP_OFFSET_SHIFT)
    return folded(swp_pte_marker(ed) | word(offset))


def make_poison_marker(ed: Edition) -> BV:
    """swapops.h: make_poisoned_swp_entry, as a PTE."""
    return make_pte_marker(ed, PTE_MARKER_POISONED)


def make_guard_marker(ed: Edition) -> BV:
    """mm/madvise.c: guard_install_set_pte, as a PTE."""
    return make_pte_marker(ed, PTE_MARKER_GUARD)
