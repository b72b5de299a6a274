"""What is only read does not begin to read as written."""

from model.system.actions.operations import LOADS
from model.system.asking.language import conj, implies, negate
from properties.base import Property, Violated

_HOLE = ("PAGEMAP_SCAN does not call {} written that nobody has protected, and calls the page that "
         "a load then maps there so")

PROPERTY = Property(
    name="async-precise",
    role="precision",
    claim="With WP_ASYNC, a load does not make a page read as written (PAGEMAP_SCAN).",
    origin="Documentation/admin-guide/mm/pagemap.rst: the page has been written to since it was "
           "write protected",
    allowed=lambda t: implies(
        conj(t.op(*LOADS), t.before.asynchronous, t.after.scan.written), t.before.scan.written),
    witness=lambda t: conj(t.op("load"), t.ok, t.before.asynchronous, t.before.pte_none,
                           t.before.scan.written),
    parts=(("a page that is protected is read",
            lambda t: conj(t.op("load"), t.ok, t.before.asynchronous, t.before.present,
                           negate(t.before.scan.written))),),
    violated=(
        Violated("hugetlb private-hugetlb", (), _HOLE.format("an empty entry of hugetlb memory")),
        Violated("anon shmem private-shmem file private-file", ("-scan-unpopulated",),
                 _HOLE.format("an empty entry")),
        Violated("thp shmem-thp", ("-scan-hole",), _HOLE.format("what has no page table")),
        Violated("anon shmem private-shmem file private-file thp shmem-thp", (),
                 "PAGEMAP_SCAN protects a writable migration entry, which comes back writable and "
                 "unprotected: it reads as written again", by="migrate:begin"),
    ),
    about=("close", "open:async", "scan:wp"),
    speaks_of=lambda e, _: e.has("52526ca7fdb9") is True,
    memory="kernels that have PAGEMAP_SCAN",
)
