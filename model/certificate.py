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
from functools import cached_property
from typing import Protocol

import z3

from model.engines.base import Proof, Unrolling, checking_solver, incremental_solver
from model.smtlib import PRELUDE, Printer, constant, name_of, sort, symbol
from model.system.asking.language import as_term, conj, disj
from model.system.relation import nodes
from model.system.relation.transition import Lemma, Question, TransitionSystem

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
        self._invariants: dict[tuple[Lemma, ...], _Invariant] = {}
        self._answers = _Answered()
        self._earlier = earlier

    def certificate(self, question: Question, proof: Proof) -> Certificate:
        """The certificate of a proof, not yet checked."""
        if proof.invariant not in self._invariants:
            self._invariants[proof.invariant] = _Invariant(self._printer, question.system,
                                                           proof.invariant)
        printed = self._invariants[proof.invariant]
        first, last = (printed.flat(_base(question, proof)), printed.flat(_step(question, proof))) \
            if proof.k else (printed.initiation, printed.safety(question))
        return Certificate(f"{question.name} on {question.system.name}",
                           tuple(lemma.name for lemma in proof.invariant), proof.k,
                           printed.prelude, printed.steps,
                           {"initiation": first, "consecution": printed.before, "safety": last})

    def check(self, cert: Certificate) -> Checked:
        """Ask a fresh solver whatever has not been answered yet."""
        done, context = Checked(), z3.Context()
        for name in QUERIES:
            if not self._unsatisfiable(cert, name, done, context):
                done.failed = name
                return done
        return done

    def _unsatisfiable(self, cert: Certificate, name: str, done: Checked,
                       context: z3.Context) -> bool:
        if name == "consecution":
            keys = {a: _key(cert.prelude, *cert.steps[a], cert.bodies[name]) for a in cert.steps}
            left = [a for a, key in keys.items() if self._known(key, done) is None]
            if left and _answer(context, cert.prelude, cert.consecution(left)) is None:
                return False
            for action in left:
                self._keep(keys[action], ())
            return True
        key = _key(cert.prelude, cert.bodies[name])
        lemmas = self._known(key, done)
        if lemmas is None:
            tracked = cert.lemmas if name == "safety" and not cert.k else ()
            lemmas = _answer(context, cert.prelude, cert.bodies[name], tracked)
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


class _Invariant:
    """An invariant of a system, printed."""

    def __init__(self, printer: Printer, system: TransitionSystem,
                 lemmas: tuple[Lemma, ...]) -> None:
        self._printer = printer
        self._system = system
        self._lemmas = lemmas
        self._speak = {lemma: self._used(lemma.formula) for lemma in lemmas}
        spoken = {name_of(v) for used in self._speak.values() for v in used}
        self._used_in_all = [v for v in system.variables if name_of(v) in spoken]

    def _used(self, formula: z3.BoolRef) -> list[z3.ExprRef]:
        names = self._printer.variables(formula)
        return [v for v in self._system.variables if name_of(v) in names]

    @cached_property
    def prelude(self) -> str:
        """The variables, each lemma as a function of those that it speaks of, the invariant."""
        defined = [self._printer.define(_name(lemma), used, lemma.formula)
                   for lemma, used in self._speak.items()]
        given = " ".join(f"({symbol(name_of(v))} {sort(v)})" for v in self._used_in_all)
        whole = "".join(f"\n  {self._lemma(lemma)}" for lemma in self._lemmas)
        return PRELUDE + "\n".join([*map(_declared, self._system.variables), *defined,
                          f"(define-fun invariant ({given}) Bool (and true{whole}))", ""])

    def _lemma(self, lemma: Lemma, values: Mapping[str, str] | None = None) -> str:
        return _call(_name(lemma), self._speak[lemma], values or {})

    @cached_property
    def before(self) -> str:
        return f"(assert {_call('invariant', self._used_in_all, {})})\n"

    @cached_property
    def initiation(self) -> str:
        values = {name_of(v): constant(_plain(t), nodes.width(nodes.node_of(t)))
                  for v, t in zip(self._system.variables, self._system.initial, strict=True)}
        return f"(assert (not {_call('invariant', self._used_in_all, values)}))\n"

    def _after(self, wanted: Collection[str],
               actions: Collection[str]) -> dict[str, tuple[str, dict[str, str]]]:
        """For each of the actions the definitions of the `wanted` variables and outputs after it,
        and the names of their values."""
        names = [*map(name_of, self._system.variables), *map(name_of, self._system.outputs)]
        found = {}
        for action, branch in zip(self._system.actions, self._system.branches, strict=True):
            if action in actions:
                lines, values = self._printer.definitions(
                    action, [(n, t) for n, t in zip(names, branch, strict=True) if n in wanted])
                found[action] = "".join(f"{line}\n" for line in lines), values
        return found

    @cached_property
    def steps(self) -> dict[str, tuple[str, str]]:
        after = self._after({name_of(v) for v in self._used_in_all}, self._system.actions)
        return {action: (defined, f"(not {_call('invariant', self._used_in_all, values)})")
                for action, (defined, values) in after.items()}

    def safety(self, question: Question) -> str:
        """That the lemmas hold, each asserted by itself, and the promise is broken."""
        system = self._system
        held = "".join(f"(assert {self._lemma(lemma)})\n" for lemma in self._lemmas)
        safe, allowed = z3.simplify(question.safe), z3.simplify(question.allowed)
        lines = [self._printer.define("safe", self._used(safe), safe)]
        broken = [f"(not {_call('safe', self._used(safe), {})})"]
        if not z3.is_true(allowed):
            names = self._printer.variables(allowed)
            pairs = [*zip(system.primed, system.variables, strict=True),
                     *zip(system.outputs, system.outputs, strict=True)]
            after = {name_of(p): name_of(v) for p, v in pairs if name_of(p) in names}
            given = [v for v in (*system.variables, system.action, *system.primed, *system.outputs)
                     if name_of(v) in names]
            lines.append(self._printer.define("allowed", given, allowed))
            lines += [_declared(v) for v in given if name_of(v) in after]
            steps = self._after(set(after.values()), _speaks_of(question, allowed))
            for number, action in enumerate(system.actions):
                told = {name_of(system.action): constant(number, system.action.size())}
                if action in steps:  # else it is allowed wherever it leads
                    defined, values = steps[action]
                    lines.append(defined.rstrip())
                    told |= {name: values[of] for name, of in after.items()}
                broken.append(f"(not {_call('allowed', given, told)})")
        either = "".join(f"\n  {part}" for part in broken)
        return "\n".join([*filter(None, lines), f"{held}(assert (or{either} false))", ""])

    def flat(self, assertions: Sequence[z3.BoolRef]) -> str:
        """Assertions over variables of their own, as they stand."""
        own = {name_of(v) for v in self._system.variables}
        lines, names = self._printer.definitions("at", [(str(n), a)
                                                        for n, a in enumerate(assertions)])
        fresh = {name_of(c): c for a in assertions for c in _constants(a) if name_of(c) not in own}
        return "".join(f"{line}\n" for line in (
            *(_declared(fresh[name]) for name in sorted(fresh)), *lines,
            *(f"(assert {name})" for name in names.values())))


