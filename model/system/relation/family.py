"""Every edition that some undecided changes allow, as one system that is built once.

A member is one choice. It runs on code that all members share, and what a step does is worked out
once for all whose choices agree in what the step depends on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache

import z3

from model.kernel.changes import CHANGES
from model.kernel.editions import Edition, choice
from model.kernel.records import Mapping
from model.system.relation import nodes
from model.system.relation.compiled import Machine, Terms, Values, compile_terms
from model.system.relation.kernel import KernelSystem
from model.system.relation.transition import Question, packed, substitute

_REMEMBERED = 2048
"""Answers of one branch: more than most graphs have states."""


class Family:
    """The editions that have or lack each of `changes`, and are else as `edition`; `actions` are
    the operations that are explored; `follows` as of KernelSystem."""

    def __init__(self, edition: Edition, mapping: Mapping, actions: Sequence[str],
                 changes: Collection[str], follows: Collection[str] = ()) -> None:
        self.changes = tuple(c for c in CHANGES if c in changes)
        undecided = replace(edition, undecided=frozenset(self.changes))
        self.kernel = KernelSystem(undecided, mapping, actions, follows=follows)
        self._choices = {c: choice(c) for c in self.changes}
        self._spoken: dict[Terms, frozenset[str]] = {}
        self._branches: dict[tuple[int, frozenset[str]], Callable[[Values], Values]] = {}

    def member(self, chosen: Collection[str]) -> Machine:
        """The edition that has `chosen` of the changes, and no other of them."""
        return _Member(self, frozenset(chosen))

    def speak_of(self, *terms: z3.ExprRef) -> frozenset[str]:
        """Those of the changes that these terms depend on."""
        key = Terms(terms)
        if key not in self._spoken:
            there = nodes.below(map(nodes.node_of, terms))
            self._spoken[key] = frozenset(c for c, has in self._choices.items()
                                          if nodes.node_of(has) in there)
        return self._spoken[key]

    @cached_property
    def telling(self) -> frozenset[str]:
        """The changes that the steps depend on: members that agree in these have one graph."""
        system = self.kernel.system
        return self.speak_of(*system.initial).union(*(self.speak_of(*b) for b in system.branches))

    def function(self, names: Sequence[z3.ExprRef], results: Sequence[z3.ExprRef],
                 chosen: Collection[str]) -> Callable[[Values], Values]:
        """The function from the values of `names` to those of `results`, of the edition that has
        `chosen`."""
        asked = sorted(self.speak_of(*results))
        shared = compile_terms((*map(self._choices.__getitem__, asked), *names), results)
        values = tuple(c in chosen for c in asked)
        return (lambda state: shared((*values, *state))) if values else shared

    def branch(self, index: int, chosen: frozenset[str]) -> Callable[[Values], Values]:
        """An action of the edition that has `chosen`, from a state to the values after it: one for
        all that agree in what it depends on, and it remembers."""
        system = self.kernel.system
        branch = system.branches[index]
        key = index, chosen & self.speak_of(*branch)
        if key not in self._branches:
            self._branches[key] = lru_cache(_REMEMBERED)(
                self.function(system.variables, branch, chosen))
        return self._branches[key]

    def breaking(self, question: Question, ops: Sequence[str]) -> z3.BoolRef:
        """Of which choices it is true that `ops`, from the start, break the promise. Raises
        ValueError for an operation that is not explored."""
        system = question.system
        state: Sequence[z3.ExprRef] = system.initial
        good = [substitute(question.safe, system.variables, state)]
        for op in ops:
            index = system.actions.index(op)
            values = z3.simplify(
                substitute(packed(system.branches[index]), system.variables, state)).children()
            after = values[:len(system.variables)]
            action = z3.BitVecVal(index, system.action.size())
            good.append(substitute(
                question.allowed,
                (*system.variables, system.action, *system.primed, *system.outputs),
                (*state, action, *values)))
            good.append(substitute(question.safe, system.variables, after))
            state = after
        bad = z3.simplify(z3.Not(z3.And(good)))
        assert isinstance(bad, z3.BoolRef)
        return bad


class _Member(Machine):
    """One edition of a family."""

    def __init__(self, family: Family, chosen: frozenset[str]) -> None:
        self._family = family
        self._chosen = chosen
        super().__init__(family.kernel.system)

    def branch(self, index: int) -> Callable[[Values], Values]:
        return self._family.branch(index, self._chosen)

    def _function(self, names: Sequence[z3.ExprRef],
                  results: Sequence[z3.ExprRef]) -> Callable[[Values], Values]:
        return self._family.function(names, results, self._chosen)
