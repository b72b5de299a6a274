"""io_uring/rsrc.c: a registered buffer, which a program needs no device for to have it pinned.

Known from the kernel's history: where it stood in older releases, and that edd478269640 took it
away. Left out: limits of locked memory.
"""

from __future__ import annotations

from dataclasses import replace

from model.kernel.editions import Edition
from model.kernel.gup import pin_user_pages, pin_user_pages_fast
from model.kernel.logic import BV, as_term, conj, ite, negate
from model.kernel.mirror import mirrors
from model.kernel.records import Entry, Outcome, Vma, outcome


@mirrors("io_uring/rsrc.c", "io_uring/memmap.c")
def io_pin_pages(ed: Edition, vma: Vma, entry: Entry) -> tuple[Entry, BV]:
    """The pages are pinned for writing. Before edd478269640 the VMA was looked at after that: one
    of a file, but of tmpfs and hugetlbfs, is refused, and its pages are let go again; what the
    faults made of the entry stays. Since 1943f96b3816 the VMA need not be looked at."""
    by_vma, by_entry = pin_user_pages(ed, vma, entry), pin_user_pages_fast(ed, vma, entry)
    pinned = ite(ed.has("1943f96b3816"), by_entry[0], by_vma[0])
    result = ite(ed.has("1943f96b3816"), by_entry[1], by_vma[1])
    refused = conj(negate(ed.has("edd478269640")), vma.mapping.regular,
                   as_term(result == outcome(Outcome.ok)))
    return (ite(refused, replace(pinned, pinned=False), pinned),
            ite(refused, outcome(Outcome.EOPNOTSUPP), result))
