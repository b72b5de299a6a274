"""A page of a file that is pinned for writing is dirty from then on."""

from __future__ import annotations

from dataclasses import replace

from model.kernel.editions import Edition
from model.kernel.gup import pin_user_pages as original
from model.kernel.logic import BV, as_term, conj, disj, negate
from model.kernel.records import Entry, Outcome, Vma, outcome


def pin_user_pages(ed: Edition, vma: Vma, entry: Entry) -> tuple[Entry, BV]:
    pinned, result = original(ed, vma, entry)
    of_file = conj(as_term(result == outcome(Outcome.ok)), negate(pinned.anon))
    return replace(pinned, cache_dirty=disj(pinned.cache_dirty, of_file)), result
