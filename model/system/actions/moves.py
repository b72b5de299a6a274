"""The effects of UFFDIO_MOVE, between our place and another of the process.

The other place is a fresh mapping of private anonymous memory, readable and writable, which is made
for the call and unmapped after it: so what decides is ours. A huge page may lie there if one may
lie here.
"""

from __future__ import annotations

from dataclasses import replace

from model.kernel.bits import VM_UFFD_MISSING, VM_UFFD_WP
from model.kernel.editions import Edition
from model.kernel.huge_memory import do_huge_pmd_anonymous_page
from model.kernel.large_folio import split_folio
from model.kernel.logic import BV, Bool, as_term, conj, ite, negate, set_bits
from model.kernel.memory import do_anonymous_page
from model.kernel.migrate import remove_migration_pte
from model.kernel.pgtable import pte_none
from model.kernel.records import Entry, Mapping, Outcome, Vma, outcome
from model.kernel.swapops import is_migration_entry
from model.kernel.userfaultfd import uffd_wp_range, userfaultfd_set_vm_flags
from model.kernel.userfaultfd_move import userfaultfd_move
from model.kernel.vmscan import madvise_pageout
from model.system.actions.effect import OK, Effect, cured, not_rw_protected, stored
from model.system.actions.uffd import ioctl
from model.system.state.mappings import MAPPINGS, fresh_vma
from model.system.state.state import State, fresh_entry


def _elsewhere(ed: Edition, here: Mapping, mode: int = 0) -> Vma:
    """The other place, registered with our userfaultfd in `mode`."""
    vma = fresh_vma(ed, MAPPINGS["thp" if here.thp else "anon"])
    return userfaultfd_set_vm_flags(ed, vma, set_bits(vma.vm_flags, mode))


def _stored_there(ed: Edition, vma: Vma, swapped: bool, unused: bool) -> Entry:
    """The page of the other place: stored to, and where it is to be `swapped` write-protected and
    swapped out then."""
    fault = do_huge_pmd_anonymous_page if vma.mapping.thp else do_anonymous_page
    page = fault(ed, vma, fresh_entry(vma.mapping), write=True).entry
    wp = uffd_wp_range(ed, vma, page, True)
    return madvise_pageout(ed, vma, wp, unused)[0] if swapped else page


def _moved(ed: Edition, to: Vma, of: Vma, dst: tuple[Entry, Entry | None],
           src: tuple[Entry, Entry | None]) -> tuple[Vma, tuple[Entry, Entry | None],
                                                     tuple[Entry, Entry | None], Bool, BV]:
    """UFFDIO_MOVE page by page, up to the first that cannot be moved: EAGAIN where another was
    before. And whether the first was. Where that is a part of a huge page, and small ones are made
    of it, they are made of all the others too."""
    (at, at_rest), (page, rest) = dst, src
    vma, filled, left, result = userfaultfd_move(ed, to, of, at, page, page.unused)
    done = as_term(result == OK)
    if at_rest is None or rest is None:
        return vma, (filled, None), (left, None), done, result
    waited = conj(page.large, is_migration_entry(ed, page.pte), pte_none(at.pte))
    there = ite(waited, remove_migration_pte(ed, of, rest), rest)
    there = ite(conj(done, page.large), split_folio(ed, of, there, unused=True), there)
    _, filled_rest, left_rest, then = userfaultfd_move(ed, vma, of, at_rest, there, unused=True)
    goes_on = conj(done, negate(filled.huge))
    table = replace(at_rest, huge=filled.huge, no_tables=filled.no_tables)
    partly = conj(goes_on, as_term(then != OK))
    filled_rest = ite(goes_on, filled_rest, ite(filled.huge, filled, table))
    left_rest = ite(goes_on, left_rest, ite(page.huge, left, there))
    stuck = as_term(then == outcome(Outcome.never))
    ending = ite(partly, ite(stuck, then, outcome(Outcome.EAGAIN)), result)
    return vma, (filled, filled_rest), (left, left_rest), done, ending


def move_in(ed: Edition, s: State, swapped: bool = False) -> Effect:
    """As with `copy`, what comes in counts as a store. There is no mode WP to ask for, so nothing
    that was protected ends."""
    there = _elsewhere(ed, s.vma.mapping, VM_UFFD_WP if swapped else 0)
    page, rest = (_stored_there(ed, there, swapped, unused) for unused in (False, True))
    vma, (entry, others), _, done, result = _moved(
        ed, s.vma, there, (s.entry, s.rest), (page, rest))
    moved = replace(s, vma=vma, entry=entry, rest=others, history=stored(s, done))
    return ioctl(s, Effect(cured(moved, done), result))


def move_out(ed: Edition, s: State) -> Effect:
    """The program takes its page elsewhere, and with it what was read-write protected; as with
    `dontneed`, no documentation says that the place is no longer tracked or write-protected."""
    there = _elsewhere(ed, s.vma.mapping, VM_UFFD_MISSING)
    empty = fresh_entry(there.mapping)
    _, _, (entry, rest), gone, result = _moved(
        ed, there, s.vma, (empty, None if s.rest is None else empty), (s.entry, s.rest))
    left = not_rw_protected(replace(s, entry=entry, rest=rest), gone)
    return ioctl(s, Effect(left, result))
