"""The promise that QEMU's background snapshot lives on."""

from model.system.language import conj, negate
from properties.base import Property, Violated, registrable

_MARKERS = ("an empty entry of an anonymous mapping cannot hold the protection: markers need "
            "UFFD_FEATURE_WP_UNPOPULATED (6.4), which is not requested; documented in "
            "Documentation/admin-guide/mm/userfaultfd.rst")
MPROTECT = ("mprotect takes write permission from a vm_page_prot that knows nothing of uffd-wp "
             "and makes a protected entry writable")

MERGED = "replace_page() of KSM makes the entry anew from vm_page_prot, without its uffd-wp bit"

PROPERTY = Property(
    name="uffd-wp-complete",
    claim="After `wp` returned, no store takes effect without an event until `unwp`, "
          "`unregister` or what else ends the registration.",
    origin="Documentation/admin-guide/mm/userfaultfd.rst, Write Protect Notifications",
    allowed=lambda t: negate(conj(t.before.history.protected, t.op("store"), t.ok)),
    witness=lambda t: conj(t.before.history.protected, t.op("store")),
    speaks_of=registrable,
    violated=(
        Violated("anon thp", (), _MARKERS),
        Violated("shmem shmem-thp hugetlb", ("-51d3d5eb74ff",), MPROTECT),
        Violated("private-shmem", (), MERGED, by="ksm"),
    ),
    of_stores=True,
)
