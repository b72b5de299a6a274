"""All that breaks a promise: a cause is taken away, and the question asked again, until nothing is
left or nothing can be taken away.

What takes a cause away is, in this order: a change that the edition lacks, of those that the rules
beside the promise name; the remedy of a finding; the fewest changes that the newest edition has; a
change too much, by those rules; or that the call which makes it is excused, that is not made. So
what is left is proved of a kernel that is known, or of all other calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

from model.checking.cells import Cause, Cell, CellResult
from model.checking.remedies import remedied
from model.engines.base import UNKNOWN, VIOLATED, OutOfTime
from model.engines.minimal import fewest
from model.kernel.changes import CHANGES
from model.kernel.editions import find_edition
from model.kernel.releases import NEWEST
from model.system.actions.operations import with_needed
from model.system.actions.themes import modelled
from model.system.relation.kernel import KernelSystem
from model.system.relation.library import library
from model.system.relation.reach import TooManyStates
from model.system.relation.replay import keeps
from properties.findings import FINDINGS

MOST = 20
"""Causes of one promise that are looked for."""


@dataclass(frozen=True)
class _Left:
    """What is asked when some causes are taken away: the `cell` with other changes and fewer calls,
    and these `remedies`."""

    cell: Cell
    remedies: tuple[str, ...] = ()

    @property
    def asked(self) -> Cell:
        return replace(self.cell, edition=remedied(self.cell.edition, self.remedies))

    def keeps(self, calls: tuple[str, ...]) -> bool:
        """Whether the calls do not break the promise here."""
        cell = self.asked
        if not set(cell.operations) <= set(modelled(cell.edition, cell.mapping)):
            return False
        kernel = KernelSystem(cell.edition, cell.mapping,
                              tuple(dict.fromkeys((*cell.prop.about, *calls))), library(),
                              cell.prop.follows)
        return keeps(kernel.machine, cell.prop.question(kernel), calls)


def with_causes(cell: Cell, result: CellResult,
                settle: Callable[[Cell], CellResult]) -> CellResult:
    """`result`, a violation of `cell`, with all its causes and the verdict on what is left;
    `settle` answers what is asked again."""
    found: list[Cause] = []
    left, now = _Left(cell), result
    while now.verdict == VIOLATED and now.trace is not None and len(found) < MOST:
        cause, without = _taken_away(left, now.trace)
        found.append(cause)
        if without is None:
            break
        left = without
        try:
            now = settle(left.asked)
        except (OutOfTime, TooManyStates):
            return replace(result, causes=tuple(found), rest=UNKNOWN)
    return replace(result, causes=tuple(found), rest=now.verdict)


def _taken_away(left: _Left, calls: tuple[str, ...]) -> tuple[Cause, _Left | None]:
    """Why the calls break the promise, and what is left without that; None where nothing takes it
    away."""
    cell = left.cell
    rules = cell.prop.causes(cell.edition, cell.mapping, calls)
    because = rules[0].because if rules else ""
    for name, remedy, without in chain(
            _changed(left, calls, "-"), _remedied(left, calls), _as_newest(left, calls, because),
            _changed(left, calls, "+")):
        if without.keeps(calls):
            return Cause(name, calls, remedy), without
    named = [op for rule in rules for op in rule.by.replace("&", " ").split()]
    excused = next((op for op in (*named, *reversed(calls)) if op in calls and op in cell.allow),
                   None)
    if excused is None:
        return Cause(because, calls), None
    others = tuple(op for op in cell.allow if excused not in with_needed(op))
    return Cause(because, calls, excused=excused), replace(left, cell=replace(cell, allow=others))


_Way = Iterator[tuple[str, str, _Left]]
"""A cause in words, what may take it away, and what is left then."""


def _changed(left: _Left, calls: tuple[str, ...], sign: str) -> _Way:
    """Each change that the rules beside the promise name with that sign, as of Violated.when."""
    cell = left.cell
    for rule in cell.prop.causes(cell.edition, cell.mapping, calls):
        for change in (when[1:] for when in rule.when if when[0] == sign):
            if not CHANGES[change].variant:
                edition = (cell.edition.with_change(change) if sign == "-"
                           else cell.edition.without_change(change))
                yield (rule.because, change if sign == "-" else f"-{change}",
                       replace(left, cell=replace(cell, edition=edition)))


def _remedied(left: _Left, calls: tuple[str, ...]) -> _Way:
    """The remedy of each finding that is about the promise there and made by such calls; then those
    that need others beside them."""
    cell = left.cell
    about = [(finding, broken) for finding in FINDINGS for broken in finding.broken
             if cell.prop.name in broken.promises.split()
             and cell.mapping.name in broken.mappings.split() and set(broken.allow) <= set(calls)]
    for behind in (False, True):
        for finding, broken in about:
            names = (*broken.behind, finding.remedy) if behind else (finding.remedy,)
            if new := tuple(name for name in names if name not in left.remedies):
                yield (finding.cause, "+".join(new),
                       replace(left, remedies=(*left.remedies, *new)))


def _as_newest(left: _Left, calls: tuple[str, ...], because: str) -> _Way:
    """The fewest of the changes that the newest edition has which keep these calls from breaking
    the promise: each that can be left out is."""
    def having(changes: tuple[str, ...]) -> _Left:
        edition = left.cell.edition
        for change in changes:
            edition = edition.with_change(change)
        return replace(left, cell=replace(left.cell, edition=edition))

    taken = tuple(c for c in CHANGES if c in find_edition(NEWEST).changes
                  and c not in left.cell.edition.changes)
    if not taken or not having(taken).keeps(calls):
        return
    needed = fewest(taken, lambda some: having(some).keeps(calls))  # what needs another is after it
    yield because, "+".join(needed), having(needed)
