"""What a load would read after each operation, told from the states before and after it: the facts
OF_CONTENT of the history. They are about bytes, whoever has stored them and however they went: what
is in swap, migrating, merged by KSM or protected reads as before.

Every store is taken to leave other bytes than zeroes, and than were there before. Zeroes are alike:
memory that was never stored to reads as it did where it is given up.
"""

from __future__ import annotations

from dataclasses import replace

from model.kernel.editions import Edition
from model.kernel.fork import child_stores
from model.kernel.logic import Bool, as_term, conj, disj, ite, negate
from model.kernel.records import Entry
from model.kernel.swapops import is_swap_slot
from model.system.actions.effect import OK, Effect
from model.system.state.state import History, State

_STORES = ("store", "read", "process_vm_writev", "copy", "copy:wp")
_TAKES_CONTENT = ("remove", "truncate")


def barred(entry: Entry) -> Bool:
    """All that a load gets is a signal, from poison or a guard region."""
    return disj(entry.poison, entry.guard)


def own(s: State) -> Bool:
    """What a load reads is in a page of the program's own, in memory or in swap: not zeroes that a
    collapse has made; of private memory of a file, zeroes of UFFDIO_ZEROPAGE too."""
    e = s.entry
    page = conj(disj(e.anon, is_swap_slot(e.pte)), negate(e.unused))
    return page if s.vma.mapping.anonymous else disj(page, e.zero_page)


def read_after(ed: Edition, op: str, before: State, effect: Effect) -> History:
    """The history after `effect` of `op`, with what a load would read."""
    after, ok = effect.state, as_term(effect.outcome == OK)
    h = replace(after.history, content=before.history.content, changed=before.history.changed,
                beneath=before.history.beneath, barred=before.history.barred)
    if op in ("clear_refs", "fork:child"):  # the child has a record of its own, from its birth on
        return replace(h, changed=False, beneath=h.content, barred=barred(after.entry))
    if op == "mmap":
        return _anew(h, before)
    if before.vma.mapping.shared:
        return _of_shared(ed, op, h, before, after, ok)
    return _of_private(op, h, before, after, ok)


def _anew(h: History, before: State) -> History:
    """Other memory at the same place: zeroes, or a file that is a new one."""
    mapping = before.vma.mapping
    if not mapping.filled:
        return replace(h, content=False, changed=h.beneath)
    return replace(h, content=mapping.shared, changed=True, beneath=True)


def _stored(op: str, before: State, ok: Bool) -> Bool:
    """Other bytes are there: a store by way of the entry, a device's, or a copy; and in a private
    mapping of a file zeroes, by UFFDIO_ZEROPAGE."""
    mapping = before.vma.mapping
    zeroed = op == "zeropage" and not mapping.anonymous and not mapping.shared
    return before.entry.pinned if op == "pin:write" else conj(op in _STORES or zeroed, ok)


def _of_shared(ed: Edition, op: str, h: History, before: State, after: State, ok: Bool) -> History:
    """What all who map the file have stored is read; zeroes where the page cache has lost the page,
    though one of a disk is read back."""
    by_others = {"alias:store": True,
                 "fork:write": child_stores(ed, before.vma, before.entry)}.get(op, False)
    stored = disj(_stored(op, before, ok), by_others)
    lost = (conj(op in _TAKES_CONTENT, ok) if before.vma.mapping.regular
            else negate(after.entry.in_cache))
    return replace(h, content=conj(disj(h.content, stored), negate(lost)),
                   changed=ite(lost, h.beneath, disj(h.changed, stored)))


def _of_private(op: str, h: History, before: State, after: State, ok: Bool) -> History:
    """What was stored is the program's own; where it has nothing of its own it reads zeroes, or the
    file, which others change, and a truncation always."""
    stored = _stored(op, before, ok)
    others = op == "alias:store" or (op == "truncate" and not before.vma.mapping.anonymous)
    there = own(after)
    return replace(h, beneath=True if others else h.beneath,
                   content=conj(there, disj(h.content, stored, others)),
                   changed=ite(there, disj(h.changed, stored), True if others else h.beneath))
