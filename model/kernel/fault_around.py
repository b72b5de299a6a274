"""mm/memory.c: do_fault_around(): what a load of a page of a file maps beside it.

Read from 6.1.192, 6.12.117 and 7.3.4.

The pages around it are those of the 64K that it lies in, which the mapping has wholly or less, as
far as the VMA goes.
"""

from __future__ import annotations

from model.kernel.editions import Edition
from model.kernel.logic import Bool, conj, disj, ite, negate
from model.kernel.memory import set_pte_range
from model.kernel.mirror import mirrors
from model.kernel.pgtable import pte_none
from model.kernel.records import Entry, Vma
from model.kernel.swapops import pte_marker_uffd_wp
from model.kernel.userfaultfd_k import userfaultfd_minor, userfaultfd_rwp, userfaultfd_wp


@mirrors("mm/memory.c", "include/linux/userfaultfd_k.h:uffd_disable_fault_around")
def should_fault_around(ed: Edition, vma: Vma, entry: Entry) -> Bool:
    """`entry` is that of the page that is loaded from, and empty; a marker is dropped before."""
    fault = disj(pte_none(entry.pte), pte_marker_uffd_wp(ed, entry.pte))
    disabled = disj(userfaultfd_wp(vma), userfaultfd_minor(vma), userfaultfd_rwp(vma))
    return conj(not vma.mapping.anonymous, fault, negate(disabled))


@mirrors("mm/memory.c", "mm/filemap.c:filemap_map_pages")
def do_fault_around(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """A page beside that which is loaded from: mapped where the page cache has it in memory and its
    entry is empty. Nobody is asked for what is not there, whatever is registered."""
    mapped = entry.mapping_cache(set_pte_range(ed, vma, entry, False, False), dirty=False)
    ready = conj(pte_none(entry.pte), entry.in_cache, negate(entry.cache_swapped),
                 negate(entry.cache_reclaim))
    return ite(ready, mapped, entry)
