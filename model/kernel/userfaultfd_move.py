"""mm/userfaultfd.c: UFFDIO_MOVE, which takes a page of one place of the process to another.

Read from 6.12.117, 7.2.13 and 7.3.4. Left out: MODE_ALLOW_SRC_HOLES, VM_LOCKED, which nothing here
sets, and lost races (EAGAIN, which move_pages() tries again). Huge pages are moved to and from
where a huge page may lie.
"""

from __future__ import annotations

from dataclasses import replace

from model.kernel.bits import VM_ACCESS_FLAGS, VM_WRITE
from model.kernel.editions import Edition
from model.kernel.huge_memory import move_pages_huge_pmd, split_huge_pmd_locked
from model.kernel.large_folio import split_folio
from model.kernel.logic import BV, Bool, as_term, conj, disj, has, ite, negate, word
from model.kernel.migrate import remove_migration_pte
from model.kernel.mirror import mirrors
from model.kernel.pgtable import (
    mk_pte,
    pte_dirty,
    pte_mkdirty,
    pte_mksoft_dirty,
    pte_mkspecial,
    pte_mkwrite,
    pte_none,
    pte_present,
    pte_swp_exclusive,
    pte_swp_mksoft_dirty,
    pte_swp_mkuffd_wp,
)
from model.kernel.records import Entry, Outcome, Vma, outcome
from model.kernel.swapops import is_swap_slot
from model.kernel.userfaultfd_k import rwp_armed, userfaultfd_armed, userfaultfd_rwp

_MM = "mm/userfaultfd.c"


@mirrors(_MM)
def validate_move_areas(_ed: Edition, src_vma: Vma, dst_vma: Vma) -> Bool:
    """Whether both are private anonymous memory that may be written to, with the same access and
    the same vm_page_prot, and the userfaultfd has registered the destination, in whatever mode. It
    need not have registered the source."""
    return conj(as_term((src_vma.vm_flags ^ dst_vma.vm_flags) & word(VM_ACCESS_FLAGS) == word(0)),
                as_term(src_vma.vm_page_prot == dst_vma.vm_page_prot),
                has(src_vma.vm_flags, VM_WRITE), userfaultfd_armed(dst_vma),
                src_vma.mapping.anonymous and dst_vma.mapping.anonymous)


@mirrors(_MM, ":move_present_pte")
def move_present_ptes(ed: Edition, dst_vma: Vma, dst: Entry, src: Entry) -> Entry:
    """A page that is moved: soft-dirty at the new place and writable, dirty where it was, and not
    write-protected, whatever it was."""
    pte = pte_mksoft_dirty(mk_pte(ed, dst_vma))
    pte = pte_mkwrite(ed, ite(pte_dirty(ed, src.pte), pte_mkdirty(ed, pte), pte))
    return replace(dst.mapping_anon(rwp_armed(ed, dst_vma, pte)), lazyfree=src.lazyfree,
                   page_dirty=src.page_dirty, unused=src.unused)


@mirrors(_MM)
def move_swap_pte(ed: Edition, dst_vma: Vma, dst: Entry, src: Entry) -> Entry:
    """A page that is swapped out: its entry is moved as it is, with the uffd-wp bit that it has,
    and soft-dirty."""
    pte = pte_swp_mksoft_dirty(src.pte)
    pte = ite(userfaultfd_rwp(dst_vma), pte_swp_mkuffd_wp(pte), pte)
    return replace(dst.unmapped(pte), in_swap_cache=src.in_swap_cache, unused=src.unused)


@mirrors(_MM)
def move_zeropage_pte(ed: Edition, dst_vma: Vma, dst: Entry) -> Entry:
    """The zero page, as vm_page_prot says, and not soft-dirty: it reads as what was empty."""
    pte = rwp_armed(ed, dst_vma, pte_mkspecial(mk_pte(ed, dst_vma)))
    return replace(dst.unmapped(pte), zero_page=True)


def _shared(src: Entry) -> Bool:
    """Somebody else has the page, or has had it."""
    return ite(is_swap_slot(src.pte), negate(pte_swp_exclusive(src.pte)),
               conj(negate(src.zero_page), negate(src.anon_exclusive)))


def _held(ed: Edition, src: Entry) -> BV:
    """EBUSY of a page that is pinned. One of a huge page can not be split for the move, which
    before "move-extra-refs" was tried again for ever."""
    again = conj(src.large, negate(ed.has("move-extra-refs")))
    return ite(again, outcome(Outcome.never), outcome(Outcome.EBUSY))


