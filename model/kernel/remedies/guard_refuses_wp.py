"""UFFDIO_WRITEPROTECT does not say that it has protected a guard region."""

from __future__ import annotations

from model.kernel import userfaultfd
from model.kernel.editions import Edition
from model.kernel.logic import BV, conj, ite
from model.kernel.records import Entry, Outcome, Vma, outcome


def mwriteprotect_range(ed: Edition, vma: Vma, entry: Entry, enable_wp: bool,
                        other: bool = False) -> tuple[Entry, BV]:
    changed, result = userfaultfd.mwriteprotect_range(ed, vma, entry, enable_wp, other)
    refused = conj(enable_wp, entry.guard)
    return ite(refused, entry, changed), ite(refused, outcome(Outcome.EBUSY), result)
