"""The state that uffd-wp completeness rests on.

Registered is what the calls have made it: that the VMA says so is part of the promise.
"""

from model.system.asking.language import conj, implies, negate
from properties.base import OPENING, REGISTRABLE, Property, Violated, registrable
from properties.stale import BELIEVED, CLOSED, MOVED, MOVED_IN, REREGISTERED, UNREGISTERED

_WRITABLE = "anon shmem private-shmem thp shmem-thp hugetlb"
"""Not private-hugetlb: only hugetlb_wp() gives it write permission, since 60d5b473d61b never beside
the bit."""

_IGNORED = ("+914eedcb9ba0", "-2ff559f31a5d")
_REOPENED = (((), "close&open"),
             (("+2bad466cc9d9",), "close&open:unpopulated"), (_IGNORED, "close&open:unpopulated"),
             (("+d61ea1cb0095",), "close&open:async"), (_IGNORED, "close&open:async"),
             ((), "close&open:events"), (("+37cd0575b851",), "close&open:user"))
"""How a userfaultfd comes after one that was closed: a feature that is refused opens none."""

PROPERTY = Property(
    name="uffd-wp-armed",
    role="ground",
    claim="In a VMA registered for write-protect mode, an entry with the uffd-wp bit is not "
          "writable.",
    origin="mm/uffd: sanity check write bit for uffd-wp protected ptes (6.2)",
    safe=lambda s: implies(conj(s.registered, s.uffd_wp), negate(s.write_bit)),
    allowed=lambda t: t.registration_as_called,
    witness=lambda t: conj(t.after.registered, t.after.uffd_wp),
    speaks_of=registrable,
    memory=REGISTRABLE,
    violated=(
        Violated("shmem shmem-thp hugetlb", ("-51d3d5eb74ff",),
                 "mprotect makes a protected entry writable: vm_page_prot ignores uffd-wp",
                 by=OPENING),
        Violated("private-hugetlb", ("-60d5b473d61b", "+fed15f1345dc"),
                 "hugetlb_wp() gives write permission without a look at the uffd-wp bit",
                 by="store"),
        *(Violated(mappings, (*when, *lacking), because + BELIEVED, by)
          for mappings, when in ((_WRITABLE, ()), ("private-hugetlb", ("-60d5b473d61b",)))
          for lacking, because, by in ((("-f369b07c8614",), UNREGISTERED, "unregister"),
                                       (("-register-ebusy",), REREGISTERED,
                                        "register:missing"),
                                       *((("-c88033efe9a3", *opens), CLOSED, by)
                                         for opens, by in _REOPENED),
                                       (("-0cef0bb836e3",), MOVED, "mremap"))),
        Violated("shmem private-shmem shmem-thp hugetlb", ("-register-ebusy", "+c949b097ef2e"),
                 REREGISTERED + BELIEVED, by="register:minor"),
        Violated("private-hugetlb", ("-60d5b473d61b", "-register-ebusy", "+7677f7fd8be7"),
                 REREGISTERED + BELIEVED, by="register:minor"),
        Violated(_WRITABLE.replace(" hugetlb", ""), ("-0cef0bb836e3",), MOVED + BELIEVED,
                 by="mremap:dontunmap"),
        Violated("anon thp", ("+adf505457032",), MOVED_IN + BELIEVED,
                 by="move:in:wp&register:missing"),
    ),
)
