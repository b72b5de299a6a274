"""No endless refault."""

from model.system.actions.operations import KERNEL_LOADS, KERNEL_STORES, OPERATIONS
from model.system.asking.language import Bool, Outcome, conj, disj, implies, negate
from model.system.asking.step_view import StepView
from properties.base import Property, Violated
from properties.stale import CLOSED, ENDLESS, INHERITED, MOVED, REREGISTERED, UNREGISTERED

_HUGETLB = "hugetlb private-hugetlb"
SPLIT = ("a store to the read-only PMD of a file splits it, which unmaps the page; where minor "
         "faults are registered for, the store then ends in an event of a page that was mapped")
_MPROTECT = tuple(name for name in OPERATIONS if name.startswith("mprotect:"))


def _awaited(t: StepView) -> Bool:
    """Of a missing page, or one that is there and not mapped, an event is asked for."""
    minor = conj(t.before.registered_minor, t.before.entry.in_cache)
    return conj(disj(t.before.registered_missing, minor), negate(t.before.present))


def _read_protected(t: StepView) -> Bool:
    return conj(t.before.registered_rwp, t.before.uffd_wp_any)


def _completes(t: StepView, ops: tuple[str, ...], refused: Outcome, allowed: Bool,
               wanted: Bool) -> Bool:
    """What the VMA allowed, of `ops`, is done, or `refused` where an event is `wanted`, or a signal
    because of poison or a guard region."""
    bus, segv = ((Outcome.bus, Outcome.segv) if refused == Outcome.event else (refused, refused))
    return implies(conj(t.op(*ops), allowed), disj(
        t.ok, conj(t.ended(refused), wanted), conj(t.ended(bus), t.before.entry.poison),
        conj(t.ended(segv), t.before.entry.guard)))


PROPERTY = Property(
    name="access-completes",
    claim="mprotect succeeds, and a store or load that the VMA allows completes, or raises an "
          "event for an entry that is write-protected or not mapped, or SIGBUS for one that is "
          "poisoned, or SIGSEGV in a guard region, after at most four faults; one by the kernel "
          "ends in EFAULT there.",
    origin="arch/x86/mm/fault.c: a fault that changes nothing is retried for ever",
    allowed=lambda t: conj(
        _completes(t, ("store",), Outcome.event, t.before.may_write,
                   disj(t.before.uffd_wp_any, _awaited(t))),
        _completes(t, ("load",), Outcome.event, t.before.may_read,
                   disj(_read_protected(t), _awaited(t))),
        _completes(t, KERNEL_STORES, Outcome.EFAULT, t.before.may_write,
                   disj(t.before.uffd_wp_any, _awaited(t))),
        _completes(t, KERNEL_LOADS, Outcome.EFAULT, t.before.flag_read,
                   disj(_read_protected(t), _awaited(t))),
        implies(t.op(*_MPROTECT), t.ok)),
    violated=(
        *(Violated(mappings, (*when, "+60d5b473d61b", "-hugetlb-leftover"), left + ENDLESS, by)
          for mappings, when, left, by in (
              (_HUGETLB, ("-f369b07c8614",), UNREGISTERED, "unregister"),
              (_HUGETLB, ("-register-ebusy",), REREGISTERED, "register:missing register:minor"),
              (_HUGETLB, ("-c88033efe9a3",), CLOSED, "close"),
              (_HUGETLB, ("-0cef0bb836e3",), MOVED, "mremap"),
              ("private-hugetlb", ("-5a2f8d22ace4",), INHERITED, "fork:child"),
              ("private-hugetlb", ("-83abe2fd5b3a",), INHERITED,
               "fork:child&migrate:begin"))),
        Violated("shmem-thp", ("+c949b097ef2e",), SPLIT, by="register:minor register:wp+minor"),
        Violated(_HUGETLB, ("-931298e103c2",),
                 "uffd_wp_range() works the protection out without VM_WRITE, which for a "
                 "write-only mapping is PROT_NONE, and hugetlb faults know no NUMA hints that "
                 "would repair it: a load faults for ever", by="mprotect:w"),
    ),
    witness=lambda t: conj(t.op("store"), t.ok, negate(t.before.writable)),
)
