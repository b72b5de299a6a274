"""mm/madvise.c: memory that is given up with its content. Read from 6.1.192, 6.12.117, 7.2.12 and
7.3.4; MADV_DONTNEED is in memory.py, MADV_PAGEOUT in vmscan.py."""

from __future__ import annotations

from dataclasses import replace

from model.kernel.bits import VM_MAYWRITE, VM_WRITE
from model.kernel.editions import Edition
from model.kernel.logic import BV, as_term, conj, has, ite
from model.kernel.memory import unmap_single_vma
from model.kernel.mirror import mirrors
from model.kernel.records import Entry, Outcome, Vma, outcome


@mirrors("mm/madvise.c", "mm/shmem.c:shmem_fallocate", "fs/hugetlbfs/inode.c:hugetlbfs_punch_hole")
def madvise_remove(ed: Edition, vma: Vma, entry: Entry) -> tuple[Entry, BV]:
    """MADV_REMOVE: a hole in the file, whoever maps it. EINVAL where there is no file, EACCES in a
    private mapping, and in one that may never be written; before e8e17ee90eaf that may not be now.
    Without ZAP_FLAG_DROP_MARKER: uffd-wp markers stay, and poison where only what is of the file is
    zapped (should_zap_cows), which hugetlb does not ask."""
    unmapped = unmap_single_vma(ed, vma, entry)
    punched = replace(unmapped, in_cache=False, cache_dirty=False, cache_swapped=False,
                      cache_in_child=False, pinned=False)
    kept = conj(entry.poison, not vma.mapping.hugetlb)
    punched = ite(kept, replace(punched, pte=entry.pte, poison=True), punched)
    if vma.mapping.anonymous:
        return entry, outcome(Outcome.EINVAL)
    if not vma.mapping.shared:
        return entry, outcome(Outcome.EACCES)
    allowed = as_term(ite(ed.has("e8e17ee90eaf"), has(vma.vm_flags, VM_MAYWRITE),
                          has(vma.vm_flags, VM_WRITE)))
    return (ite(allowed, punched, entry),
            ite(allowed, outcome(Outcome.ok), outcome(Outcome.EACCES)))
