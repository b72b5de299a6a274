"""No endless refault."""

from model.system.language import Outcome, conj, disj, implies, negate
from properties.base import Property

PROPERTY = Property(
    name="access-completes",
    claim="A store or load that the VMA allows completes, or a store raises an event, after at "
          "most three faults.",
    origin="arch/x86/mm/fault.c: a fault that changes nothing is retried for ever",
    allowed=lambda t: conj(
        implies(conj(t.op("store"), t.before.may_write), t.ended(Outcome.ok, Outcome.event)),
        implies(conj(t.op("load"), t.before.may_read), t.ok)),
    witness=lambda t: conj(t.op("store"), t.ok, negate(disj(t.before.pte_none, t.before.writable))),
)