def _speaks_of(question: Question, allowed: z3.BoolRef) -> list[str]:
    """The actions that are not allowed whatever they do."""
    action = question.system.action
    numbers = (z3.BitVecVal(i, action.size()) for i in range(len(question.system.actions)))
    return [name for name, number in zip(question.system.actions, numbers, strict=True)
            if not z3.is_true(z3.simplify(z3.substitute(allowed, (action, number))))]


def _name(lemma: Lemma) -> str:
    return f"lemma.{lemma.name}"


def _declared(variable: z3.ExprRef) -> str:
    return f"(declare-const {symbol(name_of(variable))} {sort(variable)})"


def _call(function: str, parameters: Sequence[z3.ExprRef], values: Mapping[str, str]) -> str:
    """A function of the parameters' values; of the parameters themselves, where they have none."""
    given = [values.get(name_of(p), symbol(name_of(p))) for p in parameters]
    return f"({symbol(function)} {' '.join(given)})" if given else symbol(function)


def _plain(term: z3.ExprRef) -> int | bool:
    value = z3.simplify(term)
    return value.as_long() if isinstance(value, z3.BitVecNumRef) else bool(z3.is_true(value))


def _constants(term: z3.ExprRef) -> list[z3.ExprRef]:
    return list(z3.z3util.get_vars(term))


def _conjunction(invariant: tuple[Lemma, ...]) -> z3.BoolRef:
    return as_term(conj(*(lemma.formula for lemma in invariant)))


def _base(question: Question, proof: Proof) -> list[z3.BoolRef]:
    """That the initial state is not in the invariant, or that one of the first k steps is bad."""
    path = Unrolling(question.system, z3.Solver(), question.system.initial)
    breaks = [z3.Not(path.at(_conjunction(proof.invariant), 0))]
    for step in range(proof.k):
        path.extend()
        breaks.append(z3.Not(path.at(question.good, step)))
    return [*path.solver.assertions(), as_term(disj(*breaks))]


def _step(question: Question, proof: Proof) -> list[z3.BoolRef]:
    """That k good steps from a state of the invariant lead to a bad one."""
    path = Unrolling(question.system, z3.Solver())
    path.solver.add(path.at(_conjunction(proof.invariant), 0))
    for step in range(proof.k):
        path.extend()
        path.solver.add(path.at(question.good, step))
    return [*path.solver.assertions(), question.system.legal_action,
            z3.Not(path.at(question.good, proof.k))]


def _key(*parts: str) -> str:
    digest = hashlib.sha256(z3.get_full_version().encode())
    for part in parts:
        digest.update(hashlib.sha256(part.encode()).digest())
    return digest.hexdigest()


def _answer(context: z3.Context, prelude: str, body: str,
            tracked: Sequence[str] = ()) -> tuple[str, ...] | None:
    """Of an unsatisfiable query those of the `tracked` lemmas that it takes, which are its first
    assertions in order; None of a query that is not."""
    solver = incremental_solver(context) if tracked else checking_solver(context)
    asserted = z3.parse_smt2_string(prelude + body, ctx=context)
    names = [z3.Bool(f"lemma!{i}", context) for i in range(len(tracked))]
    for i in range(len(asserted)):
        solver.add(z3.Implies(names[i], asserted[i]) if i < len(names) else asserted[i])
    if solver.check(*names) != z3.unsat:
        return None
    core = {str(name) for name in solver.unsat_core()} if names else set()
    return tuple(lemma for name, lemma in zip(names, tracked, strict=True) if str(name) in core)
