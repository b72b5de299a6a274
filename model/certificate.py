"""Certificates: why a promise is proved, as three questions that any SMT solver answers `unsat`.

With an invariant I, k = 1, and "bad" for a state or step that breaks the promise:

* initiation: the initial state is not in I;
* consecution: a state in I has a step that leaves I;
* safety: a state in I is bad.

For k > 1 (k-induction) initiation adds "or one of the first k - 1 steps is bad", and safety asks for
a bad state after k - 1 good steps from a state in I.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import z3

from model.engines.base import Proof, Unrolling
from model.system.transition import Question

QUERIES = ("initiation", "consecution", "safety")


@dataclass(frozen=True)
class Certificate:
    """The lemmas of the invariant by name, k, and the three queries as SMT-LIB 2 text."""

    title: str
    lemmas: tuple[str, ...]
    k: int
    queries: Mapping[str, str]

    def text(self, claims: Mapping[str, str]) -> str:
        """One SMT-LIB file with all three queries; `claims` says each lemma in English."""
        head = [f"; {self.title}", f"; k = {self.k}; each (check-sat) below answers unsat",
                "; the invariant is the conjunction of:" if self.lemmas
                else "; the invariant is true: no lemma is needed"]
        head += [f";   {name}: {claims.get(name, '')}".rstrip(": ") for name in self.lemmas]
        body = [f"\n(echo \"{name}\")\n(push 1)\n{self.queries[name]}(pop 1)" for name in QUERIES]
        return "\n".join([*head, "(set-logic QF_BV)", *body, ""])


def certificate(question: Question, proof: Proof) -> Certificate:
    """The certificate of a proof. It has not been checked: see `refuted`."""
    system = question.system
    invariant = z3.And([lemma.formula for lemma in proof.invariant])
    good = z3.And(question.safe, question.allowed)

    start = Unrolling(system, z3.Solver(), system.initial)
    breaks = [z3.Not(start.at(invariant, 0))]
    for step in range(proof.k - 1):
        start.extend()
        breaks.append(z3.Not(start.at(good, step)))
    start.solver.add(z3.Or(breaks))

    keeps = z3.Solver()
    keeps.add(system.legal_action, invariant, z3.Not(system.after(invariant)))

    safety = Unrolling(system, z3.Solver())
    safety.solver.add(safety.at(invariant, 0))
    for step in range(proof.k - 1):
        safety.extend()
        safety.solver.add(safety.at(good, step))
    safety.solver.add(system.legal_action)
    last = z3.substitute(z3.Not(good), *zip(system.variables, safety.states[-1], strict=True))
    safety.solver.add(last)

    queries = dict(zip(QUERIES, map(_smt2, (start.solver, keeps, safety.solver)), strict=True))
    return Certificate(f"{question.name} on {system.name}",
                       tuple(lemma.name for lemma in proof.invariant), proof.k, queries)


def _smt2(solver: z3.Solver) -> str:
    """The solver's assertions as SMT-LIB text, from the declarations to (check-sat)."""
    lines = solver.to_smt2().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith((";", "(set-info", "(set-logic")))


class Checker:
    """Checks certificates, each query in a fresh solver and context; equal queries once."""

    def __init__(self) -> None:
        self._answers: dict[str, str] = {}

    def refuted(self, cert: Certificate) -> str:
        """The name of the first query that is not `unsat`; empty when the certificate is good."""
        for name in QUERIES:
            query = cert.queries[name]
            if query not in self._answers:
                self._answers[query] = _answer(query)
            if self._answers[query] != "unsat":
                return name
        return ""


def _answer(query: str) -> str:
    context = z3.Context()
    solver = z3.SolverFor("QF_BV", ctx=context)
    solver.add(z3.parse_smt2_string(query, ctx=context))
    return str(solver.check())
