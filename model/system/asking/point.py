"""What claims are written in: a state, and what calls would make of it.

A view answers questions about a state; a point also says what follows from it: as terms over the
same variables, so that a claim about a kernel function is one formula over all its inputs; or
stepwise, with variables for each state on the way, for states that are at hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

import z3

from model.kernel.bits import PROT_NONE_PGPROT, VM_MAYSHARE, VM_SHARED, VM_SOFTDIRTY
from model.kernel.editions import Edition
from model.kernel.huge_memory import can_change_pmd_writable
from model.kernel.logic import BV, Bool, as_term, conj, has, ite, word
from model.kernel.mprotect import can_change_pte_writable
from model.kernel.records import Entry, Outcome, Vma, outcome
from model.system.actions.operations import OPERATIONS
from model.system.asking.view import View
from model.system.relation.compiled import Values
from model.system.relation.kernel import KernelSystem, kernel_system
from model.system.state.state import State


class Point(View):
    """A state of a system, or what calls have made of its state; `outcome` is the last call's."""

    def __init__(self, kernel: KernelSystem, state: State | None = None,
                 result: BV | None = None) -> None:
        self._kernel = kernel
        self._state = kernel.before if state is None else state
        self._result = outcome(Outcome.ok) if result is None else result
        self._next: dict[str, Point] = {}
        super().__init__(kernel.edition, self._state)

    @property
    def ok(self) -> Bool:
        """The last call succeeded."""
        return as_term(self._result == outcome(Outcome.ok))

    def then(self, op: str) -> Point:
        """The state after `op`. Raises KeyError for an operation that there is not."""
        if op not in self._next:
            effect = self._kernel.effect(op, self._state)
            self._next[op] = Point(self._kernel, effect.state, effect.outcome)
        return self._next[op]

    def under(self, change: str) -> Point:
        """The same state in the edition that has `change` too."""
        edition = self._kernel.edition.with_change(change)
        return Point(kernel_system(edition, self.mapping), self._state, self._result)

    @property
    def shared_flag(self) -> Bool:
        """VM_SHARED, as the functions of the kernel ask it."""
        return has(self.vma.vm_flags, VM_SHARED)

    @property
    def whole_vma_dirty(self) -> Bool:
        """VM_SOFTDIRTY: every page of the VMA reads as soft-dirty."""
        return has(self.vma.vm_flags, VM_SOFTDIRTY)

    @property
    def flags_of_mapping(self) -> Bool:
        """VM_SHARED and VM_MAYSHARE say what kind of mapping it is."""
        both = word(VM_SHARED | VM_MAYSHARE)
        return as_term((self.vma.vm_flags & both) == (both if self.mapping.shared else word(0)))

    @cached_property
    def can_change_writable(self) -> Bool:
        """can_change_pte_writable(), or can_change_pmd_writable() of a huge page, says yes."""
        ed = self._kernel.edition
        return conj(self.present, ite(self.entry.huge,
                                      can_change_pmd_writable(ed, self.vma, self.entry),
                                      can_change_pte_writable(ed, self.vma, self.entry)))

    def newprot_as_worked_out(self, op: str) -> Bool:
        """Every call of change_protection() that `op` makes passes vma->vm_page_prot; that of NUMA
        balancing PAGE_NONE. It is what the function works out by itself since 1ef488edd6c4."""
        passed: list[Bool] = []

        def protection(_ed: Edition, vma: Vma, entry: Entry, newprot: BV, _cp: object) -> Entry:
            passed.append(as_term(newprot == vma.vm_page_prot))
            return entry

        def hint(_ed: Edition, pte: BV, newprot: BV) -> BV:
            passed.append(as_term(newprot == word(PROT_NONE_PGPROT)))
            return pte

        heard: dict[str, Callable[..., Any]] = (
            {"pte_modify": hint} if op == "numa" else {"change_protection": protection})
        ed = self._kernel.edition
        listening = replace(ed, overrides=MappingProxyType({**ed.overrides, **heard}))
        OPERATIONS[op].run(listening, self._state)
        return conj(bool(passed), *passed)


class Course:
    """A state and the states after calls, with variables of its own for each.

    `steps[i]` says which state, numbered from 0 for the first, which system and which call leads
    to state i + 1.
    """

    def __init__(self, kernel: KernelSystem) -> None:
        self.steps: list[tuple[int, KernelSystem, str]] = []
        self.variables: list[z3.ExprRef] = list(kernel.system.variables)
        self.start = StepwisePoint(self, 0, kernel, kernel.before, outcome(Outcome.ok))

    def values(self, start: Values) -> Values:
        """The values of all the variables where the first state is `start`."""
        states, found = [start], list(start)
        for origin, kernel, op in self.steps:
            after, outputs = kernel.machine.step(states[origin], op)
            states.append(after)
            found += [*after, outputs[0]]
        return tuple(found)


class StepwisePoint(Point):
    """A point of a course."""

    def __init__(self, course: Course, number: int, kernel: KernelSystem, state: State,
                 result: BV) -> None:
        super().__init__(kernel, state, result)
        self._course = course
        self._number = number

    def then(self, op: str) -> Point:
        """The state after `op`. Raises KeyError for one that the system does not explore."""
        if op not in self._next:
            steps, kernel = self._course.steps, self._kernel
            steps.append((self._number, kernel, op))
            number = len(steps)
            leaves = [z3.Const(f"{v}@{number}", v.sort()) for v in kernel.system.variables]
            result = z3.BitVec(f"outcome@{number}", kernel.outcome.size())
            self._course.variables += [*leaves, result]
            self._next[op] = StepwisePoint(self._course, number, kernel, kernel.state_of(leaves),
                                           result)
        return self._next[op]

    def under(self, change: str) -> Point:
        """The same state in the edition that has `change` too."""
        kernel = kernel_system(self._kernel.edition.with_change(change), self.mapping)
        return StepwisePoint(self._course, self._number, kernel, self._state, self._result)
