"""The same promise for programs that populate before they protect, as the documentation asks."""

from model.system.asking.language import conj, negate
from properties.base import (
    ALIASED,
    OPENING,
    REGISTRABLE,
    Property,
    Violated,
    registrable,
    stores,
)
from properties.uffd_wp_complete import (
    CONTINUED,
    CONTINUING,
    COPIED,
    FORK_IN_MIGRATION,
    FORK_LOST,
    FORKED,
    HEIRS,
    MERGED,
    MPROTECT,
    TRUNCATED,
    UNMAPPED,
    UNSAVED,
    UNSEEN,
    UNSHARED,
    UNSHARED_BY,
    UNUSED,
)

PROPERTY = Property(
    name="uffd-wp-complete-populated",
    loses="event",
    claim="After `wp` returned on a page that is mapped, no store but a device's takes effect "
          "without an event until `unwp`, `unregister` or what else ends the registration.",
    origin="Documentation/admin-guide/mm/userfaultfd.rst: anonymous memory must be populated first",
    allowed=lambda t: negate(conj(t.before.history.protected_populated, stores(t))),
    witness=lambda t: conj(t.before.history.protected_populated, t.op("store")),
    speaks_of=registrable,
    memory=REGISTRABLE,
    violated=(
        Violated("shmem shmem-thp hugetlb", ("-51d3d5eb74ff",), MPROTECT, by=OPENING),
        Violated("anon private-shmem", (), MERGED, by="ksm"),
        Violated("shmem private-shmem", ("+153132571f02", *CONTINUING), CONTINUED,
                 by="continue&dontneed continue&pageout"),
        Violated("hugetlb", ("+f619147104c8", *CONTINUING), CONTINUED, by="continue&dontneed"),
        Violated("private-hugetlb", ("-60d5b473d61b",), UNSEEN, by="dontneed"),
        Violated("anon private-shmem thp", ("-f45ec5ff16a7",), UNSAVED, by="pageout"),
        Violated("anon private-shmem thp", ("-14a762dd1977",), UNUSED, by="pageout&swapoff"),
        Violated("anon shmem private-shmem thp shmem-thp", ("-f45ec5ff16a7",), UNSAVED,
                 by="migrate migrate:begin"),
        Violated("private-hugetlb", FORK_LOST, FORKED, by=FORK_IN_MIGRATION),
        Violated("private-hugetlb", ("-0f230bc24b6e", "+b1f9e8768618"), UNSHARED, by=UNSHARED_BY),
        Violated("hugetlb", (), TRUNCATED, by="truncate"),
        Violated("shmem hugetlb", (), ALIASED, by="alias:store"),
        Violated("thp", ("-24bf08c4376b",), UNSAVED, by="migrate migrate:begin"),
        Violated("shmem private-shmem shmem-thp", ("-999dad824c39",), UNMAPPED,
                 by="pageout dontneed remove truncate"),
        Violated("anon shmem private-shmem", ("-0e88904cb700", "-f1eb1bacfba9"), COPIED,
                 by="copy:wp"),
        Violated("thp", ("-42b2af2c9b7e",), "the PTEs of a huge zero page that is split do not "
                 "take over its uffd-wp bit", by="split"),
        Violated("anon thp", (), "MADV_DONTNEED drops the entry with its protection, and anonymous "
                 "memory keeps no marker: the page that comes next is writable; documented in "
                 "Documentation/admin-guide/mm/userfaultfd.rst", by="dontneed"),
        *HEIRS,
        Violated("anon thp", ("-8f34f1eac382",), HEIRS[1].because, by=HEIRS[1].by),
        Violated("anon", ("-c56d1b62cce8",), "fork copies no page tables of a VMA that has had the "
                 "zero page alone", by=HEIRS[0].by),
        Violated("anon thp", (), "MADV_FREE drops the swap entry, and lets reclaim drop the page, "
                 "and anonymous memory keeps no marker of its protection", by="free&pageout"),
        Violated("anon thp", ("+adf505457032",), "UFFDIO_MOVE takes the page elsewhere, and "
                 "anonymous memory keeps no marker of its protection: the page that comes next is "
                 "writable", by="move:out"),
    ),
    of_stores=True,
)
