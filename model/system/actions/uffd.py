"""The effects of calls on a userfaultfd: who listens, what is protected, what is filled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from model.kernel.bits import VM_UFFD_WP
from model.kernel.editions import Edition
from model.kernel.logic import BV, Bool, as_term, conj, disj, has, has_all, ite, negate
from model.kernel.pgtable import pte_present
from model.kernel.records import Entry, Outcome, Vma, outcome
from model.kernel.swapops import pte_none_mostly
from model.kernel.userfaultfd import (
    mfill_atomic,
    mwriteprotect_range,
    new_userfaultfd,
    register_beside_rwp,
    register_rwp,
    userfaultfd_api,
    userfaultfd_continue,
    userfaultfd_poison,
    userfaultfd_register_range,
    userfaultfd_release,
    userfaultfd_rwprotect,
    userfaultfd_unregister,
)
from model.system.actions.effect import OK, Effect, cured, each, protected, stored, unprotected
from model.system.state.state import State


def ioctl(s: State, effect: Effect) -> Effect:
    """An ioctl on the userfaultfd."""
    return ite(s.uffd_open, effect, Effect(s, outcome(Outcome.EBADF)))


def register(ed: Edition, s: State, mode: int, rwp: bool = False) -> Effect:
    """Registering anew without the mode of a protection ends that."""
    vma, result = (register_rwp(ed, s.vma) if rwp else register_beside_rwp(ed, s.vma, mode))
    done = ite(result == OK, each(s, lambda entry: userfaultfd_register_range(
        ed, s.vma, entry, mode)), s)
    registered = replace(done, vma=vma)
    kept = has_all(vma.vm_flags, VM_UFFD_WP)
    ended = unprotected(registered).history
    ended = replace(ended, rw_protected=conj(s.history.rw_protected, vma.uffd_rwp))
    return ioctl(s, Effect(ite(kept, registered, replace(registered, history=ended)), result))


def _disarmed(before: Vma, after: Vma) -> Bool:
    """Write-protect mode, or mode RWP, has ended, and with it the protection of the entries."""
    return disj(conj(has(before.vm_flags, VM_UFFD_WP), negate(has(after.vm_flags, VM_UFFD_WP))),
                conj(before.uffd_rwp, negate(after.uffd_rwp)))


def unregister(ed: Edition, s: State, other: bool = False) -> Effect:
    """By the userfaultfd of the run, or by an `other` one that is opened for it."""
    vma, _, result = userfaultfd_unregister(ed, s.vma, s.entry, other)
    done = protected(ed, s, _disarmed(s.vma, vma),
                     lambda entry: userfaultfd_unregister(ed, s.vma, entry, other)[1])
    if other:
        return Effect(unprotected(replace(done, vma=vma), as_term(result == OK)), result)
    return ioctl(s, Effect(unprotected(replace(done, vma=vma)), result))


def writeprotect(ed: Edition, s: State, enable_wp: bool, other: bool = False) -> Effect:
    """As `unregister`, by either."""
    _, result = mwriteprotect_range(ed, s.vma, s.entry, enable_wp, other)
    done = protected(ed, s, as_term(result == OK),
                     lambda entry: mwriteprotect_range(ed, s.vma, entry, enable_wp, other)[0])
    populated = conj(enable_wp, pte_present(done.entry.pte))
    sync = conj(enable_wp, negate(s.vma.wp_async))
    history = replace(s.history, protected=sync,
                      protected_populated=conj(sync, populated),
                      protected_async=conj(enable_wp, s.vma.wp_async), stored_since_wp=False)
    effect = Effect(replace(done, history=ite(result == OK, history, s.history)), result)
    return effect if other else ioctl(s, effect)


def rwprotect(ed: Edition, s: State, enable_rwp: bool) -> Effect:
    """What is mapped, or on its way to and from memory, is protected from then on."""
    _, result = userfaultfd_rwprotect(ed, s.vma, s.entry, enable_rwp)
    done = protected(ed, s, as_term(result == OK),
                     lambda entry: userfaultfd_rwprotect(ed, s.vma, entry, enable_rwp)[0],
                     uffd_rwp=enable_rwp)
    there = negate(pte_none_mostly(ed, s.entry.pte))
    history = replace(s.history, rw_protected=conj(enable_rwp, negate(s.vma.rwp_async), there))
    return ioctl(s, Effect(replace(done, history=ite(result == OK, history, s.history)), result))


def close_uffd(ed: Edition, s: State) -> Effect:
    vma, _ = userfaultfd_release(ed, s.vma, s.entry)
    done = protected(ed, s, _disarmed(s.vma, vma),
                     lambda entry: userfaultfd_release(ed, s.vma, entry)[1])
    closed = unprotected(replace(done, vma=vma, uffd_open=False))
    return ite(s.uffd_open, Effect(closed), Effect(s, outcome(Outcome.EBADF)))


def open_uffd(ed: Edition, s: State, wp_unpopulated: bool = False,
              wp_async: bool = False, rwp: bool = False, rwp_async: bool = False,
              events: bool = False, user_mode_only: bool = False) -> Effect:
    """Nothing where one is open; EINVAL for a feature that the kernel does not have. The events are
    older than write-protect mode; who opens has CAP_SYS_PTRACE. That it is for user mode only is no
    fact of the state: with UFFD_FEATURE_SIGBUS it makes no difference."""
    vma = replace(s.vma, wp_unpopulated=wp_unpopulated, wp_async=wp_async, rwp=rwp,
                  rwp_async=rwp_async, events=events)
    able = conj(new_userfaultfd(ed, user_mode_only),
                userfaultfd_api(ed, wp_unpopulated, ed.has("2bad466cc9d9")),
                userfaultfd_api(ed, wp_async, ed.has("d61ea1cb0095")),
                userfaultfd_api(ed, rwp, ed.has("rwp")))
    opened = ite(able, Effect(replace(s, vma=vma, uffd_open=True)),
                 Effect(s, outcome(Outcome.EINVAL)))
    return ite(s.uffd_open, Effect(s), opened)


Filling: TypeAlias = Callable[[Vma, Entry], tuple[Vma, Entry, BV]]
"""What fills one page, of a VMA, with the outcome where it is the only one."""


def _filled(ed: Edition, s: State, fill: Filling) -> tuple[State, Bool, BV]:
    """Page by page, up to the first that cannot be filled: EAGAIN where another was before. And
    whether the first was."""
    vma, entry, result = fill(s.vma, s.entry)
    done = as_term(result == OK)
    filled = replace(s, vma=vma, entry=entry)
    if s.rest is None:
        return filled, done, result
    _, rest, then = fill(s.vma, s.rest)
    table = replace(s.rest, huge=entry.huge, no_tables=entry.no_tables)
    rest = ite(done, rest, table)
    partly = conj(done, as_term(then != OK))
    return replace(filled, rest=rest), done, ite(partly, outcome(Outcome.EAGAIN), result)


def copy(ed: Edition, s: State, wp: bool) -> Effect:
    """What is copied in counts as a store; with MODE_WP the page is protected from then on."""
    filled, done, result = _filled(ed, s, lambda vma, entry: mfill_atomic(ed, vma, entry, wp))
    sync = conj(wp, negate(s.vma.wp_async))
    history = replace(stored(s, True), protected=sync, protected_populated=sync,
                      protected_async=conj(wp, s.vma.wp_async), stored_since_wp=False,
                      poisoned=False)
    copied = replace(filled, history=ite(done, history, s.history))
    return ioctl(s, Effect(copied, result))


def zeropage(ed: Edition, s: State) -> Effect:
    """No store, and by its documentation no end of a protection."""
    filled, done, result = _filled(
        ed, s, lambda vma, entry: mfill_atomic(ed, vma, entry, False, zeropage=True))
    return ioctl(s, Effect(cured(filled, done), result))


def proceed(ed: Edition, s: State, wp: bool) -> Effect:
    """UFFDIO_CONTINUE. No store; with MODE_WP the page is protected from then on. Without it, who
    could have asked for it has a page that is not; where there is no such mode, nothing ends."""
    filled, done, result = _filled(
        ed, s, lambda vma, entry: userfaultfd_continue(ed, vma, entry, wp))
    asked = conj(done, ed.has("0289184476c8"))
    sync = conj(wp, negate(s.vma.wp_async))
    history = replace(s.history, protected=sync, protected_populated=sync,
                      protected_async=conj(wp, s.vma.wp_async),
                      stored_since_wp=conj(s.history.stored_since_wp, not wp))
    mapped = cured(replace(filled, history=ite(asked, history, s.history)), done)
    return ioctl(s, Effect(mapped, result))


def poison(ed: Edition, s: State) -> Effect:
    filled, done, result = _filled(
        ed, s, lambda vma, entry: userfaultfd_poison(ed, vma, entry))
    history = replace(s.history, poisoned=disj(s.history.poisoned, done))
    return ioctl(s, Effect(replace(filled, history=history), result))
