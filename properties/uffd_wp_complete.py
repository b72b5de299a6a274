"""The promise that QEMU's background snapshot lives on."""

from model.system.asking.language import conj, negate
from properties.base import (
    ALIASED,
    GUARDED,
    OPENING,
    REGISTRABLE,
    Property,
    Violated,
    registrable,
    stores,
)

_MARKERS = ("an empty entry of an anonymous mapping cannot hold the protection: markers need "
            "UFFD_FEATURE_WP_UNPOPULATED (6.4), which is not requested; documented in "
            "Documentation/admin-guide/mm/userfaultfd.rst")
MPROTECT = ("mprotect takes write permission from a vm_page_prot that knows nothing of uffd-wp "
             "and makes a protected entry writable")

MERGED = "replace_page() of KSM makes the entry anew from vm_page_prot, without its uffd-wp bit"

UNSAVED = "the entry that stands for a page in swap or in migration does not keep its uffd-wp bit"
CONTINUED = ("UFFDIO_CONTINUE maps an unprotected page in the place of a marker, and has no mode "
             "WP to ask for more")
CONTINUING = ("+b1f9e8768618", "-0289184476c8")
_IN_CACHE = " ".join(f"continue&{op}" for op in (
    "dontneed", "fork:write", *(f"fork:child&{open}" for open in (
        "open", "open:unpopulated", "open:events", "open:user"))))
"""What brings shared memory into the page cache where a marker stands."""
UNUSED = "unuse_pte() drops the uffd-wp bit of the swap entry"
TRUNCATED = ("hugetlb_vmtruncate() drops what is protected without a marker, which a hole in the "
             "file and the truncation of shared memory leave")
UNMAPPED = "a page of a file leaves no marker where it is unmapped"
COPIED = ("UFFDIO_COPY with MODE_WP into a read-only mapping leaves the page unprotected, and "
          "mprotect lets it be written to")
UNSEEN = ("hugetlb_no_page() goes on into hugetlb_wp(), which does not look at the uffd-wp bit "
          "that the marker has left")
FORKED = ("copy_hugetlb_page_range() looks for the uffd-wp bit of a migration entry where it is in "
          "a present one, and makes the entry readable without it")
FORK_LOST = ("-5a2f8d22ace4", "-83abe2fd5b3a", "+b1f9e8768618")
UNSHARED = ("to let another process read a page that a child has too, hugetlb_wp() copies it, "
            "and the copy has no uffd-wp bit")
UNSHARED_BY = "fork:stay&process_vm_readv"
FORK_IN_MIGRATION = ("fork&migrate:begin fork:stay&migrate:begin fork:write&migrate:begin "
                     "fork:child&open:events&migrate:begin")
HEIRS = (
    Violated("shmem private-shmem shmem-thp", ("-c56d1b62cce8", "+b1f9e8768618"), "fork copies no "
             "page tables of memory of a file, and the child, registered, has nothing protected",
             by="fork:child&open:events"),
    Violated("private-shmem", ("-8f34f1eac382",), "copy_present_page() copies a pinned page "
             "without its uffd-wp bit", by="fork:child&open:events&pin"),
    Violated("private-hugetlb", ("-5a2f8d22ace4", "+b1f9e8768618"), "hugetlb_install_page() maps "
             "the copy of a page that is pinned without its uffd-wp bit",
             by="fork:child&open:events&pin"),
)
"""A child that UFFD_FEATURE_EVENT_FORK has registered as its parent is."""

PROPERTY = Property(
    name="uffd-wp-complete",
    loses="event",
    claim="After `wp` returned, no store but a device's takes effect without an event until "
          "`unwp`, `unregister` or what else ends the registration.",
    origin="Documentation/admin-guide/mm/userfaultfd.rst, Write Protect Notifications",
    allowed=lambda t: negate(conj(t.before.history.protected, stores(t))),
    witness=lambda t: conj(t.before.history.protected, t.op("store")),
    speaks_of=registrable,
    memory=REGISTRABLE,
    violated=(
        Violated("anon thp", (), _MARKERS),
        Violated("shmem shmem-thp hugetlb", ("-51d3d5eb74ff",), MPROTECT, by=OPENING),
        Violated("private-shmem", (), MERGED, by="ksm"),
        Violated("shmem shmem-thp", (), "UFFDIO_ZEROPAGE maps an unprotected page in the place of "
                 "a marker, and has no mode WP", by="zeropage"),
        Violated("shmem private-shmem shmem-thp hugetlb private-hugetlb", ("+fc71884a5f59",),
                 "UFFDIO_WRITEPROTECT passes poison by, and what gives the memory up leaves "
                 "nothing that would protect it", by="poison&dontneed"),
        Violated("shmem private-shmem", ("+fc71884a5f59",), "UFFDIO_WRITEPROTECT passes poison by, "
                 "and truncation of the file leaves nothing that would protect the memory",
                 by="poison&truncate"),
        Violated("hugetlb", (), TRUNCATED, by="truncate"),
        Violated("shmem hugetlb", (), ALIASED, by="alias:store"),
        Violated("hugetlb", ("+fc71884a5f59",), "UFFDIO_WRITEPROTECT passes poison by, and a hole "
                 "in the file leaves nothing that would protect it", by="poison&remove"),
        Violated("shmem private-shmem shmem-thp", GUARDED, "UFFDIO_WRITEPROTECT passes a guard "
                 "region by, and MADV_GUARD_REMOVE leaves nothing that would protect the memory",
                 by="guard&unguard"),
        Violated("private-shmem", ("+153132571f02", *CONTINUING), CONTINUED, by="continue"),
        Violated("shmem", ("+153132571f02", *CONTINUING), CONTINUED,
                 by=f"{_IN_CACHE} continue&pageout"),
        Violated("shmem-thp", ("+153132571f02", *CONTINUING), CONTINUED, by="continue"),
        Violated("hugetlb", ("+f619147104c8", *CONTINUING), CONTINUED, by=_IN_CACHE),
        Violated("private-hugetlb", ("-60d5b473d61b",), UNSEEN),
        Violated("hugetlb private-hugetlb", ("-fed15f1345dc",),
                 "where there is no page table yet, there is no place for a marker"),
        Violated("private-shmem", ("-f45ec5ff16a7",), UNSAVED, by="pageout"),
        Violated("private-shmem", ("-14a762dd1977",), UNUSED, by="pageout&swapoff"),
        Violated("shmem private-shmem shmem-thp", ("-f45ec5ff16a7",), UNSAVED,
                 by="migrate migrate:begin"),
        Violated("hugetlb private-hugetlb", ("-44f86392bdd1",), "hugetlb_change_protection() "
                 "passes by a readable migration entry", by="migrate:begin"),
        Violated("private-hugetlb", FORK_LOST, FORKED, by=FORK_IN_MIGRATION),
        Violated("private-hugetlb", ("-0f230bc24b6e", "+b1f9e8768618"), UNSHARED, by=UNSHARED_BY),
        Violated("shmem private-shmem shmem-thp", ("-999dad824c39",), UNMAPPED,
                 by="pageout dontneed remove truncate"),
        Violated("shmem private-shmem", ("-0e88904cb700", "-f1eb1bacfba9"), COPIED, by="copy:wp"),
        *HEIRS,
    ),
    of_stores=True,
)
