"""Bits that nobody owns come back to bite the next owner.

Registered is what the calls have made it: that the VMA says so is part of the promise.
"""

from model.system.asking.language import conj, disj, implies
from properties.base import GUARDED, REGISTRABLE, Property, Violated, registrable
from properties.stale import (
    CLOSED,
    EVERY,
    IN_CACHE,
    INHERITED,
    MOVED,
    MOVED_IN,
    REREGISTERED,
    UNREGISTERED,
)

SCANNED = "PAGEMAP_SCAN sets the uffd-wp bit of a guard marker, which un-protecting passes by"

PROPERTY = Property(
    name="no-stale-uffd-wp",
    role="ground",
    claim="No entry carries a uffd-wp bit or marker outside a VMA registered for write-protect "
          "mode or mode RWP.",
    origin="f369b07c8614, mm/uffd: reset write protection when unregister with wp-mode",
    safe=lambda s: implies(s.uffd_wp_any, disj(s.registered, s.registered_rwp)),
    allowed=lambda t: t.registration_as_called,
    witness=lambda t: conj(t.op("unregister"), t.before.uffd_wp_any),
    speaks_of=registrable,
    memory=REGISTRABLE,
    violated=(Violated(EVERY, ("-f369b07c8614",), UNREGISTERED, by="unregister"),
              Violated(EVERY, ("-register-ebusy",), REREGISTERED, by="register:missing"),
              Violated(IN_CACHE, ("-register-ebusy", "+c949b097ef2e"), REREGISTERED,
                       by="register:minor"),
              Violated(EVERY, ("-c88033efe9a3",), CLOSED, by="close"),
              Violated(EVERY, ("-0cef0bb836e3",), MOVED, by="mremap"),
              Violated("anon shmem private-shmem thp shmem-thp", ("-0cef0bb836e3",), MOVED,
                       by="mremap:dontunmap"),
              Violated("anon shmem private-shmem thp shmem-thp", ("+fc71884a5f59", "+52526ca7fdb9"),
                       "PAGEMAP_SCAN sets the uffd-wp bit of a poison marker, which un-protecting "
                       "passes by", by="poison&scan:wp"),
              Violated("anon thp", ("+662df3e5c376", "+52526ca7fdb9"), SCANNED, by="guard&scan:wp"),
              Violated("shmem private-shmem shmem-thp", (*GUARDED, "+52526ca7fdb9"), SCANNED,
                       by="guard&scan:wp"),
              Violated("anon thp", ("+adf505457032",), MOVED_IN, by="move:in:wp&register:missing"),
              Violated("anon private-shmem thp", ("-8f34f1eac382",), INHERITED, by="fork:child"),
              Violated("private-hugetlb", ("-5a2f8d22ace4",), INHERITED, by="fork:child"),
              Violated("private-hugetlb", ("-83abe2fd5b3a",), INHERITED,
                       by="fork:child&migrate:begin"),
              Violated("private-shmem", ("-49d6d7fb6313", "+b1f9e8768618"),
                       "fork copies markers to a child, whose VMA is not registered",
                       by="fork:child&dontneed")),
)
