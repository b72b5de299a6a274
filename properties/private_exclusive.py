"""Copy-on-write: a private mapping never writes to a page that somebody else can see."""

from model.system.asking.language import conj, implies, negate
from properties.base import Property

_FORKS = ("fork", "fork:stay", "fork:write", "fork:child")

PROPERTY = Property(
    name="private-exclusive",
    claim="An entry of a private mapping is writable only where it maps an anonymous page that the "
          "process owns exclusively, and after fork nowhere.",
    origin="mmap(2), MAP_PRIVATE; include/linux/page-flags.h, PG_anon_exclusive",
    safe=lambda s: True if s.mapping.shared else implies(s.writable, s.owned),
    allowed=lambda t: True if t.before.mapping.shared else implies(
        conj(t.op(*_FORKS), negate(t.before.entry.pinned)), negate(t.after.writable)),
    witness=lambda t: conj(t.after.writable, t.op("store")),
)
