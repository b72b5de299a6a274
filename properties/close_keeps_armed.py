"""What a fix owes to the promises that held without it."""

from model.system.asking.language import conj, disj, implies, negate
from properties.base import Property, Violated, registrable

PROPERTY = Property(
    name="close-keeps-armed",
    role="ground",
    claim="Closing the userfaultfd makes no clean page of a tracked mapping writable.",
    origin="c88033efe9a3, mm/userfaultfd: reset ptes when close() for wr-protected ones",
    allowed=lambda t: implies(
        conj(t.op("close"), t.before.tracked, negate(t.before.writable)),
        disj(negate(t.after.writable), t.after.soft_dirty)),
    witness=lambda t: conj(t.op("close"), t.before.tracked, t.before.registered,
                           t.before.present, negate(t.before.soft_dirty)),
    violated=(Violated("shmem shmem-thp", ("+c88033efe9a3", "-931298e103c2"),
                       "since c88033efe9a3 close un-protects as unregister does, and without "
                       "931298e103c2 that maps clean pages of shared memory writable; before it, "
                       "close touched no entry"),),
    about=("close",),
    speaks_of=lambda e, m: registrable(e, m) and not m.hugetlb,
    memory="what a userfaultfd can write-protect, other than hugetlb",
)
