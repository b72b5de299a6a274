"""mm/khugepaged.c: madvise(MADV_COLLAPSE) of the mapping. Read from 6.1.192, 6.12.117 and 7.3.4.

Left out: failed allocations.
"""

from __future__ import annotations

from dataclasses import replace

from model.kernel.editions import Edition
from model.kernel.huge_memory import do_set_pmd, folio_unmapped, pmd_mkhuge
from model.kernel.logic import BV, Bool, conj, disj, ite, negate, word
from model.kernel.migrate import remove_migration_pte
from model.kernel.mirror import mirrors
from model.kernel.mm_inline import pte_install_uffd_wp_if_needed
from model.kernel.pgtable import (
    maybe_mkwrite,
    mk_pte,
    pte_mkdirty,
    pte_none,
    pte_present,
    pte_special,
    pte_uffd_wp,
    pte_write,
)
from model.kernel.records import Entry, Outcome, Vma, outcome
from model.kernel.swapops import is_migration_entry, is_pte_marker, pte_swp_uffd_wp_any
from model.kernel.userfaultfd_k import userfaultfd_armed, userfaultfd_rwp, userfaultfd_wp

_C = "mm/khugepaged.c"


@mirrors(_C)
def hpage_collapse_scan_pmd(ed: Edition, vma: Vma, pte: BV) -> Bool:
    """Whether one PTE lets the huge page be: none is write-protected, and none is missing where
    missing pages may be waited for."""
    protected = disj(conj(pte_present(pte), negate(pte_special(pte)), pte_uffd_wp(pte)),
                     pte_swp_uffd_wp_any(ed, pte))
    return negate(disj(exceed_none_pte(vma, pte), protected))


def exceed_none_pte(vma: Vma, pte: BV) -> Bool:
    """SCAN_EXCEED_NONE_PTE: no page, or that of zeroes, where a userfaultfd listens."""
    missing = disj(pte_none(pte), conj(pte_present(pte), pte_special(pte)))
    return conj(missing, userfaultfd_armed(vma))


def referenced_elsewhere(entry: Entry) -> Bool:
    """SCAN_PAGE_COUNT: somebody holds the page who does not map it."""
    return conj(entry.anon, entry.pinned)


