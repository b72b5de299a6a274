"""The price of un-protecting: a write fault that tells nobody anything."""

from model.system.asking.language import Bool, conj, implies
from model.system.asking.step_view import StepView
from properties.base import REGISTRABLE, UNDIRTIED, Property, Violated, registrable
from properties.stale import EVERY

_OLD = ("private mappings get the read-only protection of vm_flags back, and nothing tries to map "
        "their own pages writable")
_NEW = ("vm_page_prot is write-protected while uffd-wp is enabled, and the upgrade is not tried: "
        "vma_wants_writenotify() compares pgprots first, finds write permission gone already, and "
        "answers no for every shared mapping without page_mkwrite")
_NO_TRY = "vm_page_prot is write-protected, and the upgrade is never tried"
_HUGETLB = ("vm_page_prot is write-protected, and hugetlb_change_protection() does not look at "
            "MM_CP_TRY_CHANGE_WRITABLE")
_KEPT = "unregister does not touch the entries, so what `wp` took away stays away"


def _unprotected(t: StepView) -> Bool:
    return conj(t.op("unwp", "unregister"), t.ok, t.before.registered, t.after.nothing_to_record)


PROPERTY = Property(
    name="unprotect-precise",
    role="precision",
    claim="After `unwp` or `unregister` of a registered VMA, a page that the write fault would map "
          "writable with nothing to record is writable already; no call takes the dirty bit.",
    origin="931298e103c2: \"map PTEs writable again where possible\"",
    allowed=lambda t: conj(t.stays_dirty, implies(_unprotected(t), t.after.writable)),
    witness=_unprotected,
    speaks_of=registrable,
    memory=REGISTRABLE,
    violated=(
        Violated(EVERY, ("-f369b07c8614",), _KEPT, by="unregister"),
        Violated("anon private-shmem thp private-hugetlb", ("-931298e103c2",), _OLD),
        Violated("anon private-shmem thp", ("+no-try",), _NO_TRY),
        Violated("thp", ("-c27f479ef542",), "change_huge_pmd() does not look at "
                 "MM_CP_TRY_CHANGE_WRITABLE"),
        Violated("thp shmem-thp", ("+saved-dirty", "-f7491d7c81db"), UNDIRTIED),
        Violated("private-hugetlb", ("+931298e103c2",), _HUGETLB),
        Violated("hugetlb", ("+931298e103c2", "+51d3d5eb74ff"), _HUGETLB),
        Violated("shmem shmem-thp", ("+931298e103c2", "-as-described"), _NEW),
        Violated("shmem shmem-thp", ("+no-try",), _NO_TRY),
        Violated("shmem", ("-76aefad628aa", "+as-described"),
                 "the upgrade asks for soft-dirty exactly when tracking is off, where a page that "
                 "was mapped by a load and dirtied by the CPU has none"),
    ),
)
