"""Certificates: why a promise is proved, as three questions that any SMT solver answers `unsat`.

With an invariant I, and "bad" for a state or step that breaks the promise:

* initiation: the initial state is not in I;
* consecution: a state in I has a step that leaves I;
* safety: a state in I is bad.

For k-induction initiation adds "or one of the first k steps is bad", and safety asks for a bad
state after k good steps from a state in I.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import z3

from model.engines.base import Proof, Unrolling
from model.system.asking.language import as_term, conj, disj
from model.system.relation.transition import Lemma, Question, TransitionSystem

QUERIES = ("initiation", "consecution", "safety")


@dataclass(frozen=True)
class Certificate:
    """The lemmas of the invariant by name, the k of k-induction (else 0), and the three queries as
    SMT-LIB 2 text.

    `leans_on` are the lemmas that the promise needs directly, where the engine could tell.
    """

    title: str
    lemmas: tuple[str, ...]
    leans_on: frozenset[str]
    k: int
    queries: Mapping[str, str]

    def text(self, claims: Mapping[str, str]) -> str:
        """One SMT-LIB file with all three queries; `claims` says each lemma in English."""
        steps = f", after {self.k} good steps" if self.k else ""
        head = [f"; {self.title}: each (check-sat) below answers unsat{steps}",
                "; the invariant is the conjunction of (* what the promise leans on directly):"]
        head += [f"; {'*' if name in self.leans_on else ' '} {name}: {claims.get(name, '')}"
                 .rstrip(": ") for name in self.lemmas]
        body = [f"\n(echo \"{name}\")\n(push 1)\n{self.queries[name]}(pop 1)" for name in QUERIES]
        return "\n".join([*head, "(set-logic QF_BV)", *body, ""])


class Certifier:
    """Writes certificates and checks them, each query in a fresh solver and context.

    What several certificates share, an invariant or a query, is printed and checked once.
    """

    def __init__(self) -> None:
        self._consecution: dict[tuple[Lemma, ...], str] = {}
        self._answers: dict[str, str] = {}

    def certificate(self, question: Question, proof: Proof) -> Certificate:
        """The certificate of a proof, not yet checked."""
        queries = (_initiation(question, proof), self._keeps(question.system, proof.invariant),
                   _safety(question, proof))
        return Certificate(f"{question.name} on {question.system.name}",
                           tuple(lemma.name for lemma in proof.invariant), proof.leans_on, proof.k,
                           dict(zip(QUERIES, queries, strict=True)))

    def _keeps(self, system: TransitionSystem, invariant: tuple[Lemma, ...]) -> str:
        if invariant not in self._consecution:
            whole = _conjunction(invariant)
            solver = z3.Solver()
            solver.add(system.legal_action, whole, z3.Not(system.after(whole)))
            self._consecution[invariant] = _smt2(solver)
        return self._consecution[invariant]

    def refuted(self, cert: Certificate) -> str:
        """The name of the first query that is not `unsat`; empty when the certificate is good."""
        for name in QUERIES:
            query = cert.queries[name]
            if query not in self._answers:
                self._answers[query] = _answer(query)
            if self._answers[query] != "unsat":
                return name
        return ""


def _conjunction(invariant: tuple[Lemma, ...]) -> z3.BoolRef:
    return as_term(conj(*(lemma.formula for lemma in invariant)))


def _initiation(question: Question, proof: Proof) -> str:
    path = Unrolling(question.system, z3.Solver(), question.system.initial)
    breaks = [z3.Not(path.at(_conjunction(proof.invariant), 0))]
    for step in range(proof.k):
        path.extend()
        breaks.append(z3.Not(path.at(question.good, step)))
    path.solver.add(as_term(disj(*breaks)))
    return _smt2(path.solver)


def _safety(question: Question, proof: Proof) -> str:
    path = Unrolling(question.system, z3.Solver())
    path.solver.add(path.at(_conjunction(proof.invariant), 0))
    for step in range(proof.k):
        path.extend()
        path.solver.add(path.at(question.good, step))
    path.solver.add(question.system.legal_action,
                    z3.Not(path.at(question.good, proof.k)))
    return _smt2(path.solver)


def _smt2(solver: z3.Solver) -> str:
    """The solver's assertions as SMT-LIB text, from the declarations to (check-sat)."""
    lines = solver.to_smt2().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith((";", "(set-info", "(set-logic")))


def _answer(query: str) -> str:
    context = z3.Context()
    solver = z3.SolverFor("QF_BV", ctx=context)
    solver.add(z3.parse_smt2_string(query, ctx=context))
    return str(solver.check())
