"""The promise that working-set tracking, and reclaim by a virtual machine monitor, live on."""

from model.system.actions.operations import LOADS, STORES
from model.system.asking.language import Edition, Mapping, conj, negate
from properties.base import Property, Violated, registrable

MERGED = ("replace_page() of KSM makes the entry anew from vm_page_prot, without PROT_NONE and its "
          "uffd bit")
UNMARKED = ("MADV_DONTNEED unmaps a page of a file, which stays; mode RWP leaves no marker in its "
            "place, and the next access maps the page anew with no event. The manual has it for "
            "anonymous memory, holes and reclaim alone")
SPLIT = ("UFFDIO_RWPROTECT splits the PMD of a huge page of shared memory, splitting it unmaps the "
         "page, and mode RWP leaves no marker: the next access maps the page anew with no event")


def _speaks_of(edition: Edition, mapping: Mapping) -> bool:
    return edition.has("rwp") is True and registrable(edition, mapping)


PROPERTY = Property(
    name="rwp-complete",
    loses="event",
    claim="After `rwp` returned on a page that is there, no load or store takes effect without an "
          "event until `unrwp`, or what by its documentation ends the registration or drops the "
          "page.",
    origin="UFFDIO_RWPROTECT(2const): every access to a protected present page raises an event",
    allowed=lambda t: negate(conj(t.before.history.rw_protected, t.op(*STORES, *LOADS), t.ok)),
    witness=lambda t: conj(t.before.history.rw_protected, t.op("load")),
    parts=(("a store to what is protected",
            lambda t: conj(t.before.history.rw_protected, t.op("store"))),),
    about=("close", "open:rwp", "register:rwp", "rwp", "unrwp"),
    speaks_of=_speaks_of,
    memory="memory that a userfaultfd read-write protects (v7.3)",
    violated=(
        Violated("anon private-shmem", ("+rwp",), MERGED, by="ksm"),
        Violated("shmem private-shmem shmem-thp hugetlb", ("+rwp",), UNMARKED, by="dontneed"),
        Violated("shmem-thp", ("+rwp",), SPLIT),
    ),
)
