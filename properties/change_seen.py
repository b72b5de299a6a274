"""The promise that CRIU's pre-dump lives on: what is not soft-dirty need not be saved again."""

from model.system.asking.language import conj, implies, negate
from model.system.state.state import OF_CONTENT
from properties import softdirty_complete
from properties.base import ALIASED, GUARDED, Property, Violated

_MARKED = "a marker takes the place of the memory, and has no soft-dirty bit"
_ZEROED = ("UFFDIO_ZEROPAGE maps the zero page over the content of the file, and does not make it "
           "soft-dirty")
_FORKED = "a child stores by way of its own page tables to memory that is shared with it"

PROPERTY = Property(
    name="change-seen",
    loses="record",
    claim="What reads otherwise than at the last clear_refs, pagemap calls soft-dirty.",
    origin="Documentation/admin-guide/mm/soft-dirty.rst; CRIU saves again, of what it has saved, "
           "only the pages that pagemap calls soft-dirty",
    safe=lambda s: implies(s.reads_otherwise, s.pagemap.soft_dirty),
    witness=lambda t: conj(t.op("store"), t.ok, negate(t.before.pagemap.soft_dirty)),
    follows=OF_CONTENT,
    speaks_of=lambda _, m: not m.hugetlb,
    memory="memory that is not hugetlb",
    violated=(
        *(row for row in softdirty_complete.PROPERTY.violated if "hugetlb" not in row.mappings),
        Violated("anon shmem private-shmem thp shmem-thp", ("+fc71884a5f59",),
                 f"UFFDIO_POISON: {_MARKED}", by="poison"),
        Violated("anon thp", ("+662df3e5c376",), f"MADV_GUARD_INSTALL: {_MARKED}", by="guard"),
        Violated("shmem private-shmem shmem-thp file private-file", GUARDED,
                 f"MADV_GUARD_INSTALL: {_MARKED}", by="guard"),
        Violated("private-shmem", ("+b1f9e8768618",), _ZEROED, by="zeropage"),
        Violated("private-shmem", ("-b1f9e8768618",), _ZEROED,
                 by="register:missing&zeropage register:minor&zeropage"),
        Violated("private-shmem private-file", (), ALIASED, by="alias:store"),
        Violated("shmem file shmem-thp", (), _FORKED, by="fork:write"),
    ),
)
