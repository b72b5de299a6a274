"""mm/vma.c (6.1: mm/mmap.c): which VMAs may be one, which of them survives and as what, splitting.

Read from 6.1.192, 6.12.117 and 7.3.4. A VMA is a run of places that are `joined` (records.py). Left
out: what is never merged (VM_SPECIAL, vm_ops with close), mempolicy, names, running out of memory.
One userfaultfd is open at a time, and so the context of two VMAs is one where their flags are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from model.kernel.bits import VM_ACCESS_FLAGS, VM_SOFTDIRTY
from model.kernel.editions import Edition
from model.kernel.logic import (
    BV,
    Bool,
    as_term,
    clear_bits,
    conj,
    disj,
    has,
    ite,
    negate,
    one_more,
    word,
)
from model.kernel.memory import unmap_single_vma
from model.kernel.mirror import mirrors
from model.kernel.mmap import vma_set_page_prot
from model.kernel.records import NOBODY, Area, Entry, Place, Vma

_C = "mm/vma.c"
_OLD = "mm/mmap.c"

# --- may two be one -------------------------------------------------------------------------------


def _alike(ed: Edition, a: Area, b: Area, ignored: int) -> Bool:
    """Their flags are equal but for those that are ignored; VM_MAYBE_GUARD is, ever since there is
    one."""
    dirty = ite(ed.has("34228d473efe"), word(VM_SOFTDIRTY), word(0))
    differing = clear_bits(a.vma.vm_flags ^ b.vma.vm_flags, ignored) & ~dirty
    facts = ((a.account, b.account), (a.vma.minor, b.vma.minor),
             (a.vma.uffd_rwp, b.vma.uffd_rwp), (a.vma.mergeable, b.vma.mergeable))
    return conj(as_term(differing == word(0)), *(same_truth(x, y) for x, y in facts))


def same_truth(a: Bool, b: Bool) -> Bool:
    """Both hold, or neither."""
    if isinstance(a, bool) and isinstance(b, bool):
        return a == b
    return as_term(as_term(a) == as_term(b))


def _one_family(a: Area, b: Area) -> Bool:
    return as_term(a.family == b.family)


@mirrors(_C, _OLD)
def is_mergeable_vma(ed: Edition, area: Area, neighbour: Area) -> Bool:
    """VM_SOFTDIRTY alone may differ."""
    return _alike(ed, area, neighbour, 0)


@mirrors(_C, _OLD)
def is_mergeable_anon_vma(ed: Edition, area: Area, neighbour: Area) -> Bool:
    """Both have the same anon_vma or none; or one of them has one, and is no child's. Before
    879bca0a2c4f the neighbour's chain was asked, whoever has one: an empty one is not singular, and
    so a faulted range never merged with a neighbour that is not."""
    singular = conj(neighbour.faulted, negate(neighbour.chained))
    before = disj(conj(disj(negate(area.faulted), negate(neighbour.faulted)), singular),
                  _one_family(area, neighbour))
    ours = conj(area.faulted, negate(neighbour.faulted))
    theirs = conj(neighbour.faulted, negate(area.faulted))
    since = ite(ours, negate(area.chained), ite(theirs, negate(neighbour.chained),
                                                _one_family(area, neighbour)))
    return ite(ed.has("879bca0a2c4f"), since, before)


def are_anon_vmas_compatible(prev: Area, following: Area) -> Bool:
    """mm/vma.c: are_anon_vmas_compatible (7.3: can_vma_merge_right): whether what is on both sides
    can be one, each of which could with the range."""
    return disj(negate(prev.faulted), negate(following.faulted), _one_family(prev, following))


@mirrors(_C)
def needs_adjacent_anon_pgoff(ed: Edition, area: Area) -> Bool:
    """Private files have an anon_pgoff since "anon-pgoff". Of anonymous memory vm_pgoff says it,
    and that of a file continues here wherever its memory does."""
    return disj(area.vma.mapping.anonymous,
                conj(not area.vma.mapping.shared, ed.has("anon-pgoff")))


def _continues(ed: Edition, area: Area, neighbour: Area) -> Bool:
    anon = disj(negate(needs_adjacent_anon_pgoff(ed, area)),
                as_term(area.pgoff == neighbour.pgoff))
    return conj(anon, area.vma.mapping.anonymous or as_term(area.offset == neighbour.offset))


@mirrors(_C, _OLD)
def can_vma_merge_before(ed: Edition, area: Area, following: Area) -> Bool:
    """`area` may be the beginning of what follows it."""
    return conj(is_mergeable_vma(ed, area, following), is_mergeable_anon_vma(ed, area, following),
                _continues(ed, area, following))


@mirrors(_C, _OLD)
def can_vma_merge_after(ed: Edition, area: Area, prev: Area) -> Bool:
    """`area` may be the end of what is before it."""
    return conj(is_mergeable_vma(ed, area, prev), is_mergeable_anon_vma(ed, area, prev),
                _continues(ed, area, prev))


# --- what becomes of them -------------------------------------------------------------------------


@dataclass(frozen=True)
class Merge:
    """A range becomes one with what is on its `left`, or `right`, or both: `survivor` is what there
    is then, and the range itself, as it was before, where it merges with neither."""

    left: Bool
    right: Bool
    survivor: Area

    @property
    def merged(self) -> Bool:
        return disj(self.left, self.right)


@mirrors(_C, _OLD)
def dup_anon_vma(_ed: Edition, dst: Area, src: Area) -> Area:
    """Who survives takes over the anon_vma that it lacks. (6.1: open-coded in __vma_adjust.)"""
    taken = replace(dst, family=src.family, chained=src.chained)
    return ite(conj(negate(dst.faulted), src.faulted), taken, dst)


def _sticky(ed: Edition, survivor: Area, parts: Iterable[tuple[Bool, Area]]) -> Area:
    """VMA_STICKY_FLAGS: since 6707915e030a the survivor is soft-dirty where a part is, and has
    VM_MAYBE_GUARD likewise."""
    parts = list(parts)
    sticky = ed.has("6707915e030a")
    dirty = disj(*(conj(sticky, taking, has(part.vma.vm_flags, VM_SOFTDIRTY))
                   for taking, part in parts))
    guard = disj(*(conj(sticky, taking, part.vma.maybe_guard) for taking, part in parts))
    flags = ite(dirty, survivor.vma.vm_flags | word(VM_SOFTDIRTY), survivor.vma.vm_flags)
    vma = replace(survivor.vma, vm_flags=flags, maybe_guard=disj(survivor.vma.maybe_guard, guard))
    return replace(survivor, vma=vma)


@mirrors(_C, "mm/mmap.c:vma_merge")
def vma_merge_existing_range(ed: Edition, middle: Area, changed: Area, prev: Area, following: Area,
                             left_side: Bool, right_side: Bool) -> Merge:
    """A part of `middle` becomes as `changed` says. `left_side` and `right_side`: it begins or ends
    where `middle` does, and `prev` or `following` is there. Who is on the left survives, else who
    is on the right. (6.1: its cases 1 to 8.)"""
    left = conj(left_side, can_vma_merge_after(ed, changed, prev))
    right = conj(right_side, can_vma_merge_before(ed, changed, following),
                 disj(negate(left), are_anon_vmas_compatible(prev, following)))
    source = ite(conj(right, following.faulted), following, middle)
    survivor = ite(left, dup_anon_vma(ed, prev, source), dup_anon_vma(ed, following, middle))
    parts = ((True, changed), (left, prev), (right, following))
    merged = _sticky(ed, survivor, parts)
    return Merge(left, right, ite(disj(left, right), merged, middle))


@mirrors(_C, "mm/mmap.c:__mmap_region")
def vma_merge_new_range(ed: Edition, made: Area, prev: Area, following: Area, has_prev: Bool,
                        has_following: Bool) -> Merge:
    """As of a range that is mapped anew, or that mremap() moves, which brings an anon_vma along.
    Before cacded5e42b9 mmap() asked first about what follows, and then whether that and what is
    before can be one."""
    after = conj(has_prev, can_vma_merge_after(ed, made, prev))
    before = conj(has_following, can_vma_merge_before(ed, made, following))
    both = disj(negate(after), are_anon_vmas_compatible(prev, following))
    grown = replace(made, family=following.family, chained=following.chained)
    since = ed.has("cacded5e42b9")
    left = ite(disj(since, negate(before)), after,
               conj(has_prev, can_vma_merge_after(ed, grown, prev)))
    right = conj(before, disj(negate(since), both))
    survivor = ite(left, ite(right, dup_anon_vma(ed, prev, following), prev), following)
    survivor = dup_anon_vma(ed, survivor, made)
    merged = _sticky(ed, survivor, ((True, made), (left, prev), (right, following)))
    return Merge(left, right, ite(disj(left, right), merged, made))


@dataclass(frozen=True)
class Modified:
    """What became of a range: the `places`, which of them the range was (`inside`) and which are
    now of the one VMA that it is or is a part of (`whole`)."""

    places: tuple[Place, ...]
    inside: tuple[Bool, ...]
    whole: tuple[Bool, ...]
    merge: Merge

    def written(self, area: Area) -> tuple[Place, ...]:
        """The places, and `area` what their VMA is."""
        return tuple(replace(place, area=ite(there, area, place.area))
                     for place, there in zip(self.places, self.whole, strict=True))


def same_vma(places: Sequence[Place], page: int) -> tuple[Bool, ...]:
    """Of each place, whether it is of the same VMA as that of `page`."""
    found: list[Bool] = [False] * len(places)
    found[page] = places[page].mapped
    for at in range(page + 1, len(places)):
        found[at] = conj(found[at - 1], places[at].joined)
    for at in range(page - 1, -1, -1):
        found[at] = conj(found[at + 1], places[at + 1].joined)
    return tuple(found)


def begins(places: Sequence[Place], first: int, page: int) -> Bool:
    """What the walk of a range from `first` on finds at `page`: the beginning of a VMA, or of its
    part in the range."""
    place = places[page]
    return place.mapped if page == first else conj(place.mapped, negate(place.joined))


def _within(places: Sequence[Place], page: int) -> BV:
    """How many pages of its VMA are before that page."""
    found = NOBODY
    for at in range(1, page + 1):
        found = ite(places[at].joined, one_more(found), NOBODY)
    return found


@mirrors(_C, "mm/mmap.c:split_vma", ":__split_vma")
def vma_modify(ed: Edition, places: tuple[Place, ...], start: int, last: int, asked: Bool,
               changed: Area, misplaced: Bool = False) -> Modified:
    """Where `asked`, that part of the VMA at `start` that ends with the VMA or with `last` becomes
    as `changed` says: it merges with its neighbours, or is split off. A part that is split off
    keeps every field. `misplaced`: the caller gives the pgoff of the whole VMA for that of the
    part, which what follows a part that does not begin its VMA matches if at all by mistake.
    """
    pages, middle = range(len(places)), places[start].area
    inside: list[Bool] = [False] * len(places)
    inside[start] = asked
    for at in range(start + 1, last + 1):
        inside[at] = conj(inside[at - 1], places[at].joined)
    ends = [conj(inside[at], negate(inside[at + 1]) if at < pages[-1] else True) for at in pages]
    left_side = conj(start > 0, places[start - 1].mapped, negate(places[start].joined))
    beside = range(start, min(last + 1, pages[-1]))
    following = middle
    right_side: Bool = False
    for at in reversed(beside):
        there = conj(places[at + 1].mapped, negate(places[at + 1].joined))
        following = ite(ends[at], places[at + 1].area, following)
        right_side = disj(right_side, conj(ends[at], there))
    wrong = conj(misplaced, places[start].joined)
    if middle.vma.mapping.anonymous:
        right_side = conj(right_side, negate(wrong))
    else:
        said = changed.offset - _within(places, start)
        changed = replace(changed, offset=ite(wrong, said, changed.offset))
    merge = vma_merge_existing_range(ed, middle, changed, places[start - 1].area, following,
                                     conj(asked, left_side), right_side)
    new = list(places)
    new[start] = replace(new[start], joined=ite(asked, merge.left, new[start].joined))
    for at in beside:
        new[at + 1] = replace(new[at + 1], joined=ite(ends[at], merge.right, new[at + 1].joined))
    whole = tuple(conj(asked, there) for there in same_vma(new, start))
    return Modified(tuple(new), tuple(inside), whole, merge)


# --- anon_vmas ------------------------------------------------------------------------------------


@mirrors(_C, _OLD)
def anon_vma_compatible(ed: Edition, a: Area, b: Area) -> Bool:
    """Two that touch may share an anon_vma: mprotect could make them one, whoever is registered
    with what not being asked beyond the flags."""
    return conj(_alike(ed, a, b, VM_ACCESS_FLAGS), _continues(ed, a, b))


@mirrors(_C, _OLD, ":reusable_anon_vma")
def find_mergeable_anon_vma(ed: Edition, places: Sequence[Place], page: int, new: BV) -> BV:
    """The anon_vma of the VMA at `page`, which needs its first: that of what follows, else of what
    is before, if it has one, is no child's and compatible, else a `new` one."""
    area, same = places[page].area, same_vma(places, page)
    found = new
    for at in range(len(places)):  # what is before, then what follows, which counts more
        if at == page:
            continue
        edge = same[at + 1] if at < page else same[at - 1]
        other = places[at]
        reusable = conj(edge, negate(same[at]), other.mapped, other.area.faulted,
                        negate(other.area.chained), anon_vma_compatible(ed, other.area, area))
        found = ite(reusable, other.area.family, found)
    return found


# --- what is not there any more, and what is new --------------------------------------------------


@mirrors(_C, _OLD)
def unmap_region(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """munmap(): as MADV_DONTNEED, and no marker stays (ZAP_FLAG_DROP_MARKER)."""
    return unmap_single_vma(ed, vma, entry).unmapped(word(0))


def mmap_complete(ed: Edition, vma: Vma) -> Vma:
    """mm/vma.c: __mmap_complete (before 6.13: in mmap_region). A VMA that is new, or has grown, is
    soft-dirty, all of it."""
    dirty = ite(ed.has("d9104d1ca966"), vma.vm_flags | word(VM_SOFTDIRTY), vma.vm_flags)
    return vma_set_page_prot(ed, vma.with_flags(dirty))
