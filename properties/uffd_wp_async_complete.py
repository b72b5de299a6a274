"""The promise that trackers with UFFD_FEATURE_WP_ASYNC live on."""

from model.system.asking.language import conj, implies, negate
from properties.base import ALIASED, Property, Violated
from properties.stale import BELIEVED, MOVED_IN, REREGISTERED

_EMPTIED = "move:in:wp&dontneed move:in:wp&move:out move:in:wp&free&pageout"

PROPERTY = Property(
    name="uffd-wp-async-complete",
    loses="record",
    claim="With WP_ASYNC, a page that was stored to since `wp` returned does not read as "
          "write-protected.",
    origin="Documentation/admin-guide/mm/userfaultfd.rst, asynchronous write protection",
    safe=lambda s: implies(conj(s.history.protected_async, s.history.stored_since_wp),
                           negate(s.pagemap.uffd_wp)),
    witness=lambda t: conj(t.op("store"), t.ok, t.before.history.protected_async,
                           t.before.uffd_wp_any),
    violated=(
        Violated("shmem file hugetlb", (), ALIASED, by="alias:store"),
        Violated("anon shmem private-shmem thp shmem-thp hugetlb private-hugetlb", (), "a device "
                 "writes through its pin, and no page table is asked", by="pin:write"),
        Violated("file", ("+edd478269640", "-8ac268436e6d"), "a device writes through its pin to a "
                 "page of a file on a disk", by="pin:write"),
        Violated("private-file", ("+edd478269640",), "a device writes through its pin to the "
                 "private copy of a page of the file, and no page table is asked", by="pin:write"),
        Violated("anon shmem private-shmem thp shmem-thp hugetlb", ("-register-ebusy",),
                 REREGISTERED + BELIEVED, by="register:missing&scan:wp"),
        Violated("shmem private-shmem shmem-thp hugetlb", ("-register-ebusy",),
                 REREGISTERED + BELIEVED, by="register:minor&scan:wp"),
        Violated("anon thp", ("+adf505457032",), MOVED_IN, by=_EMPTIED),
        Violated("anon thp", ("+adf505457032", "+662df3e5c376"), MOVED_IN,
                 by="move:in:wp&guard&unguard"),
    ),
    of_stores=True,
    about=("close", "open:async"),
    speaks_of=lambda e, _: e.has("d61ea1cb0095") is True,
    memory="kernels that have WP_ASYNC (d61ea1cb0095, v6.7)",
)
