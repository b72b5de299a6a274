"""One edition and one mapping as a transition system, and what a program can observe of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from itertools import zip_longest
from typing import Any, Protocol

import z3

from model.kernel.bits import VMFLAG_LETTERS
from model.kernel.editions import Edition
from model.kernel.fault import FAULT_BITS
from model.kernel.ksm import protnone_keeps_ksm
from model.kernel.logic import BV, Bool, disj
from model.kernel.records import OUTCOME_BITS, Mapping, Outcome
from model.kernel.task_mmu import do_pagemap_scan, pagemap_read
from model.system.actions.content import read_after
from model.system.actions.effect import Effect
from model.system.actions.operations import CORE, OPERATIONS, TRACKED
from model.system.actions.themes import allowing, modelled
from model.system.relation.compiled import Machine, Values, compile_terms
from model.system.relation.library import Branch, Library, library
from model.system.relation.transition import TransitionSystem
from model.system.state.mappings import fresh_vma
from model.system.state.state import (
    FOLLOWED,
    OF_CONTENT,
    State,
    flatten,
    fresh_entry,
    fresh_history,
    leaf_names,
    leaves,
    rebuild,
    variables_like,
)


class Asked(Protocol):
    """One page that promises are asked of: its state before and after a step, and the step.
    `there` and `stays` say that something is mapped there before the step, and after it."""

    edition: Edition
    mapping: Mapping
    before: State

    @property
    def after(self) -> State: ...

    @property
    def outcome(self) -> BV: ...

    @property
    def there(self) -> Bool: ...

    @property
    def stays(self) -> Bool: ...

    def takes(self, names: Iterable[str]) -> Bool: ...


class Putting(Protocol):
    """What promises are put to: a system, and each page of it."""

    edition: Edition
    mapping: Mapping

    @property
    def system(self) -> TransitionSystem: ...

    @property
    def parts(self) -> tuple[Asked, ...]: ...


@dataclass(frozen=True)
class Step:
    """One step as a trace and a program see it: the operation, its outcome, the state after."""

    op: str
    outcome: str
    faults: int
    values: Values


OF_OTHERS = frozenset({"collapse", "poison", "continue"})
"""Operations that ask about the other pages of a huge one, whoever has changed them."""


SMALL = frozenset({"copy", "copy:wp", "zeropage"})
"""Operations that put small pages into the page cache of a file that has huge ones."""


def has_others(edition: Edition, mapping: Mapping, actions: Sequence[str]) -> bool:
    """Whether the state has the other pages of the mapping (`rest`) for the sake of the actions."""
    return mapping.thp and (
        mapping.anonymous or not OF_OTHERS.isdisjoint(actions)
        or any(edition.has(c) is not False for c in ("6375e95f381e", "cac1db8c3aad")))


class KernelSystem:
    """The model of `edition` and `mapping`: symbolic (`system`) and running (`machine`).

    `actions` are the operations, by name, that it explores; `follows` are facts that it keeps
    beyond those that the operations track. With a `library` the terms of its steps are taken from
    there; without one they are built anew.
    """

    there: Bool = True
    stays: Bool = True

    def __init__(self, edition: Edition, mapping: Mapping, actions: Sequence[str] = CORE,
                 library: Library | None = None, follows: Collection[str] = ()) -> None:
        self._library = library
        self.edition = edition
        self.mapping = mapping
        self.actions = tuple(actions)
        empty = fresh_entry(mapping)
        others = empty if has_others(edition, mapping, self.actions) else None
        self.initial = State(fresh_vma(edition, mapping), empty, others, uffd_open=True,
                             history=fresh_history(mapping))
        self.names = leaf_names(self.initial)
        followed = {fact for a in self.actions for fact in OPERATIONS[a].tracks} | {*follows}
        if mapping.thp:
            followed |= {"huge", "large"} | ({"unused"} if "pin" in self.actions else set())
        if mapping.shared and mapping.thp and SMALL.intersection(self.actions):
            followed.add("cache_small")
        if mapping.shared and not mapping.hugetlb and edition.has("4e92030c05dc") is not False:
            followed.add("cache_dirty")
        if protnone_keeps_ksm(edition) is False and "rwp" not in self.actions:
            followed.discard("astray")
        self._fixed = {prefix + fact for prefix in ("", "rest.")
                       for fact in (TRACKED | {*FOLLOWED, "cache_small"}) - followed}
        self._variables: State = variables_like(self.initial)
        self.before: State = self._with_fixed(self._variables)
        self.outcome: BV = z3.BitVec("outcome", OUTCOME_BITS)

    def _with_fixed(self, state: State) -> State:
        """The state with its initial value in every fact that no action here needs."""
        return rebuild(self.initial, [
            first if name in self._fixed else value for name, first, value in zip(
                self.names, leaves(self.initial), leaves(state), strict=True)])

    def followed(self, terms: Sequence[z3.ExprRef]) -> list[z3.ExprRef]:
        """Of terms that begin as the variables do, all but those of facts that no action here
        needs."""
        return [term for name, term in zip_longest(self.names, terms) if name not in self._fixed]

    @cached_property
    def effects(self) -> tuple[Effect, ...]:
        """The effect of each action on the symbolic state."""
        return tuple(self.effect(a, self.before) for a in self.actions)

    def effect(self, op: str, state: State, edition: Edition | None = None) -> Effect:
        """The effect of an operation on `state`, of whatever terms, in this edition or another.
        Raises KeyError if unknown."""
        effect = OPERATIONS[op].run(edition or self.edition, state)
        if self._fixed.isdisjoint(OF_CONTENT):
            effect = replace(effect, state=replace(
                effect.state, history=read_after(edition or self.edition, op, state, effect)))
        return replace(effect, state=self._with_fixed(effect.state))

    @cached_property
    def _branches(self) -> tuple[Branch, ...]:
        if self._library is None:
            return tuple((*flatten(e.state), e.outcome, e.faults) for e in self.effects)
        return tuple(self._library.branch(self.edition, a, self.before, self._fixed, self.effect)
                     for a in self.actions)

    @cached_property
    def system(self) -> TransitionSystem:
        return TransitionSystem(
            name=f"{self.edition.name}/{self.mapping.name}",
            variables=flatten(self._variables),
            initial=flatten(self.initial),
            actions=self.actions,
            branches=self._branches,
            outputs=(self.outcome, z3.BitVec("faults", FAULT_BITS)),
        )

    @property
    def after(self) -> State:
        """The state after the step, as constants."""
        return rebuild(self.initial, self.system.primed)

    @property
    def parts(self) -> tuple[Asked, ...]:
        """What a promise of one page is asked of."""
        return (self,)

    def takes(self, names: Iterable[str]) -> Bool:
        """The operation is one of these."""
        return disj(*(self.system.choose(self.actions.index(name))
                      for name in names if name in self.actions))

    def state_of(self, values: Sequence[z3.ExprRef]) -> State:
        """The state with these leaves, in the order of the variables."""
        return self._with_fixed(rebuild(self.initial, values))

    @cached_property
    def machine(self) -> Machine:
        return Machine(self.system)

    def run(self, ops: Sequence[str]) -> list[Step]:
        """Run `ops` from a fresh mapping. Raises KeyError for one that is not among the actions."""
        values, steps = self.machine.initial, []
        for op in ops:
            values, (outcome, faults) = self.machine.step(values, op)
            steps.append(Step(op, Outcome(outcome).name, faults, values))
        return steps

    def _told(self, report: Any) -> Any:
        """What a report says of a concrete state, by field name."""
        names = leaf_names(report)
        function = compile_terms(flatten(self._variables), flatten(report))
        return lru_cache(maxsize=None)(
            lambda values: dict(zip(names, map(bool, function(values)), strict=True)))

    @cached_property
    def _pagemap(self) -> Any:
        return self._told(pagemap_read(self.edition, self.before.vma, self.before.entry))

    @cached_property
    def _categories(self) -> Any:
        return self._told(do_pagemap_scan(self.edition, self.before.vma, self.before.entry))

    @property
    def scans(self) -> bool:
        """Whether the kernel has PAGEMAP_SCAN."""
        return self.edition.has("52526ca7fdb9") is True

    def scan(self, values: Values) -> list[str]:
        """The PAGEMAP_SCAN categories of a concrete state, sorted; of a kernel that has it."""
        told: dict[str, bool] = self._categories(values)
        return sorted(name for name, said in told.items() if said)

    def pagemap(self, values: Values) -> dict[str, bool]:
        """The pagemap entry of a concrete state, by field name."""
        result: dict[str, bool] = self._pagemap(values)
        return result

    def vm_flags(self, values: Values) -> list[str]:
        """The smaps letters of a concrete state, sorted; "ur" among them for VM_UFFD_RWP."""
        flags = values[self.names.index("vm_flags")]
        rwp = ["ur"] if values[self.names.index("uffd_rwp")] else []
        return sorted([*(letters for bit, letters in VMFLAG_LETTERS.items() if flags & bit), *rwp])

    def observe(self, step: Step) -> dict[str, Any]:
        """The step as `simulate` prints it: what a program can observe. Its letters are those of
        VMFLAG_LETTERS alone, which readers of that output count on."""
        scan = {"scan": self.scan(step.values)} if self.scans else {}
        return {"op": step.op, "outcome": step.outcome, "faults": step.faults,
                "pagemap": self.pagemap(step.values), **scan,
                "vm_flags": [letters for letters in self.vm_flags(step.values)
                             if letters in VMFLAG_LETTERS.values()]}


@cache
def _cached(edition: Edition, mapping: Mapping, actions: tuple[str, ...],
            follows: tuple[str, ...]) -> KernelSystem:
    return KernelSystem(edition, mapping, actions, library(), follows)


def kernel_system(edition: Edition, mapping: Mapping, allow: Iterable[str] = (),
                  follows: tuple[str, ...] = ()) -> KernelSystem:
    """The system with the core operations and those of `allow`; one is built once, unless functions
    are overridden by other than a patch file. Raises UsageError for an operation that is not
    modelled there."""
    actions = allowing(edition, mapping, allow)
    if edition.overrides and edition.patch is None:
        return KernelSystem(edition, mapping, actions, library(), follows)
    return _cached(edition, mapping, actions, follows)


def whole_system(edition: Edition, mapping: Mapping) -> KernelSystem:
    """The system with every operation that is modelled there."""
    return kernel_system(edition, mapping, modelled(edition, mapping))
