"""What each operation does to a mapping with several pages: from its first page to its last.

A call goes over the VMAs of its range in the order of their addresses, as the kernel does, and what
it does to one page of one VMA is what effects.py and uffd.py say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from model.kernel.bits import VM_SOFTDIRTY
from model.kernel.editions import Edition
from model.kernel.fault import access_error
from model.kernel.fault_around import do_fault_around, should_fault_around
from model.kernel.logic import (
    BV,
    Bool,
    as_term,
    conj,
    disj,
    has,
    ite,
    negate,
    number,
    one_more,
    word,
)
from model.kernel.mprotect import do_mprotect_pkey, vma_accounted
from model.kernel.records import (
    IDENTITY_BITS,
    NOBODY,
    Outcome,
    Place,
    Vma,
    outcome,
)
from model.kernel.userfaultfd import (
    register_beside_rwp,
    userfaultfd_release,
    userfaultfd_set_vm_flags,
    userfaultfd_unregister,
)
from model.kernel.vma import (
    begins,
    find_mergeable_anon_vma,
    mmap_complete,
    needs_adjacent_anon_pgoff,
    same_truth,
    same_vma,
    unmap_region,
    vma_merge_new_range,
    vma_modify,
)
from model.system.actions.effect import NO_FAULTS, OK, Effect
from model.system.state.pages import Page, Pages, alone, fresh_area, renumbered
from model.system.state.state import History, State, fresh_entry

_ENOMEM, _EINVAL, _ENOENT, _EFAULT = map(
    outcome, (Outcome.ENOMEM, Outcome.EINVAL, Outcome.ENOENT, Outcome.EFAULT))


@dataclass(frozen=True)
class Ranged:
    """As Effect, of a mapping with several pages."""

    state: Pages
    outcome: BV = OK
    faults: BV = NO_FAULTS


ByPage: TypeAlias = Callable[[Edition, State], Effect]
"""What an operation does to a mapping of one page."""


def _with_places(s: Pages, places: Sequence[Place]) -> Pages:
    return replace(s, pages=tuple(replace(page, place=place) for page, place in zip(
        s.pages, renumbered(places), strict=True)))


def _with(s: Pages, done: dict[int, tuple[Bool, State]]) -> Pages:
    """Entry and history of pages are those of states of theirs, where it is so."""
    s = s.with_entries({page: (when, state.entry) for page, (when, state) in done.items()})
    pages = list(s.pages)
    for page, (when, state) in done.items():
        old = pages[page]
        pages[page] = replace(old, history=ite(when, state.history, old.history))
    return replace(s, pages=tuple(pages))


# --- loads and stores -----------------------------------------------------------------------------


def access(ed: Edition, s: Pages, page: int, _last: int, run: ByPage, loads: bool) -> Ranged:
    """SIGSEGV where nothing is mapped. Who needs an anon_vma may get that of a neighbour, and a
    load of a file maps what is around it."""
    here, before = s.pages[page].place, s.alone(page)
    effect = run(ed, before)
    done = {page: (here.mapped, effect.state)}
    same = same_vma(s.places, page)
    if loads:
        around = conj(should_fault_around(ed, before.vma, before.entry),
                      negate(access_error(ed, before.vma, False)))
        for at, there in enumerate(same):
            if at != page:
                beside = s.alone(at)
                done[at] = conj(there, around), replace(
                    beside, entry=do_fault_around(ed, before.vma, beside.entry))
    needed = conj(here.mapped, effect.state.vma.anon_vma, negate(here.area.faulted))
    new = number((1 << IDENTITY_BITS) - 1, IDENTITY_BITS)
    family = find_mergeable_anon_vma(ed, s.places, page, new)
    places = [replace(place, area=replace(place.area, family=ite(
        conj(needed, there), family, place.area.family)))
        for place, there in zip(s.places, same, strict=True)]
    return Ranged(_with_places(_with(s, done), places),
                  ite(here.mapped, effect.outcome, outcome(Outcome.segv)),
                  ite(here.mapped, effect.faults, NO_FAULTS))


# --- what is done to every VMA, and splits none ---------------------------------------------------


def everywhere(ed: Edition, s: Pages, first: int, last: int, run: ByPage) -> Ranged:
    """Of all VMAs of the process: clear_refs and fork."""
    done: dict[int, tuple[Bool, State]] = {}
    places = list(s.places)
    for page in range(first, last + 1):
        place, state = places[page], run(ed, s.alone(page)).state
        done[page] = place.mapped, state
        vma = ite(place.mapped, replace(state.vma, anon_vma=False), place.area.vma)
        places[page] = replace(place, area=replace(place.area, vma=vma))
    pages = zip(_with(s, done).pages, places, strict=True)
    return Ranged(replace(s, pages=tuple(replace(page, place=place) for page, place in pages)))


def clear_refs(ed: Edition, s: Pages, first: int, last: int, run: ByPage) -> Ranged:
    """Of all VMAs: what is mapped is not new any more."""
    done = everywhere(ed, s, first, last, run).state
    return Ranged(replace(done, pages=tuple(replace(page, anew=False) for page in done.pages)))


def fork_child(ed: Edition, s: Pages, first: int, last: int, run: ByPage) -> Ranged:
    """The run goes on in the child: mm/rmap.c: anon_vma_fork gives each VMA that has an anon_vma
    one of its own, beside links to its parent's."""
    there = everywhere(ed, s, first, last, run).state
    places: list[Place] = []
    for page, place in enumerate(there.places):
        before = places[page - 1].area.family if page else NOBODY
        own = number((1 << IDENTITY_BITS) - 1 - page, IDENTITY_BITS)
        family = ite(place.area.faulted, ite(place.joined, before, own), NOBODY)
        places.append(replace(place, area=replace(
            place.area, family=family, chained=disj(place.area.chained, place.area.faulted))))
    return Ranged(replace(_with_places(there, places), uffd_open=False))


