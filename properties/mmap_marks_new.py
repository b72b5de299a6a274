"""Who tracks by address must look at what is new there."""

from model.system.asking.language import conj, implies, negate
from properties.base import Property, Violated

PROPERTY = Property(
    name="mmap-marks-new",
    loses="record",
    claim="What is mapped anew reads as soft-dirty, whatever was tracked at its place.",
    origin="Documentation/admin-guide/mm/soft-dirty.rst, on VM_SOFTDIRTY; d9104d1ca966",
    allowed=lambda t: implies(t.op("mmap"), t.after.pagemap.soft_dirty),
    witness=lambda t: conj(t.op("mmap"), negate(t.before.pagemap.soft_dirty)),
    violated=(Violated("anon shmem private-shmem file private-file thp shmem-thp hugetlb "
                       "private-hugetlb", ("-d9104d1ca966",),
                       "a new mapping has no entry that could say so, and its VMA does not"),),
    about=("mmap",),
)
