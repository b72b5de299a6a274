"""The least that mprotect owes."""

from model.system.asking.language import conj, implies
from properties.base import Property

PROPERTY = Property(
    name="writable-allowed",
    claim="An entry is writable, and a store or load completes, only where mmap or the last "
          "mprotect has allowed it.",
    origin="mprotect(2): a store to memory without PROT_WRITE gets SIGSEGV",
    safe=lambda s: implies(s.writable, s.may_write),
    allowed=lambda t: conj(t.protection_as_called,
                           implies(conj(t.op("store"), t.ok), t.before.may_write),
                           implies(conj(t.op("load"), t.ok), t.before.may_read)),
    witness=lambda t: conj(t.after.writable, t.op("store")),
)
