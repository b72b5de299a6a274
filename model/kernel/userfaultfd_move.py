"""mm/userfaultfd.c: UFFDIO_MOVE, which takes a page of one place of the process to another.

Read from 6.12.117, 7.2.13 and 7.3.4, of small pages. Left out: MODE_ALLOW_SRC_HOLES, VM_LOCKED,
which nothing here sets, and lost races (EAGAIN, which move_pages() tries again).
"""

from __future__ import annotations

from dataclasses import replace

from model.kernel.bits import PROT_NONE_PGPROT, VM_ACCESS_FLAGS, VM_WRITE
from model.kernel.editions import Edition
from model.kernel.logic import BV, Bool, as_term, conj, disj, has, ite, negate, word
from model.kernel.migrate import remove_migration_pte
from model.kernel.mirror import mirrors
from model.kernel.pgtable import (
    mk_pte,
    pte_dirty,
    pte_mkdirty,
    pte_mksoft_dirty,
    pte_mkspecial,
    pte_mkuffd_wp,
    pte_mkwrite,
    pte_modify,
    pte_none,
    pte_present,
    pte_swp_exclusive,
    pte_swp_mksoft_dirty,
    pte_swp_mkuffd_wp,
)
from model.kernel.records import Entry, Outcome, Vma, outcome
from model.kernel.swapops import is_swap_slot
from model.kernel.userfaultfd_k import userfaultfd_armed, userfaultfd_rwp

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


def _armed(ed: Edition, dst_vma: Vma, pte: BV) -> BV:
    """What arrives in a VMA of mode RWP is read-write protected there."""
    closed = pte_mkuffd_wp(ed, pte_modify(ed, pte, word(PROT_NONE_PGPROT)))
    return ite(userfaultfd_rwp(dst_vma), closed, pte)


@mirrors(_MM, ":move_present_pte")
def move_present_ptes(ed: Edition, dst_vma: Vma, dst: Entry, src: Entry) -> Entry:
    """A page that is moved: soft-dirty at the new place and writable, dirty where it was, and not
    write-protected, whatever it was."""
    pte = pte_mksoft_dirty(mk_pte(ed, dst_vma))
    pte = pte_mkwrite(ed, ite(pte_dirty(ed, src.pte), pte_mkdirty(ed, pte), pte))
    return replace(dst.mapping_anon(_armed(ed, dst_vma, pte)), lazyfree=src.lazyfree,
                   page_dirty=src.page_dirty)


@mirrors(_MM)
def move_swap_pte(ed: Edition, dst_vma: Vma, dst: Entry, src: Entry) -> Entry:
    """A page that is swapped out: its entry is moved as it is, with the uffd-wp bit that it has,
    and soft-dirty."""
    pte = pte_swp_mksoft_dirty(src.pte)
    pte = ite(userfaultfd_rwp(dst_vma), pte_swp_mkuffd_wp(pte), pte)
    return replace(dst.unmapped(pte), in_swap_cache=src.in_swap_cache)


@mirrors(_MM)
def move_zeropage_pte(ed: Edition, dst_vma: Vma, dst: Entry) -> Entry:
    """The zero page, as vm_page_prot says, and not soft-dirty: it reads as what was empty."""
    pte = _armed(ed, dst_vma, pte_mkspecial(mk_pte(ed, dst_vma)))
    return replace(dst.unmapped(pte), zero_page=True)


def _busy(src: Entry) -> Bool:
    """Somebody else has the page, or has had it, or holds a pin of it."""
    shared = ite(is_swap_slot(src.pte), negate(pte_swp_exclusive(src.pte)),
                 conj(negate(src.zero_page), negate(src.anon_exclusive)))
    return disj(shared, conj(src.anon, src.pinned))


@mirrors(_MM, ":move_pages_pte")
def move_pages_ptes(ed: Edition, dst_vma: Vma, src_vma: Vma, dst: Entry,
                    src: Entry) -> tuple[Entry, Entry, BV]:
    """EEXIST where anything is at the destination, a marker too, ENOENT where nothing is at the
    source, EBUSY where the page is not the process's own alone, EFAULT for a marker. One that
    migrates is waited for."""
    exists = negate(pte_none(dst.pte))
    there = ite(exists, src, remove_migration_pte(ed, src_vma, src))
    swapped = is_swap_slot(there.pte)
    moved = ite(there.zero_page, move_zeropage_pte(ed, dst_vma, dst),
                move_present_ptes(ed, dst_vma, dst, there))
    moved = ite(swapped, move_swap_pte(ed, dst_vma, dst, there), moved)
    result = ite(exists, outcome(Outcome.EEXIST),
                 ite(pte_none(there.pte), outcome(Outcome.ENOENT),
                     ite(negate(disj(pte_present(there.pte), swapped)), outcome(Outcome.EFAULT),
                         ite(_busy(there), outcome(Outcome.EBUSY), outcome(Outcome.ok)))))
    done = as_term(result == outcome(Outcome.ok))
    return ite(done, moved, dst), ite(done, there.unmapped(word(0)), there), result


@mirrors(_MM)
def move_pages(ed: Edition, dst_vma: Vma, src_vma: Vma, dst: Entry,
               src: Entry) -> tuple[Vma, Entry, Entry, BV]:
    """EINVAL for what validate_move_areas() refuses. A private destination gets its anon_vma before
    anything is asked (uffd_move_lock()), and before 867a43a34ff8 last of all that is."""
    allowed = validate_move_areas(ed, src_vma, dst_vma)
    filled, left, result = move_pages_ptes(ed, dst_vma, src_vma, dst, src)
    prepared = conj(not dst_vma.mapping.shared, disj(ed.has("867a43a34ff8"), allowed))
    return (replace(dst_vma, anon_vma=disj(dst_vma.anon_vma, prepared)),
            ite(allowed, filled, dst), ite(allowed, left, src),
            ite(allowed, result, outcome(Outcome.EINVAL)))


@mirrors("fs/userfaultfd.c", "mm/userfaultfd.c")
def userfaultfd_move(ed: Edition, dst_vma: Vma, src_vma: Vma, dst: Entry,
                     src: Entry) -> tuple[Vma, Entry, Entry, BV]:
    """UFFDIO_MOVE: the VMA and the entry of the destination, and the entry of the source. Before
    adf505457032 there is no such ioctl: EINVAL."""
    prepared, filled, left, result = move_pages(ed, dst_vma, src_vma, dst, src)
    known = ed.has("adf505457032")
    return (ite(known, prepared, dst_vma), ite(known, filled, dst), ite(known, left, src),
            ite(known, result, outcome(Outcome.EINVAL)))
