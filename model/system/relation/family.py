"""Every edition that some undecided changes allow, as one system that is built once.

A member is one choice. It runs on code that all members share, so that the thousandth costs no
more than its own search.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import cached_property

import z3

from model.kernel.changes import CHANGES
from model.kernel.editions import Edition, choice
from model.kernel.records import Mapping
from model.system.relation import nodes
from model.system.relation.compiled import Machine, Values, compile_terms
from model.system.relation.kernel import KernelSystem
from model.system.relation.transition import Question, substitute


class Family:
    """The editions that have or lack each of `changes`, and are else as `edition`; `actions` are
    the operations that are explored."""

    def __init__(self, edition: Edition, mapping: Mapping, actions: Sequence[str],
                 changes: Collection[str]) -> None:
        self.changes = tuple(c for c in CHANGES if c in changes)
        undecided = replace(edition, undecided=frozenset(self.changes))
        self.kernel = KernelSystem(undecided, mapping, actions)
        self._choices = tuple(choice(c) for c in self.changes)

    def member(self, chosen: Collection[str]) -> Machine:
        """The edition that has `chosen` of the changes, and no other of them."""
        return _Member(self, tuple(c in chosen for c in self.changes))

    def speak_of(self, *terms: z3.ExprRef) -> frozenset[str]:
        """Those of the changes that these terms depend on."""
        there = nodes.below(map(nodes.node_of, terms))
        return frozenset(c for c, has in zip(self.changes, self._choices, strict=True)
                         if nodes.node_of(has) in there)

    @cached_property
    def telling(self) -> frozenset[str]:
        """The changes that the steps depend on: members that agree in these have one graph."""
        system = self.kernel.system
        return self.speak_of(*system.initial, *(t for branch in system.branches for t in branch))

    def compiled(self, names: Sequence[z3.ExprRef],
                 results: Sequence[z3.ExprRef]) -> Callable[[Values], Values]:
        """The function from the choices, then the values of `names`, to those of `results`."""
        return compile_terms((*self._choices, *names), results)

    def breaking(self, question: Question, ops: Sequence[str]) -> z3.BoolRef:
        """Of which choices it is true that `ops`, from the start, break the promise. Raises
        ValueError for an operation that is not explored."""
        system = question.system
        state: Sequence[z3.ExprRef] = system.initial
        good = [substitute(question.safe, system.variables, state)]
        for op in ops:
            index = system.actions.index(op)
            values = [z3.simplify(z3.substitute(t, *zip(system.variables, state, strict=True)))
                      for t in system.branches[index]]
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

    def __init__(self, family: Family, values: Values) -> None:
        self._family = family
        self._values = values
        super().__init__(family.kernel.system)

    def _function(self, names: Sequence[z3.ExprRef],
                  results: Sequence[z3.ExprRef]) -> Callable[[Values], Values]:
        shared, values = self._family.compiled(names, results), self._values
        return lambda state: shared((*values, *state))
