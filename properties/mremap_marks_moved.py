"""Who tracks by address must look at the new place of what was moved."""

from model.system.asking.language import conj, implies
from properties.base import Property, Violated
from properties.races import SMALL

_WHOLE = ("a page table that covers the 2M that are moved is moved as it is (move_normal_pmd), "
          "and no entry of it is marked")

PROPERTY = Property(
    name="mremap-marks-moved",
    loses="record",
    claim="A page that mremap has moved reads as soft-dirty at its new place.",
    origin="mm/mremap.c, move_soft_dirty_pte()",
    allowed=lambda t: implies(
        conj(t.op("mremap", "mremap:dontunmap"), t.ok, t.before.present),
        t.after.pagemap.soft_dirty),
    witness=lambda t: conj(t.op("mremap"), t.before.present, t.before.tracked),
    violated=(Violated("thp", ("-1ced09e0331f",), _WHOLE),
              Violated("thp", (), _WHOLE, by=" ".join(SMALL)),
              Violated("shmem-thp", ("+b1f9e8768618",), _WHOLE),
              Violated("shmem-thp", (), _WHOLE, by="split")),
    about=("mremap",),
    speaks_of=lambda _, m: not m.hugetlb,
    memory="memory that is not hugetlb",
)
