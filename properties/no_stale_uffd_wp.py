"""Bits that nobody owns come back to bite the next owner."""

from model.system.language import conj, implies
from properties.base import Property, Violated

_KEPT = "unregister leaves the protection in the page table"

PROPERTY = Property(
    name="no-stale-uffd-wp",
    claim="No entry carries a uffd-wp bit or marker outside a VMA registered for write-protect "
          "mode.",
    origin="f369b07c8614, mm/uffd: reset write protection when unregister with wp-mode",
    safe=lambda s: implies(s.uffd_wp_any, s.registered),
    witness=lambda t: conj(t.op("unregister"), t.before.uffd_wp_any),
    violated=(Violated("shmem", ("-f369b07c8614",), _KEPT),
              Violated("anon", ("-f369b07c8614",), _KEPT)),
)
