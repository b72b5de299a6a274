"""Two machines side by side: every way in which a run of one first shows otherwise than the other,
or the first that breaks a promise in one alone.

Breadth first over the pairs of states that the same actions lead to. A step whose observations
differ is a difference, and nothing is explored beyond it; when the pairs are exhausted without one,
no list of actions, of any length, tells the machines apart.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, field

from model.engines.base import Limits, OutOfTime
from model.system.relation.compiled import Machine, Values
from model.system.relation.reach import StateGraph
from model.system.relation.transition import Question

MAX_PAIRS = 1_000_000

Pair = tuple[Values, Values]
Outputs = tuple[Values | None, Values | None]


@dataclass(frozen=True)
class Side:
    """A machine, and what is observed of it: `observe` of the state after a step and of the step's
    outputs, which are None for the initial state."""

    machine: Machine
    observe: Callable[[Values, Values | None], Hashable]


@dataclass(frozen=True)
class Difference:
    """A step whose observations differ; no step before it did.

    `before` is the number of the pair where `action` was taken, `after` the states it led to,
    `outputs` those of the step. Where the initial states differ, `action` is None, and so are the
    outputs.
    """

    before: int
    action: int | None
    after: Pair
    outputs: Outputs


@dataclass
class Product:
    """What was found: `graph` has the pairs that are observed alike, as its states, and no edges.

    The differences come shortest first, and of one length plainest first. `graph.complete` says
    that none is missing; else `reason` says why some may be.
    """

    graph: StateGraph
    differences: list[Difference] = field(default_factory=list)
    reason: str = ""

    def pair(self, number: int) -> Pair:
        one, other = self.graph.states[number]
        return one, other

    def path(self, difference: Difference) -> tuple[int, ...]:
        """The plainest shortest list of actions that ends with the difference."""
        path = self.graph.path(difference.before)
        return path if difference.action is None else (*path, difference.action)


def product(a: Side, b: Side, limits: Limits, max_pairs: int = MAX_PAIRS) -> Product:
    """Explore the pairs until none is left, or a limit is reached.

    Raises ValueError where the machines do not have the same actions.
    """
    found = Product(StateGraph([(a.machine.initial, b.machine.initial)], [0], [None]))

    def alike(before: int, action: int | None, after: Pair, outputs: Outputs) -> bool:
        same = a.observe(after[0], outputs[0]) == b.observe(after[1], outputs[1])
        if not same:
            found.differences.append(Difference(before, action, after, outputs))
        return same

    _explore(a.machine, b.machine, found, alike, limits, max_pairs)
    return found


@dataclass(frozen=True)
class Asked:
    """A machine, and the promise that is asked of it."""

    machine: Machine
    question: Question

    def judge(self) -> Callable[[Values, int | None, Values], bool]:
        """Whether it is kept by an action in a state, and by the state after it; None: no action,
        as at the start."""
        safe = self.machine.predicate(self.question.safe)
        allowed = self.machine.step_predicate(self.question.allowed)
        return lambda state, action, after: (
            (action is None or allowed(state, action)) and safe(after))


def broken_alone(a: Asked, b: Asked, limits: Limits, max_pairs: int = MAX_PAIRS) -> Product:
    """The first run that breaks its promise in `a` while `b`, on the same actions, has kept its own
    up to that step and with it: the one difference there is, the plainest of the shortest. Where
    the pairs are exhausted without one, there is none.

    Raises ValueError where the machines do not have the same actions.
    """
    found = Product(StateGraph([(a.machine.initial, b.machine.initial)], [0], [None]))
    keeps_a, keeps_b = a.judge(), b.judge()

    def kept(before: int, action: int | None, after: Pair, outputs: Outputs) -> bool:
        one, other = found.pair(before)
        if not keeps_b(other, action, after[1]):
            return False
        if not keeps_a(one, action, after[0]):
            found.differences.append(Difference(before, action, after, outputs))
            raise _Enough
        return True

    with suppress(_Enough):
        _explore(a.machine, b.machine, found, kept, limits, max_pairs)
    return found


class _Enough(Exception):
    """What was wanted has been found."""


def _explore(a: Machine, b: Machine, found: Product,
             goes_on: Callable[[int, int | None, Pair, Outputs], bool], limits: Limits,
             max_pairs: int) -> None:
    """All pairs that are reached by steps which `goes_on` lets pass: it is told the number of the
    pair before, the action, the pair after it, and the outputs."""
    if a.system.actions != b.system.actions:
        raise ValueError("the two machines have other actions")
    graph = found.graph
    index: dict[Values, int] = {graph.states[0]: 0}
    actions = range(len(a.system.actions))
    current = 0
    left = goes_on(0, None, found.pair(0), (None, None))
    while left and current < len(graph.states):
        if limits.depth is not None and graph.depth[current] >= limits.depth:
            found.reason = f"only lists of up to {limits.depth} actions were tried"
            return
        try:
            if current % 1000 == 0:
                limits.remaining()
        except OutOfTime as stop:
            found.reason = str(stop)
            return
        one, other = found.pair(current)
        for action in actions:
            after_a, seen_a = a.step(one, action)
            after_b, seen_b = b.step(other, action)
            after = (after_a, after_b)
            if goes_on(current, action, after, (seen_a, seen_b)) and after not in index:
                if len(graph.states) >= max_pairs:
                    found.reason = f"more than {max_pairs} pairs of states"
                    return
                index[after] = len(graph.states)
                graph.states.append(after)
                graph.depth.append(graph.depth[current] + 1)
                graph.parent.append((current, action))
        current += 1
    graph.complete = True
