"""The reachable states of a machine, breadth first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from model.system.relation.compiled import Machine, Values


@dataclass
class StateGraph:
    """The reachable states of a machine, in the order they were found.

    `depth[i]` is the distance of state i from the initial one, `parent[i]` the state and action
    that found it, `edges[i][a]` the index of the state that action a leads to, `outputs[i][a]` what
    the action's caller sees. `complete` says that no reachable state is missing.
    """

    states: list[Values]
    depth: list[int]
    parent: list[tuple[int, int] | None]
    edges: list[list[int]] = field(default_factory=list)
    outputs: list[list[Values]] = field(default_factory=list)
    complete: bool = False

    @property
    def diameter(self) -> int:
        """The largest distance of a state from the initial one."""
        return max(self.depth)

    def path(self, state: int) -> tuple[int, ...]:
        """The actions of the plainest shortest path to a state."""
        actions: list[int] = []
        step = self.parent[state]
        while step is not None:
            state, action = step
            actions.append(action)
            step = self.parent[state]
        return tuple(reversed(actions))


class TooManyStates(Exception):
    """The search met more states than it may keep."""


def explore(machine: Machine, depth: int | None = None, *, max_states: int = 1_000_000,
            tick: Callable[[], object] = lambda: None) -> StateGraph:
    """All reachable states, or those within `depth` steps.

    `tick` is called now and then and may raise to stop. Raises TooManyStates.
    """
    graph = StateGraph([machine.initial], [0], [None])
    index = {machine.initial: 0}
    branches = [machine.branch(a) for a in range(len(machine.system.actions))]
    width = len(machine.system.variables)
    current = 0
    while current < len(graph.states):
        if depth is not None and graph.depth[current] >= depth:
            return graph
        if current % 1000 == 0:
            tick()
        row: list[int] = []
        told: list[Values] = []
        state = graph.states[current]
        for action, branch in enumerate(branches):
            values = branch(state)
            after = values[:width]
            told.append(values[width:])
            found = index.get(after)
            if found is None:
                found = index[after] = len(graph.states)
                if found >= max_states:
                    raise TooManyStates(f"more than {max_states} states")
                graph.states.append(after)
                graph.depth.append(graph.depth[current] + 1)
                graph.parent.append((current, action))
            row.append(found)
        graph.edges.append(row)
        graph.outputs.append(told)
        current += 1
    graph.complete = True
    return graph
