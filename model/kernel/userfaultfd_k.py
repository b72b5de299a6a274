"""include/linux/userfaultfd_k.h: what a VMA's userfaultfd registration means for its entries.

Read from 6.1.192, 6.12.117, 7.2.12 and 7.3.4. The userfaultfd asks for
UFFD_FEATURE_WP_HUGETLBFS_SHMEM and UFFD_FEATURE_SIGBUS, and where it is opened so for
WP_UNPOPULATED or WP_ASYNC; not for an event of fork, mremap or removal.
"""

from __future__ import annotations

from model.kernel.bits import VM_UFFD_FLAGS, VM_UFFD_MISSING, VM_UFFD_WP
from model.kernel.editions import Edition
from model.kernel.logic import BV, Bool, conj, disj, has, ite
from model.kernel.mirror import mirrors
from model.kernel.pgtable import pte_uffd_wp
from model.kernel.records import Vma

_H = "include/linux/userfaultfd_k.h"


def userfaultfd_wp(vma: Vma) -> Bool:
    return has(vma.vm_flags, VM_UFFD_WP)


def userfaultfd_missing(vma: Vma) -> Bool:
    return has(vma.vm_flags, VM_UFFD_MISSING)


def userfaultfd_minor(vma: Vma) -> Bool:
    return vma.minor


def userfaultfd_armed(vma: Vma) -> Bool:
    return disj(has(vma.vm_flags, VM_UFFD_FLAGS), userfaultfd_minor(vma))


def userfaultfd_pte_wp(vma: Vma, pte: BV) -> Bool:
    return conj(userfaultfd_wp(vma), pte_uffd_wp(pte))


@mirrors(_H)
def userfaultfd_wp_use_markers(ed: Edition, vma: Vma) -> Bool:
    """Whether an empty entry is protected by a marker: always in file mappings, in anonymous ones
    with WP_UNPOPULATED. 6.1 asks the kind of mapping alone (open-coded in change_pte_range)."""
    file = not vma.mapping.anonymous
    return ite(ed.has("2bad466cc9d9"),
               conj(userfaultfd_wp(vma), disj(file, vma.wp_unpopulated)), file)
