"""mm/madvise.c: memory that is given up with its content, and guard regions. Read from 6.1.192,
6.12.117, 7.2.13 and 7.3.4; MADV_DONTNEED is in memory.py, MADV_PAGEOUT in vmscan.py."""

from __future__ import annotations

from dataclasses import replace

from model.kernel.bits import VM_MAYWRITE, VM_WRITE
from model.kernel.editions import Edition
from model.kernel.huge_memory import madvise_free_huge_pmd
from model.kernel.large_folio import split_folio
from model.kernel.logic import BV, Bool, as_term, conj, disj, has, ite, negate, word
from model.kernel.memory import unmap_single_vma
from model.kernel.mirror import mirrors
from model.kernel.pgtable import (
    pte_mkclean,
    pte_mkold,
    pte_none,
    pte_present,
    pte_special,
    pte_uffd_wp,
)
from model.kernel.records import Entry, Outcome, Vma, outcome
from model.kernel.swapops import is_swap_slot, make_guard_marker


@mirrors("mm/madvise.c", "mm/shmem.c:shmem_fallocate", "fs/hugetlbfs/inode.c:hugetlbfs_punch_hole")
def madvise_remove(ed: Edition, vma: Vma, entry: Entry) -> tuple[Entry, BV]:
    """MADV_REMOVE: a hole in the file, whoever maps it. EINVAL where there is no file, EACCES in a
    private mapping, and in one that may never be written; before e8e17ee90eaf that may not be now.
    Without ZAP_FLAG_DROP_MARKER: uffd-wp markers stay, and poison where only what is of the file is
    zapped (should_zap_cows), which hugetlb does not ask."""
    punched = unmap_single_vma(ed, vma, entry).out_of_cache()
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


@mirrors("mm/madvise.c")
def madvise_free_pte_range(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """Of a small page. What is swapped out, or poison, is dropped at once. A page in memory becomes
    clean, so that reclaim may drop it until it is stored to again; a dirty one, or one in the swap
    cache, is passed by where others have it. Soft-dirty and uffd-wp stay."""
    page = conj(pte_present(entry.pte), negate(pte_special(entry.pte)))
    of_others = conj(entry.page_dirty, disj(entry.in_child, entry.slot_in_child))
    freed = replace(entry, pte=pte_mkclean(ed, pte_mkold(entry.pte)), lazyfree=True,
                    page_dirty=False)
    emptied = ite(disj(is_swap_slot(entry.pte), entry.poison), entry.unmapped(word(0)), entry)
    return ite(page, ite(of_others, entry, freed), emptied)


@mirrors("mm/madvise.c")
def madvise_free_single_vma(ed: Edition, vma: Vma, entry: Entry, first: Entry,
                            rest: Entry | None, unused: Bool) -> tuple[Entry, BV]:
    """MADV_FREE: EINVAL but for anonymous memory. Of the pages of a huge one `first` and `rest` are
    the entries of the first and of another, and `unused` says that this one holds zeroes."""
    if not vma.mapping.anonymous:
        return entry, outcome(Outcome.EINVAL)
    small = madvise_free_pte_range(ed, vma, entry)
    if rest is not None:
        parts = madvise_free_large_folio(ed, vma, entry, first, rest, unused)
        small = ite(entry.huge, madvise_free_huge_pmd(ed, entry), ite(
            conj(entry.large, pte_present(entry.pte)), parts, small))
    return small, outcome(Outcome.ok)


@mirrors("mm/madvise.c", ":madvise_free_pte_range")
def madvise_free_large_folio(ed: Edition, vma: Vma, entry: Entry, first: Entry, rest: Entry,
                             unused: Bool) -> Entry:
    """The part of madvise_free_pte_range() that is about a huge page which PTEs map. It is split,
    unless others map it, of which before "lazyfree-batch" its first page told. Since then it is
    given up as a whole where all of it is mapped alike."""
    split = madvise_free_pte_range(ed, vma, split_folio(ed, vma, entry, unused))
    of_others = ite(first.large, first.in_child, negate(rest.in_child))
    by_page = ite(of_others, entry, split)
    alike = as_term(pte_uffd_wp(first.pte) == pte_uffd_wp(rest.pte))
    whole = conj(first.large, rest.large, negate(entry.partially_mapped),
                 pte_present(first.pte), pte_present(rest.pte), alike)
    batch = ite(whole, madvise_free_pte_range(ed, vma, entry), ite(entry.in_child, entry, split))
    return ite(ed.has("lazyfree-batch"), batch, by_page)


@mirrors("mm/madvise.c")
def is_valid_guard_vma(ed: Edition, vma: Vma) -> Bool:
    """Not hugetlb memory, and before f807123d578d no file."""
    return conj(ed.has("662df3e5c376"), not vma.mapping.hugetlb,
                disj(vma.mapping.anonymous, ed.has("f807123d578d")))


@mirrors("mm/madvise.c")
def madvise_guard_install(ed: Edition, vma: Vma, entry: Entry) -> tuple[Vma, Entry, BV]:
    """MADV_GUARD_INSTALL: EINVAL where there can be none. A marker takes the place of an entry that
    is empty, after what is mapped there has been zapped; what the zap leaves, as a uffd-wp marker,
    it zaps again for ever (restart_syscall); a huge page leaves a page table. Before "guard-flag"
    memory of a file got its anon_vma too, so that fork copies what no fault would make."""
    able = is_valid_guard_vma(ed, vma)
    there = ite(disj(entry.guard, pte_none(entry.pte)), entry, unmap_single_vma(ed, vma, entry))
    stuck = negate(disj(there.guard, pte_none(there.pte)))
    installed = replace(there.unmapped(make_guard_marker(ed)), guard=True, huge=False)
    done = ite(disj(stuck, there.guard), there, installed)
    prepared = conj(able, disj(vma.mapping.anonymous, negate(ed.has("guard-flag"))))
    result = ite(stuck, outcome(Outcome.never), outcome(Outcome.ok))
    marked = replace(vma, anon_vma=disj(vma.anon_vma, prepared),
                     maybe_guard=disj(vma.maybe_guard, able))
    return (marked, ite(able, done, entry),
            ite(able, result, outcome(Outcome.EINVAL)))


@mirrors("mm/madvise.c")
def madvise_guard_remove(ed: Edition, vma: Vma, entry: Entry) -> tuple[Entry, BV]:
    """MADV_GUARD_REMOVE: what was a guard region is empty."""
    able = is_valid_guard_vma(ed, vma)
    removed = ite(entry.guard, entry.unmapped(word(0)), entry)
    return (ite(able, removed, entry),
            ite(able, outcome(Outcome.ok), outcome(Outcome.EINVAL)))
