"""mm/ksm.c: the page is merged with an equal one. Read from 6.1.192, 6.12.117 and 7.3.4.

Left out: the content. All private pages are taken for equal, as all are that were stored to; one
that has no more than a pin, or what a device wrote, is not equal to these.
"""

from __future__ import annotations

from dataclasses import replace

from model.kernel.editions import Edition
from model.kernel.gup import unsharing_copy
from model.kernel.logic import Bool, conj, disj, ite, negate
from model.kernel.memory import do_uffd_rwp, do_wp_page, vma_is_accessible
from model.kernel.mirror import mirrors
from model.kernel.pgtable import mk_pte, pte_mksoft_dirty, pte_present, pte_protnone, pte_soft_dirty
from model.kernel.records import Entry, Vma
from model.kernel.swapops import is_swap_slot
from model.kernel.userfaultfd_k import userfaultfd_pte_rwp

_C = "mm/ksm.c"


@mirrors(_C)
def replace_page(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """The new entry is vm_page_prot's alone, and since "ksm-soft-dirty" keeps soft-dirty: the uffd
    bit is gone, whatever it stood for. The page is dirty, so that reclaim does not drop it."""
    kept = conj(ed.has("ksm-soft-dirty"), pte_soft_dirty(entry.pte))
    merged = entry.unmapped(ite(kept, pte_mksoft_dirty(mk_pte(ed, vma)), mk_pte(ed, vma)))
    return replace(merged, anon=True, ksm=True, page_dirty=True)


@mirrors(_C)
def break_ksm(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """The KSM page gives way to a copy: by a write fault that is made up, which ends at a uffd-wp
    event, and since 6cce3314b928 by a fault that unshares and keeps the bits of the entry.
    follow_page(), by which it is found until d7c0e68dab98, sees no page of PROT_NONE memory since
    474098edac26 (gup_can_follow_protnone): that stays, and is astray where it moves, because its
    rmap_item has the old address. So does one that is read-write protected, where the fault ends in
    an event; with RWP_ASYNC it opens the entry first."""
    trapped = conj(userfaultfd_pte_rwp(vma, entry.pte), pte_protnone(entry.pte),
                   vma_is_accessible(vma))
    opened = ite(trapped, do_uffd_rwp(ed, vma, entry).entry, entry)
    broken = ite(ed.has("6cce3314b928"), unsharing_copy(ed, vma, opened),
                 do_wp_page(ed, vma, entry).entry)
    unseen = disj(conj(protnone_keeps_ksm(ed), pte_protnone(entry.pte)),
                  conj(trapped, negate(vma.rwp_async)))
    kept = replace(entry, astray=disj(entry.astray, unseen))
    return ite(conj(entry.ksm, pte_present(entry.pte)), ite(unseen, kept, broken), entry)


def protnone_keeps_ksm(ed: Edition) -> Bool:
    """Whether break_ksm() passes PROT_NONE memory by."""
    return conj(ed.has("474098edac26"), negate(ed.has("d7c0e68dab98")))


def _asked_for(vma: Vma, entry: Entry) -> Bool:
    """KSM is asked for a page of the process's own: an anonymous one that no child maps."""
    return conj(not vma.mapping.shared, not vma.mapping.hugetlb, pte_present(entry.pte),
                entry.anon, negate(entry.in_child))


@mirrors(_C)
def ksm_madvise(_ed: Edition, vma: Vma, entry: Entry) -> Vma:
    """MADV_MERGEABLE, which holds for what is mapped there later too."""
    return replace(vma, mergeable=disj(vma.mergeable, _asked_for(vma, entry)))


@mirrors("include/linux/ksm.h")
def ksm_fork(_ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """KSM goes over the memory of a child that lives on as over that of its parent: what the child
    gets, or has in swap, is a twin of what the parent stores anew."""
    return replace(
        entry, twin_in_child=disj(entry.twin_in_child, conj(vma.mergeable, entry.anon)),
        twin_in_slot=disj(entry.twin_in_slot, conj(vma.mergeable, is_swap_slot(entry.pte))))


@mirrors(_C)
def try_to_merge_one_page(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """Of an anonymous page of a private mapping that nobody has pinned (write_protect_page). The
    entry that is made read-only first is the one that is replaced. The twin that a child has is
    merged into the same page, which the child maps then too. One that was astray is found again
    (stable_tree_append)."""
    merged = ite(entry.ksm, replace(entry, astray=False), replace_page(ed, vma, entry))
    return ite(conj(_asked_for(vma, entry), negate(entry.pinned)),
               replace(merged, in_child=entry.twin_in_child), entry)
