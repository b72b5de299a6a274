"""mm/filemap.c: what a fault of a page of a file on a disk is counted as. Read from 6.1.192 and
6.12.117."""

from __future__ import annotations

from model.kernel.editions import Edition
from model.kernel.logic import Bool, conj, negate
from model.kernel.mirror import mirrors
from model.kernel.records import Entry


@mirrors("mm/filemap.c")
def do_async_mmap_readahead(ed: Edition, entry: Entry) -> Bool:
    """Whether the fault counts as major, though the page is there. One that reclaim has left to
    writeback is taken for one behind which there is more to read (PG_reclaim is PG_readahead): the
    mark is taken from it, and the fault tried again. What is tried again counts as major
    (mm_account_fault) unless it was first tried without mmap_lock, as it is since 4ed4379881aa."""
    return conj(entry.cache_reclaim, negate(ed.has("4ed4379881aa")))
