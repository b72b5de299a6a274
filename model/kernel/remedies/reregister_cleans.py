"""UFFDIO_REGISTER cleans the entries where it takes write-protect mode away, as UFFDIO_UNREGISTER
does (f369b07c8614)."""

from __future__ import annotations

from model.kernel.bits import VM_UFFD_FLAGS, VM_UFFD_MINOR, VM_UFFD_WP
from model.kernel.editions import Edition
from model.kernel.logic import conj, disj, has_all, ite, negate
from model.kernel.records import Entry, Vma
from model.kernel.userfaultfd import uffd_wp_range
from model.kernel.userfaultfd_k import userfaultfd_minor, userfaultfd_wp


def userfaultfd_register_range(ed: Edition, vma: Vma, entry: Entry, mode: int) -> Entry:
    changes = disj(negate(has_all(vma.vm_flags, mode & VM_UFFD_FLAGS)),
                   conj(bool(mode & VM_UFFD_MINOR), negate(userfaultfd_minor(vma))))
    ends = conj(not mode & VM_UFFD_WP, userfaultfd_wp(vma), changes)
    return ite(ends, uffd_wp_range(ed, vma, entry, False), entry)
