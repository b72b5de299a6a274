"""The price of tracking: a page that is saved again though nobody has stored to it."""

from model.system.actions.operations import LOADS, OPERATIONS
from model.system.asking.language import conj, disj, implies, negate
from properties.base import GUARDED, Property, Violated

_PROTECTION = ("register", "unregister", "wp", "unwp", "close",
               *(name for name in OPERATIONS if name.startswith(("register:", "mprotect:"))))
_CONTINUED = ("continue", "continue:wp")
_STORES_NOTHING = (*LOADS, *_PROTECTION, *_CONTINUED,
                   *(op.name for op in OPERATIONS.values() if op.by_kernel))

_BATCH = ("modify_prot_start_ptes() gives the dirty bit of a page to those before it in its batch "
          "by pte_mkdirty(), which sets soft-dirty too")

_MAPPED = ("mfill_atomic_install_pte() takes the page that the page cache has for one that it has "
           "filled, and makes its entry dirty by pte_mkdirty(), which sets soft-dirty too")
_CONTINUING = (("continue", ("+153132571f02", "+b1f9e8768618")),
               ("continue:wp", ("+0289184476c8", "+b1f9e8768618")))
_UNMAPPED = ("dontneed", "pageout", "fork:write", *(
    f"fork:child&{op}" for op in ("open", "open:unpopulated", "open:async", "open:events",
                                  "open:user")))
"""What leaves shared memory in the page cache and not mapped."""

PROPERTY = Property(
    name="softdirty-precise",
    role="precision",
    claim="After clear_refs no page is soft-dirty, and neither a load, nor a change of protection, "
          "nor UFFDIO_CONTINUE, nor what the kernel does by itself makes it so.",
    origin="63222c14c269: \"preserve exact soft-dirty state\"",
    allowed=lambda t: implies(
        disj(conj(t.op("clear_refs"), negate(t.before.entry.pinned)),
             conj(t.op(*_STORES_NOTHING), negate(t.before.pagemap.soft_dirty))),
        negate(t.after.pagemap.soft_dirty)),
    witness=lambda t: conj(t.op("load"), t.ok, t.before.tracked,
                           negate(t.before.pagemap.soft_dirty)),
    violated=(
        Violated("anon shmem private-shmem file private-file thp shmem-thp", ("-63222c14c269",),
                 "a dirty page that comes back from migration gets pte_mkdirty(), which sets "
                 "soft-dirty too", by="migrate migrate:begin"),
        Violated("thp shmem-thp", (), "remove_migration_pmd() ends with pmd_mkdirty(), which sets "
                 "soft-dirty too", by="migrate migrate:begin"),
        Violated("thp", ("+5436d6556937",), "the split gives the dirty bit to each page by "
                 "pte_mkdirty(), which sets soft-dirty too",
                 by="split pageout fork:stay&process_vm_readv"),
        Violated("thp", ("+cac1db8c3aad",), _BATCH, by="split open:async"),
        Violated("shmem-thp", ("+cac1db8c3aad",), _BATCH),
        *(row for op, when in _CONTINUING for row in (
            Violated("private-shmem shmem-thp", when, _MAPPED, by=op),
            Violated("shmem", when, _MAPPED, by=" ".join(f"{op}&{u}" for u in _UNMAPPED)),
            Violated("shmem", (*when, *GUARDED), _MAPPED, by=f"{op}&guard"))),
        Violated("private-shmem shmem-thp", ("+153132571f02", "-b1f9e8768618"), _MAPPED,
                 by="continue&register:missing continue&register:minor"),
        Violated("shmem", ("+153132571f02", "-b1f9e8768618"), _MAPPED, by=" ".join(
            f"continue&{mode}&{op}" for mode in ("register:missing", "register:minor")
            for op in _UNMAPPED)),
    ),
    speaks_of=lambda _, m: not m.hugetlb,
    memory="memory that is not hugetlb",
)
