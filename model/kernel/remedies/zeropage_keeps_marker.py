"""What UFFDIO_ZEROPAGE maps in the place of a uffd-wp marker is write-protected."""

from __future__ import annotations

from model.kernel import userfaultfd
from model.kernel.editions import Edition
from model.kernel.logic import BV, as_term, conj, ite
from model.kernel.pgtable import pte_mkuffd_wp, pte_wrprotect
from model.kernel.records import Entry, Outcome, Vma, outcome
from model.kernel.swapops import pte_marker_uffd_wp
from model.kernel.userfaultfd_k import userfaultfd_wp


def mfill_atomic(ed: Edition, vma: Vma, entry: Entry, wp: bool,
                 zeropage: bool = False, poison: bool = False) -> tuple[Vma, Entry, BV]:
    prepared, filled, result = userfaultfd.mfill_atomic(ed, vma, entry, wp, zeropage, poison)
    armed = conj(zeropage, as_term(result == outcome(Outcome.ok)), userfaultfd_wp(vma),
                 pte_marker_uffd_wp(ed, entry.pte))
    protected = filled.with_pte(pte_wrprotect(ed, pte_mkuffd_wp(ed, filled.pte)))
    return prepared, ite(armed, protected, filled), result
