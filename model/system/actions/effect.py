"""What an effect is, and what the effects of many operations have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from model.kernel.editions import Edition
from model.kernel.fault import FAULT_BITS
from model.kernel.logic import BV, Bool, conj, disj, ite, negate, number
from model.kernel.mprotect import modify_prot_start_ptes
from model.kernel.records import Entry, Outcome, outcome
from model.system.state.state import History, State

NO_FAULTS = number(0, FAULT_BITS)
OK = outcome(Outcome.ok)


@dataclass(frozen=True)
class Effect:
    """The state after an operation, the outcome (5 bits) and the minor faults taken (3 bits)."""

    state: State
    outcome: BV = OK
    faults: BV = NO_FAULTS


def each(s: State, call: Callable[[Entry], Entry]) -> State:
    """`call` made of every page of the mapping."""
    return replace(s, entry=call(s.entry), rest=None if s.rest is None else call(s.rest))


def protected(ed: Edition, s: State, changed: Bool, call: Callable[[Entry], Entry],
              uffd_rwp: bool = False) -> State:
    """`call` made of every page, which has their protection changed where `changed`; by
    `uffd_rwp` closed."""
    if s.rest is None:
        return each(s, call)
    entry, rest = modify_prot_start_ptes(ed, s.vma, s.entry, s.rest, uffd_rwp)
    return each(ite(changed, replace(s, entry=entry, rest=rest), s), call)


def stored(s: State, done: Bool) -> History:
    """A store has completed where `done`."""
    return replace(s.history, stored=disj(s.history.stored, done),
                   stored_since_wp=disj(s.history.stored_since_wp, done))


def unprotected(s: State, ended: Bool = True) -> State:
    history = replace(s.history, protected=False, protected_populated=False,
                      protected_async=False, rw_protected=False)
    return replace(s, history=ite(ended, history, s.history))


def cured(s: State, ended: Bool = True) -> State:
    """What was poisoned has been given up, or filled."""
    poisoned = conj(s.history.poisoned, negate(ended))
    return replace(s, history=replace(s.history, poisoned=poisoned))


def not_rw_protected(s: State, ended: Bool) -> State:
    """What was read-write protected has been given up, by the documentation."""
    kept = conj(s.history.rw_protected, negate(ended))
    return replace(s, history=replace(s.history, rw_protected=kept))
