"""The promise that a migration of shared memory lives on."""

from model.system.actions.operations import LOADS, STORES
from model.system.asking.language import Bool, Edition, Mapping, conj, disj, implies, negate
from model.system.asking.view import View
from properties.base import Property


def _unmapped(s: View) -> Bool:
    """The VMA is registered for minor faults, and the page cache has a page that is not mapped."""
    return conj(s.registered_minor, s.entry.in_cache, disj(s.pte_none, s.entry_uffd_wp_marker))


def _speaks_of(edition: Edition, mapping: Mapping) -> bool:
    if mapping.anonymous or mapping.regular:
        return False
    if mapping.hugetlb:
        return mapping.shared and edition.has("7677f7fd8be7") is True
    return edition.has("c949b097ef2e") is True


PROPERTY = Property(
    name="uffd-minor-complete",
    loses="event",
    claim="In a VMA registered for minor faults, no access maps a page that the page cache has: it "
          "raises an event.",
    origin="Documentation/admin-guide/mm/userfaultfd.rst, UFFDIO_REGISTER_MODE_MINOR",
    allowed=lambda t: implies(conj(t.op(*LOADS, *STORES), _unmapped(t.before)), negate(t.ok)),
    witness=lambda t: conj(t.op("load"), _unmapped(t.before), t.before.may_read),
    about=("register:minor", "dontneed"),
    speaks_of=_speaks_of,
    memory="shmem and shared hugetlb memory (v5.14)",
)
