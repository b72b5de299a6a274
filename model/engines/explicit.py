"""Explicit-state search over the compiled step relation: every reachable state, counted.

Breadth first, actions in order, so that the first violation found is the plainest of the shortest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, cached_property

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
from model.system.asking.language import Bool, as_term, conj, disj
from model.system.relation.compiled import Machine, Values, compile_terms
from model.system.relation.reach import StateGraph, TooManyStates, explore
from model.system.relation.transition import Lemma, Question

NAME = "explicit"
MAX_STATES = 1_000_000
_LARGE = 100_000
"""Steps of a graph of which each action has a function of its own that says what is allowed."""


def first_violation(machine: Machine, graph: StateGraph,
                    question: Question) -> tuple[str, ...] | None:
    """The plainest shortest violation in the graph, as action names, or None."""
    holds = machine.predicate(question.safe)
    safe = [holds(state) for state in graph.states]
    if not safe[0]:
        return ()
    if all(safe) and z3.is_true(question.allowed):
        return None
    names = machine.system.actions
    large = len(graph.states) * len(names) > _LARGE
    allowed = (_of_each_action(machine, graph, question) if large else
               _of_steps(machine, graph, question.allowed))
    for state, row in enumerate(graph.edges):
        for action, after in enumerate(row):
            if not (safe[after] and allowed(state, action)):
                return tuple(names[a] for a in (*graph.path(state), action))
    return None


def _of_each_action(machine: Machine, graph: StateGraph,
                    question: Question) -> Callable[[int, int], bool]:
    """As `_of_steps` of what is allowed, with a function for each action: longer to make, and
    quicker."""
    functions = _allowing(question)
    states, edges, outputs = graph.states, graph.edges, graph.outputs

    def holds(state: int, action: int) -> bool:
        function = functions[action]
        return function is None or bool(function(
            (*states[state], *states[edges[state][action]], *outputs[state][action]))[0])

    return holds


def _allowing(question: Question) -> list[Callable[[Values], Values] | None]:
    """For each action what says of a step's values that it is allowed; None where all are."""
    system = question.system
    names = (*system.variables, *system.primed, *system.outputs)
    return [None if z3.is_true(formula) else compile_terms(names, (formula,))
            for formula in question.allowed_of]


def reaches(machine: Machine, graph: StateGraph, witness: z3.BoolRef) -> bool:
    """Whether some step in the graph satisfies the step formula `witness`."""
    holds = _of_steps(machine, graph, witness)
    return any(holds(state, action)
               for state, row in enumerate(graph.edges) for action in range(len(row)))


def _of_steps(machine: Machine, graph: StateGraph,
              formula: z3.BoolRef) -> Callable[[int, int], bool]:
    """A step formula as a predicate of a state's number and an action."""
    if z3.is_true(formula):
        return lambda state, action: True
    function = machine.step_values(formula)
    states, edges, outputs = graph.states, graph.edges, graph.outputs

    def holds(state: int, action: int) -> bool:
        return bool(function((*states[state], action, *states[edges[state][action]],
                              *outputs[state][action]))[0])

    return holds


def invariants(machine: Machine, graph: StateGraph,
               candidates: Sequence[Lemma]) -> tuple[Lemma, ...]:
    """Those of the candidates that hold in every state of the graph."""
    if not candidates:
        return ()
    function = compile_terms(machine.system.variables, [c.formula for c in candidates])
    kept = set(range(len(candidates)))
    for state in graph.states:
        values = function(state)
        kept -= {i for i in kept if not values[i]}
    return tuple(c for i, c in enumerate(candidates) if i in kept)


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

    def violation(self, question: Question, limits: Limits) -> tuple[str, ...] | None:
        """The plainest shortest violation, or None. Raises OutOfTime, TooManyStates."""
        return first_violation(self.machine, self.graph(limits), question)

    def invariants(self, candidates: Sequence[Lemma], limits: Limits) -> tuple[Lemma, ...]:
        """Those that hold in every reachable state. Raises OutOfTime, TooManyStates."""
        return invariants(self.machine, self.graph(limits), candidates)

    @cached_property
    def _invariant(self) -> Lemma:
        assert self._graph is not None
        return reachable_states(self.machine.system.variables, self._graph.states)

    def verdict(self, question: Question, limits: Limits) -> Verdict:
        """Proved or violated. Raises OutOfTime, TooManyStates."""
        trace = self.violation(question, limits)
        if trace is not None:
            return Verdict(VIOLATED, NAME, len(trace), trace)
        return self.proof()

    def proof(self) -> Verdict:
        """Of a promise of which the graph has no violation: the invariant is the graph itself."""
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
    terms: dict[frozenset[Values], Bool] = {}

    @cache
    def equals(at: int, value: int | bool) -> z3.BoolRef:
        return _equals(variables[at], value)

    def one_of(found: frozenset[Values], at: int) -> Bool:
        if at == len(variables):
            return True
        if found not in terms:
            parts: dict[int | bool, list[Values]] = {}
            for rest in found:
                parts.setdefault(rest[0], []).append(rest[1:])
            terms[found] = disj(*(
                conj(equals(at, value), one_of(frozenset(parts[value]), at + 1))
                for value in sorted(parts)))
        return terms[found]

    return Lemma("reachable-states", z3.simplify(as_term(one_of(frozenset(states), 0))))


def _equals(variable: z3.ExprRef, value: int | bool) -> z3.BoolRef:
    if isinstance(variable, z3.BitVecRef):
        return variable == z3.BitVecVal(value, variable.size())
    return variable if value else z3.Not(variable)


def search(question: Question, limits: Limits, max_states: int) -> Verdict:
    """As `explicit`, with each step looked at when it is first taken, and no graph kept: violated,
    proved where no state is left, or bounded by the depth that was searched whole."""
    machine, system = Machine(question.system), question.system
    safe = machine.predicate(question.safe)
    if not safe(machine.initial):
        return Verdict(VIOLATED, NAME, 0, ())
    steps = [(a, machine.branch(a), allowed) for a, allowed in enumerate(_allowing(question))]
    width = len(system.variables)
    parents: dict[Values, tuple[Values, int] | None] = {machine.initial: None}
    level, depth = [machine.initial], 0

    def path(state: Values, action: int) -> tuple[str, ...]:
        step: tuple[Values, int] | None = (state, action)
        actions: list[str] = []
        while step is not None:
            actions.append(system.actions[step[1]])
            step = parents[step[0]]
        return tuple(reversed(actions))

    while level:
        if limits.depth is not None and depth >= limits.depth:
            return Verdict(BOUNDED, NAME, depth)
        found: list[Values] = []
        for number, state in enumerate(level):
            if number % 1000 == 0:
                limits.remaining()
            for action, branch, allowed in steps:
                values = branch(state)
                after = values[:width]
                new = after not in parents
                if (new and not safe(after)) or (
                        allowed is not None and not allowed((*state, *values))[0]):
                    return Verdict(VIOLATED, NAME, depth + 1, path(state, action))
                if new:
                    parents[after] = state, action
                    found.append(after)
            if len(parents) > max_states:
                return Verdict(BOUNDED if depth else UNKNOWN, NAME, depth or None,
                               reason=f"more than {max_states} states")
        level, depth = found, depth + 1
        limits.safe_bound(depth)
    return Verdict(PROVED, NAME)