def opened(ed: Edition, s: Pages, _first: int, _last: int, run: ByPage) -> Ranged:
    """The features of a userfaultfd, which are the same for all pages."""
    effect = run(ed, s.alone(0))
    told = effect.state.vma
    pages = [replace(page, place=replace(page.place, area=replace(page.place.area, vma=replace(
        page.place.area.vma, wp_unpopulated=told.wp_unpopulated, wp_async=told.wp_async,
        rwp=told.rwp, rwp_async=told.rwp_async)))) for page in s.pages]
    return Ranged(Pages(tuple(pages), effect.state.uffd_open), effect.outcome)


def dontneed(ed: Edition, s: Pages, first: int, last: int, run: ByPage) -> Ranged:
    """mm/madvise.c: madvise_walk_vmas. ENOMEM where there is a hole, after all has been done."""
    whole = conj(*(s.pages[page].place.mapped for page in range(first, last + 1)))
    done = {page: (s.pages[page].place.mapped, run(ed, s.alone(page)).state)
            for page in range(first, last + 1)}
    return Ranged(_with(s, done), ite(whole, OK, _ENOMEM))


def writeprotect(ed: Edition, s: Pages, first: int, last: int, run: ByPage) -> Ranged:
    """mm/userfaultfd.c: mwriteprotect_range. Since a1b92a3f1498 it goes over VMAs until one is not
    registered, passing holes by; before, all had to be one VMA."""
    places = s.places
    one = conj(*same_vma(places, first)[first:last + 1])
    several = ed.has("a1b92a3f1498")
    done: dict[int, tuple[Bool, State]] = {}
    going: Bool = disj(several, one)
    seen: Bool = False
    result = OK
    for page in range(first, last + 1):
        effect, mapped = run(ed, s.alone(page)), places[page].mapped
        fails = conj(going, mapped, as_term(effect.outcome != OK))
        result = ite(fails, effect.outcome, result)
        going, seen = conj(going, negate(fails)), disj(seen, mapped)
        done[page] = conj(going, mapped), effect.state
    nothing = disj(negate(seen), negate(disj(several, one)))
    refused = ite(s.uffd_open, _ENOENT, outcome(Outcome.EBADF))
    return Ranged(_with(s, done), ite(nothing, refused, result))


