"""A page that is pinned for writing is dirty from then on, and MADV_FREE passes it by."""

from __future__ import annotations

from dataclasses import replace

from model.kernel import huge_memory, madvise, rsrc
from model.kernel.editions import Edition
from model.kernel.logic import BV, as_term, conj, disj, ite, negate
from model.kernel.records import Entry, Outcome, Vma, outcome


def io_pin_pages(ed: Edition, vma: Vma, entry: Entry) -> tuple[Entry, BV]:
    pinned, result = rsrc.io_pin_pages(ed, vma, entry)
    done = as_term(result == outcome(Outcome.ok))
    dirty = replace(pinned, cache_dirty=disj(pinned.cache_dirty, conj(done, negate(pinned.anon))),
                    page_dirty=disj(pinned.page_dirty, conj(done, pinned.anon)))
    return dirty, result


def madvise_free_pte_range(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    return ite(conj(entry.pinned, entry.anon), entry,
               madvise.madvise_free_pte_range(ed, vma, entry))


def madvise_free_huge_pmd(ed: Edition, entry: Entry) -> Entry:
    return ite(entry.pinned, entry, huge_memory.madvise_free_huge_pmd(ed, entry))
