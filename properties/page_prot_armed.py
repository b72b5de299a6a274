"""What every function that maps a page relies on.

Who wants notification is what the calls have made it: that the VMA says so is part of the promise.
"""

from model.system.asking.language import conj, implies, negate
from properties.base import Property, Violated, registrable
from properties.softdirty_complete import UNWANTED

PROPERTY = Property(
    name="page-prot-armed",
    role="ground",
    claim="vm_page_prot is write-protected whenever anybody wants write notification.",
    origin="mm/vma.c, vma_set_page_prot(); the ground 931298e103c2 stands on",
    safe=lambda s: implies(s.writenotify_wanted, negate(s.page_prot_writable)),
    allowed=lambda t: conj(t.protection_as_called, t.registration_as_called, t.tracking_as_called),
    speaks_of=lambda e, m: registrable(e, m) or (m.shared and not m.hugetlb),
    memory="shared memory and what a userfaultfd can write-protect",
    witness=lambda t: (t.after.writenotify_wanted if t.after.mapping.shared
                       else conj(t.after.may_write, t.after.registered)),
    violated=(Violated("shmem shmem-thp hugetlb", ("-51d3d5eb74ff", "+b1f9e8768618"),
                       "registration neither counts as a reason nor works vm_page_prot out anew",
                       by="register register:wp+missing"),
              Violated("shmem shmem-thp", ("-64e455079e1b",), UNWANTED, by="clear_refs")),
)
