"""The least that a system call owes."""

from model.system.asking.language import Edition, Mapping, Outcome, negate
from properties.base import GUARDED, Property, Violated

_STUCK = ("MADV_GUARD_INSTALL zaps what is mapped until every entry is empty, and a zap leaves the "
          "uffd-wp marker of a file: it begins anew for ever, until a signal kills the program")


_AGAIN = ("split_folio() of a huge page that is pinned is EAGAIN, which move_pages() takes for a "
          "race and tries again for ever, until the program is killed")


def _speaks_of(edition: Edition, mapping: Mapping) -> bool:
    if mapping.thp and mapping.anonymous and edition.has("adf505457032") is True:
        return True
    return edition.has("662df3e5c376" if mapping.anonymous else "f807123d578d") is True


PROPERTY = Property(
    name="calls-return",
    loses="event",
    claim="Every call returns.",
    origin="madvise(2), UFFDIO_MOVE(2const): what they ask succeeds, or fails with an error",
    allowed=lambda t: negate(t.ended(Outcome.never)),
    witness=lambda t: t.op("guard"),
    about=("guard",),
    speaks_of=_speaks_of,
    memory="memory that can have guard regions (v6.13; of files v6.15), and huge pages that "
           "UFFDIO_MOVE takes (v6.8)",
    violated=(
        Violated("shmem private-shmem shmem-thp", GUARDED, _STUCK),
        Violated("file private-file", GUARDED, _STUCK, by="close&open:async"),
        Violated("thp", ("+adf505457032", "-move-extra-refs"), _AGAIN,
                 by=" ".join(f"pin&move:out&{op}" for op in (
                     "split", "fork", "fork:stay", "fork:write", "open:async"))),
        Violated("thp", ("+735ecdfaf4e8", "-move-extra-refs"), _AGAIN,
                 by="pin&move:out&free&pageout"),
    ),
)
