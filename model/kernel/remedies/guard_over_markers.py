"""MADV_GUARD_INSTALL puts its marker in the place of one of uffd-wp, which a zap leaves."""

from __future__ import annotations

from dataclasses import replace

from model.kernel import madvise
from model.kernel.editions import Edition
from model.kernel.logic import BV, as_term, ite
from model.kernel.records import Entry, Outcome, Vma, outcome
from model.kernel.swapops import make_guard_marker


def madvise_guard_install(ed: Edition, vma: Vma, entry: Entry) -> tuple[Vma, Entry, BV]:
    prepared, zapped, result = madvise.madvise_guard_install(ed, vma, entry)
    stuck = as_term(result == outcome(Outcome.never))
    installed = replace(zapped.unmapped(make_guard_marker(ed)), guard=True)
    return (prepared, ite(stuck, installed, zapped),
            ite(stuck, outcome(Outcome.ok), result))
