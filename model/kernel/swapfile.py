"""mm/swapfile.c: swapoff(2), which brings back everything from swap.

Read from 6.1.192, 6.12.117 and 7.3.4. Left out: swapon(2), which follows at once, and running
out of memory.
"""

from __future__ import annotations

from dataclasses import replace

from model.kernel.editions import Edition
from model.kernel.logic import Bool, conj, disj, ite, negate
from model.kernel.mirror import mirrors
from model.kernel.pgtable import (
    mk_pte,
    pte_mksoft_dirty,
    pte_mkuffd_wp,
    pte_present,
    pte_swp_exclusive,
    pte_swp_soft_dirty,
    pte_swp_uffd_wp,
)
from model.kernel.records import Entry, Vma
from model.kernel.swapops import is_swap_slot
from model.kernel.userfaultfd_k import rwp_restored

_C = "mm/swapfile.c"


@mirrors(_C)
def pte_same_as_swp(ed: Edition, entry: Entry) -> Bool:
    """Whether the entry is known again as that of the slot. The bits that it keeps for the page
    must not count; before 099dd6878b9b the uffd-wp bit did."""
    return disj(ed.has("099dd6878b9b"), negate(pte_swp_uffd_wp(entry.pte)))


@mirrors(_C)
def unuse_pte(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """The page is mapped as vm_page_prot says, with the bits that the swap entry has kept, before
    14a762dd1977 without them. A child that had the slot too maps the page now."""
    swp, kept = entry.pte, ed.has("14a762dd1977")
    pte = mk_pte(ed, vma)
    pte = ite(conj(kept, pte_swp_soft_dirty(swp)), pte_mksoft_dirty(pte), pte)
    pte = ite(conj(kept, pte_swp_uffd_wp(swp)), pte_mkuffd_wp(ed, pte), pte)
    pte = rwp_restored(ed, vma, pte)
    return replace(entry.mapping_anon(pte), anon_exclusive=pte_swp_exclusive(swp),
                   in_child=entry.slot_in_child, unused=entry.unused, page_dirty=True)


@mirrors(_C)
def try_to_unuse(ed: Edition, vma: Vma, entry: Entry) -> tuple[Entry, Bool]:
    """The entry afterwards, and whether swapoff ends: it goes over all processes again and again
    while a slot is in use, until a signal arrives. shmem_unuse() reads back the page of a file. A
    child's page that KSM would merge is in memory again."""
    mapped = replace(
        entry, in_child=disj(entry.in_child, conj(pte_present(entry.pte), entry.slot_in_child)),
        slot_in_child=False)
    slot = is_swap_slot(entry.pte)
    found = pte_same_as_swp(ed, entry)
    unused = ite(slot, unuse_pte(ed, vma, entry), mapped)
    back = replace(unused, cache_swapped=False, in_swap_cache=False, twin_in_slot=False,
                   twin_in_child=disj(entry.twin_in_child, entry.twin_in_slot))
    ends = disj(negate(slot), found)
    return ite(ends, back, entry), ends