# --- what splits and merges -----------------------------------------------------------------------


def mprotect(ed: Edition, s: Pages, first: int, last: int, run: ByPage, prot: int) -> Ranged:
    """mm/mprotect.c: do_mprotect_pkey. What was done before a hole, or before a VMA that refuses,
    stays. A VMA that has merged is given the word of the one that was asked for, and since
    6707915e030a what is sticky of the other too; its vm_page_prot is the survivor's."""
    places = s.places
    going: Bool = True
    result = OK
    touched: dict[int, tuple[Bool, Vma]] = {}
    for start in range(first, last + 1):
        place, entry = places[start], s.pages[start].entry
        vma, found = alone(place.area), begins(places, first, start)
        wanted, _, answer = do_mprotect_pkey(ed, vma, entry, prot)
        fails = conj(going, disj(negate(place.mapped), conj(found, as_term(answer != OK))))
        result = ite(fails, ite(place.mapped, answer, _ENOMEM), result)
        going = conj(going, negate(fails))
        asked = conj(going, found, as_term(wanted.vm_flags != vma.vm_flags))
        account = vma_accounted(ed, place.area, wanted.vm_flags)
        changed = replace(place.area, vma=replace(place.area.vma, vm_flags=wanted.vm_flags),
                          account=account)
        done = vma_modify(ed, places, start, last, asked, changed)
        kept = done.merge.survivor
        dirty = conj(ed.has("6707915e030a"), done.merge.merged,
                     has(kept.vma.vm_flags, VM_SOFTDIRTY))
        handed = replace(vma, vm_page_prot=kept.vma.vm_page_prot, vm_flags=ite(
            dirty, vma.vm_flags | word(VM_SOFTDIRTY), vma.vm_flags))
        new, _, _ = do_mprotect_pkey(ed, handed, entry, prot)
        kept = replace(kept, account=account, vma=replace(
            kept.vma, vm_flags=new.vm_flags, vm_page_prot=new.vm_page_prot))
        places = done.written(kept)
        for page in range(start, last + 1):
            before = touched.get(page, (False, handed))
            touched[page] = (disj(before[0], done.inside[page]),
                             ite(done.inside[page], handed, before[1]))
    pages = {page: (when, run(ed, replace(s.alone(page), vma=vma)).state)
             for page, (when, vma) in touched.items()}
    return Ranged(_with_places(_with(s, pages), places), result)


def registering(ed: Edition, s: Pages, first: int, last: int, run: ByPage,
                change: Callable[[Vma, Page], Vma]) -> Ranged:
    """fs/userfaultfd.c, mm/userfaultfd.c: userfaultfd_register and userfaultfd_unregister, which
    `change` the registration of one VMA. All VMAs are asked before any is changed; holes are passed
    by, but EINVAL where there is nothing else. The entries see the VMA as it was.

    Before 5543d3c43c41 the pgoff of a part that does not begin its VMA was that of the VMA."""
    found = {page: run(ed, s.alone(page)) for page in range(first, last + 1)}
    result = OK
    seen: Bool = False
    for page in range(last, first - 1, -1):
        mapped, answer = s.pages[page].place.mapped, found[page].outcome
        result = ite(conj(mapped, as_term(answer != OK)), answer, result)
        seen = disj(seen, mapped)
    nothing = ite(s.uffd_open, _EINVAL, outcome(Outcome.EBADF))
    result = ite(seen, result, nothing)
    able = as_term(result == OK)
    done = {page: (conj(able, s.pages[page].place.mapped), effect.state)
            for page, effect in found.items()}
    return Ranged(_with_places(_with(s, done), _registered(ed, s, first, last, able, change)),
                  result)


