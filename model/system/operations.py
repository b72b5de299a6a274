"""The operations: one thing a program or the kernel can do, as a function of the state.

To add one: a function ``(ed, state) -> Effect`` over the kernel's functions, and a row in
OPERATIONS. The order of the rows is the order of plainness: of two traces of one length the one
that is first in this order is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from functools import partial

import z3

from model.kernel.bits import (
    VM_EXEC,
    VM_READ,
    VM_UFFD_FLAGS,
    VM_UFFD_MISSING,
    VM_UFFD_WP,
    VM_WRITE,
)
from model.kernel.editions import Edition, UsageError, unknown
from model.kernel.logic import BV, Bool, conj, has_all, ite
from model.kernel.memory import FAULT_BITS, copy_page_range, unmap_single_vma, user_access
from model.kernel.mprotect import do_mprotect_pkey
from model.kernel.mremap import move_vma
from model.kernel.pgtable import pte_present
from model.kernel.records import Mapping, Outcome, outcome
from model.kernel.task_mmu import clear_refs_write
from model.kernel.userfaultfd import (
    mwriteprotect_range,
    userfaultfd_register,
    userfaultfd_release,
    userfaultfd_unregister,
)
from model.system.state import State

NO_FAULTS = z3.BitVecVal(0, FAULT_BITS)
OK = outcome(Outcome.ok)


@dataclass(frozen=True)
class Effect:
    """The state after an operation, the outcome (4 bits) and the minor faults taken (3 bits)."""

    state: State
    outcome: BV = OK
    faults: BV = NO_FAULTS


@dataclass(frozen=True)
class Operation:
    """`name` as users type it; `call` is the call in C terms, for reports.

    `core` are the operations that every check allows: what a program does with protection and
    tracking. The others, which copy, move or drop memory or change who listens, are allowed by
    name.
    """

    name: str
    call: str
    run: Callable[[Edition, State], Effect]
    core: bool = False


def _store(ed: Edition, s: State) -> Effect:
    access = user_access(ed, s.vma, s.entry, write=True)
    stored = ite(access.outcome == OK, True, s.history.stored)
    return Effect(replace(s, entry=access.entry, history=replace(s.history, stored=stored)),
                  access.outcome, access.faults)


def _load(ed: Edition, s: State) -> Effect:
    access = user_access(ed, s.vma, s.entry, write=False)
    return Effect(replace(s, entry=access.entry), access.outcome, access.faults)


def _clear_refs(ed: Edition, s: State) -> Effect:
    vma, entry = clear_refs_write(ed, s.vma, s.entry)
    return Effect(replace(s, vma=vma, entry=entry, history=replace(s.history, stored=False)))


def _ioctl(s: State, effect: Effect) -> Effect:
    """An ioctl on the userfaultfd."""
    return ite(s.uffd_open, effect, Effect(s, outcome(Outcome.EBADF)))


def _unprotected(s: State, ended: Bool = True) -> State:
    history = replace(s.history, protected=False, protected_populated=False)
    return replace(s, history=ite(ended, history, s.history))


def _register(ed: Edition, s: State, mode: int) -> Effect:
    """Registering anew without write-protect mode ends the protection."""
    vma, result = userfaultfd_register(ed, s.vma, mode)
    kept = has_all(vma.vm_flags, VM_UFFD_WP)
    return _ioctl(s, Effect(ite(kept, replace(s, vma=vma), _unprotected(replace(s, vma=vma))),
                            result))


def _unregister(ed: Edition, s: State) -> Effect:
    vma, entry, result = userfaultfd_unregister(ed, s.vma, s.entry)
    return _ioctl(s, Effect(_unprotected(replace(s, vma=vma, entry=entry)), result))


def _writeprotect(ed: Edition, s: State, enable_wp: bool) -> Effect:
    entry, result = mwriteprotect_range(ed, s.vma, s.entry, enable_wp)
    populated = conj(enable_wp, pte_present(entry.pte))
    history = replace(s.history, protected=enable_wp, protected_populated=populated)
    done = replace(s, entry=entry, history=ite(result == OK, history, s.history))
    return _ioctl(s, Effect(done, result))


def _mprotect(ed: Edition, s: State, prot: int) -> Effect:
    vma, entry, result = do_mprotect_pkey(ed, s.vma, s.entry, prot)
    return Effect(replace(s, vma=vma, entry=entry), result)


def _close(ed: Edition, s: State) -> Effect:
    vma, entry = userfaultfd_release(ed, s.vma, s.entry)
    closed = _unprotected(replace(s, vma=vma, entry=entry, uffd_open=False))
    return ite(s.uffd_open, Effect(closed), Effect(s, outcome(Outcome.EBADF)))


def _open(_ed: Edition, s: State) -> Effect:
    return Effect(replace(s, uffd_open=True))


def _dontneed(ed: Edition, s: State) -> Effect:
    """The program gives the page up, and with it whether it was stored to."""
    return Effect(replace(s, entry=unmap_single_vma(ed, s.vma, s.entry)))


def _fork(ed: Edition, s: State) -> Effect:
    return Effect(replace(s, entry=copy_page_range(ed, s.vma, s.entry)))


def _mremap(ed: Edition, s: State) -> Effect:
    vma, entry = move_vma(ed, s.vma, s.entry)
    return Effect(_unprotected(replace(s, vma=vma, entry=entry)))


_RW = VM_READ | VM_WRITE

OPERATIONS: dict[str, Operation] = {o.name: o for o in (
    Operation("store", "write one byte", _store, core=True),
    Operation("load", "read one byte", _load, core=True),
    Operation("clear_refs", 'write "4" to /proc/self/clear_refs', _clear_refs, core=True),
    Operation("register", "UFFDIO_REGISTER, mode WP", partial(_register, mode=VM_UFFD_WP),
              core=True),
    Operation("unregister", "UFFDIO_UNREGISTER", _unregister, core=True),
    Operation("wp", "UFFDIO_WRITEPROTECT, mode WP", partial(_writeprotect, enable_wp=True),
              core=True),
    Operation("unwp", "UFFDIO_WRITEPROTECT, mode 0", partial(_writeprotect, enable_wp=False),
              core=True),
    Operation("mprotect:none", "mprotect(PROT_NONE)", partial(_mprotect, prot=0), core=True),
    Operation("mprotect:r", "mprotect(PROT_READ)", partial(_mprotect, prot=VM_READ), core=True),
    Operation("mprotect:rw", "mprotect(PROT_READ|PROT_WRITE)", partial(_mprotect, prot=_RW),
              core=True),
    Operation("mprotect:w", "mprotect(PROT_WRITE)", partial(_mprotect, prot=VM_WRITE)),
    Operation("mprotect:rx", "mprotect(PROT_READ|PROT_EXEC)",
              partial(_mprotect, prot=VM_READ | VM_EXEC)),
    Operation("mprotect:rwx", "mprotect(PROT_READ|PROT_WRITE|PROT_EXEC)",
              partial(_mprotect, prot=_RW | VM_EXEC)),
    Operation("register:missing", "UFFDIO_REGISTER, mode MISSING",
              partial(_register, mode=VM_UFFD_MISSING)),
    Operation("register:wp+missing", "UFFDIO_REGISTER, modes WP and MISSING",
              partial(_register, mode=VM_UFFD_FLAGS)),
    Operation("close", "close the userfaultfd", _close),
    Operation("open", "open a userfaultfd where none is open", _open),
    Operation("dontneed", "madvise(MADV_DONTNEED)", _dontneed),
    Operation("fork", "fork(2), the child exits and is waited for", _fork),
    Operation("mremap", "mremap(2) to another address", _mremap),
)}

CORE = tuple(name for name, operation in OPERATIONS.items() if operation.core)


def modelled(_ed: Edition, _mapping: Mapping) -> tuple[str, ...]:
    """The operations that an edition and mapping model, plainest first."""
    return tuple(OPERATIONS)


def find_operation(name: str) -> Operation:
    """The operation of that name. Raises UsageError when there is none."""
    if name not in OPERATIONS:
        raise unknown("operation", name, list(OPERATIONS))
    return OPERATIONS[name]


def allowing(ed: Edition, mapping: Mapping, extra: Iterable[str]) -> tuple[str, ...]:
    """The core operations and those of `extra`, plainest first. Raises UsageError for one that the
    edition and mapping do not model."""
    wanted: Collection[str] = {find_operation(name).name for name in extra}
    known = modelled(ed, mapping)
    for name in OPERATIONS:
        if name in wanted and name not in known:
            raise UsageError(f"{name!r} is not modelled for {mapping.name} in {ed.name}")
    return tuple(name for name in known if name in wanted or OPERATIONS[name].core)
