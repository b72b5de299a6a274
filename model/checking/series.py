"""Where along a series of editions a promise begins or ceases to hold, and which changes do it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from model.checking.backporting import COMMITS, Bench, Trace, breaks_now, search
from model.checking.cells import Cell, CellResult
from model.checking.run import settle_all
from model.checking.settle import Options
from model.engines.base import Limits, OutOfTime
from model.kernel.changes import CHANGES
from model.kernel.editions import Edition
from model.kernel.records import Mapping
from properties.base import Property

GOOD, BAD, UNKNOWN, SILENT = "good", "bad", "unknown", "silent"


@dataclass(frozen=True)
class Stop:
    """One edition of a series: `verdict` is good, bad (broken by `trace`), unknown (for a `reason`)
    or silent, where the promise does not speak of the mapping in that edition."""

    edition: str
    verdict: str
    trace: Trace | None = None
    reason: str = ""


@dataclass(frozen=True)
class Turn:
    """Between two editions the promise is lost, or kept again.

    `between` are the changes in which they differ, from the older one's side: ``+`` added, ``-``
    dropped. `by` are the minimal sets of them that are enough to turn the bad edition good; `good`
    is the engines' verdict on the good one.
    """

    before: str
    after: str
    lost: bool
    between: tuple[str, ...]
    by: tuple[tuple[str, ...], ...]
    good: CellResult


@dataclass(frozen=True)
class Course:
    """A promise on one mapping along a series."""

    prop: str
    mapping: str
    allow: tuple[str, ...]
    stops: tuple[Stop, ...]
    turns: tuple[Turn, ...]

    @property
    def first_lost(self) -> Turn | None:
        """The last good edition of the series and the first bad one after it."""
        return next((t for t in self.turns if t.lost), None)


def course(editions: Sequence[Edition], prop: Property, mapping: Mapping, allow: tuple[str, ...],
           limits: Limits) -> Course:
    """The promise along `editions`, each searched in full, and what its turns are due to."""
    stops = tuple(_stop(Cell(e, mapping, prop, allow), limits) for e in editions)
    heard = [(e, s) for e, s in zip(editions, stops, strict=True) if s.verdict in (GOOD, BAD)]
    turns = tuple(_turn(Cell(old, mapping, prop, allow), new, first.verdict == GOOD, limits)
                  for (old, first), (new, second) in pairwise(heard)
                  if first.verdict != second.verdict)
    return Course(prop.name, mapping.name, allow, stops, turns)


def _stop(cell: Cell, limits: Limits) -> Stop:
    name = cell.edition.name
    if not cell.prop.concerns(cell.edition, cell.mapping):
        return Stop(name, SILENT)
    try:
        trace = breaks_now(cell, limits)
    except OutOfTime as stop:
        return Stop(name, UNKNOWN, reason=str(stop))
    return Stop(name, GOOD) if trace is None else Stop(name, BAD, trace)


def _turn(old: Cell, new: Edition, lost: bool, limits: Limits) -> Turn:
    good, bad = (old.edition, new) if lost else (new, old.edition)
    apart = old.edition.changes ^ new.changes
    between = tuple(("+" if c in new.changes else "-") + c for c in CHANGES if c in apart)
    bench = Bench(bad, tuple(c for c in CHANGES if c in COMMITS or c in apart), old.allow)
    try:
        sets = search(bench, [bench.cell(old.prop, old.mapping)],
                      [c for c in CHANGES if c in apart], limits).sets
    except OutOfTime:
        sets = ()
    signed = {name[1:]: name for name in between}
    by = tuple(tuple(signed[c] for c in CHANGES if c in s) for s in sets)
    (result,) = settle_all([Cell(good, old.mapping, old.prop, old.allow)],
                           Options(timeout=limits.remaining()), limits.stopped)
    return Turn(old.edition.name, new.name, lost, between, by, result)
