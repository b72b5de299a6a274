"""Entries that are changed together become dirty where one of them is, and no more soft-dirty than
they were: they are one batch because they agree in that."""

from __future__ import annotations

from model.kernel import mprotect
from model.kernel.editions import Edition
from model.kernel.logic import ite
from model.kernel.pgtable import pte_clear_soft_dirty, pte_present, pte_soft_dirty
from model.kernel.records import Entry, Vma


def modify_prot_start_ptes(ed: Edition, vma: Vma, entry: Entry, rest: Entry,
                           uffd_rwp: bool = False) -> tuple[Entry, Entry]:
    first, others = mprotect.modify_prot_start_ptes(ed, vma, entry, rest, uffd_rwp)
    return _as_soft_dirty(first, entry), _as_soft_dirty(others, rest)


def _as_soft_dirty(changed: Entry, before: Entry) -> Entry:
    exact = ite(pte_soft_dirty(before.pte), changed.pte, pte_clear_soft_dirty(changed.pte))
    return changed.with_pte(ite(pte_present(before.pte), exact, changed.pte))
