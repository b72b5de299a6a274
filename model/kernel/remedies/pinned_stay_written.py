"""With WP_ASYNC, UFFDIO_WRITEPROTECT leaves a page that is pinned as it is, which reads as written:
a device may write to it at any time."""

from __future__ import annotations

from model.kernel import userfaultfd
from model.kernel.editions import Edition
from model.kernel.logic import BV, conj, ite
from model.kernel.pgtable import pte_present
from model.kernel.records import Entry, Vma


def mwriteprotect_range(ed: Edition, vma: Vma, entry: Entry, enable_wp: bool,
                        other: bool = False) -> tuple[Entry, BV]:
    changed, result = userfaultfd.mwriteprotect_range(ed, vma, entry, enable_wp, other)
    stays = conj(enable_wp, vma.wp_async, pte_present(entry.pte), entry.pinned)
    return ite(stays, entry, changed), result
