"""What is dropped from anonymous memory leaves its uffd-wp protection behind in a marker, as in
that of a file; a PMD leaves a page table of them."""

from __future__ import annotations

from dataclasses import replace

from model.kernel import madvise, memory, userfaultfd_move
from model.kernel.editions import Edition
from model.kernel.logic import BV, Bool, as_term, conj, disj, ite, word
from model.kernel.migrate import remove_migration_pte
from model.kernel.pgtable import pte_present, pte_uffd_wp
from model.kernel.records import Entry, Outcome, Vma, outcome
from model.kernel.swapops import (
    is_swap_slot,
    make_uffd_wp_marker,
    pte_marker_uffd_wp,
    pte_swp_uffd_wp_any,
)
from model.kernel.userfaultfd_k import userfaultfd_wp


def pte_install_uffd_wp_if_needed(ed: Edition, vma: Vma, pteval: BV) -> BV:
    armed = disj(conj(pte_present(pteval), pte_uffd_wp(pteval)), pte_swp_uffd_wp_any(ed, pteval))
    return ite(conj(userfaultfd_wp(vma), armed), make_uffd_wp_marker(ed), word(0))


def zap_pte_range(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    kept = pte_marker_uffd_wp(ed, entry.pte)
    return ite(kept, entry, memory.zap_pte_range(ed, vma, entry))


def madvise_free_pte_range(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    marked = entry.unmapped(pte_install_uffd_wp_if_needed(ed, vma, entry.pte))
    return ite(is_swap_slot(entry.pte), marked, madvise.madvise_free_pte_range(ed, vma, entry))


def unmap_single_vma(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    marked = pte_install_uffd_wp_if_needed(ed, vma, entry.pte)
    table = replace(entry.unmapped(marked), huge=False)
    whole = conj(vma.mapping.thp, entry.huge, marked != word(0))
    return ite(whole, table, memory.unmap_single_vma(ed, vma, entry))


def move_pages_pmd(ed: Edition, dst_vma: Vma, src_vma: Vma, dst: Entry, src: Entry,
                   unused: Bool = False) -> tuple[Entry, Entry, BV]:
    moved, left, result = userfaultfd_move.move_pages_pmd(ed, dst_vma, src_vma, dst, src, unused)
    there = remove_migration_pte(ed, src_vma, src)
    marked = pte_install_uffd_wp_if_needed(ed, src_vma, there.pte)
    whole = conj(src.huge, left.huge, as_term(result == outcome(Outcome.ok)), marked != word(0))
    return moved, ite(whole, replace(left, pte=marked, huge=False), left), result


def move_pages_ptes(ed: Edition, dst_vma: Vma, src_vma: Vma, dst: Entry, src: Entry,
                    unused: Bool = False) -> tuple[Entry, Entry, BV]:
    moved, left, result = userfaultfd_move.move_pages_ptes(ed, dst_vma, src_vma, dst, src, unused)
    there = remove_migration_pte(ed, src_vma, src)
    marked = left.with_pte(pte_install_uffd_wp_if_needed(ed, src_vma, there.pte))
    return moved, ite(as_term(result == outcome(Outcome.ok)), marked, left), result
