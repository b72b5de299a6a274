"""What promises of several pages together are written in: questions about their state, and about
one step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

from model.kernel.bits import VM_SOFTDIRTY, VM_UFFD_WP
from model.kernel.logic import Bool, as_term, clear_bits, conj, disj, has, ite, negate, word
from model.kernel.records import Area, Outcome, outcome
from model.kernel.vma import same_truth, same_vma
from model.system.actions.spans import Span
from model.system.asking.view import View
from model.system.relation.ranges import RangeSystem
from model.system.state.pages import Page, Pages


def alike(a: Area, b: Area) -> Bool:
    """A program sees no difference between the two VMAs but VM_SOFTDIRTY, which calls do not ask
    for."""
    differing = clear_bits(a.vma.vm_flags ^ b.vma.vm_flags, VM_SOFTDIRTY)
    return conj(as_term(differing == word(0)), same_truth(a.vma.minor, b.vma.minor),
                same_truth(a.vma.uffd_rwp, b.vma.uffd_rwp))


class PagesView:
    """A state of a mapping with several pages."""

    def __init__(self, system: RangeSystem, pages: Pages) -> None:
        self._system = system
        self.pages = pages

    def each(self) -> Iterator[tuple[Page, View]]:
        """Every page, and the questions about it."""
        for at, page in enumerate(self.pages.pages):
            yield page, View(self._system.edition, self.pages.alone(at))

    def registered(self, first: int, last: int) -> Bool:
        """All these pages are mapped, and registered for write protection."""
        pages = self.pages.pages[first:last + 1]
        return conj(self.pages.uffd_open, *(
            conj(page.place.mapped, has(page.place.area.vma.vm_flags, VM_UFFD_WP))
            for page in pages))


class PagesStep:
    """One step: the state before, the call and its outcome, the state after."""

    def __init__(self, system: RangeSystem) -> None:
        self._system = system
        self.edition = system.edition
        self.mapping = system.mapping
        self.before = PagesView(system, system.before)

    @cached_property
    def after(self) -> PagesView:
        return PagesView(self._system, self._system.after)

    def calls(self, *names: str) -> Iterator[tuple[Bool, Span]]:
        """Each range of each of these operations, after whether that is the step."""
        for index, span in enumerate(self._system.spans):
            if span.op in names:
                yield self._system.system.choose(index), span

    def op(self, *names: str) -> Bool:
        """The operation is one of these, of whatever range."""
        return disj(*(chosen for chosen, _ in self.calls(*names)))

    def ended(self, *outcomes: Outcome) -> Bool:
        """The outcome is one of `outcomes`."""
        return disj(*(as_term(self._system.outcome == outcome(o)) for o in outcomes))

    @property
    def ok(self) -> Bool:
        return self.ended(Outcome.ok)

    @property
    def nothing_changed(self) -> Bool:
        """What is mapped, how it may be used, and the entries are as before."""
        return conj(*(conj(
            same_truth(a.place.mapped, b.place.mapped),
            disj(negate(a.place.mapped), conj(
                alike(a.place.area, b.place.area),
                as_term(a.place.area.vma.vm_page_prot == b.place.area.vma.vm_page_prot))),
            as_term(a.entry.pte == b.entry.pte))
            for a, b in zip(self.before.pages.pages, self.after.pages.pages, strict=True)))

    @property
    def merges(self) -> Bool:
        """Two VMAs become one."""
        old, new = self.before.pages.places, self.after.pages.places
        return disj(*(conj(old[at - 1].mapped, old[at].mapped, negate(old[at].joined),
                           new[at].joined) for at in range(1, len(old))))

    def neighbours(self) -> Iterator[tuple[int, Bool]]:
        """Each page that has one before it, after whether two VMAs meet there that are alike."""
        places = self.before.pages.places
        for at in range(1, len(places)):
            a, b = places[at - 1], places[at]
            yield at, conj(a.mapped, b.mapped, negate(b.joined), alike(a.area, b.area))

    def answers_as_one(self, at: int, span: Span) -> Bool:
        """The outcome is that of the same call, if the VMA that begins at this page were one with
        the VMA before it."""
        places = self.before.pages.places
        theirs = same_vma(places, at)
        joined = [replace(page, place=replace(
            page.place, joined=True if n == at else page.place.joined,
            area=ite(there, places[at - 1].area, page.place.area)))
            for n, (page, there) in enumerate(zip(self.before.pages.pages, theirs, strict=True))]
        if_one = span.run(self.edition, replace(self.before.pages, pages=tuple(joined)))
        return as_term(self._system.outcome == if_one.outcome)
