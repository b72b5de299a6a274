"""The records that kernel functions take and give.

They hold 64-bit Z3 vectors and Booleans, and the facts of the mapping, which never change while a
system is explored.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

from model.kernel.logic import BV, Bool, as_term, conj, disj, negate, number


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
    thp: bool = False
    """A 2M range that a huge page may map (transparent huge pages)."""
    regular: bool = False
    """Of a regular file on a disk: what reclaim drops is read back."""
    filled: bool = False
    """The file has content before the mapping is first touched."""


@dataclass(frozen=True)
class Vma:
    """struct vm_area_struct: `vm_flags` and the stored `vm_page_prot`, 64 bits each.

    `anon_vma`: the VMA has one, because it has had an anonymous page or a huge one of zeroes.
    `mergeable` is VM_MERGEABLE, which nobody but KSM asks about; `maybe_guard` VM_MAYBE_GUARD: the
    VMA has, or has had, a guard region; `minor` VM_UFFD_MINOR, which has stood in three places;
    `uffd_rwp` VM_UFFD_RWP (bit 43), registered for read-write protection.
    `wp_unpopulated`, `wp_async`, `rwp` and `rwp_async` are the features of the userfaultfd that it
    is, or would be, registered with; `events` stands for EVENT_FORK, EVENT_REMAP, EVENT_UNMAP and
    EVENT_REMOVE, of which only the first two change what is tracked.
    """

    vm_flags: BV
    vm_page_prot: BV
    mapping: Mapping
    anon_vma: Bool = False
    mergeable: Bool = False
    maybe_guard: Bool = False
    minor: Bool = False
    wp_unpopulated: Bool = False
    wp_async: Bool = False
    uffd_rwp: Bool = False
    rwp: Bool = False
    rwp_async: Bool = False
    events: Bool = False

    def with_flags(self, vm_flags: BV) -> Vma:
        """The same VMA under other flags; vm_page_prot stays as it is stored."""
        return replace(self, vm_flags=vm_flags)


IDENTITY_BITS = 5
NOBODY = number(0, IDENTITY_BITS)


@dataclass(frozen=True)
class Area:
    """A VMA among others: with what decides whether it and a neighbour may be one.

    `account` is VM_ACCOUNT, which nothing else asks about. `family` is the identity of its
    anon_vma, a number, or NOBODY where it has none (`vma.anon_vma` is not looked at), and `chained`
    says that its chain has more than one link, as that of a child of fork. `pgoff` is how far
    vm_pgoff is from the address, likewise a number: the pgoff of two that touch continues where
    both have the same. It counts for anonymous memory, and as anon_pgoff for private files.
    `offset`, of a file's memory: how far the page of the file is from that of the mapping.
    """

    vma: Vma
    account: Bool
    family: BV = NOBODY
    chained: Bool = False
    pgoff: BV = NOBODY
    offset: BV = NOBODY

    @property
    def faulted(self) -> Bool:
        """It has an anon_vma."""
        return negate(as_term(self.family == NOBODY))


@dataclass(frozen=True)
class Place:
    """One page of the address space: a VMA is there (`mapped`), the same as at the page before
    where `joined`. All places of a VMA have an equal `area`."""

    mapped: Bool
    joined: Bool
    area: Area


@dataclass(frozen=True)
class Entry:
    """One PTE (64 bits), the facts of the page it maps, and of the file behind it.

    `anon` is PageAnon, `anon_exclusive` PageAnonExclusive, `zero_page` is_zero_pfn(), `ksm` is
    PageKsm, which rmap does not find here where it is `astray`, `in_child` says that a living child
    maps the page too; all are false where the entry maps no page. `pinned`: the process holds a
    long-term pin of the page, which a page of the file keeps where it is unmapped. `slot_in_child`:
    a living child refers to the swap slot of the page; `in_swap_cache`: a page that is swapped out
    is in memory all the same. `huge`: the entry is a PMD, with no page table below; `large`: the
    page is a part of a huge one, though a PTE maps it, and that one has lost a mapping of another
    where `partially_mapped` (PG_partially_mapped); `unused`: the anonymous page holds zeroes, as
    that which a collapse has made of the zero page; `no_tables`: the place is empty, and no page
    table of any level leads there.

    `lazyfree`: MADV_FREE has given the anonymous page up, so that reclaim may drop it
    (PG_swapbacked is clear); `page_dirty`: an anonymous page is PG_dirty, whatever its entry says,
    or in the swap cache, from which it is taken dirty.

    `poison`: the entry is a PTE marker that UFFDIO_POISON has left (PTE_MARKER_POISONED); `guard`:
    one that MADV_GUARD_INSTALL has left (PTE_MARKER_GUARD).

    Of the file: `in_cache`, the page cache has the page, or its swap entry where `cache_swapped`;
    `cache_dirty`: it may not be dropped unwritten; `cache_in_child`: a living child maps it;
    `cache_reclaim`: reclaim has left it to writeback (PG_reclaim, which is PG_readahead too);
    `cache_small`: of memory that huge pages may map, the page cache has a page that is no part
    of one.

    Of the children that live, whatever this entry maps: `twin_in_child`, one has a page in memory
    that KSM would merge with ours; `twin_in_slot`, one has such a page in swap.
    """

    pte: BV
    anon: Bool
    anon_exclusive: Bool
    zero_page: Bool
    in_cache: Bool
    cache_dirty: Bool = False
    cache_swapped: Bool = False
    cache_in_child: Bool = False
    cache_reclaim: Bool = False
    cache_small: Bool = False
    ksm: Bool = False
    astray: Bool = False
    pinned: Bool = False
    in_child: Bool = False
    slot_in_child: Bool = False
    in_swap_cache: Bool = False
    huge: Bool = False
    large: Bool = False
    partially_mapped: Bool = False
    unused: Bool = False
    lazyfree: Bool = False
    page_dirty: Bool = False
    no_tables: Bool = False
    poison: Bool = False
    guard: Bool = False
    twin_in_child: Bool = False
    twin_in_slot: Bool = False

    def with_pte(self, pte: BV) -> Entry:
        """The same page under another PTE."""
        return replace(self, pte=pte)

    def unmapped(self, pte: BV) -> Entry:
        """No page: `pte` is empty or not present."""
        return replace(self, pte=pte, anon=False, anon_exclusive=False, zero_page=False,
                       ksm=False, astray=False, pinned=conj(self.pinned, negate(self.anon)),
                       in_child=False, slot_in_child=False, in_swap_cache=False, large=False,
                       partially_mapped=False, unused=False, lazyfree=False,
                       page_dirty=False, no_tables=False, poison=False, guard=False)

    def out_of_cache(self) -> Entry:
        """The page cache has the page no more, in memory or in swap: nobody maps it, and who has
        pinned it keeps what is no page of the file."""
        return replace(self, in_cache=False, cache_dirty=False, cache_swapped=False,
                       cache_in_child=False, cache_reclaim=False, cache_small=False,
                       pinned=False)

    @property
    def child_maps(self) -> Bool:
        """A living child maps the page that this entry maps."""
        return disj(self.in_child, conj(negate(self.anon), self.cache_in_child))

    def mapped_by_child(self, lives: Bool) -> Entry:
        """The child that fork has made maps the page too, where it `lives`."""
        return replace(self, in_child=disj(self.in_child, conj(lives, self.anon)),
                       cache_in_child=disj(self.cache_in_child, conj(lives, negate(self.anon))))

    def mapping_anon(self, pte: BV) -> Entry:
        """A new anonymous page that the process owns exclusively, and that nobody has pinned."""
        return replace(self.unmapped(pte), anon=True, anon_exclusive=True, pinned=False)

    def mapping_cache(self, pte: BV, dirty: Bool) -> Entry:
        """The page that the page cache has, in memory; `dirty` where it was stored to."""
        return replace(self.unmapped(pte), in_cache=True, cache_swapped=False,
                       cache_reclaim=False, cache_dirty=disj(self.cache_dirty, dirty))


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
    EEXIST = 10
    EFAULT = 11
    EINTR = 12
    EBUSY = 13
    ENOTTY = 14
    never = 15
    """The call does not return."""
    EOPNOTSUPP = 16
    EAGAIN = 17
    ENOMEM = 18


OUTCOME_BITS = 5


def outcome(value: Outcome) -> BV:
    """The outcome as a 5-bit vector."""
    return number(int(value), OUTCOME_BITS)


@dataclass(frozen=True)
class Fault:
    """One run of handle_mm_fault(): the entry it leaves, and whether the access is over.

    `outcome` is `event` (one delivered), `bus`, or `ok` for "try the access again"; only
    the last is counted as a minor fault (mm_account_fault), unless it is `major`: something was
    read from swap.
    """

    entry: Entry
    outcome: BV
    major: Bool = False


@dataclass(frozen=True)
class CpFlags:
    """The MM_CP_* flags of change_protection() (include/linux/mm.h)."""

    try_change_writable: Bool = False
    uffd_wp: bool = False
    uffd_wp_resolve: bool = False
    uffd_rwp: bool = False
    uffd_rwp_resolve: bool = False

    @property
    def uffd_prot(self) -> bool:
        """Either protection is set."""
        return self.uffd_wp or self.uffd_rwp

    @property
    def uffd_prot_resolve(self) -> bool:
        """Either protection is taken away."""
        return self.uffd_wp_resolve or self.uffd_rwp_resolve
