"""No endless refault."""

from model.system.asking.language import Outcome, conj, disj, implies, negate
from properties.base import Property, Violated
from properties.stale import CLOSED, ENDLESS, INHERITED, MOVED, REREGISTERED, UNREGISTERED

PROPERTY = Property(
    name="access-completes",
    claim="A store or load that the VMA allows completes, or raises an event that the VMA is "
          "registered for, after at most four faults.",
    origin="arch/x86/mm/fault.c: a fault that changes nothing is retried for ever",
    allowed=lambda t: conj(
        implies(conj(t.op("store"), t.before.may_write), t.ended(Outcome.ok, Outcome.event)),
        implies(conj(t.op("load"), t.before.may_read),
                disj(t.ok, conj(t.before.registered_missing, t.ended(Outcome.event))))),
    violated=(
        Violated("hugetlb private-hugetlb", ("-f369b07c8614", "+60d5b473d61b"),
                 UNREGISTERED + ENDLESS, by="unregister"),
        Violated("hugetlb private-hugetlb", ("+60d5b473d61b",),
                 REREGISTERED + ENDLESS, by="register:missing"),
        Violated("hugetlb private-hugetlb", ("-c88033efe9a3", "+60d5b473d61b"),
                 CLOSED + ENDLESS, by="close"),
        Violated("hugetlb private-hugetlb", ("-0cef0bb836e3", "+60d5b473d61b"),
                 MOVED + ENDLESS, by="mremap"),
        Violated("private-hugetlb", ("-5a2f8d22ace4", "+60d5b473d61b"),
                 INHERITED + ENDLESS, by="fork:child"),
        Violated("private-hugetlb", ("-hugetlb-fork-swap", "+60d5b473d61b"),
                 INHERITED + ENDLESS, by="fork:child&migrate:begin"),
        Violated("hugetlb private-hugetlb", ("-931298e103c2",),
                 "uffd_wp_range() works the protection out without VM_WRITE, which for a "
                 "write-only mapping is PROT_NONE, and hugetlb faults know no NUMA hints that "
                 "would repair it: a load faults for ever", by="mprotect:w"),
    ),
    witness=lambda t: conj(t.op("store"), t.ok, negate(t.before.writable)),
)
