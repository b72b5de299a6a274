"""One edition and a mapping with several pages as a transition system, and what is observed of it.

There are hundreds of actions, so that each is built when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache, cached_property, lru_cache
from typing import Any, overload

import z3

from model.kernel.bits import VMFLAG_LETTERS
from model.kernel.editions import Edition, UsageError
from model.kernel.fault import FAULT_BITS
from model.kernel.logic import BV, Bool, as_term, conj, disj, negate, number
from model.kernel.pgtable import pte_present
from model.kernel.records import IDENTITY_BITS, OUTCOME_BITS, Mapping, Outcome
from model.kernel.task_mmu import do_pagemap_scan, pagemap_read
from model.system.actions.operations import OPERATIONS, TRACKED
from model.system.actions.spans import OF_FILE, OPERATIONS_OF_SEVERAL, find_span, plain_ops, spans
from model.system.relation.compiled import Machine, Values, compile_terms
from model.system.relation.kernel import Asked, Step
from model.system.relation.transition import TransitionSystem
from model.system.state.pages import Pages, alone, fresh_pages, unmoved
from model.system.state.state import State, flatten, leaf_names, leaves, rebuild, variables_like

Branch = tuple[z3.ExprRef, ...]


class _Branches(Sequence[Branch]):
    """The terms of each action, built when they are asked for."""

    def __init__(self, system: RangeSystem) -> None:
        self._system = system

    def __len__(self) -> int:
        return len(self._system.actions)

    @overload
    def __getitem__(self, index: int) -> Branch: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Branch]: ...

    def __getitem__(self, index: int | slice) -> Branch | Sequence[Branch]:
        if isinstance(index, slice):
            return [self._system.branch(a) for a in self._system.actions[index]]
        return self._system.branch(self._system.actions[index])

    def __iter__(self) -> Iterator[Branch]:
        return map(self._system.branch, self._system.actions)


class RangeSystem:
    """The model of `edition` and so many pages of `mapping`, as KernelSystem is of one. `ops` are
    the operations that it explores, each of every range, `follows` facts of a page that are
    kept."""

    def __init__(self, edition: Edition, mapping: Mapping, pages: int,
                 ops: Collection[str] = OPERATIONS_OF_SEVERAL,
                 follows: Collection[str] = ()) -> None:
        self.edition = edition
        self.mapping = mapping
        self.pages = pages
        self.spans = tuple(find_span(name, pages) for name in spans(pages, ops))
        self.actions = tuple(span.name for span in self.spans)
        self.initial = fresh_pages(edition, mapping, pages)
        self.names = leaf_names(self.initial)
        followed = {fact for op in ops if op in OPERATIONS
                    for fact in OPERATIONS[op].tracks}
        if mapping.shared and edition.has("4e92030c05dc") is not False:
            followed.add("cache_dirty")
        self._fixed = (TRACKED | {"cache_small"}) - followed | ({"anew", "given"} - {*follows})
        if not any(op in OF_FILE for op in ops):
            self._fixed |= {"offset"}
        self._variables: Pages = variables_like(self.initial)
        self.before = self._with_fixed(self._variables)

    def _with_fixed(self, state: Pages) -> Pages:
        """The state with its initial value in every fact that no action here needs."""
        return rebuild(self.initial, [
            first if name.rpartition(".")[2] in self._fixed else value
            for name, first, value in zip(self.names, leaves(self.initial), leaves(state),
                                          strict=True)])

    def branch(self, action: str) -> Branch:
        """The next value of every variable after an action, its outcome and its faults."""
        done = find_span(action, self.pages).run(self.edition, self.before)
        return (*flatten(self._with_fixed(done.state)), done.outcome, done.faults)

    @cached_property
    def after(self) -> Pages:
        """The state after the step, as constants."""
        return rebuild(self.initial, self.system.primed)

    @property
    def outcome(self) -> BV:
        return z3.BitVec("outcome", OUTCOME_BITS)

    @cached_property
    def parts(self) -> tuple[Asked, ...]:
        """What a promise of one page is asked of: every page."""
        return tuple(PageOf(self, page) for page in range(self.pages))

    @cached_property
    def system(self) -> TransitionSystem:
        return TransitionSystem(
            name=f"{self.edition.name}/{self.mapping.name}:{self.pages}",
            variables=flatten(self._variables), initial=flatten(self.initial),
            actions=self.actions, branches=_Branches(self),
            outputs=(self.outcome, z3.BitVec("faults", FAULT_BITS)))

    @cached_property
    def machine(self) -> Machine:
        return Machine(self.system)

    def run(self, ops: Sequence[str]) -> list[Step]:
        """Run operations from a fresh mapping. Raises UsageError for one that there is not."""
        values, steps = self.machine.initial, []
        for op in ops:
            values, (outcome, faults) = self.machine.step(values, self._action(op))
            steps.append(Step(op, Outcome(outcome).name, faults, values))
        return steps

    def _action(self, op: str) -> str:
        """The plainest name of an operation."""
        span = find_span(op, self.pages)
        whole = f"{span.op}@{span.first}-{span.last}"
        one = f"{span.op}@{span.first}"
        return next(name for name in (whole, one, span.op) if name in self._known)

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.actions)

    @property
    def scans(self) -> bool:
        """Whether the kernel has PAGEMAP_SCAN."""
        return self.edition.has("52526ca7fdb9") is True

    @cached_property
    def _reports(self) -> tuple[Any, list[list[str]], list[list[str]]]:
        """A function from a state to all that is told of its pages, and by page the names of what
        pagemap and PAGEMAP_SCAN say."""
        terms: list[z3.ExprRef] = []
        said: tuple[list[list[str]], list[list[str]]] = [], []
        for at, page in enumerate(self.before.pages):
            place, entry = page.place, self.before.entry(at)
            entry = replace(entry, cache_in_child=disj(entry.cache_in_child, self._twice(at)))
            terms += [as_term(place.mapped), as_term(place.joined), place.area.vma.vm_flags]
            for report, ask in zip(said, (pagemap_read, do_pagemap_scan), strict=True):
                told = ask(self.edition, alone(place.area), entry)
                report.append(list(leaf_names(told)))
                terms += flatten(told)
        return compile_terms(flatten(self._variables), terms), *said

    def _twice(self, page: int) -> Bool:
        """Another page of the mapping maps the same page of the file."""
        here = self.before.pages[page].place.area
        return disj(*(
            conj(other.place.mapped, pte_present(other.entry.pte), negate(other.entry.anon),
                 as_term(other.place.area.offset - here.offset == number(
                     (page - at) % (1 << IDENTITY_BITS), IDENTITY_BITS)))
            for at, other in enumerate(self.before.pages)
            if at != page and not unmoved(other.place.area)))

    @cached_property
    def told(self) -> Any:
        """What a program can observe of a concrete state: the pages, and the VMAs."""
        return lru_cache(50_000)(self._told)

    def _told(self, values: Values) -> dict[str, Any]:
        function, pagemaps, scans = self._reports
        told = iter(function(values))
        pages: list[dict[str, Any] | None] = []
        vmas: list[dict[str, Any]] = []
        for at in range(self.pages):
            mapped, joined, flags = next(told), next(told), next(told)
            page: dict[str, Any] = {name: bool(next(told)) for name in pagemaps[at]}
            scan = sorted([name for name in scans[at] if next(told)])
            pages.append(({**page, "scan": scan} if self.scans else page) if mapped else None)
            if mapped and joined:
                vmas[-1]["last"] = at
            elif mapped:
                vmas.append({"first": at, "last": at, "vm_flags": sorted(
                    letters for bit, letters in VMFLAG_LETTERS.items() if flags & bit)})
        return {"pages": pages, "vmas": vmas}

    def observe(self, step: Step) -> dict[str, Any]:
        """The step as `simulate` prints it: what a program can observe. Faults are told of accesses
        that end well; of others the recordings of several pages say none."""
        return {"op": step.op, "outcome": step.outcome,
                "faults": step.faults if step.outcome == "ok" else 0, **self.told(step.values)}


class PageOf:
    """One page of a system, as promises ask of it: an operation is one that it takes part in."""

    def __init__(self, system: RangeSystem, page: int) -> None:
        self._system = system
        self._page = page
        self.edition = system.edition
        self.mapping = system.mapping
        self.outcome = system.outcome
        self.before = system.before.alone(page)
        self.there = system.before.pages[page].place.mapped

    @property
    def after(self) -> State:
        return self._system.after.alone(self._page)

    @property
    def stays(self) -> Bool:
        return self._system.after.pages[self._page].place.mapped

    def takes(self, names: Iterable[str]) -> Bool:
        names = set(names)
        return disj(*(self._system.system.choose(index)
                      for index, span in enumerate(self._system.spans)
                      if span.op in names and span.first <= self._page <= span.last))


@cache
def _cached(edition: Edition, mapping: Mapping, pages: int, ops: tuple[str, ...],
            follows: tuple[str, ...]) -> RangeSystem:
    return RangeSystem(edition, mapping, pages, ops, follows)


def range_system(edition: Edition, mapping: Mapping, pages: int,
                 ops: Collection[str] = OPERATIONS_OF_SEVERAL,
                 follows: tuple[str, ...] = ()) -> RangeSystem:
    """The system with these operations, those that are modelled for several pages, and facts of
    pages that are followed; one is built once, unless functions are overridden by other than a
    patch file."""
    if edition.overrides and edition.patch is None:
        return RangeSystem(edition, mapping, pages, ops, follows)
    return _cached(edition, mapping, pages, tuple(ops), follows)


def system_of_calls(edition: Edition, mapping: Mapping, pages: int,
                    calls: Iterable[str]) -> RangeSystem:
    """The system with every operation; with those that map a file from another page on, which take
    longer, where there is one among the calls. Raises UsageError for one that there is not."""
    elsewhere = OF_FILE if any(op in OF_FILE for op in plain_ops(calls)) else ()
    if elsewhere and mapping.anonymous:
        raise UsageError(f"{elsewhere[0]!r} is not modelled for {mapping.name}: it has no file")
    return range_system(edition, mapping, pages, (*OPERATIONS_OF_SEVERAL, *elsewhere))
