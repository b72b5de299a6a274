"""What an edition needs to keep a promise: all minimal sets of changes, each proved as an edition.

The search goes over a family of editions (model/system/relation/family.py), each tried by
exhausting its reachable states; what it finds is put to `check`'s own engines once more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

import z3

from model.checking.cells import Cell, CellResult
from model.checking.run import settle_all
from model.checking.settle import Options
from model.engines.base import Limits, OutOfTime
from model.engines.explicit import first_violation, reaches
from model.engines.minimal import minimal_sets
from model.kernel.changes import CHANGES
from model.kernel.editions import Edition, choice
from model.kernel.records import Mapping
from model.system.actions.themes import allowing
from model.system.relation.compiled import Machine
from model.system.relation.family import Family
from model.system.relation.kernel import kernel_system
from model.system.relation.reach import StateGraph, TooManyStates, explore
from model.system.relation.transition import Question
from properties import PROPERTIES
from properties.base import Property

COMMITS = tuple(c.id for c in CHANGES.values() if not c.variant)
"""What may be taken or dropped unless more is named: not the readings of a commit's message."""
Trace = tuple[str, ...]


@dataclass(frozen=True)
class Breach:
    """A promise, and the operations that break it on a mapping."""

    prop: str
    mapping: str
    trace: Trace


@dataclass(frozen=True)
class Found:
    """One minimal set: what is added to the edition and dropped from it, and `edition`, the name
    of what that makes.

    `proofs` are the engines' verdicts on all that it was to hold. `without` says for each member
    what is broken where that one is left out; `leans_on` likewise for the changes that the edition
    has already; `conflicts` for changes that it must not have besides. `breaks` are promises that
    the edition keeps and this one does not; `mends` those that it breaks and this one keeps.
    """

    edition: str
    added: tuple[str, ...]
    dropped: tuple[str, ...]
    proofs: tuple[CellResult, ...]
    without: dict[str, Breach]
    leans_on: dict[str, Breach]
    conflicts: dict[str, Breach]
    breaks: tuple[Breach, ...]
    mends: tuple[Breach, ...]

    @property
    def members(self) -> tuple[str, ...]:
        """With their signs, as in the names of editions."""
        return (*("+" + c for c in self.added), *("-" + c for c in self.dropped))

    @property
    def contradicted(self) -> bool:
        """An engine refutes what the search found, or a part of the set would do."""
        return (any(r.verdict not in ("proved", "unknown", "bounded") for r in self.proofs)
                or set(self.without) != {*self.added, *self.dropped})

    @property
    def proved(self) -> bool:
        """By the engines that `check` asks, with a certificate."""
        return all(r.verdict == "proved" for r in self.proofs)


@dataclass(frozen=True)
class Search:
    """The minimal sets of flips (changes to add, or to drop where the edition has them), complete;
    the breaches that rule out all other sets, and how many editions were searched."""

    sets: tuple[frozenset[str], ...]
    refutations: tuple[Breach, ...]
    tried: int


@dataclass(frozen=True)
class Answer:
    """What an edition needs to keep `prop` on `mappings`.

    `broken` says how it breaks it, by mapping: empty where it holds already. `alone` has what the
    search found for each broken mapping by itself, and `sets` the minimal sets for all of
    `together`, the broken mappings that can be mended. `offered` changes there were to choose
    from. `reason` says why the search did not end.
    """

    edition: str
    prop: str
    mappings: tuple[str, ...]
    allow: tuple[str, ...]
    broken: dict[str, Trace]
    alone: dict[str, Search] = field(default_factory=dict)
    together: tuple[str, ...] = ()
    sets: tuple[Found, ...] = ()
    offered: int = 0
    reason: str = ""

    @property
    def hopeless(self) -> tuple[str, ...]:
        """The mappings on which no set of changes makes the promise hold."""
        return tuple(m for m, search in self.alone.items() if not search.sets)


