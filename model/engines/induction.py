"""Mutual induction over named lemmas: fast, and a reader understands the certificate.

Houdini (Flanagan, Leino, FME 2001) keeps the candidates that hold initially and that every step
keeps, each assuming all the others. One invariant then proves many promises, and each proof says
which of the lemmas it leans on.
"""

from __future__ import annotations

from collections.abc import Sequence

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
from model.system.relation.transition import Lemma, Question, TransitionSystem

NAME = "induction"


class Kept:
    """What was found of single steps: which branch keeps which set of lemmas. Systems that have the
    branch in common need not ask again."""

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
    before = {c: z3.Bool(f"before!{i}") for i, c in enumerate(alive)}
    solver = incremental_solver()
    for lemma, name in before.items():
        solver.add(z3.Implies(name, lemma.formula))
    after: dict[int, dict[Lemma, z3.BoolRef]] = {}
    width = len(system.variables)
    waiting = list(range(len(system.branches)))
    while waiting:
        action, branch = waiting[0], system.branches[waiting[0]][:width]
        key = [lemma.formula for lemma in alive], branch
        if key in kept:
            waiting.pop(0)
            continue
        if action not in after:
            after[action] = _said_after(system, action, alive, solver)
        solver.push()
        solver.add(z3.Or([z3.Not(after[action][lemma]) for lemma in alive]))
        broken = solve(solver, limits, *(before[lemma] for lemma in alive))
        model = solver.model() if broken else None
        solver.pop()
        if model is None:
            kept.add(key)
            waiting.pop(0)
            continue
        alive = [lemma for lemma in alive if not z3.is_false(model.eval(after[action][lemma]))]
        waiting = [action, *(i for i in range(len(system.branches)) if i != action)]
    return tuple(alive)


def _simplified(lemma: Lemma) -> Lemma:
    formula = z3.simplify(lemma.formula)
    assert isinstance(formula, z3.BoolRef)
    return Lemma(lemma.name, formula)


def _said_after(system: TransitionSystem, action: int, lemmas: Sequence[Lemma],
                solver: z3.Solver) -> dict[Lemma, z3.BoolRef]:
    """A name for each lemma said of the state after an action, defined in the solver."""
    names = [z3.Bool(f"after!{action}!{i}") for i in range(len(lemmas))]
    pairs = list(zip(system.variables, system.branches[action], strict=False))
    both = z3.And([name == lemma.formula for name, lemma in zip(names, lemmas, strict=True)])
    solver.add(z3.substitute(both, *pairs))
    return dict(zip(lemmas, names, strict=True))


class InductiveInvariant:
    """An inductive set of lemmas of one system, found once and asked about many promises."""

    def __init__(self, system: TransitionSystem, candidates: Sequence[Lemma], limits: Limits,
                 kept: Kept | None = None) -> None:
        """Raises OutOfTime."""
        self.lemmas = houdini(system, candidates, limits, kept)
        self._solver = incremental_solver()
        self._solver.add(system.legal_action, *(lemma.formula for lemma in self.lemmas))

    def prove(self, question: Question, limits: Limits) -> Proof | None:
        """A proof from the lemmas, or None. Raises OutOfTime."""
        self._solver.push()
        try:
            self._solver.add(z3.Not(question.good))
            return None if solve(self._solver, limits) else Proof(self.lemmas)
        finally:
            self._solver.pop()


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