@mirrors(_C)
def collapse_huge_page(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """A new huge page of the process's own: dirty, and soft-dirty as a whole."""
    pmd = maybe_mkwrite(ed, pte_mkdirty(ed, mk_pte(ed, vma)), vma)
    unused = disj(pte_none(entry.pte), entry.zero_page, entry.unused)
    return replace(entry.mapping_anon(pmd_mkhuge(pmd)), huge=True, unused=unused)


@mirrors(_C)
def collapse_pte_mapped_thp(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """The page table goes, and its soft-dirty bits with it; the PMD is that of a load. Who has to
    wait for the page that migrates may find its PMD there."""
    moved = remove_migration_pte(ed, vma, entry)
    mapped = folio_unmapped(ed, moved).mapping_cache(do_set_pmd(ed, vma, write=False), dirty=False)
    return ite(conj(entry.huge, pte_present(moved.pte)), moved, replace(mapped, huge=True))


@mirrors(_C, ":hpage_collapse_scan_file")
def collapse_scan_file(ed: Edition, vma: Vma, entry: Entry) -> Bool:
    """Whether somebody holds a small page of the file, SCAN_PAGE_COUNT, or it migrates,
    SCAN_PAGE_LRU. (The VMA is asked by a remedy alone.)"""
    return conj(entry.cache_small, disj(entry.pinned, is_migration_entry(ed, entry.pte)))


def keeps_page_table(ed: Edition, vma: Vma) -> Bool:
    """file_backed_vma_is_retractable() says no, or collapse_pte_mapped_thp() before it is asked: of
    a VMA that is protected by a userfaultfd, or has guard regions, which had an anon_vma for that
    before "guard-flag"."""
    protected = disj(conj(ed.has("deb4c93a9871"), userfaultfd_wp(vma)), userfaultfd_rwp(vma))
    return disj(protected, vma.anon_vma, vma.maybe_guard)


@mirrors(_C, ":retract_page_tables", ":file_backed_vma_is_retractable")
def collapse_file(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """The small pages of the file become a huge one, which is dirty, and all are unmapped. The
    page table goes (retract_page_tables), whatever markers are in it."""
    pte = ite(pte_present(entry.pte), pte_install_uffd_wp_if_needed(ed, vma, entry.pte), entry.pte)
    unmapped = ite(pte_present(entry.pte), folio_unmapped(ed, entry).unmapped(pte), entry)
    retracted = replace(unmapped.unmapped(word(0)), huge=True, no_tables=entry.no_tables)
    left = ite(keeps_page_table(ed, vma), unmapped, retracted)
    huge = replace(left, cache_small=False, cache_dirty=True, cache_in_child=False)
    return ite(entry.cache_small, huge, entry)


@mirrors(_C)
def madvise_collapse(ed: Edition, vma: Vma, entry: Entry, rest: Entry) -> tuple[Entry, BV]:
    """The PMD afterwards; EINVAL where there is nothing to collapse or it may not be, and EBUSY
    where a page is missing (madvise_collapse_errno, "collapse-ebusy"). `rest` is the entry of every
    page but the first. A pinned page is EAGAIN. A marker is SCAN_PTE_NON_PRESENT, or
    cannot be swapped in, and since deb4c93a9871 a registered VMA
    keeps its page table without one too. Before "collapse-read-only" one anonymous page had to be
    writable (SCAN_PAGE_RO), before "collapse-no-table" a page table had to be above that of the
    file's page."""
    mapped = conj(entry.huge, pte_present(entry.pte))
    if vma.mapping.anonymous:
        writable = disj(ed.has("collapse-read-only"),
                        conj(pte_present(entry.pte), pte_write(entry.pte)),
                        conj(pte_present(rest.pte), pte_write(rest.pte)))
        first_able = hpage_collapse_scan_pmd(ed, vma, entry.pte)
        rest_able = hpage_collapse_scan_pmd(ed, vma, rest.pte)
        goes_on = conj(first_able, negate(referenced_elsewhere(entry)))
        held = disj(conj(first_able, referenced_elsewhere(entry)),
                    conj(goes_on, rest_able, referenced_elsewhere(rest)))
        marked = disj(entry.guard, entry.poison, rest.guard, rest.poison)
        able = conj(negate(entry.huge), writable, goes_on, rest_able, negate(held),
                    negate(marked))
        collapsed = collapse_huge_page(ed, vma, entry)
        missing = disj(exceed_none_pte(vma, entry.pte),
                       conj(goes_on, exceed_none_pte(vma, rest.pte)))
        busy = conj(ed.has("collapse-ebusy"), negate(entry.huge), missing)
        again = conj(negate(entry.huge), held)
    else:
        protected = disj(conj(ed.has("deb4c93a9871"), userfaultfd_wp(vma)), userfaultfd_rwp(vma))
        held = disj(entry.cache_small, rest.cache_small)
        marked = disj(is_pte_marker(ed, entry.pte), is_pte_marker(ed, rest.pte))
        untabled = conj(negate(ed.has("collapse-no-table")), entry.no_tables)
        able = conj(entry.in_cache, negate(held), negate(protected), negate(marked),
                    negate(untabled))
        collapsed = collapse_pte_mapped_thp(ed, vma, entry)
        busy, again = False, held
    done = ite(mapped, entry, ite(able, collapsed, entry))
    return done, ite(disj(mapped, able), outcome(Outcome.ok),
                     ite(busy, outcome(Outcome.EBUSY),
                         ite(again, outcome(Outcome.EAGAIN), outcome(Outcome.EINVAL))))