@dataclass
class Bench:
    """The families of `base`, each built once, and what has been found about their members.

    `changes` are those that a member may have or lack, `allow` operations beyond the core.
    """

    base: Edition
    changes: tuple[str, ...] = COMMITS
    allow: tuple[str, ...] = ()
    _families: dict[tuple[str, tuple[str, ...], tuple[str, ...]], Family] = field(
        default_factory=dict)
    _questions: dict[tuple[str, str, tuple[str, ...]], Question] = field(default_factory=dict)
    _graphs: dict[tuple[Family, frozenset[str]], StateGraph] = field(default_factory=dict)
    _verdicts: dict[tuple[str, Family, frozenset[str]], Trace | None] = field(default_factory=dict)

    def cell(self, prop: Property, mapping: Mapping, edition: Edition | None = None) -> Cell:
        """The promise put to an edition, by default the base."""
        return Cell(edition or self.base, mapping, prop, self.allow)

    def family(self, cell: Cell) -> Family:
        """What explores the operations of a cell."""
        actions = allowing(self.base, cell.mapping, cell.operations)
        key = cell.mapping.name, actions, cell.prop.follows
        if key not in self._families:
            self._families[key] = Family(self.base, cell.mapping, actions, self.changes,
                                          cell.prop.follows)
        return self._families[key]

    def question(self, prop: Property, family: Family) -> Question:
        """A promise, put to all members at once."""
        kernel = family.kernel
        key = prop.name, kernel.mapping.name, kernel.actions
        if key not in self._questions:
            self._questions[key] = prop.question(kernel)
        return self._questions[key]

    def broken(self, cell: Cell, changes: frozenset[str], limits: Limits) -> Trace | None:
        """How the edition of these changes breaks the promise, or None. Raises OutOfTime."""
        family = self.family(cell)
        question = self.question(cell.prop, family)
        asked = family.telling | family.speak_of(question.safe, question.allowed)
        key = cell.prop.name, family, changes & asked
        if key not in self._verdicts:
            self._verdicts[key] = first_violation(
                family.member(changes), self._graph(family, changes, limits), question)
        return self._verdicts[key]

    def kept(self, cell: Cell, limits: Limits) -> list[Cell]:
        """The other promises that the base keeps while it may do what the cell allows. Raises
        OutOfTime."""
        return [c for c in self.beside(cell)
                if self.broken(c, self.base.changes, limits) is None]

    def beside(self, cell: Cell) -> list[Cell]:
        """The other promises that the operations of a cell can be asked about."""
        operations = set(self.family(cell).kernel.actions)
        return [replace(cell, prop=p, allow=cell.operations) for p in PROPERTIES.values()
                if p is not cell.prop and set(p.about) <= operations
                and p.concerns(self.base, cell.mapping)]

    def _graph(self, family: Family, changes: frozenset[str], limits: Limits) -> StateGraph:
        """The graph of the member that has these changes, and of all that differ from it in nothing
        that shows. Raises OutOfTime."""
        key = family, changes & family.telling
        if key not in self._graphs:
            while len(self._graphs) > 16:
                del self._graphs[next(iter(self._graphs))]
            self._graphs[key] = _explored(family.member(changes), limits)
        return self._graphs[key]

    def vacuous(self, cell: Cell, changes: frozenset[str], limits: Limits) -> bool:
        """Whether nothing that edition can do puts the promise to the test."""
        family = self.family(cell)
        return not reaches(family.member(changes), self._graph(family, changes, limits),
                           self.question(cell.prop, family).witness)


def _explored(machine: Machine, limits: Limits) -> StateGraph:
    """All reachable states. Raises OutOfTime."""
    try:
        return explore(machine, tick=limits.remaining)
    except TooManyStates as stop:
        raise OutOfTime(str(stop)) from stop


def breaks_now(cell: Cell, limits: Limits) -> Trace | None:
    """How the cell's own edition breaks the promise, or None. Raises OutOfTime."""
    kernel = kernel_system(cell.edition, cell.mapping, cell.operations, cell.prop.follows)
    return first_violation(kernel.machine, _explored(kernel.machine, limits),
                           cell.prop.question(kernel))


def answer(bench: Bench, prop: Property, mappings: Sequence[Mapping], may_change: Collection[str],
           limits: Limits, keep: bool = False) -> Answer:
    """All minimal sets, out of `may_change`, that make `prop` hold where it is broken; with `keep`,
    and that break no other promise there."""
    names = tuple(m.name for m in mappings)
    broken: dict[str, Trace] = {}
    alone: dict[str, Search] = {}
    sets: tuple[Found, ...] = ()
    reason = ""
    cells = [bench.cell(prop, m) for m in mappings]
    offered = _open_to_change(cells, may_change)
    try:
        for cell in cells:
            trace = breaks_now(cell, limits)
            if trace is not None:
                broken[cell.mapping.name] = trace
        wanted = {c: [c, *(bench.kept(c, limits) if keep else ())] for c in cells
                  if c.mapping.name in broken}
        for cell, goals in wanted.items():
            alone[cell.mapping.name] = search(bench, goals, offered, limits)
        curable = [c for c in wanted if alone[c.mapping.name].sets]
        if curable:
            goals = [goal for c in curable for goal in wanted[c]]
            both = (alone[curable[0].mapping.name] if len(curable) == 1
                    else search(bench, goals, offered, limits))
            sets = tuple(_found(bench, curable, goals, cells, s, offered, limits)
                         for s in both.sets)
    except OutOfTime as stop:
        reason = str(stop)
    return Answer(bench.base.name, prop.name, names, bench.allow, broken, alone,
                  tuple(m for m, s in alone.items() if s.sets), sets, len(offered), reason)


