"""mm/process_vm_access.c: one process reads or writes the memory of another, or its own. Read from
6.1.192, 6.12.117 and 7.3.4."""

from __future__ import annotations

from dataclasses import replace

from model.kernel.editions import Edition
from model.kernel.fault import FAULT_BITS, Access
from model.kernel.gup import get_user_pages
from model.kernel.logic import Bool, as_term, conj, disj, ite, negate, number
from model.kernel.mirror import mirrors
from model.kernel.pgtable import pte_mkdirty, pte_mkyoung
from model.kernel.records import Entry, Outcome, Vma, outcome


@mirrors("mm/huge_memory.c")
def touch_pmd(ed: Edition, entry: Entry, write: bool) -> Entry:
    """FOLL_TOUCH of a huge page, since 9cb28da54643 of hugetlb memory too: its PMD is dirty, and
    soft-dirty, where it was written to."""
    return entry.with_pte(pte_mkdirty(ed, pte_mkyoung(entry.pte))) if write else entry


@mirrors("mm/process_vm_access.c")
def process_vm_rw_single_vec(ed: Edition, vma: Vma, entry: Entry, write: bool) -> Access:
    """The page is got, and its memory copied from or to by another address: where it was written
    to, the page is dirty (unpin_user_pages_dirty_lock), whatever the entry says. No
    fault of a load or store of the program."""
    got, result = get_user_pages(ed, vma, entry, write)
    pmd = ed.has("9cb28da54643") if vma.mapping.hugetlb else got.huge
    touched = ite(pmd, touch_pmd(ed, got, write), got)
    dirty: Bool = conj(write, not vma.mapping.hugetlb, negate(got.anon))
    done = replace(touched, cache_dirty=disj(touched.cache_dirty, dirty),
                   page_dirty=disj(touched.page_dirty, conj(write, got.anon)))
    return Access(ite(as_term(result == outcome(Outcome.ok)), done, got), result,
                  number(0, FAULT_BITS))
