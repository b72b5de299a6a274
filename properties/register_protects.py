"""Who has registered memory protects it as a whole."""

from model.system.asking.language import Bool, conj, disj, implies
from model.system.asking.pages_view import PagesStep
from properties.base import REGISTRABLE, Among, Property, Violated, nowhere, registrable


def _kept(t: PagesStep) -> Bool:
    return conj(*(implies(conj(chosen, t.before.registered(span.first, span.last)), t.ok)
                  for chosen, span in t.calls("wp", "unwp")))


PROPERTY = Property(
    name="register-protects",
    claim="What is registered can be protected in one call.",
    origin="ioctl_userfaultfd(2), UFFDIO_WRITEPROTECT; a1b92a3f1498",
    witness=lambda _: False,
    among=Among(
        allowed=_kept,
        witness=lambda t: disj(*(conj(chosen, t.before.registered(span.first, span.last))
                                 for chosen, span in t.calls("wp") if span.first < span.last)),
        speaks_of=registrable),
    violated=(
        Violated("anon shmem private-shmem", ("-a1b92a3f1498",), "mwriteprotect_range() wants one "
                 "VMA for the whole range, and registered memory may be several", parts=2),
    ),
    speaks_of=nowhere,
    memory=f"{REGISTRABLE}, of several pages: anon:2",
)
