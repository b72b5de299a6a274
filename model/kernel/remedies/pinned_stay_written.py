"""With WP_ASYNC no page that is pinned is write-protected: a device may write to it at any time."""

from __future__ import annotations

from model.kernel import userfaultfd
from model.kernel.editions import Edition
from model.kernel.logic import conj, ite
from model.kernel.records import Entry, Vma


def uffd_wp_range(ed: Edition, vma: Vma, entry: Entry, enable_wp: bool) -> Entry:
    return ite(conj(enable_wp, vma.wp_async, entry.pinned), entry,
               userfaultfd.uffd_wp_range(ed, vma, entry, enable_wp))
