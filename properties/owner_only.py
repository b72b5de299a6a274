"""A userfaultfd's memory is its own."""

from model.system.asking.language import as_term, conj, implies
from properties.base import REGISTRABLE, Property, Violated, registrable

_ALL = "anon shmem private-shmem thp shmem-thp hugetlb private-hugetlb"

PROPERTY = Property(
    name="owner-only",
    loses="event",
    claim="No userfaultfd but the one that has registered memory unregisters or un-protects it.",
    origin="userfaultfd: prevent unregistering VMAs through a different userfaultfd",
    allowed=lambda t: implies(t.op("other:unwp", "other:unregister"), conj(
        *(as_term(as_term(before) == as_term(after)) for before, after in (
            (t.before.registered, t.after.registered),
            (t.before.registered_missing, t.after.registered_missing),
            (t.before.registered_minor, t.after.registered_minor),
            (t.before.uffd_wp_any, t.after.uffd_wp_any))))),
    witness=lambda t: conj(t.op("other:unregister"), t.before.registered, t.before.uffd_wp_any),
    violated=(
        Violated(_ALL, (), "mwriteprotect_range() does not ask which userfaultfd has registered "
                 "the VMA", by="other:unwp"),
        Violated(_ALL, ("-unregister-owner",), "userfaultfd_unregister() does not ask which "
                 "userfaultfd has registered the VMA", by="other:unregister"),
    ),
    about=("other:unregister",),
    speaks_of=registrable,
    memory=REGISTRABLE,
)
