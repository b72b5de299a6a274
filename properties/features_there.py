"""On which kernels a program can have what it asks for."""

from model.system.asking.language import conj, implies, negate
from properties.base import Property, Violated

PROPERTY = Property(
    name="features-there",
    claim="A userfaultfd can be opened with WP_UNPOPULATED and with WP_ASYNC, and "
          "write-protects shared memory that is not in mode RWP.",
    origin="ioctl_userfaultfd(2), UFFDIO_API and UFFDIO_REGISTER",
    allowed=lambda t: conj(
        implies(t.op("open:unpopulated", "open:async"), t.ok),
        implies(conj(t.op("register"), t.before.uffd_open, negate(t.before.registered_rwp)),
                t.ok)),
    witness=lambda t: conj(t.op("open:async"), negate(t.before.uffd_open)),
    violated=(
        *(Violated("hugetlb", (*lacking, *refused), "UFFDIO_API refuses what it does not know",
                   by="open:unpopulated open:async")
          for lacking in (("-2bad466cc9d9",), ("-d61ea1cb0095",))
          for refused in (("-914eedcb9ba0",), ("+2ff559f31a5d",))),
        Violated("hugetlb", ("-b1f9e8768618",), "only anonymous memory can be write-protected",
                 by="register"),
    ),
    about=("close", "open:unpopulated", "open:async"),
    speaks_of=lambda _, m: m.hugetlb and m.shared,  # one mapping stands for all
    memory="hugetlb alone, which stands for every mapping",
)
