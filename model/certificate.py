"""Certificates: why a promise is proved, as three questions that any SMT solver answers `unsat`.

With an invariant I, and "bad" for a state or step that breaks the promise:

* initiation: the initial state is not in I;
* consecution: a state in I has a step that leaves I;
* safety: a state in I is bad.

For k-induction initiation adds "or one of the first k steps is bad", and safety asks for a bad
state after k good steps from a state in I.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import z3

from model.engines.base import Proof, checking_solver, incremental_solver
from model.queries import PrintedInvariant, base_of, step_of
from model.smtlib import Printer
from model.system.relation.transition import Lemma, Question

QUERIES = ("initiation", "consecution", "safety")


@dataclass(frozen=True)
class Certificate:
    """The lemmas of the invariant by name, the k of k-induction (else 0), and the three queries as
    SMT-LIB 2 text.

    `prelude` declares the variables and defines the lemmas; `steps` defines for each action what
    it leads to, and says that the invariant does not hold there; `bodies` has the assertions of
    each query, that of consecution without its steps.
    """

    title: str
    lemmas: tuple[str, ...]
    k: int
    prelude: str
    steps: Mapping[str, tuple[str, str]]
    bodies: Mapping[str, str]

    def query(self, name: str) -> str:
        """One query as a file of its own, but for the (check-sat)."""
        return self.prelude + self._own(name)

    def _own(self, name: str) -> str:
        return self.consecution(list(self.steps)) if name == "consecution" else self.bodies[name]

    def consecution(self, actions: Collection[str]) -> str:
        """The assertions that one of these actions leaves the invariant."""
        defined = "".join(self.steps[a][0] for a in actions)
        left = "".join(f"\n  {self.steps[a][1]}" for a in actions)
        return f"{defined}{self.bodies['consecution']}(assert (or false{left}))\n"

    def text(self, claims: Mapping[str, str], leans_on: Collection[str] = ()) -> str:
        """One SMT-LIB file with all three queries; `claims` says each lemma in English, and those
        of `leans_on` are marked."""
        steps = f", after {self.k} good steps" if self.k else ""
        head = [f"; {self.title}: each (check-sat) below answers unsat{steps}",
                "; the invariant is the conjunction of (* what the promise leans on directly):"]
        head += [f"; {'*' if name in leans_on else ' '} {name}: {claims.get(name, '')}"
                 .rstrip(": ") for name in self.lemmas]
        body = [f"\n(echo \"{name}\")\n(push 1)\n{self._own(name)}(check-sat)\n(pop 1)"
                for name in QUERIES]
        return "\n".join([*head, "(set-logic QF_BV)", self.prelude, *body, ""])


class Answers(Hashable, Protocol):
    """What is known to be unsatisfiable, by a digest of the query and of the solver that said so;
    with it the names of the lemmas that it took."""

    def get(self, key: str) -> tuple[str, ...] | None: ...

    def put(self, key: str, lemmas: tuple[str, ...]) -> None: ...


@dataclass
class Checked:
    """`failed` names the first query that is not unsatisfiable; it is empty for a good certificate.
    `leans_on` are the lemmas that the promise needs directly; `cached` says that an answer was
    known from an earlier run."""

    failed: str = ""
    leans_on: tuple[str, ...] = ()
    cached: bool = False


@dataclass
class _Answered:
    """The answers of this run."""

    known: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def get(self, key: str) -> tuple[str, ...] | None:
        return self.known.get(key)

    def put(self, key: str, lemmas: tuple[str, ...]) -> None:
        self.known[key] = lemmas


class Certifier:
    """Writes certificates and checks them, each query in a fresh solver, in a context of its own.

    What several certificates share is printed and checked once: consecution is asked of the actions
    that have not been asked of the same invariant before. `earlier` are the answers of other runs.
    """

    def __init__(self, earlier: Answers | None = None) -> None:
        self._printer = Printer()
        self._invariants: dict[tuple[Lemma, ...], PrintedInvariant] = {}
        self._answers = _Answered()
        self._earlier = earlier

    def certificate(self, question: Question, proof: Proof) -> Certificate:
        """The certificate of a proof, not yet checked."""
        if proof.invariant not in self._invariants:
            self._invariants[proof.invariant] = PrintedInvariant(self._printer, question.system,
                                                           proof.invariant)
        printed = self._invariants[proof.invariant]
        first, last = (
            (printed.flat(base_of(question, proof)), printed.flat(step_of(question, proof)))
            if proof.k else (printed.initiation, printed.safety(question)))
        return Certificate(f"{question.name} on {question.system.name}",
                           tuple(lemma.name for lemma in proof.invariant), proof.k,
                           printed.prelude, printed.steps,
                           {"initiation": first, "consecution": printed.before, "safety": last})

    def check(self, cert: Certificate) -> Checked:
        """Ask a fresh solver whatever has not been answered yet."""
        done = Checked()
        for name in QUERIES:
            if not self._unsatisfiable(cert, name, done):
                done.failed = name
                return done
        return done

    def _unsatisfiable(self, cert: Certificate, name: str, done: Checked) -> bool:
        if name == "consecution":
            keys = {a: _key(cert.prelude, *cert.steps[a], cert.bodies[name]) for a in cert.steps}
            left = [a for a, key in keys.items() if self._known(key, done) is None]
            if left and _answer(cert.prelude, cert.consecution(left)) is None:
                return False
            for action in left:
                self._keep(keys[action], ())
            return True
        key = _key(cert.prelude, cert.bodies[name])
        lemmas = self._known(key, done)
        if lemmas is None:
            tracked = cert.lemmas if name == "safety" and not cert.k else ()
            lemmas = _answer(cert.prelude, cert.bodies[name], tracked)
            if lemmas is None:
                return False
            self._keep(key, lemmas)
        if name == "safety":
            done.leans_on = lemmas
        return True

    def _known(self, key: str, done: Checked) -> tuple[str, ...] | None:
        found = self._answers.get(key)
        if found is None and self._earlier is not None:
            found = self._earlier.get(key)
            done.cached |= found is not None
        return found

    def _keep(self, key: str, lemmas: tuple[str, ...]) -> None:
        self._answers.put(key, lemmas)
        if self._earlier is not None:
            self._earlier.put(key, lemmas)


def _key(*parts: str) -> str:
    digest = hashlib.sha256(z3.get_full_version().encode())
    for part in parts:
        digest.update(hashlib.sha256(part.encode()).digest())
    return digest.hexdigest()


def _answer(prelude: str, body: str, tracked: Sequence[str] = ()) -> tuple[str, ...] | None:
    """Of an unsatisfiable query those of the `tracked` lemmas that it takes, which are its first
    assertions in order; None of a query that is not."""
    context = z3.Context()  # what was asked before would show in the core
    solver = incremental_solver(context) if tracked else checking_solver(context)
    asserted = z3.parse_smt2_string(prelude + body, ctx=context)
    names = [z3.Bool(f"lemma!{i}", context) for i in range(len(tracked))]
    for i in range(len(asserted)):
        solver.add(z3.Implies(names[i], asserted[i]) if i < len(names) else asserted[i])
    if solver.check(*names) != z3.unsat:
        return None
    core = {str(name) for name in solver.unsat_core()} if names else set()
    return tuple(lemma for name, lemma in zip(names, tracked, strict=True) if str(name) in core)