def _registered(ed: Edition, s: Pages, first: int, last: int, able: Bool,
                change: Callable[[Vma, Page], Vma]) -> tuple[Place, ...]:
    """Since a17c7d8fd2b0 who survives keeps its word, but for the registration."""
    places = s.places
    for start in range(first, last + 1):
        area = places[start].area
        new = change(alone(area), s.pages[start])
        differs = disj(as_term(new.vm_flags != area.vma.vm_flags),
                       negate(same_truth(new.minor, area.vma.minor)),
                       negate(same_truth(new.uffd_rwp, area.vma.uffd_rwp)))
        asked = conj(able, begins(places, first, start), differs)
        changed = replace(area, vma=replace(new, anon_vma=False))
        done = vma_modify(ed, places, start, last, asked, changed,
                          misplaced=negate(ed.has("5543d3c43c41")))
        kept = done.merge.survivor
        flags = ite(conj(done.merge.merged, ed.has("a17c7d8fd2b0")), kept.vma.vm_flags,
                    new.vm_flags)
        vma = userfaultfd_set_vm_flags(ed, kept.vma, flags, new.minor, new.uffd_rwp)
        places = done.written(replace(kept, vma=vma))
    return places


def register(ed: Edition, s: Pages, first: int, last: int, run: ByPage, mode: int) -> Ranged:
    return registering(ed, s, first, last, run,
                       lambda vma, _page: register_beside_rwp(ed, vma, mode)[0])


def unregister(ed: Edition, s: Pages, first: int, last: int, run: ByPage) -> Ranged:
    return registering(ed, s, first, last, run,
                       lambda vma, page: userfaultfd_unregister(ed, vma, page.entry)[0])


def close(ed: Edition, s: Pages, first: int, last: int, run: ByPage) -> Ranged:
    """Every VMA that is registered, each as a whole; there may be none."""
    done = {page: (conj(s.uffd_open, s.pages[page].place.mapped), run(ed, s.alone(page)).state)
            for page in range(first, last + 1)}
    places = _registered(ed, s, first, last, s.uffd_open, lambda vma, page: userfaultfd_release(
        ed, vma, page.entry)[0])
    closed = replace(_with_places(_with(s, done), places), uffd_open=False)
    return Ranged(closed, ite(s.uffd_open, OK, outcome(Outcome.EBADF)))


# --- what maps and unmaps -------------------------------------------------------------------------


def _emptied(ed: Edition, s: Pages, gone: Sequence[Bool]) -> Pages:
    """Of each page, whether nothing is mapped there any more: what remains is what the page cache
    has."""
    mapping = s.places[0].area.vma.mapping
    left = s.with_entries({
        page: (conj(went, place.mapped), fresh_entry(mapping) if mapping.anonymous else
               unmap_region(ed, alone(place.area), s.entry(page)))
        for page, (place, went) in enumerate(zip(s.places, gone, strict=True))})
    pages: list[Page] = []
    for page, went in zip(left.pages, gone, strict=True):
        vma, area = page.place.area.vma, fresh_area(ed, mapping)
        area = replace(area, vma=replace(
            area.vma, wp_unpopulated=vma.wp_unpopulated, wp_async=vma.wp_async, rwp=vma.rwp,
            rwp_async=vma.rwp_async))
        empty = Page(Place(False, False, area), page.entry, History(False, False, False), False)
        pages.append(ite(went, empty, page))
    for at in range(1, len(pages)):
        place = pages[at].place
        pages[at] = replace(pages[at], place=replace(
            place, joined=conj(place.joined, pages[at - 1].place.mapped)))
    done = replace(s, pages=tuple(pages))
    return _with_places(done, done.places)


