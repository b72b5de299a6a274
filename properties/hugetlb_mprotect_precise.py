"""What mprotect owes to memory that nobody tracks."""

from model.system.asking.language import Bool, conj, implies, negate
from model.system.asking.step_view import StepView
from properties.base import Property, Violated


def _opened(t: StepView) -> Bool:
    return conj(t.op("mprotect:rw"), negate(t.before.may_write), negate(t.after.registered),
                t.after.nothing_to_record)


PROPERTY = Property(
    name="hugetlb-mprotect-precise",
    claim="After mprotect has allowed writing again, a dirty page of shared hugetlb memory that is "
          "not registered is writable already; no call takes the dirty bit.",
    origin="f96f7a40874d, mm/hugetlb: fix hugetlb not supporting softdirty tracking",
    allowed=lambda t: conj(t.stays_dirty, implies(_opened(t), t.after.writable)),
    witness=_opened,
    violated=(Violated("hugetlb", ("-f96f7a40874d",), "soft-dirty tracking, which hugetlb does not "
                       "have, write-protects vm_page_prot", by="clear_refs"),),
    speaks_of=lambda _, m: m.hugetlb and m.shared,
    memory="shared hugetlb memory",
)
