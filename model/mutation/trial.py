"""Every promise tried against a mutant, by the exhausted state graph.

An operation is built once for a mapping, with every fact that any trial there needs; each trial
keeps at their initial values those facts that its own operations do not follow. What does not call
the wrong function is taken from the right system, whose steps are known already.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache, cached_property

import z3

from model.engines.explicit import first_violation
from model.kernel.editions import Edition, find_edition
from model.kernel.task_mmu import pagemap_read
from model.mutation import several
from model.mutation.mutant import Mutant, applied
from model.mutation.several import Told, Trace
from model.system.actions.effect import Effect
from model.system.actions.themes import allowing, modelled
from model.system.asking.used import called
from model.system.relation.compiled import Machine, Values, compile_terms
from model.system.relation.kernel import OF_OTHERS, KernelSystem, has_others
from model.system.relation.reach import explore
from model.system.state.mappings import MAPPINGS, find_mapping
from model.system.state.state import FOLLOWED, flatten
from properties import PROPERTIES

MAX_STATES = 20_000
"""A right system of the core has about a hundred, with what promises are about some hundreds."""

Step = Callable[[Values], Values]


def told(mutant: Mutant, everywhere: bool = False) -> list[Told]:
    """The promises that tell the mutant from the right function on its mapping; with `everywhere`,
    where none does, on the first of the others on which one does."""
    edition = find_edition(mutant.edition)
    allow = mutant.allow.split()
    if ":" in mutant.mapping:
        return several.told(mutant)
    for mapping in dict.fromkeys((mutant.mapping, *(MAPPINGS if everywhere else ()))):
        if set(allow) <= set(modelled(edition, find_mapping(mapping))):
            found = [t for world in _worlds(edition, mapping) for t in world.told(mutant)]
            if found:
                return found
    return []


_Scope = tuple[tuple[str, ...], tuple[str, ...]]


@cache
def _worlds(edition: Edition, mapping: str) -> tuple[_World, ...]:
    """One that has the other pages of the mapping, and one that has not, as far as there are."""
    known = modelled(edition, find_mapping(mapping))
    few = tuple(op for op in known if op not in OF_OTHERS)
    built = {has_others(edition, find_mapping(mapping), ops): ops for ops in (few, known)}
    return tuple(_World(edition, mapping, operations) for operations in built.values())


class _World:
    """One edition and mapping, and the steps of these operations without a mutant."""

    def __init__(self, edition: Edition, mapping: str, operations: tuple[str, ...]) -> None:
        with called() as common:
            self.kernel = KernelSystem(edition, find_mapping(mapping), operations,
                                       follows=FOLLOWED)
            pagemap_read(edition, self.kernel.before.vma, self.kernel.before.entry)
        self._common = common
        self._step = cache(self._watched)
        self._right = cache(self._explored)

    def _watched(self, op: str) -> tuple[set[str], Step]:
        """The kernel functions that an operation calls, and its step."""
        with called() as own:
            effect = self.kernel.effect(op, self.kernel.before)
        return own, self._built(effect)

    def _together(self, allow: Collection[str]) -> dict[_Scope, tuple[str, ...]]:
        """The promises by what they are tried with: the core, `allow` and what they are about, and
        the facts that they follow."""
        edition, mapping = self.kernel.edition, self.kernel.mapping
        found: dict[_Scope, tuple[str, ...]] = {}
        for name, prop in PROPERTIES.items():
            if prop.concerns(edition, mapping):
                scope = allowing(edition, mapping, (*allow, *prop.about)), prop.follows
                if has_others(edition, mapping, scope[0]) == (self.kernel.before.rest is not None):
                    found[scope] = (*found.get(scope, ()), name)
        return found

    def told(self, mutant: Mutant) -> list[Told]:
        """What tells the mutant here."""
        together = self._together(mutant.allow.split())
        tried = {op for operations, _ in together for op in operations}
        touched = [op for op in self.kernel.actions
                   if op in tried and mutant.function in self._step(op)[0]]
        if not touched and mutant.function not in self._common:
            return []
        right = {scope: self._right(scope, promises) for scope, promises in together.items()}
        with applied(mutant) as edition:
            wrong = KernelSystem(edition, self.kernel.mapping, self.kernel.actions,
                                 follows=FOLLOWED)
            steps = {op: self._built(wrong.effect(op, self.kernel.before)) for op in touched}
            initial = compile_terms((), flatten(wrong.initial))(())
        found = []
        for (operations, follows), (asked, known, traces) in right.items():
            mutated = _Asked(edition, asked.mapping, operations, follows=follows)
            machine = _Running(mutated, {op: steps.get(op) or known.stepping(op)
                                         for op in operations}, initial)
            after = _traces(mutated, machine, traces)
            found += [Told(name, asked.mapping.name, after[name]) for name, before in traces.items()
                      if (after[name] is None) != (before is None)]
        return found

    def _explored(self, scope: _Scope,
                  promises: tuple[str, ...]) -> tuple[_Asked, _Running, dict[str, Trace | None]]:
        """The right system of this scope, and what breaks these promises."""
        operations, follows = scope
        asked = _Asked(self.kernel.edition, self.kernel.mapping, operations, follows=follows)
        machine = _Running(asked, {op: self._step(op)[1] for op in operations}, None)
        return asked, machine, _traces(asked, machine, promises)

    def _built(self, effect: Effect) -> Step:
        results = (*flatten(effect.state), effect.outcome, effect.faults)
        return compile_terms(self._variables, [z3.simplify(term) for term in results])

    @cached_property
    def _variables(self) -> tuple[z3.ExprRef, ...]:
        return _Asked(self.kernel.edition, self.kernel.mapping, self.kernel.actions,
                      follows=FOLLOWED).system.variables


class _Asked(KernelSystem):
    """A system that promises are put to, and whose steps somebody else knows."""

    @cached_property
    def effects(self) -> tuple[Effect, ...]:
        return ()


class _Running(Machine):
    """The machine of a system whose steps were built with more facts than it follows."""

    def __init__(self, kernel: _Asked, steps: Mapping[str, Step], initial: Values | None) -> None:
        super().__init__(kernel.system)
        before = flatten(kernel.before)
        self._kept = [(i, value) for i, value in enumerate(self.initial)
                      if not before[i].eq(kernel.system.variables[i])]
        if initial is not None:
            self.initial = initial
        self._branches = [self._keeping(steps[op]) for op in kernel.actions]

    def _keeping(self, step: Step) -> Step:
        """`step`, with the facts that are not followed at their initial values."""
        if not self._kept:
            return step

        def keeping(state: Values) -> Values:
            after = list(step(state))
            for i, value in self._kept:
                after[i] = value
            return tuple(after)

        return keeping

    def stepping(self, op: str) -> Step:
        """The step of an operation; those that were taken are known."""
        def known(state: Values) -> Values:
            after, outputs = self.step(state, op)
            return (*after, *outputs)

        return known


def _traces(kernel: KernelSystem, machine: Machine,
            promises: Collection[str]) -> dict[str, Trace | None]:
    graph = explore(machine, max_states=MAX_STATES)
    return {name: first_violation(machine, graph, PROPERTIES[name].question(kernel))
            for name in promises}
