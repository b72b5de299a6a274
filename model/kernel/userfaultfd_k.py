"""include/linux/userfaultfd_k.h: what a VMA's userfaultfd registration means for its entries.

Read from 6.1.192, 6.12.117, 7.2.12 and 7.3.4. The userfaultfd asks for
UFFD_FEATURE_WP_HUGETLBFS_SHMEM and UFFD_FEATURE_SIGBUS, and where it is opened so for
WP_UNPOPULATED, WP_ASYNC, RWP or RWP_ASYNC, or the events of fork, mremap, unmapping and removal.

An entry is read-write protected where it is PROT_NONE and has the uffd bit, in a VMA registered for
mode RWP: without the bit it is a NUMA hint. Whatever makes the entry anew keeps it so.
"""

from __future__ import annotations

from model.kernel.bits import PROT_NONE_PGPROT, VM_UFFD_FLAGS, VM_UFFD_MISSING, VM_UFFD_WP
from model.kernel.editions import Edition
from model.kernel.logic import BV, Bool, conj, disj, has, ite, negate, word
from model.kernel.mirror import mirrors
from model.kernel.pgtable import pte_mkuffd_wp, pte_modify, pte_uffd_wp
from model.kernel.records import Vma

_H = "include/linux/userfaultfd_k.h"


def userfaultfd_wp(vma: Vma) -> Bool:
    return has(vma.vm_flags, VM_UFFD_WP)


def userfaultfd_missing(vma: Vma) -> Bool:
    return has(vma.vm_flags, VM_UFFD_MISSING)


def userfaultfd_minor(vma: Vma) -> Bool:
    return vma.minor


def userfaultfd_rwp(vma: Vma) -> Bool:
    return vma.uffd_rwp


def userfaultfd_armed(vma: Vma) -> Bool:
    return disj(has(vma.vm_flags, VM_UFFD_FLAGS), userfaultfd_minor(vma), userfaultfd_rwp(vma))


@mirrors("fs/userfaultfd.c", _H)
def vma_has_uffd_without_event_remap(_ed: Edition, vma: Vma) -> Bool:
    """Whether mremap takes the registration away, and with it the protection of the entries."""
    return conj(userfaultfd_armed(vma), negate(vma.events))


def userfaultfd_pte_wp(vma: Vma, pte: BV) -> Bool:
    return conj(userfaultfd_wp(vma), pte_uffd_wp(pte))


def userfaultfd_pte_rwp(vma: Vma, pte: BV) -> Bool:
    return conj(userfaultfd_rwp(vma), pte_uffd_wp(pte))


def rwp_restored(ed: Edition, vma: Vma, pte: BV) -> BV:
    """An entry that is made anew and has the uffd bit traps again in a VMA of mode RWP: so do
    do_swap_page(), unuse_pte(), change_present_ptes() and hugetlb_change_protection()."""
    closed = pte_modify(ed, pte, word(PROT_NONE_PGPROT))
    return ite(userfaultfd_pte_rwp(vma, pte), closed, pte)


def rwp_armed(ed: Edition, vma: Vma, pte: BV) -> BV:
    """What UFFDIO_MOVE brings into a VMA of mode RWP is read-write protected there."""
    closed = pte_mkuffd_wp(ed, pte_modify(ed, pte, word(PROT_NONE_PGPROT)))
    return ite(userfaultfd_rwp(vma), closed, pte)


def rwp_disarmed(ed: Edition, vma: Vma, pte: BV) -> BV:
    """An entry that leaves `vma` for one that is not registered becomes what vm_page_prot says, and
    then loses the uffd bit: in __copy_present_ptes(), move_ptes() and their like for hugetlb."""
    return ite(userfaultfd_pte_rwp(vma, pte), pte_modify(ed, pte, vma.vm_page_prot), pte)


@mirrors(_H)
def userfaultfd_wp_use_markers(ed: Edition, vma: Vma) -> Bool:
    """Whether an empty entry is protected by a marker: always in file mappings, in anonymous ones
    with WP_UNPOPULATED. 6.1 asks the kind of mapping alone (open-coded in change_pte_range)."""
    file = not vma.mapping.anonymous
    return ite(ed.has("2bad466cc9d9"),
               conj(userfaultfd_wp(vma), disj(file, vma.wp_unpopulated)), file)
