"""The operations: one thing a program can do, as a function of the state.

To add one: a function ``(ed, state) -> Effect`` over the kernel's functions, and a row in
OPERATIONS. The order of the rows is the order of plainness: of two traces of one length the one
that is first in this order is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import z3

from model.kernel.bits import VM_READ, VM_UFFD_WP, VM_WRITE
from model.kernel.editions import Edition, unknown
from model.kernel.logic import BV, conj, ite
from model.kernel.memory import FAULT_BITS, user_access
from model.kernel.mprotect import do_mprotect_pkey
from model.kernel.pgtable import pte_present
from model.kernel.records import Outcome, outcome
from model.kernel.task_mmu import clear_refs_write
from model.kernel.userfaultfd import (
    mwriteprotect_range,
    userfaultfd_register,
    userfaultfd_unregister,
)
from model.system.state import State

NO_FAULTS = z3.BitVecVal(0, FAULT_BITS)


@dataclass(frozen=True)
class Effect:
    """The state after an operation, the outcome (4 bits) and the minor faults taken (3 bits)."""

    state: State
    outcome: BV
    faults: BV = NO_FAULTS


@dataclass(frozen=True)
class Operation:
    """`name` as users type it; `call` is the call in C terms, for reports."""

    name: str
    call: str
    run: Callable[[Edition, State], Effect]


def _store(ed: Edition, s: State) -> Effect:
    access = user_access(ed, s.vma, s.entry, write=True)
    stored = ite(access.outcome == outcome(Outcome.ok), True, s.history.stored)
    return Effect(State(s.vma, access.entry, replace(s.history, stored=stored)),
                  access.outcome, access.faults)


def _load(ed: Edition, s: State) -> Effect:
    access = user_access(ed, s.vma, s.entry, write=False)
    return Effect(replace(s, entry=access.entry), access.outcome, access.faults)


def _clear_refs(ed: Edition, s: State) -> Effect:
    vma, entry = clear_refs_write(ed, s.vma, s.entry)
    return Effect(State(vma, entry, replace(s.history, stored=False)), outcome(Outcome.ok))


def _register(ed: Edition, s: State, mode: int) -> Effect:
    vma, result = userfaultfd_register(ed, s.vma, mode)
    return Effect(replace(s, vma=vma), result)


def _unregister(ed: Edition, s: State) -> Effect:
    vma, entry, result = userfaultfd_unregister(ed, s.vma, s.entry)
    history = replace(s.history, protected=False, protected_populated=False)
    return Effect(State(vma, entry, history), result)


def _writeprotect(ed: Edition, s: State, enable_wp: bool) -> Effect:
    entry, result = mwriteprotect_range(ed, s.vma, s.entry, enable_wp)
    populated = conj(enable_wp, pte_present(entry.pte))
    history = replace(s.history, protected=enable_wp, protected_populated=populated)
    done = result == outcome(Outcome.ok)
    return Effect(State(s.vma, entry, ite(done, history, s.history)), result)


def _mprotect(ed: Edition, s: State, prot: int) -> Effect:
    vma, entry, result = do_mprotect_pkey(ed, s.vma, s.entry, prot)
    return Effect(State(vma, entry, s.history), result)


OPERATIONS: dict[str, Operation] = {o.name: o for o in (
    Operation("store", "write one byte", _store),
    Operation("load", "read one byte", _load),
    Operation("clear_refs", 'write "4" to /proc/self/clear_refs', _clear_refs),
    Operation("register", "UFFDIO_REGISTER, mode WP", partial(_register, mode=VM_UFFD_WP)),
    Operation("unregister", "UFFDIO_UNREGISTER", _unregister),
    Operation("wp", "UFFDIO_WRITEPROTECT, mode WP", partial(_writeprotect, enable_wp=True)),
    Operation("unwp", "UFFDIO_WRITEPROTECT, mode 0", partial(_writeprotect, enable_wp=False)),
    Operation("mprotect:none", "mprotect(PROT_NONE)", partial(_mprotect, prot=0)),
    Operation("mprotect:r", "mprotect(PROT_READ)", partial(_mprotect, prot=VM_READ)),
    Operation("mprotect:rw", "mprotect(PROT_READ|PROT_WRITE)",
              partial(_mprotect, prot=VM_READ | VM_WRITE)),
)}


def find_operation(name: str) -> Operation:
    """The operation of that name. Raises UsageError when there is none."""
    if name not in OPERATIONS:
        raise unknown("operation", name, list(OPERATIONS))
    return OPERATIONS[name]
