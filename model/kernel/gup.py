"""mm/gup.c: a long-term pin for writing (FOLL_PIN|FOLL_LONGTERM|FOLL_WRITE), as io_uring takes of a
buffer. Read from 6.1.192, 6.12.117 and 7.3.4."""

from __future__ import annotations

from dataclasses import replace

from model.kernel.bits import VM_WRITE
from model.kernel.editions import Edition
from model.kernel.fault import MAX_FAULTS
from model.kernel.logic import BV, as_term, has, ite
from model.kernel.memory import handle_mm_fault
from model.kernel.mirror import mirrors
from model.kernel.mmu import mmu_permits
from model.kernel.records import Entry, Outcome, Vma, outcome


@mirrors("mm/gup.c")
def pin_user_pages(ed: Edition, vma: Vma, entry: Entry) -> tuple[Entry, BV]:
    """Write faults until the entry is writable, then the pin; EFAULT where a store would not
    complete. The CPU stores nothing: no dirty bit but what a fault sets."""

    def attempt(entry: Entry, tries: int) -> tuple[Entry, BV]:
        pinned = replace(entry, pinned=True)
        if tries == MAX_FAULTS:
            other = entry, outcome(Outcome.refault)
        else:
            fault = handle_mm_fault(ed, vma, entry, write=True)
            again = as_term(fault.outcome == outcome(Outcome.ok))
            then, result = attempt(fault.entry, tries + 1)
            other = (ite(again, then, fault.entry),
                     ite(again, result, outcome(Outcome.EFAULT)))
        done = mmu_permits(entry.pte, write=True)
        return ite(done, pinned, other[0]), ite(done, outcome(Outcome.ok), other[1])

    faulted, result = attempt(entry, 0)
    allowed = has(vma.vm_flags, VM_WRITE)
    return ite(allowed, faulted, entry), ite(allowed, result, outcome(Outcome.EFAULT))
