"""Who has registered for missing pages hears of each."""

from model.system.actions.operations import LOADS, STORES
from model.system.asking.language import Bool, conj, disj, negate
from model.system.asking.view import View
from properties.base import Property


def missing(s: View) -> Bool:
    """There is no page, and no marker that stands for something else: an access would have to make
    one, since the page cache has none either."""
    empty = disj(s.pte_none, conj(s.marker, negate(disj(s.entry.poison, s.entry.guard))))
    return conj(empty, negate(s.entry.in_cache))


PROPERTY = Property(
    name="registration-honoured",
    loses="event",
    claim="Memory that could be registered for missing pages is not filled by an access without an "
          "event: what cannot be honoured is refused.",
    origin="Documentation/admin-guide/mm/userfaultfd.rst, UFFDIO_REGISTER_MODE_MISSING",
    allowed=lambda t: negate(conj(t.before.registered_missing, missing(t.before),
                                  t.op(*STORES, *LOADS, "pin"), t.ok)),
    witness=lambda t: conj(t.before.registered_missing, missing(t.before), t.op("load")),
    about=("register:missing",),
    speaks_of=lambda _, mapping: not mapping.filled,
    memory="memory that begins empty",
)
