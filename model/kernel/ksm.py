"""mm/ksm.c: the page is merged with an equal one. Read from 6.1.192 and 6.12.117."""

from __future__ import annotations

from dataclasses import replace

from model.kernel.editions import Edition
from model.kernel.logic import conj, ite, negate
from model.kernel.memory import do_wp_page
from model.kernel.mirror import mirrors
from model.kernel.pgtable import (
    pte_mksoft_dirty,
    pte_mkuffd_wp,
    pte_present,
    pte_soft_dirty,
    pte_uffd_wp,
)
from model.kernel.records import Entry, Vma

_C = "mm/ksm.c"


@mirrors(_C)
def replace_page(_ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """The new entry is vm_page_prot's alone: soft-dirty and uffd-wp are gone."""
    merged = entry.unmapped(vma.vm_page_prot)
    return replace(merged, anon=True, ksm=True)


@mirrors(_C)
def break_ksm(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """The KSM page gives way to a copy: by a write fault that is made up, which ends at a uffd-wp
    event, and since 6cce3314b928 by a fault that unshares and keeps the bits of the entry."""
    pte = vma.vm_page_prot
    pte = ite(pte_soft_dirty(entry.pte), pte_mksoft_dirty(pte), pte)
    pte = ite(pte_uffd_wp(entry.pte), pte_mkuffd_wp(ed, pte), pte)
    broken = ite(ed.has("6cce3314b928"), entry.mapping_anon(pte), do_wp_page(ed, vma, entry).entry)
    return ite(conj(entry.ksm, pte_present(entry.pte)), broken, entry)


@mirrors(_C)
def try_to_merge_one_page(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """Of an anonymous page of a private mapping that nobody has pinned (write_protect_page). The
    entry that is made read-only first is the one that is replaced."""
    mergeable = conj(not vma.mapping.shared, not vma.mapping.hugetlb, pte_present(entry.pte),
                     entry.anon, negate(entry.ksm), negate(entry.pinned), negate(entry.in_child))
    return ite(mergeable, replace_page(ed, vma, entry), entry)
