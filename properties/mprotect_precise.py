"""The price of mprotect: a write fault that tells nobody anything."""

from model.system.asking.language import Bool, conj, implies, negate
from model.system.asking.step_view import StepView
from properties.base import UNDIRTIED, Property, Violated


def _opened(t: StepView) -> Bool:
    return conj(t.op("mprotect:rw"), negate(t.before.may_write), t.after.nothing_to_record)


PROPERTY = Property(
    name="mprotect-precise",
    role="precision",
    claim="After mprotect has allowed writing again, a page of the process's own that the write "
          "fault would map writable with nothing to record is writable already; no call takes the "
          "dirty bit.",
    origin="64fe24a3e05e: \"try avoiding write faults for exclusive anonymous pages\"",
    allowed=lambda t: conj(t.stays_dirty, implies(_opened(t), t.after.writable)),
    witness=_opened,
    violated=(
        Violated("anon private-shmem private-file thp", ("-64fe24a3e05e",),
                 "the upgrade is for shared mappings alone"),
        Violated("thp", ("-c27f479ef542",),
                 "change_huge_pmd() does not look at MM_CP_TRY_CHANGE_WRITABLE"),
        Violated("thp", ("+saved-dirty", "-f7491d7c81db"), UNDIRTIED),
    ),
    speaks_of=lambda _, m: not m.shared and not m.hugetlb,
    memory="private memory that is not hugetlb",
)
