"""What tells each change: the promise that it mends, and the least that has to be explored."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Told:
    """`promise` is refuted in `edition` less the change and proved with it, on `mapping`, with the
    operations `allow` beside the core.

    `breaks` marks the change that is the other way round: the promise was kept before it.
    """

    promise: str
    mapping: str
    allow: tuple[str, ...] = ()
    edition: str = "v6.12"
    breaks: bool = False


_WP, _POPULATED = "uffd-wp-complete", "uffd-wp-complete-populated"
_OPENED = ("close", "open:unpopulated", "open:async")
_SCANNED = ("close", "open:async", "scan:wp")
_SWAP = ("pageout", "swapoff")
_SOFT_DIRTY, _STALE = "softdirty-complete", "no-stale-uffd-wp"

TOLD_BY: dict[str, Told] = {
    "d9104d1ca966": Told("mmap-marks-new", "hugetlb", ("mmap",)),
    "179ef71cbc08": Told(_SOFT_DIRTY, "anon", _SWAP),
    "64e455079e1b": Told(_SOFT_DIRTY, "shmem"),
    "f45ec5ff16a7": Told(_POPULATED, "anon", _SWAP),
    "099dd6878b9b": Told("swapoff-ends", "anon", _SWAP),
    "8f34f1eac382": Told(_STALE, "anon", ("fork:child",)),
    "c56d1b62cce8": Told(_WP, "shmem", ("close", "open:events", "fork:child")),
    "0e88904cb700": Told(_WP, "shmem", ("copy:wp",), "v5.18+b1f9e8768618+51d3d5eb74ff"),
    "b1f9e8768618": Told("features-there", "hugetlb", _OPENED),
    "999dad824c39": Told(_WP, "shmem", ("dontneed",)),
    "64fe24a3e05e": Told("mprotect-precise", "anon"),
    "76aefad628aa": Told(_SOFT_DIRTY, "anon"),
    "f369b07c8614": Told(_STALE, "anon"),
    "14a762dd1977": Told(_SOFT_DIRTY, "anon", _SWAP),
    "1d8d14641fd9": Told("entry-maps-page", "hugetlb"),
    "f96f7a40874d": Told("hugetlb-mprotect-precise", "hugetlb"),
    "914eedcb9ba0": Told("features-kept", "anon", _OPENED, "v6.0", True),
    "2ff559f31a5d": Told("features-kept", "anon", _OPENED, "v6.3"),
    "51d3d5eb74ff": Told(_WP, "shmem"),
    "fed15f1345dc": Told(_WP, "hugetlb"),
    "44f86392bdd1": Told(_WP, "hugetlb", ("migrate:begin", "migrate:end")),
    "49d6d7fb6313": Told(_STALE, "private-shmem", ("dontneed", "fork:child")),
    "0e678153f5be": Told("entry-maps-page", "hugetlb"),
    "c27f479ef542": Told("unprotect-precise", "thp"),
    "931298e103c2": Told(_SOFT_DIRTY, "shmem"),
    "24bf08c4376b": Told(_POPULATED, "thp", ("migrate",)),
    "42b2af2c9b7e": Told(_POPULATED, "thp", ("split",)),
    "60d5b473d61b": Told(_WP, "private-hugetlb"),
    "5a2f8d22ace4": Told(_STALE, "private-hugetlb", ("fork:child",)),
    "0f230bc24b6e": Told(_POPULATED, "private-hugetlb", ("fork:stay", "process_vm_readv")),
    "2bad466cc9d9": Told("features-there", "hugetlb", _OPENED),
    "0289184476c8": Told(_WP, "private-shmem", ("continue",)),
    "3c811f7883c4": Told("migrate-precise", "shmem", ("migrate",)),
    "5436d6556937": Told("softdirty-precise", "thp", ("split",), "v6.12", True),
    "d61ea1cb0095": Told("features-there", "hugetlb", _OPENED),
    "63222c14c269": Told("softdirty-precise", "anon", ("migrate",)),
    "8ac268436e6d": Told(_SOFT_DIRTY, "file", ("pin", "pin:write"), "v6.6"),
    "edd478269640": Told(_SOFT_DIRTY, "private-file", ("pin", "pin:write"), "v6.6", True),
    "c88033efe9a3": Told(_STALE, "anon", ("close",)),
    "20dfa5b7adc5": Told("swapin-precise", "anon", _SWAP),
    "0cef0bb836e3": Told(_STALE, "anon", ("mremap",)),
    "1ced09e0331f": Told("mremap-marks-moved", "thp", ("mremap",), "v7.3"),
    "register-ebusy": Told(_STALE, "anon", ("register:missing",), "v7.3"),
    "huge-pte-vm-write": Told("writable-allowed", "private-hugetlb", ("pin", "fork:child"),
                              "v6.16"),
    "move-extra-refs": Told("calls-return", "thp", ("guard", "pin", "split", "move:out"),
                            "v7.3"),
    "hugetlb-leftover": Told("access-completes", "hugetlb", ("register:missing",),
                             "v7.3-register-ebusy"),
    "ksm-soft-dirty": Told(_SOFT_DIRTY, "anon", ("ksm",), "v6.12.118"),
    "f1879e8a0c60": Told("softdirty-armed", "anon", ("ksm", "pageout", "pin"), "v7.3"),
    "cac1db8c3aad": Told("softdirty-precise", "shmem-thp", (), "v6.18", True),
    "unregister-owner": Told("owner-only", "anon", ("other:unregister",), "v7.3"),
    "copy-marker": Told("guard-kept", "anon", ("copy", "guard", "unguard"), "v7.3"),
    "scan-unpopulated": Told("async-precise", "anon", _SCANNED, "v7.3"),
    "scan-hole": Told("async-precise", "thp", _SCANNED, "v7.3"),
    "f7491d7c81db": Told("mprotect-precise", "thp", (), "v7.3"),
    "83abe2fd5b3a": Told(_STALE, "private-hugetlb",
                              ("fork:child", "migrate:begin", "migrate:end")),
}
"""By the change's id. No kernel has executed the two readings of 931298e103c2's message; what has
no effect is told by nothing."""


NOT_TOLD: dict[str, str] = {
    "0f8975ec4db2": "brought the soft-dirty bit, without which nothing here has a meaning",
    "29a951dfb3c3": "clear_refs and other users of mmap_lock: operations are whole here",
    "912efa17e512": "a TLB that still lets stores through after clear_refs: there is no TLB here",
    "e1e267c7928f": "needs a range of which a part is protected: operations cover the mapping",
    "dd47ac428c3f": "a page that is protected while khugepaged collapses: collapse is one step",
    "bc70fbf269fd": "before it a marker that fork met was taken for a page: the kernel crashed",
    "d82d09e48219": "marks PMDs of the huge zero page special, which nobody here asks",
    "mm/vma: avoid broken uffd merge on mremap": "needs a VMA where memory moves to",
    "mm/hugetlb: tolerate uffd bits set without uffd for PROT_NONE PTEs": "with 931298e103c2 no "
    "entry has the bit and is PROT_NONE in a mapping that may be accessed, but in mode RWP, which "
    "takes the bit along where it ends",
}
"""Further published fixes in scope, and why the model cannot tell them. UFFDIO_MOVE,
mincore(2), device memory, and the VMAs and faults of several pages are left out with their fixes.
"""
