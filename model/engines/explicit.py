"""Explicit-state search over the compiled step relation: every reachable state, counted.

Breadth first, actions in order, so that the first violation found is the plainest of the shortest.
"""

from __future__ import annotations

from collections.abc import Sequence

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
from model.system.compiled import Machine, Values
from model.system.reach import StateGraph, TooManyStates, explore
from model.system.transition import Lemma, Question

NAME = "explicit"


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


def explicit(question: Question, limits: Limits, lemmas: Sequence[Lemma] = (), *,
             machine: Machine | None = None, graph: StateGraph | None = None) -> Verdict:
    """Prove by exhaustion, refute by the first violation met, or say how deep the search went.

    `machine` and `graph`, when given, are those of the question's system, complete.
    """
    machine = machine or Machine(question.system)
    try:
        graph = graph or explore(machine, limits.depth, tick=limits.remaining)
    except (OutOfTime, TooManyStates) as stop:
        return Verdict(UNKNOWN, NAME, reason=str(stop))
    trace = first_violation(machine, graph, question)
    if trace is not None:
        return Verdict(VIOLATED, NAME, len(trace), trace)
    if not graph.complete:
        return Verdict(BOUNDED, NAME, limits.depth)
    return Verdict(PROVED, NAME, proof=Proof((reachable_states(question, graph),)))


def reachable_states(question: Question, graph: StateGraph) -> Lemma:
    """The lemma "the state is one of those found"."""
    variables = question.system.variables

    def is_state(values: Values) -> z3.BoolRef:
        return z3.And([v == (z3.BitVecVal(x, v.size()) if isinstance(v, z3.BitVecRef)
                             else z3.BoolVal(x))
                       for v, x in zip(variables, values, strict=True)])

    return Lemma("reachable-states", z3.Or([is_state(s) for s in graph.states]))
