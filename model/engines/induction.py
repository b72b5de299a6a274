"""Mutual induction over named lemmas: fast, and a reader understands the certificate.

Houdini (Flanagan, Leino, FME 2001) keeps the candidates that hold initially and that every step
keeps, each assuming all the others. One invariant then proves many promises, and each proof says
which of the lemmas it leans on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import z3

from model.engines.base import (
    PROVED,
    UNKNOWN,
    Limits,
    OutOfTime,
    Proof,
    Verdict,
    incremental_solver,
    solve,
)
from model.system.relation.nodes import node_of
from model.system.relation.transition import Lemma, Question, TransitionSystem, substitute

NAME = "induction"


class Kept:
    """What was found of single steps: which branch keeps which set of lemmas, and what of a promise
    such a set implies. Systems that have these in common need not ask again."""

    def __init__(self) -> None:
        self._known: dict[object, object] = {}

    def __contains__(self, key: tuple[Sequence[z3.ExprRef], Sequence[z3.ExprRef]]) -> bool:
        return _nodes(key) in self._known

    def add(self, key: tuple[Sequence[z3.ExprRef], Sequence[z3.ExprRef]]) -> None:
        self._known[_nodes(key)] = key  # a node is free for another term once its own is gone


def _nodes(key: tuple[Sequence[z3.ExprRef], Sequence[z3.ExprRef]]) -> tuple[object, ...]:
    lemmas, branch = key
    return frozenset(map(node_of, lemmas)), tuple(map(node_of, branch))


def houdini(system: TransitionSystem, candidates: Sequence[Lemma], limits: Limits,
            kept: Kept | None = None) -> tuple[Lemma, ...]:
    """The largest subset of `candidates` whose conjunction is inductive.

    Raises OutOfTime.
    """
    kept = Kept() if kept is None else kept
    told = [c for c in map(_simplified, candidates) if not z3.is_true(c.formula)]
    first = system.all_at_init([c.formula for c in told]) if told else []
    alive = [c for c, holds in zip(told, first, strict=True) if holds]
    actions = list(range(len(system.branches)))
    while (broken := _first_broken(system, alive, actions, limits, kept)) is not None:
        action, alive = broken
        actions.remove(action)  # it will break more, or has told the most
        actions.insert(0, action)
    return tuple(alive)


def _first_broken(system: TransitionSystem, lemmas: list[Lemma], actions: Sequence[int],
                  limits: Limits, kept: Kept) -> tuple[int, list[Lemma]] | None:
    """The first action that does not keep all of the lemmas, and those that it keeps in the state
    that shows it; None where each action keeps all."""
    solver: z3.Solver | None = None
    formulas = [lemma.formula for lemma in lemmas]
    for action in actions:
        branch = system.branches[action][:len(system.variables)]
        step = formulas, (*system.variables, *branch)
        if step in kept:
            continue
        if solver is None:
            solver = incremental_solver()
            solver.add(formulas)
        after = substitute(z3.And(formulas), system.variables, branch)
        solver.push()
        solver.add(z3.Not(after))
        if solve(solver, limits):
            model = solver.model()
            return action, [lemma for lemma, said in zip(lemmas, after.children(), strict=True)
                            if not z3.is_false(model.eval(said, model_completion=True))]
        solver.pop()
        kept.add(step)
    return None


def _simplified(lemma: Lemma) -> Lemma:
    formula = z3.simplify(lemma.formula)
    assert isinstance(formula, z3.BoolRef)
    return Lemma(lemma.name, formula)


class InductiveInvariant:
    """An inductive set of lemmas of one system, found once and asked about many promises."""

    def __init__(self, system: TransitionSystem, candidates: Sequence[Lemma], limits: Limits,
                 kept: Kept | None = None) -> None:
        """Raises OutOfTime."""
        self._kept = Kept() if kept is None else kept
        self.lemmas = houdini(system, candidates, limits, self._kept)
        self._formulas = [lemma.formula for lemma in self.lemmas]
        self._nodes = set(map(node_of, self._formulas))

    @cached_property
    def _solver(self) -> z3.Solver:
        solver = incremental_solver()
        solver.add(self._formulas)
        return solver

    def prove(self, question: Question, limits: Limits) -> Proof | None:
        """A proof from the lemmas, or None. Raises OutOfTime."""
        for good in (question.safe, *question.allowed_after):
            if not self._implies(z3.simplify(good), limits):
                return None
        return Proof(self.lemmas)

    def _implies(self, good: z3.BoolRef, limits: Limits) -> bool:
        if z3.is_true(good) or node_of(good) in self._nodes:
            return True
        if (self._formulas, (good,)) in self._kept:
            return True
        self._solver.push()
        try:
            self._solver.add(z3.Not(good))
            if solve(self._solver, limits):
                return False
        finally:
            self._solver.pop()
        self._kept.add((self._formulas, (good,)))
        return True


def induction(question: Question, limits: Limits, lemmas: Sequence[Lemma] = ()) -> Verdict:
    """Prove the promise from the lemmas and itself, or give `unknown`: it never refutes."""
    own = Lemma(question.name, question.safe)
    try:
        known = InductiveInvariant(question.system, (*lemmas, own), limits)
        proof = known.prove(question, limits)
    except OutOfTime as stop:
        return Verdict(UNKNOWN, NAME, reason=str(stop))
    if proof is None:
        return Verdict(UNKNOWN, NAME, reason="the lemmas do not suffice")
    return Verdict(PROVED, NAME, proof=proof)
