"""A page table that holds poison stays where the pages of the file become a huge one."""

from __future__ import annotations

from dataclasses import replace

from model.kernel import khugepaged
from model.kernel.editions import Edition
from model.kernel.logic import disj, ite
from model.kernel.records import Entry, Vma


def collapse_file(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    done = khugepaged.collapse_file(ed, vma, entry)
    kept = replace(entry, cache_small=False, cache_in_child=done.cache_in_child,
                   cache_dirty=disj(entry.cache_dirty, entry.cache_small))
    return ite(entry.poison, kept, done)
