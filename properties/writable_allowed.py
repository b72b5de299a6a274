"""The least that mprotect owes."""

from model.system.asking.language import conj, implies
from properties.base import Property

PROPERTY = Property(
    name="writable-allowed",
    claim="An entry is writable only where the VMA allows writing.",
    origin="mprotect(2): a store to memory without PROT_WRITE gets SIGSEGV",
    safe=lambda s: implies(s.writable, s.may_write),
    witness=lambda t: conj(t.after.writable, t.op("store")),
)
