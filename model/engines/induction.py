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
from model.system.relation.transition import Lemma, Question, TransitionSystem

NAME = "induction"


def houdini(system: TransitionSystem, candidates: Sequence[Lemma],
            limits: Limits) -> tuple[Lemma, ...]:
    """The largest subset of `candidates` whose conjunction is inductive.

    Raises OutOfTime.
    """
    kept = [c for c in candidates if system.at_init(c.formula)]
    before = [z3.Bool(f"before!{i}") for i in range(len(kept))]
    after = [z3.Bool(f"after!{i}") for i in range(len(kept))]
    solver = incremental_solver()
    solver.add(system.legal_action)
    for lemma, b, a in zip(kept, before, after, strict=True):
        solver.add(z3.Implies(b, lemma.formula), a == system.after(lemma.formula))
    alive = list(range(len(kept)))
    while alive:
        solver.push()
        solver.add(z3.Or([z3.Not(after[i]) for i in alive]))
        broken = solve(solver, limits, *(before[i] for i in alive))
        model = solver.model() if broken else None
        solver.pop()
        if model is None:
            break
        alive = [i for i in alive if not z3.is_false(model.eval(after[i]))]
    return tuple(kept[i] for i in alive)


class InductiveInvariant:
    """An inductive set of lemmas of one system, found once and asked about many promises."""

    def __init__(self, system: TransitionSystem, candidates: Sequence[Lemma],
                 limits: Limits) -> None:
        """Raises OutOfTime."""
        self.lemmas = houdini(system, candidates, limits)
        self._names = [z3.Bool(f"lemma!{i}") for i in range(len(self.lemmas))]
        self._solver = incremental_solver()
        self._solver.add(system.legal_action)
        for name, lemma in zip(self._names, self.lemmas, strict=True):
            self._solver.add(z3.Implies(name, lemma.formula))

    def prove(self, question: Question, limits: Limits) -> Proof | None:
        """A proof from the lemmas, or None. Raises OutOfTime."""
        self._solver.push()
        try:
            self._solver.add(z3.Not(question.good))
            if solve(self._solver, limits, *self._names):
                return None
            core = {str(name) for name in self._solver.unsat_core()}
        finally:
            self._solver.pop()
        pairs = zip(self._names, self.lemmas, strict=True)
        leans_on = frozenset(lemma.name for name, lemma in pairs if str(name) in core)
        return Proof(self.lemmas, leans_on=leans_on)


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
