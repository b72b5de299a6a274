"""The least that swapoff owes."""

from model.system.asking.language import conj, implies
from properties.base import Property, Violated

_ANOTHER = ("unuse_pte() compares the entry with its uffd-wp bit, finds another, and "
            "try_to_unuse() tries again for ever")

PROPERTY = Property(
    name="swapoff-ends",
    claim="swapoff brings every page back and ends.",
    origin="swapoff(2); 099dd6878b9b, which lets unuse_pte() know a protected entry again",
    allowed=lambda t: implies(t.op("swapoff"), t.ok),
    witness=lambda t: conj(t.op("swapoff"), t.before.swapped),
    violated=(
        Violated("anon thp", ("-099dd6878b9b",), _ANOTHER),
        Violated("private-shmem", ("-099dd6878b9b", "+b1f9e8768618"), _ANOTHER),
    ),
    about=("pageout", "swapoff"),
    speaks_of=lambda _, m: not m.shared and not m.hugetlb,
    memory="private memory that is not hugetlb",
)
