"""The least that memory owes: what was stored is there. And what `diff` asks of two editions before
any promise, by dirty bits alone.
"""

from __future__ import annotations

from model.system.asking.language import Bool, Outcome, conj, disj, implies, negate
from model.system.asking.step_view import StepView
from model.system.asking.view import View
from properties.base import UNDIRTIED, Property, Violated, stores

_COPIED = ("copy", "copy:wp", "move:in", "move:in:wp")
MISTAKEN = ("-0e678153f5be", "+b1f9e8768618", "+fed15f1345dc")
MISTAKE = ("hugetlb_change_protection() takes a marker for a page, and gives it the bits of a "
           "present entry: a store there is to no page of the file")


def held(s: View) -> Bool:
    """What was stored last is where a load would find it, and where reclaim leaves it: in an
    anonymous page of the entry or in its swap slot; of shared memory in the page cache, which is
    dirty or is where an entry is, swapped out, or mapped by another process. Reclaim takes no page
    of hugetlb. What has been written to a file on a disk is there, and is not followed."""
    e = s.entry
    if not s.mapping.shared:
        given_up = conj(e.lazyfree, negate(disj(e.page_dirty, s.dirty)))
        return conj(negate(e.unused), disj(s.swapped, conj(e.anon, negate(given_up))))
    kept = disj(e.cache_dirty, e.cache_swapped, e.cache_in_child, s.dirty)
    return conj(e.in_cache, negate(e.anon), True if s.mapping.hugetlb else kept)


def _given_up(t: StepView) -> Bool:
    """By what the calls are documented to do, or to writeback."""
    dropped = () if t.before.mapping.shared else ("dontneed", "guard")
    return disj(t.op("mmap", "writeback", *dropped),
                conj(t.op("remove", "truncate", "free"), t.ok),
                conj(t.op("move:out"), disj(t.ok, t.ended(Outcome.EAGAIN), t.ended(Outcome.never))))


def _stored(t: StepView) -> Bool:
    return disj(stores(t), conj(t.op(*_COPIED), t.ok),
                conj(t.op("pin:write"), t.before.entry.pinned))


PROPERTY = Property(
    name="data-kept",
    loses="data",
    claim="What was stored last is there, in memory or in swap, until a call that gives it up, or "
          "until it is written to a file on a disk.",
    origin="madvise(2): of all that a program may ask for, MADV_DONTNEED, MADV_REMOVE and "
           "MADV_FREE alone lose what was stored; ftruncate(2); UFFDIO_MOVE(2const)",
    allowed=lambda t: implies(
        disj(_stored(t), conj(held(t.before), negate(_given_up(t)))), held(t.after)),
    witness=lambda t: conj(held(t.before), t.op("pageout")),
    violated=(
        Violated("hugetlb", ("-1d8d14641fd9",), "hugetlb_wp() does not ask whether the mapping is "
                 "shared: a store to a page that mprotect has made read-only goes to a copy that "
                 "nobody shares"),
        Violated("hugetlb", MISTAKEN, MISTAKE),
        Violated("hugetlb", MISTAKEN[:2], MISTAKE, by="remove"),
        Violated("shmem", (), "a device writes through its pin, no entry is dirty, and io_uring "
                 "does not mark the page: reclaim takes it for clean, and drops it",
                 by="pin:write"),
        Violated("file", ("+edd478269640", "-8ac268436e6d"), "a device writes through its pin to a "
                 "page of a file on a disk, of which the file system does not hear",
                 by="pin:write&writeback"),
        Violated("thp", ("+saved-dirty", "-f7491d7c81db"), UNDIRTIED, by="free"),
        Violated("anon thp", (), "a device writes through its pin into what MADV_FREE has given "
                 "up, io_uring does not mark the page, and reclaim drops it", by="free&pin:write"),
    ),
    about=("pageout", "swapoff"),
)


def dirty(s: View) -> Bool:
    """The kernel knows that the page must not be dropped unwritten: by its entry, by the page
    cache, or because it is in swap or on its way."""
    return disj(s.dirty, conj(s.entry.in_cache, s.entry.cache_dirty),
                conj(s.not_present, negate(s.marker)))


def _kept(t: StepView) -> Bool:
    there = disj(t.after.present, conj(t.after.mapping.shared, t.after.entry.in_cache))
    return implies(conj(dirty(t.before), there), dirty(t.after))


DIRTY_KEPT = Property(
    name="dirty-kept",
    claim="No call takes the dirty bit from a page that stays: reclaim would drop what was stored.",
    origin="x86/mm: Fix user-space data loss with MADV_FREE and THP",
    witness=lambda t: conj(dirty(t.before), t.after.present),
    allowed=_kept,
)