@mirrors(_MM, ":move_pages_pte")
def move_pages_ptes(ed: Edition, dst_vma: Vma, src_vma: Vma, dst: Entry, src: Entry,
                    unused: Bool = False) -> tuple[Entry, Entry, BV]:
    """EEXIST where anything is at the destination, a marker too, ENOENT where nothing is at the
    source, EBUSY where the page is not the process's own alone, EFAULT for a marker. One that
    migrates is waited for. A huge page is split, with what that does to an `unused` one of its
    pages."""
    exists = negate(pte_none(dst.pte))
    there = ite(exists, src, remove_migration_pte(ed, src_vma, src))
    swapped = is_swap_slot(there.pte)
    small = split_folio(ed, src_vma, there, unused) if src_vma.mapping.thp else there
    moved = ite(small.zero_page, move_zeropage_pte(ed, dst_vma, dst),
                move_present_ptes(ed, dst_vma, dst, small))
    moved = ite(swapped, move_swap_pte(ed, dst_vma, dst, there), moved)
    busy = ite(_shared(there), outcome(Outcome.EBUSY),
               ite(conj(there.anon, there.pinned), _held(ed, there), outcome(Outcome.ok)))
    result = ite(exists, outcome(Outcome.EEXIST),
                 ite(pte_none(there.pte), outcome(Outcome.ENOENT),
                     ite(negate(disj(pte_present(there.pte), swapped)), outcome(Outcome.EFAULT),
                         busy)))
    done = as_term(result == outcome(Outcome.ok))
    return ite(done, moved, dst), ite(done, there.unmapped(word(0)), there), result


@mirrors(_MM, ":move_pages")
def move_pages_pmd(ed: Edition, dst_vma: Vma, src_vma: Vma, dst: Entry, src: Entry,
                   unused: Bool = False) -> tuple[Entry, Entry, BV]:
    """The loop of move_pages(), of a 2M range that a huge page may map: EEXIST where one is, ENOENT
    where nothing leads to the source. A huge page moves whole; to where a page table is, its PMD
    is split first, if it is the process's own alone. What a huge page leaves behind has no page
    table, and small ones make one at the destination."""
    there = ite(dst.huge, remove_migration_pte(ed, dst_vma, dst), dst)
    page = ite(src.huge, remove_migration_pte(ed, src_vma, src), src)
    some = negate(pte_none(page.pte))
    above = replace(there, no_tables=conj(there.no_tables, page.no_tables))  # mm_alloc_pmd()
    parts = ite(conj(page.huge, some), split_huge_pmd_locked(ed, src_vma, page), page)
    small = move_pages_ptes(ed, dst_vma, src_vma, replace(above, huge=False), parts, unused)
    small = ite(conj(page.huge, _shared(page)), (above, page, outcome(Outcome.EBUSY)), small)
    huge = move_pages_huge_pmd(ed, dst_vma, above, page)
    nothing = (above, page, outcome(Outcome.ENOENT))
    moved = ite(page.huge, ite(some, ite(there.huge, huge, small), nothing), small)
    exists = conj(there.huge, negate(pte_none(there.pte)), negate(page.no_tables))
    return ite(exists, (there, page, outcome(Outcome.EEXIST)), moved)


@mirrors(_MM)
def move_pages(ed: Edition, dst_vma: Vma, src_vma: Vma, dst: Entry, src: Entry,
               unused: Bool = False) -> tuple[Vma, Entry, Entry, BV]:
    """EINVAL for what validate_move_areas() refuses. A private destination gets its anon_vma before
    anything is asked (uffd_move_lock()), and before 867a43a34ff8 last of all that is."""
    allowed = validate_move_areas(ed, src_vma, dst_vma)
    move = move_pages_pmd if src_vma.mapping.thp and dst_vma.mapping.thp else move_pages_ptes
    filled, left, result = move(ed, dst_vma, src_vma, dst, src, unused)
    prepared = conj(not dst_vma.mapping.shared, disj(ed.has("867a43a34ff8"), allowed))
    return (replace(dst_vma, anon_vma=disj(dst_vma.anon_vma, prepared)),
            ite(allowed, filled, dst), ite(allowed, left, src),
            ite(allowed, result, outcome(Outcome.EINVAL)))


@mirrors("fs/userfaultfd.c", "mm/userfaultfd.c")
def userfaultfd_move(ed: Edition, dst_vma: Vma, src_vma: Vma, dst: Entry, src: Entry,
                     unused: Bool = False) -> tuple[Vma, Entry, Entry, BV]:
    """UFFDIO_MOVE: the VMA and the entry of the destination, and the entry of the source. Before
    adf505457032 there is no such ioctl: EINVAL."""
    prepared, filled, left, result = move_pages(ed, dst_vma, src_vma, dst, src, unused)
    known = ed.has("adf505457032")
    return (ite(known, prepared, dst_vma), ite(known, filled, dst), ite(known, left, src),
            ite(known, result, outcome(Outcome.EINVAL)))
