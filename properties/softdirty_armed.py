"""The state that soft-dirty completeness rests on.

That tracking is on since clear_refs, and the VMA says so, is part of the promise.
"""

from model.system.asking.language import conj, implies
from properties.base import OPENING, UNPROTECTING, Property, Violated
from properties.races import CLEAN, CLEANED, MIGRATED, PRIVATE, SMALL_MIGRATES, SPLIT
from properties.softdirty_complete import UNWANTED

_UPGRADED = "the write upgrade of a change of protection takes clean entries of a tracked mapping"
_UPGRADING = f"{OPENING} {UNPROTECTING}"

PROPERTY = Property(
    name="softdirty-armed",
    role="ground",
    claim="While tracking is on, a writable entry is soft-dirty already.",
    origin="fs/proc/task_mmu.c, clear_soft_dirty(): write-protect, so that the fault can record",
    safe=lambda s: implies(conj(s.tracked, s.writable), s.soft_dirty),
    allowed=lambda t: t.tracking_as_called,
    witness=lambda t: conj(t.after.tracked, t.after.writable),
    violated=(
        Violated("shmem shmem-thp", ("-64e455079e1b",), UNWANTED, by="load store"),
        Violated("shmem shmem-thp", ("-931298e103c2", "+b1f9e8768618"),
                 "un-protecting makes clean entries of a tracked shared mapping writable",
                 by=UNPROTECTING),
        Violated("anon private-shmem private-file", ("-76aefad628aa", "+64fe24a3e05e"), _UPGRADED,
                 by=_UPGRADING),
        Violated("file", ("-76aefad628aa",), _UPGRADED, by=OPENING),
        Violated("thp", ("-76aefad628aa", "+64fe24a3e05e"),
                 "the write upgrade takes clean entries of a page table that was split",
                 by=_UPGRADING),
        Violated("shmem", ("-76aefad628aa", "+as-described"),
                 "un-protect's write upgrade takes entries that are not soft-dirty",
                 by=UNPROTECTING),
        Violated("anon private-shmem", ("+d84887739d5c", "-f1879e8a0c60"), "a page that KSM merged "
                 "has lost soft-dirty, comes back from swap as the process's own, and clear_refs "
                 "spares it while it is pinned", by="ksm&pageout&pin"),
        Violated("private-file", ("+d84887739d5c", "-f1879e8a0c60", "+edd478269640"), "as of other "
                 "private memory: KSM, reclaim, and clear_refs that spares what is pinned",
                 by="ksm&pageout&pin"),
        Violated("shmem shmem-thp", (), MIGRATED, by="migrate:begin"),
        Violated(PRIVATE + " file", ("+63222c14c269",), MIGRATED, by="migrate:begin"),
        Violated("thp", ("+63222c14c269", "-1ced09e0331f"), MIGRATED, by="migrate:begin"),
        Violated("thp", ("+63222c14c269",), MIGRATED, by=SMALL_MIGRATES),
        Violated("thp", ("+saved-dirty", "-f7491d7c81db"), CLEANED, by="migrate:begin"),
        Violated("thp", ("-5436d6556937",), SPLIT, by="split&migrate:begin"),
        Violated(PRIVATE + " thp", ("-63222c14c269", "+d84887739d5c"), CLEAN,
                 by="pageout&migrate:begin"),
    ),
    speaks_of=lambda _, m: not m.hugetlb,
    memory="memory that is not hugetlb",
)
