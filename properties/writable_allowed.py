"""The least that mprotect owes."""

from model.system.actions.operations import KERNEL_LOADS, KERNEL_STORES
from model.system.asking.language import Outcome, conj, implies, negate
from properties.base import Property, Violated

PROPERTY = Property(
    name="writable-allowed",
    claim="An entry is writable only where mmap or the last mprotect has allowed writing; a store "
          "or load that they have not allowed gets SIGSEGV, one by the kernel EFAULT.",
    origin="mprotect(2): a store to memory without PROT_WRITE gets SIGSEGV",
    safe=lambda s: implies(s.writable, s.may_write),
    allowed=lambda t: conj(
        t.protection_as_called,
        implies(conj(t.op("store"), negate(t.before.may_write)), t.ended(Outcome.segv)),
        implies(conj(t.op("load"), negate(t.before.may_read)), t.ended(Outcome.segv)),
        implies(conj(t.op(*KERNEL_STORES), negate(t.before.may_write)), t.ended(Outcome.EFAULT)),
        implies(conj(t.op(*KERNEL_LOADS), negate(t.before.may_read)), t.ended(Outcome.EFAULT))),
    witness=lambda t: conj(t.after.writable, t.op("store")),
    violated=(
        Violated("private-hugetlb", ("-huge-pte-vm-write",), "the child's copy of a page that its "
                 "parent has pinned is mapped writable, whatever mprotect has said: "
                 "make_huge_pte() does not ask the VMA", by="pin&fork:child"),
    ),
)
