"""The questions of a certificate as text: an invariant of a system, printed, and k-induction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

import z3

from model.engines.base import Proof, Unrolling
from model.smtlib import PRELUDE, Printer, constant, name_of, sort, symbol
from model.system.asking.language import as_term, conj, disj
from model.system.relation import nodes
from model.system.relation.transition import Lemma, Question, TransitionSystem, plain


class PrintedInvariant:
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
        values = {name_of(v): constant(plain(z3.simplify(t)), nodes.width(nodes.node_of(t)))
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
            steps = self._after(set(after.values()), _speaks_of(question))
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


def _speaks_of(question: Question) -> list[str]:
    """The actions that are not allowed whatever they do."""
    return [name for name, allowed in zip(question.system.actions, question.allowed_of,
                                          strict=True) if not z3.is_true(allowed)]


def _name(lemma: Lemma) -> str:
    return f"lemma.{lemma.name}"


def _declared(variable: z3.ExprRef) -> str:
    return f"(declare-const {symbol(name_of(variable))} {sort(variable)})"


def _call(function: str, parameters: Sequence[z3.ExprRef], values: Mapping[str, str]) -> str:
    """A function of the parameters' values; of the parameters themselves, where they have none."""
    given = [values.get(name_of(p), symbol(name_of(p))) for p in parameters]
    return f"({symbol(function)} {' '.join(given)})" if given else symbol(function)


def _constants(term: z3.ExprRef) -> list[z3.ExprRef]:
    return list(z3.z3util.get_vars(term))


def _conjunction(invariant: tuple[Lemma, ...]) -> z3.BoolRef:
    return as_term(conj(*(lemma.formula for lemma in invariant)))


def base_of(question: Question, proof: Proof) -> list[z3.BoolRef]:
    """That the initial state is not in the invariant, or that one of the first k steps is bad."""
    path = Unrolling(question.system, z3.Solver(), question.system.initial)
    breaks = [z3.Not(path.at(_conjunction(proof.invariant), 0))]
    for step in range(proof.k):
        path.extend()
        breaks.append(z3.Not(path.at(question.good, step)))
    return [*path.solver.assertions(), as_term(disj(*breaks))]


def step_of(question: Question, proof: Proof) -> list[z3.BoolRef]:
    """That k good steps from a state of the invariant lead to a bad one."""
    path = Unrolling(question.system, z3.Solver())
    path.solver.add(path.at(_conjunction(proof.invariant), 0))
    for step in range(proof.k):
        path.extend()
        path.solver.add(path.at(question.good, step))
    return [*path.solver.assertions(), question.system.legal_action,
            z3.Not(path.at(question.good, proof.k))]
