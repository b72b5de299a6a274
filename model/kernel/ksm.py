"""mm/ksm.c: the page is merged with an equal one. Read from 6.1.192 and 6.12.117."""

from __future__ import annotations

from dataclasses import replace

from model.kernel.editions import Edition
from model.kernel.logic import conj, ite, negate
from model.kernel.mirror import mirrors
from model.kernel.pgtable import pte_present
from model.kernel.records import Entry, Vma

_C = "mm/ksm.c"


@mirrors(_C)
def replace_page(_ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """The new entry is vm_page_prot's alone: soft-dirty and uffd-wp are gone."""
    merged = entry.unmapped(vma.vm_page_prot)
    return replace(merged, anon=True, ksm=True)


@mirrors(_C)
def try_to_merge_one_page(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """Of an anonymous page of a private mapping that nobody has pinned (write_protect_page). The
    entry that is made read-only first is the one that is replaced."""
    mergeable = conj(not vma.mapping.shared, not vma.mapping.hugetlb, pte_present(entry.pte),
                     entry.anon, negate(entry.ksm), negate(entry.pinned), negate(entry.in_child))
    return ite(mergeable, replace_page(ed, vma, entry), entry)
