"""The effects of UFFDIO_MOVE, between our place and another of the process.

The other place is a fresh mapping of private anonymous memory, readable and writable, which is made
for the call and unmapped after it: so what decides is ours.
"""

from __future__ import annotations

from dataclasses import replace

from model.kernel.bits import VM_UFFD_MISSING, VM_UFFD_WP
from model.kernel.editions import Edition
from model.kernel.logic import as_term, set_bits
from model.kernel.memory import do_anonymous_page
from model.kernel.records import Entry, Vma
from model.kernel.rmap import try_to_unmap_one
from model.kernel.userfaultfd import uffd_wp_range, userfaultfd_set_vm_flags
from model.kernel.userfaultfd_move import userfaultfd_move
from model.system.actions.effect import OK, Effect, cured, not_rw_protected, stored
from model.system.actions.uffd import ioctl
from model.system.state.mappings import MAPPINGS, fresh_vma
from model.system.state.state import State, fresh_entry

_ELSEWHERE = MAPPINGS["anon"]


def _elsewhere(ed: Edition, mode: int = 0) -> Vma:
    """The other place, registered with our userfaultfd in `mode`."""
    vma = fresh_vma(ed, _ELSEWHERE)
    return userfaultfd_set_vm_flags(ed, vma, set_bits(vma.vm_flags, mode))


def _stored_there(ed: Edition, vma: Vma, swapped: bool) -> Entry:
    """The page of the other place: stored to, and where it is to be `swapped` write-protected and
    swapped out then."""
    page = do_anonymous_page(ed, vma, fresh_entry(_ELSEWHERE), write=True).entry
    return try_to_unmap_one(ed, vma, uffd_wp_range(ed, vma, page, True)) if swapped else page


def move_in(ed: Edition, s: State, swapped: bool = False) -> Effect:
    """As with `copy`, what comes in counts as a store. There is no mode WP to ask for, so nothing
    that was protected ends."""
    there = _elsewhere(ed, VM_UFFD_WP if swapped else 0)
    page = _stored_there(ed, there, swapped)
    vma, entry, _, result = userfaultfd_move(ed, s.vma, there, s.entry, page)
    done = as_term(result == OK)
    moved = cured(replace(s, vma=vma, entry=entry, history=stored(s, done)), done)
    return ioctl(s, Effect(moved, result))


def move_out(ed: Edition, s: State) -> Effect:
    """The program takes its page elsewhere, and with it what was read-write protected; as with
    `dontneed`, no documentation says that the place is no longer tracked or write-protected."""
    there = _elsewhere(ed, VM_UFFD_MISSING)
    _, _, entry, result = userfaultfd_move(ed, there, s.vma, fresh_entry(_ELSEWHERE), s.entry)
    gone = as_term(result == OK)
    return ioctl(s, Effect(not_rw_protected(replace(s, entry=entry), gone), result))
