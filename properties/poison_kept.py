"""The promise that a hypervisor lives on whose guest has lost memory."""

from model.system.actions.operations import LOADS, STORES
from model.system.asking.language import Edition, Mapping, conj, implies, negate
from properties.base import Property, Violated, registrable


def _speaks_of(edition: Edition, mapping: Mapping) -> bool:
    return edition.has("fc71884a5f59") is True and registrable(edition, mapping)


PROPERTY = Property(
    name="poison-kept",
    claim="After `poison` returned, no access by way of the mapping succeeds until the "
          "memory is given up or filled.",
    origin="Documentation/admin-guide/mm/userfaultfd.rst, Memory Poisioning Emulation",
    allowed=lambda t: implies(conj(t.op(*STORES, *LOADS), t.before.history.poisoned),
                              negate(t.ok)),
    witness=lambda t: conj(t.op("store"), t.before.history.poisoned),
    violated=(
        Violated("shmem-thp", (), "a collapse makes a huge page of small ones of the file, and "
                 "retract_page_tables() frees the page table with the markers in it",
                 by="copy&collapse copy:wp&collapse zeropage&collapse"),
    ),
    about=("poison",),
    speaks_of=_speaks_of,
    memory="memory that UFFDIO_POISON takes (v6.6)",
)
