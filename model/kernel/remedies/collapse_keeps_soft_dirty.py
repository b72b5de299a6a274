"""The PMD that takes the place of a page table is soft-dirty where an entry of it was; small pages
that are soft-dirty are not made a huge one while somebody tracks stores.

Of 512 entries one is enough. The model looks at that of the page that is stored to: no other page
is ever soft-dirty where it is not.
"""

from __future__ import annotations

from model.kernel import khugepaged
from model.kernel.bits import VM_SOFTDIRTY
from model.kernel.editions import Edition
from model.kernel.logic import Bool, conj, disj, has, ite, negate
from model.kernel.pgtable import (
    is_swap_pte,
    pte_mksoft_dirty,
    pte_present,
    pte_soft_dirty,
    pte_swp_soft_dirty,
)
from model.kernel.records import Entry, Vma


def collapse_pte_mapped_thp(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    done = khugepaged.collapse_pte_mapped_thp(ed, vma, entry)
    was = disj(conj(pte_present(entry.pte), pte_soft_dirty(entry.pte)),
               conj(is_swap_pte(entry.pte), pte_swp_soft_dirty(entry.pte)))
    return done.with_pte(ite(was, pte_mksoft_dirty(done.pte), done.pte))


def collapse_scan_file(ed: Edition, vma: Vma, entry: Entry) -> Bool:
    tracked = conj(pte_present(entry.pte), pte_soft_dirty(entry.pte),
                   negate(has(vma.vm_flags, VM_SOFTDIRTY)))
    return disj(khugepaged.collapse_scan_file(ed, vma, entry), conj(entry.cache_small, tracked))