def munmap(ed: Edition, s: Pages, first: int, last: int) -> Ranged:
    """Splits, and merges nothing. Where nothing is, nothing is to be done."""
    return Ranged(_emptied(ed, s, [first <= at <= last for at in range(len(s.pages))]))


def mmap(ed: Edition, s: Pages, first: int, last: int, of_file: int | None = None) -> Ranged:
    """MAP_FIXED of the same, or of the pages of the file from `of_file` on: as munmap() before.
    What it grows is soft-dirty, all of it."""
    gone = munmap(ed, s, first, last).state
    places = list(gone.places)
    offset = NOBODY if of_file is None else number((of_file - first) % (1 << IDENTITY_BITS),
                                                   IDENTITY_BITS)
    made = replace(places[first].area, offset=offset)
    prev, following = places[first - 1], places[(last + 1) % len(places)]
    merge = vma_merge_new_range(ed, made, prev.area, following.area,
                                conj(first > 0, prev.mapped),
                                conj(last + 1 < len(places), following.mapped))
    for at in range(first, last + 1):
        places[at] = Place(True, merge.left if at == first else True, made)
    if last + 1 < len(places):
        places[last + 1] = replace(following, joined=merge.right)
    whole = same_vma(places, first)
    kept = replace(merge.survivor, vma=mmap_complete(ed, merge.survivor.vma))
    kept = ite(merge.merged, kept, made)
    places = [replace(place, area=ite(there, kept, place.area))
              for place, there in zip(places, whole, strict=True)]
    gone = replace(gone, pages=tuple(
        replace(page, anew=True, given=offset) if first <= at <= last else page
        for at, page in enumerate(gone.pages)))
    return Ranged(_with_places(gone, places))


def mremap(ed: Edition, s: Pages, first: int, last: int, run: ByPage) -> Ranged:
    """To another address, where nothing else is. EFAULT but for one VMA before "remap-move"; since
    then VMAs move one by one (remap_move), until one is registered that is not alone. What has
    moved before that is no longer to be seen here.

    An anonymous VMA, since "anon-pgoff" any private one, gets the pgoff of its new address where it
    has no anon_vma, and keeps the old one else. Who moves beside one that has moved may merge."""
    places = s.places
    one = conj(*same_vma(places, first)[first:last + 1])
    moved: list[Place] = []
    going: Bool = conj(places[first].mapped, disj(one, ed.has("remap-move")))
    gone: list[Bool] = []
    states = {page: run(ed, s.alone(page)).state for page in range(first, last + 1)}
    for page in range(first, last + 1):
        place, state = places[page], states[page]
        area = place.area
        armed = as_term(state.vma.vm_flags != area.vma.vm_flags)
        going = conj(going, negate(conj(place.mapped, armed, negate(one))))
        gone.append(conj(going, place.mapped))
        pgoff = ite(conj(area.faulted, needs_adjacent_anon_pgoff(ed, area)),
                    one_more(area.pgoff), NOBODY)
        there = replace(area, vma=replace(state.vma, anon_vma=False), pgoff=pgoff)
        moved.append(replace(place, area=there))
        if page > first:
            before = moved[page - 1]
            both = conj(before.mapped, place.mapped, negate(place.joined))
            merge = vma_merge_new_range(ed, there, before.area, there, both, False)
            moved[page] = replace(moved[page], joined=disj(place.joined, merge.left))
            whole = same_vma(moved, page)
            kept = ite(merge.left, merge.survivor, there)
            kept = ite(place.joined, before.area, kept)
            moved = [replace(m, area=ite(w, kept, m.area)) for m, w in zip(
                moved, whole, strict=True)]
    arrived = _with_places(_with(s, {p: (places[p].mapped, st) for p, st in states.items()}),
                           moved)
    stayed = _emptied(ed, s, gone)
    return Ranged(ite(going, arrived, stayed), ite(going, OK, _EFAULT))
