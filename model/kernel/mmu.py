"""The CPU: what it lets through, and what it leaves in an entry (Intel SDM 3A, 4.6 and 4.8)."""

from __future__ import annotations

from model.kernel.bits import PAGE_ACCESSED, PAGE_DIRTY, PAGE_PRESENT, PAGE_RW, PAGE_USER
from model.kernel.logic import BV, Bool, has_all, set_bits


def mmu_permits(pte: BV, write: bool) -> Bool:
    """Whether a user access completes with no fault (CR0.WP set)."""
    return has_all(pte, PAGE_PRESENT | PAGE_USER | (PAGE_RW if write else 0))


def mmu_access(pte: BV, write: bool) -> BV:
    """What the CPU leaves in the entry: accessed, and dirty for a store. Soft-dirty is not its."""
    return set_bits(pte, PAGE_ACCESSED | (PAGE_DIRTY if write else 0))
