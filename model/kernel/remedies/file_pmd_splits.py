"""The PMD of a page of a file is split as that of an anonymous one is: into PTEs that map the same
pages and keep soft-dirty, instead of into nothing."""

from __future__ import annotations

from dataclasses import replace

from model.kernel import huge_memory
from model.kernel.editions import Edition
from model.kernel.logic import conj, disj, ite, negate
from model.kernel.pgtable import (
    pte_dirty,
    pte_mkdirty,
    pte_mksoft_dirty,
    pte_mkwrite,
    pte_none,
    pte_present,
    pte_soft_dirty,
    pte_write,
)
from model.kernel.records import Entry, Vma


def split_huge_pmd_locked(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    if vma.mapping.anonymous:
        return huge_memory.split_huge_pmd_locked(ed, vma, entry)
    pmd = entry.pte
    pte = ite(pte_write(pmd), pte_mkwrite(ed, vma.vm_page_prot), vma.vm_page_prot)
    pte = ite(conj(pte_dirty(ed, pmd), pte_soft_dirty(pmd)), pte_mkdirty(ed, pte), pte)
    pte = ite(pte_soft_dirty(pmd), pte_mksoft_dirty(pte), pte)
    pte = ite(pte_present(pmd), pte, pmd)
    table = replace(entry, pte=pte, huge=False, large=True, cache_dirty=disj(
        entry.cache_dirty, conj(pte_present(pmd), pte_dirty(ed, pmd))))
    return ite(conj(entry.huge, negate(pte_none(pmd))), table, entry)
