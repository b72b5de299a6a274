"""The records that kernel functions take and give.

They hold 64-bit Z3 vectors and Booleans, and the facts of the mapping, which never change while a
system is explored.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import z3

from model.kernel.logic import BV, Bool


@dataclass(frozen=True)
class Mapping:
    """A kind of memory: which rules of the kernel it takes.

    `anonymous` is vma_is_anonymous() (no vm_ops), `shared` is MAP_SHARED, `page_mkwrite` says that
    vm_ops has page_mkwrite or pfn_mkwrite, `can_writeback` is mapping_can_writeback().
    """

    name: str
    title: str
    anonymous: bool
    shared: bool
    page_mkwrite: bool = False
    can_writeback: bool = False
    hugetlb: bool = False
    filled: bool = False
    """The file has content before the mapping is first touched."""


@dataclass(frozen=True)
class Vma:
    """struct vm_area_struct: `vm_flags` and the stored `vm_page_prot`, 64 bits each."""

    vm_flags: BV
    vm_page_prot: BV
    mapping: Mapping


@dataclass(frozen=True)
class Entry:
    """One PTE (64 bits), the facts of the page it maps, and of the file behind it.

    `anon` is PageAnon, `anon_exclusive` PageAnonExclusive, `zero_page` is_zero_pfn(); all three
    are false where the entry maps no page. `in_cache`: the page cache has the file's page.
    """

    pte: BV
    anon: Bool
    anon_exclusive: Bool
    zero_page: Bool
    in_cache: Bool

    def with_pte(self, pte: BV) -> Entry:
        """The same page under another PTE."""
        return replace(self, pte=pte)

    def unmapped(self, pte: BV) -> Entry:
        """No page: `pte` is empty or not present."""
        return Entry(pte, anon=False, anon_exclusive=False, zero_page=False,
                     in_cache=self.in_cache)


class Outcome(IntEnum):
    """What the caller of an operation sees; the name is what the tool prints."""

    ok = 0
    event = 1
    segv = 2
    bus = 3
    refault = 4
    """The access had not completed when the model stopped to follow its faults."""
    ENOENT = 5
    EINVAL = 6
    EPERM = 7
    EACCES = 8
    EBADF = 9


OUTCOME_BITS = 4


def outcome(value: Outcome) -> BV:
    """The outcome as a 4-bit vector."""
    return z3.BitVecVal(int(value), OUTCOME_BITS)


@dataclass(frozen=True)
class Fault:
    """One run of handle_mm_fault(): the entry it leaves, and whether the access is over.

    `outcome` is `event` (VM_UFFD_WP delivered), `bus`, or `ok` for "try the access again"; only
    the last is counted as a minor fault (mm_account_fault).
    """

    entry: Entry
    outcome: BV


@dataclass(frozen=True)
class CpFlags:
    """The MM_CP_* flags of change_protection() (include/linux/mm.h)."""

    try_change_writable: Bool = False
    uffd_wp: bool = False
    uffd_wp_resolve: bool = False
