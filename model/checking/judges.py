"""What one side of a comparison breaks: promises, and what was stored."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from model.engines.product import Difference, Product
from model.kernel.records import Outcome
from model.system.asking.language import as_term
from model.system.asking.view import View
from model.system.relation.compiled import Values
from model.system.relation.kernel import KernelSystem
from model.system.state.state import REMEMBERED
from properties.base import Property
from properties.data_kept import DIRTY_KEPT, dirty


class Data:
    """Whether one side of a product can have lost what was stored."""

    def __init__(self, found: Product, side: int, kernel: KernelSystem) -> None:
        self._found, self._side = found, side
        self._kept = kernel.machine.step_predicate(DIRTY_KEPT.question(kernel).allowed)
        self._dirty = kernel.machine.predicate(
            as_term(dirty(View(kernel.edition, kernel.before))))
        self._lost: dict[int, bool] = {0: False}
        self._reclaimed = not kernel.mapping.hugetlb

    def by(self, difference: Difference) -> frozenset[str]:
        """The name of what is broken where it has, on the way to a difference or at it: not of
        hugetlb memory, which reclaim passes by."""
        if not self._reclaimed:
            return frozenset()
        lost = self._before(difference.before) or (
            difference.action is not None and self._at(difference.before, difference.action))
        return frozenset({DIRTY_KEPT.name} if lost else ())

    def _at(self, number: int, action: int) -> bool:
        return not self._kept(self._found.pair(number)[self._side], action)

    def _before(self, number: int) -> bool:
        """A page whose dirty bit was taken, and that has not become dirty again."""
        way = []
        while number not in self._lost:
            way.append(number)
            step = self._found.graph.parent[number]
            assert step is not None
            number = step[0]
        for after in reversed(way):
            step = self._found.graph.parent[after]
            assert step is not None
            self._lost[after] = (self._lost[step[0]] or self._at(*step)) and not self._dirty(
                self._found.pair(after)[self._side])
            number = after
        return self._lost[number]


class Judge:
    """Which promises a step of one edition breaks, or leaves broken."""

    def __init__(self, kernel: KernelSystem, promises: Sequence[Property]) -> None:
        """Of `promises`, those that speak of this edition and mapping."""
        self._machine = machine = kernel.machine
        self._names = kernel.names
        questions = [p.question(kernel) for p in promises
                     if p.concerns(kernel.edition, kernel.mapping)]
        self._rules = [(q.name, machine.predicate(q.safe), machine.step_predicate(q.allowed))
                       for q in questions]
        self._known: dict[tuple[Values, int | None], frozenset[str]] = {}

    def broken(self, state: Values, action: int | None) -> frozenset[str]:
        """Those that `action`, taken in `state`, breaks, or the state after it. None: no step."""
        key = state, action
        if key not in self._known:
            after = state if action is None else self._machine.step(state, action)[0]
            self._known[key] = frozenset(
                name for name, safe, allowed in self._rules
                if not (safe(after) and (action is None or allowed(state, action))))
        return self._known[key]

    def on(self, path: Sequence[int]) -> frozenset[str]:
        """Those broken anywhere on a path from the initial state."""
        state, names = self._machine.initial, frozenset[str]()
        for action in path:
            names |= self.broken(state, action)
            state, _ = self._machine.step(state, action)
        return names

    def fresh(self, state: Values, action: int) -> frozenset[str]:
        """Those that `action` breaks by itself, whatever was broken in `state`."""
        return frozenset(name for name, safe, allowed in self._rules
                         if safe(state) or not allowed(state, action))

    def facts(self, state: Values) -> dict[str, int | bool]:
        """What has happened there that promises speak of."""
        return {name: value for name, value in zip(self._names, state, strict=True)
                if name in REMEMBERED}

    def unkept(self, state: Values, facts: dict[str, int | bool]) -> frozenset[str]:
        """Those that `state` would break if these were the facts that promises speak of."""
        other = tuple(facts.get(name, value)
                      for name, value in zip(self._names, state, strict=True))
        return frozenset(name for name, safe, _ in self._rules if not safe(other))


def told_apart(judges: Sequence[Judge], before: tuple[Values, Values], difference: Difference,
               broken: Sequence[frozenset[str]]) -> list[frozenset[str]]:
    """Of what each side has broken, that by which it tells itself from the other. It does not where
    both had it broken before the step, and the other has not made up for it: its step ends what is
    owed, as a call that gives the memory up does."""
    if difference.action is None:
        return list(broken)
    alone = []
    for side in (0, 1):
        here, there = judges[side], judges[1 - side]
        ended = (broken[side] - broken[1 - side]) - here.fresh(before[side], difference.action)
        if ended:
            ended &= there.broken(before[1 - side], None)
            ended &= there.unkept(difference.after[1 - side],
                                  here.facts(difference.after[side]))
        alone.append(broken[side] - ended)
    return alone


def refused(kernel: KernelSystem, states: Collection[Values], action: int) -> bool:
    """Whether a call fails in each of `states`, and changes nothing: as one that is not there."""
    return all(Outcome(outputs[0]).name.startswith("E") and after == state
               for state in states
               for after, outputs in (kernel.machine.step(state, action),))
