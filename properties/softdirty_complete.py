"""The promise that CRIU lives on."""

from model.system.asking.language import conj, implies, negate
from properties.base import ALIASED, GUARDED, OPENING, UNPROTECTING, Property, Violated
from properties.races import CLEAN, CLEANED, MIGRATED, PRIVATE, SMALL_MIGRATES, SPLIT

_UPGRADED = ("can_change_pte_writable() asks for soft-dirty exactly when tracking is off, so a "
             "clean page of a tracked mapping becomes writable")
_UPGRADING = f"{OPENING} {UNPROTECTING}"
UNWANTED = ("soft-dirty tracking is no reason for writenotify, so a load maps a page of a tracked "
            "shared mapping writable")

PROPERTY = Property(
    name="softdirty-complete",
    loses="record",
    claim="After a store that followed clear_refs, pagemap says soft-dirty until the next "
          "clear_refs.",
    origin="Documentation/admin-guide/mm/soft-dirty.rst; the loss is what 931298e103c2 mends",
    safe=lambda s: implies(s.history.stored, s.pagemap.soft_dirty),
    witness=lambda t: conj(t.op("store"), t.ok, negate(t.before.pagemap.soft_dirty)),
    violated=(
        Violated("shmem", ("-931298e103c2", "+b1f9e8768618"),
                 "un-protecting gives entries the protection of vm_flags alone, so a clean page of "
                 "a tracked shared mapping becomes writable, and no fault records the next store",
                 by=UNPROTECTING),
        Violated("shmem", ("-64e455079e1b",), UNWANTED, by="load"),
        Violated("shmem-thp", ("+b1f9e8768618",),
                 "UFFDIO_WRITEPROTECT splits the PMD of a file to set markers, splitting it unmaps "
                 "the page, and the next load maps it not soft-dirty", by="wp"),
        Violated("shmem-thp", (), "splitting the PMD of a file unmaps the page, and the next load "
                 "maps it not soft-dirty", by="split"),
        Violated("anon private-shmem private-file thp", ("-76aefad628aa", "+64fe24a3e05e"),
                 _UPGRADED, by=_UPGRADING),
        Violated("file", ("-76aefad628aa",), _UPGRADED, by=OPENING),
        Violated("shmem", ("-76aefad628aa", "+as-described"),
                 "un-protect upgrades a dirty page that is not soft-dirty under tracking",
                 by=UNPROTECTING),
        Violated("hugetlb private-hugetlb", (),
                 "clear_refs does not visit hugetlb entries and pagemap shows VM_SOFTDIRTY alone: "
                 "once that is cleared, no store to hugetlb memory is ever soft-dirty"),
        Violated("shmem file", (), "reclaim unmaps the page of a file and forgets that it is "
                 "soft-dirty", by="pageout"),
        Violated(PRIVATE + " thp", ("-179ef71cbc08",), "the swap entry does not keep the "
                 "soft-dirty bit", by="pageout"),
        Violated("anon private-shmem private-file thp", ("-14a762dd1977",), "unuse_pte() drops "
                 "the soft-dirty bit of the swap entry", by="pageout&swapoff"),
        Violated(PRIVATE, ("-ksm-soft-dirty",), "replace_page() of KSM makes the entry anew from "
                 "vm_page_prot, without its soft-dirty bit", by="ksm"),
        Violated("anon shmem private-shmem", (), "a device writes through its pin, and no page "
                 "table is asked; clear_refs spares a pinned page only while its entry is private "
                 "and writable", by="pin:write"),
        Violated("thp shmem-thp", (), "a device writes through its pin, no page table is asked, "
                 "and clear_refs spares no PMD for it", by="pin:write"),
        Violated("file", ("+edd478269640", "-8ac268436e6d"), "a device writes through its pin to a "
                 "page of a file on a disk", by="pin:write"),
        Violated("private-file", ("+edd478269640",), "a device writes through its pin to the "
                 "private copy of a page of the file, and no page table is asked", by="pin:write"),
        Violated("shmem shmem-thp", (), MIGRATED, by="migrate:begin"),
        Violated(PRIVATE + " file", ("+63222c14c269",), MIGRATED, by="migrate:begin"),
        Violated("thp", ("+63222c14c269", "-1ced09e0331f"), MIGRATED, by="migrate:begin"),
        Violated("thp", ("+63222c14c269",), MIGRATED, by=SMALL_MIGRATES),
        Violated("thp", ("+saved-dirty", "-f7491d7c81db"), CLEANED, by="migrate:begin"),
        Violated("thp", ("-5436d6556937",), SPLIT, by="split&migrate:begin"),
        Violated(PRIVATE + " thp", ("-63222c14c269", "+d84887739d5c"), CLEAN,
                 by="pageout&migrate:begin"),
        Violated("anon shmem private-shmem file private-file thp shmem-thp", (),
                 "MADV_DONTNEED drops the entry and its soft-dirty bit with it; shared memory "
                 "keeps what was stored, private memory reads as zeroes or the file: changed "
                 "either way, and not soft-dirty", by="dontneed"),
        Violated("anon thp", (), "MADV_FREE drops the swap entry, and lets reclaim drop the page, "
                 "and the soft-dirty bit with it: the memory reads as zeroes, and not soft-dirty",
                 by="free&pageout"),
        Violated("anon thp", ("+adf505457032",), "UFFDIO_MOVE takes the entry and its soft-dirty "
                 "bit elsewhere, and leaves neither: the memory reads as zeroes, and not "
                 "soft-dirty", by="move:out"),
        Violated("shmem shmem-thp file", GUARDED, "MADV_GUARD_INSTALL drops the entry and its "
                 "soft-dirty bit with it, and shared memory keeps what was stored", by="guard"),
        Violated("shmem shmem-thp file", (), "MADV_REMOVE drops the entry and its soft-dirty bit "
                 "with the page: what was stored to reads as zeroes, and not soft-dirty",
                 by="remove"),
        Violated("shmem file private-shmem private-file", (), "truncation of the file drops the "
                 "entry and its soft-dirty bit, private copies with it: what was stored to reads "
                 "as zeroes, and not soft-dirty", by="truncate"),
        Violated("shmem file", (), ALIASED, by="alias:store"),
    ),
    of_stores=True,
)
