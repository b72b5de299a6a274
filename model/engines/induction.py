"""Mutual induction over named lemmas: fast, and a reader understands the certificate.

Houdini (Flanagan, Leino, FME 2001) keeps the candidates that hold initially and that every step
keeps, each assuming all the others. One invariant then proves many promises, and each proof says
which of the lemmas it leans on.
"""

from __future__ import annotations

from collections import defaultdict
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
    says,
    solve,
    value_in,
)
from model.system.relation.compiled import Machine, Terms, Values, compile_terms
from model.system.relation.nodes import node_of
from model.system.relation.transition import Lemma, Question, TransitionSystem, substitute

NAME = "induction"


class Kept:
    """What was found of single steps: which branch keeps which set of lemmas, what of a promise
    such a set implies, and from which states some step broke lemmas. Systems that have these in
    common need not ask again."""

    def __init__(self) -> None:
        self._known: dict[object, object] = {}
        self._broke: dict[Terms, list[Values]] = defaultdict(list)

    def __contains__(self, key: tuple[Sequence[z3.ExprRef], Sequence[z3.ExprRef]]) -> bool:
        return _nodes(key) in self._known

    def add(self, key: tuple[Sequence[z3.ExprRef], Sequence[z3.ExprRef]]) -> None:
        self._known[_nodes(key)] = key  # a node is free for another term once its own is gone

    def broke(self, system: TransitionSystem) -> list[Values]:
        """The states over its variables from which a step broke lemmas, to be added to."""
        return self._broke[Terms(system.variables)]


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
    alive = _tried(system, alive, kept.broke(system))
    actions = list(range(len(system.branches)))
    while (broken := _first_broken(system, alive, actions, limits, kept)) is not None:
        action, alive = broken
        actions.remove(action)  # it will break more, or has told the most
        actions.insert(0, action)
    return tuple(alive)


def _tried(system: TransitionSystem, lemmas: list[Lemma], states: Sequence[Values]) -> list[Lemma]:
    """The lemmas without those that a step from one of the states breaks, which none of the rest
    excludes: no inductive subset has these."""
    if not states:
        return lemmas
    holds = compile_terms(system.variables, [lemma.formula for lemma in lemmas])
    branches = list(map(Machine(system).branch, range(len(system.branches))))
    alive, before = set(range(len(lemmas))), None
    while alive != before:
        before = set(alive)
        for state in states:
            told = holds(state)
            if all(told[i] for i in alive):
                for branch in branches:
                    after = holds(branch(state)[:len(system.variables)])
                    alive = {i for i in alive if after[i]}
    return [lemma for i, lemma in enumerate(lemmas) if i in alive]


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
            kept.broke(system).append(tuple(value_in(model, v) for v in system.variables))
            return action, [lemma for lemma, said in zip(lemmas, after.children(), strict=True)
                            if says(model, said)]
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
        steps = zip(question.allowed_of, question.system.branches, strict=True)
        good = self._implies(z3.simplify(question.safe), limits) and all(
            z3.is_true(allowed) or self._allow(question.system, allowed, branch, limits)
            for allowed, branch in steps)
        return Proof(self.lemmas) if good else None

    def _allow(self, system: TransitionSystem, allowed: z3.BoolRef, branch: Sequence[z3.ExprRef],
               limits: Limits) -> bool:
        """Whether the step of the branch is always allowed."""
        names = *system.primed, *system.outputs
        step = allowed, *names, *branch
        if any((lemmas, step) in self._kept for lemmas in ((), self._formulas)):
            return True
        good = z3.simplify(substitute(allowed, names, branch))
        if not self._implies(good, limits):
            return False
        self._kept.add((() if z3.is_true(good) else self._formulas, step))
        return True

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
