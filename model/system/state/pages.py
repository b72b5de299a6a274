"""The state of a mapping with several pages: of each its place in a VMA, its entry, its history.
"""

from __future__ import annotations

from collections.abc import Mapping as Entries
from collections.abc import Sequence
from dataclasses import dataclass, replace

import z3

from model.kernel.editions import Edition
from model.kernel.logic import BV, Bool, as_term, conj, disj, ite, negate, number
from model.kernel.records import IDENTITY_BITS, NOBODY, Area, Entry, Mapping, Place, Vma
from model.system.state.mappings import fresh_vma
from model.system.state.state import History, State, fresh_entry


@dataclass(frozen=True)
class Page:
    """One page of the mapping, and with it that of the file which is as far from its beginning:
    `entry` has the facts of the file (OF_FILE) for the latter. Where nothing is mapped it is as
    before it was touched, but for the file. `anew`: it was mapped after the last clear_refs;
    `given`: how far from it the page of the file is that mmap gave it."""

    place: Place
    entry: Entry
    history: History
    anew: Bool = True
    given: BV = NOBODY


OF_FILE = ("in_cache", "cache_dirty")
"""Facts of the page of a file, which no call on several pages makes false."""


@dataclass(frozen=True)
class Pages:
    """`uffd_open`: the process has an open userfaultfd."""

    pages: tuple[Page, ...]
    uffd_open: Bool

    @property
    def places(self) -> tuple[Place, ...]:
        return tuple(page.place for page in self.pages)

    def alone(self, page: int) -> State:
        """One page as the state of a mapping that has no other."""
        here = self.pages[page]
        return State(alone(here.place.area), self.entry(page), None, self.uffd_open, here.history)

    def entry(self, page: int) -> Entry:
        """What the page is mapped by, with what is known of the page of the file there."""
        here = self.pages[page]
        if unmoved(here.place.area):
            return here.entry
        facts: dict[str, Bool] = {fact: getattr(here.entry, fact) for fact in OF_FILE}
        for at, other in enumerate(self.pages):
            if at != page:
                there = maps(here.place.area, page, at)
                facts = {fact: ite(there, getattr(other.entry, fact), value)
                         for fact, value in facts.items()}
        return replace(here.entry, **facts)

    def with_entries(self, entries: Entries[int, tuple[Bool, Entry]]) -> Pages:
        """Entries of pages, where it is so."""
        new = [page.entry for page in self.pages]
        for page, (when, entry) in entries.items():
            area = self.pages[page].place.area
            old = {fact: getattr(new[page], fact) for fact in OF_FILE}
            new[page] = ite(when, entry, new[page])
            if unmoved(area):
                continue
            new[page] = replace(new[page], **old)
            for at, other in enumerate(new):
                told = conj(when, maps(area, page, at))
                new[at] = replace(other, **{
                    fact: disj(getattr(other, fact), conj(told, getattr(entry, fact)))
                    for fact in OF_FILE})
        return replace(self, pages=tuple(replace(page, entry=entry) for page, entry in zip(
            self.pages, new, strict=True)))


def unmoved(area: Area) -> bool:
    """Whether it is certain that the file is mapped from its beginning, or that there is none."""
    return area.vma.mapping.anonymous or bool(z3.simplify(area.offset == NOBODY).eq(
        z3.BoolVal(True)))


def maps(area: Area, page: int, of_file: int) -> Bool:
    """Whether the VMA has that page of the file at this page."""
    return as_term(area.offset == number((of_file - page) % (1 << IDENTITY_BITS), IDENTITY_BITS))


def alone(area: Area) -> Vma:
    """A VMA as the functions that see no other take it."""
    return replace(area.vma, anon_vma=area.faulted)


def fresh_area(ed: Edition, mapping: Mapping) -> Area:
    """As mmap() makes it. Private memory that may be written is accounted (accountable_mapping)."""
    return Area(fresh_vma(ed, mapping), account=not mapping.shared)


def fresh_pages(ed: Edition, mapping: Mapping, count: int) -> Pages:
    """One VMA of so many pages, with a userfaultfd open."""
    area = fresh_area(ed, mapping)
    return Pages(tuple(Page(Place(True, page > 0, area), fresh_entry(mapping),
                            History(False, False, False)) for page in range(count)), True)


def renumbered(places: Sequence[Place]) -> tuple[Place, ...]:
    """The same, with identities that are numbers of places: of the first that has them. There are
    no others, and so the states stay few."""
    def named(field: str) -> list[BV]:
        old = [getattr(place.area, field) for place in places]
        new: list[BV] = []
        for at, value in enumerate(old):
            name = number(at + 1, IDENTITY_BITS)
            for before in reversed(range(at)):
                name = ite(conj(places[before].mapped, as_term(old[before] == value)),
                           number(before + 1, IDENTITY_BITS), name)
            none = disj(negate(places[at].mapped), as_term(value == NOBODY))
            new.append(ite(none, NOBODY, name))
        return new

    return tuple(replace(place, area=replace(place.area, family=family, pgoff=pgoff))
                 for place, family, pgoff in zip(places, named("family"), named("pgoff"),
                                                 strict=True))
