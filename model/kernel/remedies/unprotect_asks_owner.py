"""UFFDIO_WRITEPROTECT is refused where another userfaultfd has registered the VMA."""

from __future__ import annotations

from model.kernel import userfaultfd
from model.kernel.editions import Edition
from model.kernel.logic import BV
from model.kernel.records import Entry, Outcome, Vma, outcome


def mwriteprotect_range(ed: Edition, vma: Vma, entry: Entry, enable_wp: bool,
                        other: bool = False) -> tuple[Entry, BV]:
    if other:
        return entry, outcome(Outcome.ENOENT)
    return userfaultfd.mwriteprotect_range(ed, vma, entry, enable_wp, other)
