"""The entry of the merged page keeps the soft-dirty and the uffd bit of the one it replaces, and
with it read-write protection."""

from __future__ import annotations

from model.kernel import ksm
from model.kernel.editions import Edition
from model.kernel.logic import ite
from model.kernel.pgtable import pte_mksoft_dirty, pte_mkuffd_wp, pte_soft_dirty, pte_uffd_wp
from model.kernel.records import Entry, Vma
from model.kernel.userfaultfd_k import rwp_restored


def replace_page(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    merged = ksm.replace_page(ed, vma, entry)
    pte = ite(pte_soft_dirty(entry.pte), pte_mksoft_dirty(merged.pte), merged.pte)
    pte = ite(pte_uffd_wp(entry.pte), pte_mkuffd_wp(ed, pte), pte)
    return merged.with_pte(rwp_restored(ed, vma, pte))
