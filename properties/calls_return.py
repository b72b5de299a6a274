"""The least that a system call owes."""

from model.system.asking.language import Edition, Mapping, Outcome, negate
from properties.base import GUARDED, Property, Violated

_STUCK = ("MADV_GUARD_INSTALL zaps what is mapped until every entry is empty, and a zap leaves the "
          "uffd-wp marker of a file: it begins anew for ever, until a signal kills the program")


def _speaks_of(edition: Edition, mapping: Mapping) -> bool:
    return edition.has("662df3e5c376" if mapping.anonymous else "f807123d578d") is True


PROPERTY = Property(
    name="calls-return",
    loses="event",
    claim="Every call returns.",
    origin="madvise(2): MADV_GUARD_INSTALL succeeds, or fails with an error",
    allowed=lambda t: negate(t.ended(Outcome.never)),
    witness=lambda t: t.op("guard"),
    about=("guard",),
    speaks_of=_speaks_of,
    memory="memory that can have guard regions (v6.13; of files v6.15)",
    violated=(
        Violated("shmem private-shmem shmem-thp", GUARDED, _STUCK),
        Violated("file private-file", GUARDED, _STUCK, by="close&open:async"),
    ),
)
