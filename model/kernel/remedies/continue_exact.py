"""UFFDIO_CONTINUE maps the page that the page cache has as a load does."""

from __future__ import annotations

from model.kernel import userfaultfd
from model.kernel.editions import Edition
from model.kernel.memory import set_pte_range
from model.kernel.records import Entry, Vma


def mfill_atomic_install_pte(ed: Edition, vma: Vma, entry: Entry, wp: bool,
                             cached: bool = False) -> Entry:
    if not cached:
        return userfaultfd.mfill_atomic_install_pte(ed, vma, entry, wp)
    return entry.mapping_cache(set_pte_range(ed, vma, entry, False, wp), dirty=False)
