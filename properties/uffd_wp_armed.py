"""The state that uffd-wp completeness rests on."""

from model.system.language import conj, implies, negate
from properties.base import Property, Violated

PROPERTY = Property(
    name="uffd-wp-armed",
    claim="In a VMA registered for write-protect mode, an entry with the uffd-wp bit is not "
          "writable.",
    origin="mm/uffd: sanity check write bit for uffd-wp protected ptes (6.2)",
    safe=lambda s: implies(conj(s.registered, s.uffd_wp), negate(s.write_bit)),
    witness=lambda t: conj(t.after.registered, t.after.uffd_wp),
    violated=(
        Violated("shmem", ("-51d3d5eb74ff",),
                 "mprotect makes a protected entry writable: vm_page_prot ignores uffd-wp"),
        Violated("shmem", ("-f369b07c8614",),
                 "a bit that outlived its registration sits on a writable entry, and the next "
                 "registration believes it"),
        Violated("anon", ("-f369b07c8614",),
                 "a bit that outlived its registration sits on a writable entry, and the next "
                 "registration believes it"),
    ),
)
