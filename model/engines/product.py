"""Two machines side by side: every way in which a run of one first shows otherwise than the other.

Breadth first over the pairs of states that the same actions lead to. A step whose observations
differ is a difference, and nothing is explored beyond it; when the pairs are exhausted without one,
no list of actions, of any length, tells the machines apart.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from model.engines.base import Limits, OutOfTime
from model.system.relation.compiled import Machine, Values
from model.system.relation.reach import StateGraph

MAX_PAIRS = 1_000_000

Pair = tuple[Values, Values]


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
    outputs: tuple[Values | None, Values | None]


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
    if a.machine.system.actions != b.machine.system.actions:
        raise ValueError("the two machines have other actions")
    start = (a.machine.initial, b.machine.initial)
    found = Product(StateGraph([start], [0], [None]))
    if a.observe(start[0], None) != b.observe(start[1], None):
        found.differences.append(Difference(0, None, start, (None, None)))
        found.graph.complete = True
        return found
    try:
        _explore(a, b, found, limits, max_pairs)
    except OutOfTime as stop:
        found.reason = str(stop)
    return found


def _explore(a: Side, b: Side, found: Product, limits: Limits, max_pairs: int) -> None:
    graph = found.graph
    index: dict[Values, int] = {graph.states[0]: 0}
    actions = range(len(a.machine.system.actions))
    current = 0
    while current < len(graph.states):
        if limits.depth is not None and graph.depth[current] >= limits.depth:
            found.reason = f"only lists of up to {limits.depth} actions were tried"
            return
        if current % 1000 == 0:
            limits.remaining()
        one, other = found.pair(current)
        for action in actions:
            after_a, seen_a = a.machine.step(one, action)
            after_b, seen_b = b.machine.step(other, action)
            after = (after_a, after_b)
            if a.observe(after_a, seen_a) != b.observe(after_b, seen_b):
                found.differences.append(Difference(current, action, after, (seen_a, seen_b)))
            elif after not in index:
                if len(graph.states) >= max_pairs:
                    found.reason = f"more than {max_pairs} pairs of states"
                    return
                index[after] = len(graph.states)
                graph.states.append(after)
                graph.depth.append(graph.depth[current] + 1)
                graph.parent.append((current, action))
        current += 1
    graph.complete = True
