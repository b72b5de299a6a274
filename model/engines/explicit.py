"""Explicit-state search over the compiled step relation: every reachable state, counted.

Breadth first, actions in order, so that the first violation found is the plainest of the shortest.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import z3

from model.engines.base import (
    BOUNDED,
    PROVED,
    UNKNOWN,
    VIOLATED,
    Limits,
    OutOfTime,
    Proof,
    Verdict,
)
from model.system.relation.compiled import Machine, Values
from model.system.relation.reach import StateGraph, TooManyStates, explore
from model.system.relation.transition import Lemma, Question

NAME = "explicit"
MAX_STATES = 1_000_000


def first_violation(machine: Machine, graph: StateGraph,
                    question: Question) -> tuple[str, ...] | None:
    """The plainest shortest violation in the graph, as action names, or None."""
    safe = machine.predicate(question.safe)
    allowed = machine.step_predicate(question.allowed)
    if not safe(graph.states[0]):
        return ()
    names = machine.system.actions
    for state, row in enumerate(graph.edges):
        for action, after in enumerate(row):
            if not (allowed(graph.states[state], action) and safe(graph.states[after])):
                return tuple(names[a] for a in (*graph.path(state), action))
    return None


def reaches(machine: Machine, graph: StateGraph, witness: z3.BoolRef) -> bool:
    """Whether some step in the graph satisfies the step formula `witness`."""
    holds = machine.step_predicate(witness)
    return any(holds(graph.states[state], action)
               for state, row in enumerate(graph.edges) for action in range(len(row)))


class Exhausted:
    """The graph of all reachable states of `machine`, found when it is first needed.

    Raises TooManyStates beyond `max_states`, at each question anew.
    """

    def __init__(self, machine: Machine, max_states: int = MAX_STATES) -> None:
        self.machine = machine
        self._max_states = max_states
        self._graph: StateGraph | None = None
        self._failed: TooManyStates | None = None

    def graph(self, limits: Limits) -> StateGraph:
        """Raises OutOfTime, TooManyStates."""
        if self._failed is not None:
            raise self._failed
        if self._graph is None:
            try:
                self._graph = explore(self.machine, max_states=self._max_states,
                                      tick=limits.remaining)
            except TooManyStates as error:
                self._failed = error
                raise
        return self._graph

    @property
    def size(self) -> tuple[int, int] | None:
        """The number of states and the diameter, once the graph is there."""
        return None if self._graph is None else (len(self._graph.states), self._graph.diameter)

    @cached_property
    def _invariant(self) -> Lemma:
        assert self._graph is not None
        return reachable_states(self.machine.system.variables, self._graph.states)

    def verdict(self, question: Question, limits: Limits) -> Verdict:
        """Proved or violated. Raises OutOfTime, TooManyStates."""
        trace = first_violation(self.machine, self.graph(limits), question)
        if trace is not None:
            return Verdict(VIOLATED, NAME, len(trace), trace)
        return Verdict(PROVED, NAME, proof=Proof((self._invariant,)))


def explicit(question: Question, limits: Limits, lemmas: Sequence[Lemma] = ()) -> Verdict:
    """Prove by exhaustion, refute by the first violation met, or say how deep the search went."""
    machine = Machine(question.system)
    try:
        if limits.depth is None:
            return Exhausted(machine).verdict(question, limits)
        graph = explore(machine, limits.depth, max_states=MAX_STATES, tick=limits.remaining)
    except (OutOfTime, TooManyStates) as stop:
        return Verdict(UNKNOWN, NAME, reason=str(stop))
    trace = first_violation(machine, graph, question)
    if trace is not None:
        return Verdict(VIOLATED, NAME, len(trace), trace)
    if not graph.complete:
        return Verdict(BOUNDED, NAME, limits.depth)
    found = reachable_states(question.system.variables, graph.states)
    return Verdict(PROVED, NAME, proof=Proof((found,)))


def reachable_states(variables: Sequence[z3.ExprRef], states: Sequence[Values]) -> Lemma:
    """The lemma "the state is one of those found", as a decision diagram: the states that agree so
    far, and how they may go on, are one term."""
    terms: dict[frozenset[Values], z3.BoolRef] = {}

    def one_of(found: frozenset[Values], at: int) -> z3.BoolRef:
        if at == len(variables):
            return z3.BoolVal(True)
        if found not in terms:
            parts: dict[int | bool, list[Values]] = {}
            for rest in found:
                parts.setdefault(rest[0], []).append(rest[1:])
            terms[found] = z3.simplify(z3.Or([
                z3.And(_equals(variables[at], value), one_of(frozenset(parts[value]), at + 1))
                for value in sorted(parts)]))
        return terms[found]

    return Lemma("reachable-states", one_of(frozenset(states), 0))


def _equals(variable: z3.ExprRef, value: int | bool) -> z3.BoolRef:
    if isinstance(variable, z3.BitVecRef):
        return variable == z3.BitVecVal(value, variable.size())
    return variable if value else z3.Not(variable)
