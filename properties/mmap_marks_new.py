"""Who tracks by address must look at what is new there."""

from model.system.asking.language import conj, implies, negate
from properties.base import Among, Property, Violated

MERGED = ("two VMAs of which one is soft-dirty become one, which keeps the flag of the one that "
          "survives: what is mapped anew is not soft-dirty any more")

PROPERTY = Property(
    name="mmap-marks-new",
    loses="record",
    claim="What is mapped anew reads as soft-dirty, whatever was tracked at its place.",
    origin="Documentation/admin-guide/mm/soft-dirty.rst, on VM_SOFTDIRTY; d9104d1ca966",
    allowed=lambda t: implies(t.op("mmap"), t.after.pagemap.soft_dirty),
    witness=lambda t: conj(t.op("mmap"), negate(t.before.pagemap.soft_dirty)),
    violated=(Violated("anon shmem private-shmem file private-file thp shmem-thp hugetlb "
                       "private-hugetlb", ("-d9104d1ca966",),
                       "a new mapping has no entry that could say so, and its VMA does not"),
              Violated("anon shmem private-shmem", ("+34228d473efe", "-6707915e030a"), MERGED,
                       parts=2),
              Violated("anon shmem private-shmem", ("+34228d473efe", "-a17c7d8fd2b0"),
                       "who registers or unregisters memory gives the VMA that survives the flags "
                       "of the one that was there, and what is sticky in the other is lost",
                       parts=2)),
    about=("mmap",),
    among=Among(safe=lambda s: conj(*(
        implies(conj(page.place.mapped, page.anew), view.pagemap.soft_dirty)
        for page, view in s.each())), follows=("anew",)),
)
