"""What a program that asks for a feature may believe."""

from model.system.asking.language import conj, implies, negate
from properties.base import Property, Violated

PROPERTY = Property(
    name="features-kept",
    claim="A userfaultfd that opens with WP_UNPOPULATED protects empty entries of anonymous "
          "memory, or is refused.",
    origin='2ff559f31a5d, Revert "userfaultfd: don\'t fail on unrecognized features"',
    allowed=lambda t: implies(
        conj(t.op("wp"), t.ok, t.before.pte_none, t.before.asked_unpopulated),
        negate(t.after.pte_none)),
    witness=lambda t: conj(t.op("open:unpopulated"), negate(t.before.uffd_open)),
    violated=(
        Violated("anon thp", ("-2bad466cc9d9", "+914eedcb9ba0", "-2ff559f31a5d"),
                 "UFFDIO_API leaves out a feature that it does not know, and succeeds"),
    ),
    about=("close", "open:unpopulated"),
    speaks_of=lambda _, m: m.anonymous,
    memory="anonymous memory",
)
