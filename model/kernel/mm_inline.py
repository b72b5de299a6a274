"""include/linux/mm_inline.h: what is left where an entry is dropped."""

from __future__ import annotations

from model.kernel.editions import Edition
from model.kernel.logic import BV, conj, disj, ite, word
from model.kernel.mirror import mirrors
from model.kernel.pgtable import pte_present, pte_uffd_wp
from model.kernel.records import Vma
from model.kernel.swapops import make_uffd_wp_marker, pte_swp_uffd_wp_any
from model.kernel.userfaultfd_k import userfaultfd_wp


@mirrors("include/linux/mm_inline.h")
def pte_install_uffd_wp_if_needed(ed: Edition, vma: Vma, pteval: BV) -> BV:
    """What an entry becomes that was `pteval` and is dropped: a marker where a registered file
    mapping was write-protected, else empty, as before 999dad824c39 always."""
    armed = disj(conj(pte_present(pteval), pte_uffd_wp(pteval)), pte_swp_uffd_wp_any(ed, pteval))
    return ite(conj(ed.has("999dad824c39"), not vma.mapping.anonymous, userfaultfd_wp(vma), armed),
               make_uffd_wp_marker(ed), word(0))
