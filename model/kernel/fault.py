"""arch/x86/mm/fault.c: a load or a store from start to end, fault by fault.

Read from 6.1.192, 6.12.117 and 7.3.4. Left out: protection keys, shadow stacks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from model.kernel.bits import VM_WRITE
from model.kernel.editions import Edition
from model.kernel.logic import BV, Bool, as_term, disj, has, ite, negate, number, one_more
from model.kernel.memory import handle_mm_fault, vma_is_accessible
from model.kernel.mirror import mirrors
from model.kernel.mmu import mmu_access, mmu_permits
from model.kernel.records import Entry, Outcome, Vma, outcome

MAX_FAULTS = 4
"""Faults followed for one access. Three are enough (a stale marker, a missing page, then write
protection); the fourth lets an access that does not end be told from one that does."""
FAULT_BITS = 3


@mirrors("arch/x86/mm/fault.c")
def access_error(_ed: Edition, vma: Vma, write: bool) -> Bool:
    """A store needs VM_WRITE; a load any access at all (write-only mappings are readable)."""
    return negate(has(vma.vm_flags, VM_WRITE) if write else vma_is_accessible(vma))


@dataclass(frozen=True)
class Access:
    """A load or store from start to end: the entry, the outcome, the minor faults (3 bits)."""

    entry: Entry
    outcome: BV
    faults: BV


def user_access(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Access:
    """The CPU tries, faults, and tries again (exc_page_fault, do_user_addr_fault)."""

    def attempt(entry: Entry, count: BV, tries: int) -> Access:
        done = Access(entry.with_pte(mmu_access(entry.pte, write)), outcome(Outcome.ok), count)
        denied = Access(entry, outcome(Outcome.segv), count)
        if tries == MAX_FAULTS:
            other = Access(entry, outcome(Outcome.refault), count)
        else:
            fault = handle_mm_fault(ed, vma, entry, write)
            over = Access(fault.entry, fault.outcome, count)
            again = fault.outcome == outcome(Outcome.ok)
            counted = ite(fault.major, count, one_more(count))
            other = ite(again, attempt(fault.entry, counted, tries + 1), over)
        return ite(mmu_permits(entry.pte, write), done,
                   ite(access_error(ed, vma, write), denied, other))

    return attempt(entry, number(0, FAULT_BITS), 0)


@mirrors("arch/x86/mm/fault.c")
def kernelmode_fixup_or_oops(_ed: Edition, result: BV) -> BV:
    """A copy to or from user memory that would be a signal, or an event as UFFD_FEATURE_SIGBUS has
    it, ends there: EFAULT."""
    signal = disj(as_term(result == outcome(Outcome.event)),
                  as_term(result == outcome(Outcome.segv)),
                  as_term(result == outcome(Outcome.bus)))
    return ite(signal, outcome(Outcome.EFAULT), result)


def kernel_access(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Access:
    """copy_to_user() or copy_from_user(), as of read(2) and write(2): its faults are those of a
    user access, and no fault of a load or store of the program."""
    access = user_access(ed, vma, entry, write)
    return replace(access, outcome=kernelmode_fixup_or_oops(ed, access.outcome),
                   faults=number(0, FAULT_BITS))
