"""MADV_FREE passes by what KSM has merged."""

from __future__ import annotations

from model.kernel import madvise
from model.kernel.editions import Edition
from model.kernel.logic import ite
from model.kernel.records import Entry, Vma


def madvise_free_pte_range(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    return ite(entry.ksm, entry, madvise.madvise_free_pte_range(ed, vma, entry))