def search(bench: Bench, cells: Sequence[Cell], offered: Sequence[str], limits: Limits) -> Search:
    """The minimal sets out of `offered` that make the promises of all `cells` hold. Raises
    OutOfTime."""
    judge = _Judge(bench, cells, limits)
    has = bench.base.changes
    flips = {c: z3.Not(choice(c)) if c in has else choice(c) for c in offered}
    fixed = [choice(c) if c in has else z3.Not(choice(c)) for c in bench.changes
             if c not in offered]
    kept = [z3.Implies(choice(c), choice(r)) for c in bench.changes for r in CHANGES[c].requires]
    order = list(CHANGES)
    sets = sorted(minimal_sets(flips, [*fixed, *kept], judge, limits),
                  key=lambda s: (len(s), sorted(map(order.index, s))))
    return Search(tuple(sets), tuple(judge.refutations), judge.tried)


def _open_to_change(cells: Sequence[Cell], wanted: Collection[str]) -> tuple[str, ...]:
    """A change without which a promise would no longer speak of the mapping is not dropped."""
    def needed(change: str) -> bool:
        return any(not c.prop.concerns(c.edition.without_change(change), c.mapping) for c in cells)

    return tuple(c for c in CHANGES if c in wanted
                 and not (c in cells[0].edition.changes and needed(c)))


class _Judge:
    """Whether a set of flips makes the promise hold in every cell, and else what refutes it."""

    def __init__(self, bench: Bench, cells: Sequence[Cell], limits: Limits) -> None:
        self._bench, self._cells, self._limits = bench, cells, limits
        self.tried = 0
        self.refutations: list[Breach] = []

    def __call__(self, flipped: frozenset[str]) -> z3.BoolRef | None:
        bench, changes = self._bench, self._bench.base.changes ^ flipped
        self.tried += 1
        for cell in self._cells:
            family = bench.family(cell)
            trace = bench.broken(cell, changes, self._limits)
            if trace is not None:
                self.refutations.append(Breach(cell.prop.name, cell.mapping.name, trace))
                return family.breaking(bench.question(cell.prop, family), trace)
            if bench.vacuous(cell, changes, self._limits):
                return z3.And([choice(c) if c in changes else z3.Not(choice(c))
                               for c in bench.changes])
        return None


def member(base: Edition, flipped: Collection[str]) -> Edition:
    """The edition less those of the changes that it has, plus those that it lacks."""
    edition = base
    for change in (c for c in CHANGES if c in flipped and c in base.changes):
        edition = edition.without_change(change)
    for change in (c for c in CHANGES if c in flipped and c not in base.changes):
        edition = edition.with_change(change)
    assert edition.changes == base.changes ^ frozenset(flipped), edition.name
    return edition


def _found(bench: Bench, cells: Sequence[Cell], goals: Sequence[Cell], asked: Sequence[Cell],
           flipped: frozenset[str], offered: Sequence[str], limits: Limits) -> Found:
    """The set with all that is to be said of it: `cells` are those it mends, `goals` all that the
    search wanted kept, `asked` the promise on every mapping that was named."""
    base, edition = bench.base, member(bench.base, flipped)
    proofs = settle_all([replace(c, edition=edition) for c in goals],
                        Options(timeout=limits.remaining()), limits.stopped)

    def breaches(others: dict[str, Edition]) -> dict[str, Breach]:
        found = {name: _first_breach(bench, goals, other, limits)
                 for name, other in others.items()}
        return {name: breach for name, breach in found.items() if breach is not None}

    breaks, mends = _other_promises(bench, cells, edition, limits)
    breaks += [Breach(c.prop.name, c.mapping.name, trace) for c in asked if c not in cells
               and breaks_now(c, limits) is None
               and (trace := breaks_now(replace(c, edition=edition), limits)) is not None]
    return Found(
        edition.name, tuple(c for c in CHANGES if c in flipped - base.changes),
        tuple(c for c in CHANGES if c in flipped & base.changes), tuple(proofs),
        breaches({c: edition.with_change(c) if c in base.changes else edition.without_change(c)
                  for c in CHANGES if c in flipped}),
        breaches({c: edition.without_change(c) for c in bench.changes
                  if c in edition.changes - flipped}),
        breaches({c: edition.with_change(c) for c in offered
                  if c not in edition.changes | flipped}),
        tuple(breaks), tuple(mends))


def _first_breach(bench: Bench, goals: Sequence[Cell], edition: Edition,
                  limits: Limits) -> Breach | None:
    for cell in goals:
        trace = bench.broken(cell, edition.changes, limits)
        if trace is not None:
            return Breach(cell.prop.name, cell.mapping.name, trace)
    return None


def _other_promises(bench: Bench, cells: Sequence[Cell], edition: Edition,
                    limits: Limits) -> tuple[list[Breach], list[Breach]]:
    """What becomes of the other promises while the same operations are allowed."""
    breaks, mends = [], []
    for cell in (beside for c in cells for beside in bench.beside(c)):
        before = bench.broken(cell, bench.base.changes, limits)
        after = bench.broken(cell, edition.changes, limits)
        if after is not None and before is None:
            breaks.append(Breach(cell.prop.name, cell.mapping.name, after))
        elif before is not None and after is None:
            mends.append(Breach(cell.prop.name, cell.mapping.name, before))
    return breaks, mends
