"""Wrong edits of PAGEMAP_SCAN."""

from model.mutation.mutant import Mutant

_CATEGORIES = "law:test_each_form_of_an_entry_is_called_what_it_is"
_PROTECTS = "law:test_what_was_written_is_protected"
_UNASKED = "no promise asks for this category"
_WRITTEN = "a page that is not protected reads as written, as it should be"
_SCAN = "scan:wp close open:async"

MUTANTS = (
    Mutant("task_mmu", "pagemap_page_category",
           '_written(ed, vma, ed.has("scan-unpopulated"))', "False",
           "an empty entry is not written", mapping="anon"),
    Mutant("task_mmu", "pagemap_page_category", 'ed.has("scan-unpopulated")', "True",
           "an empty entry was written before 6.12.103 too", edition="v6.12.100", mapping="anon"),
    Mutant("task_mmu", "pagemap_thp_category", 'ed.has("scan-huge-zero")', "True",
           "6.7 knows the huge zero page", edition="v6.7", mapping="thp", untold=_UNASKED,
           shown=_CATEGORIES),
    Mutant("task_mmu", "pagemap_thp_category", "huge=True", "huge=False",
           "a PMD is no huge page", mapping="thp", untold=_UNASKED, shown=_CATEGORIES),
    Mutant("task_mmu", "pagemap_hugetlb_category", "Categories(huge=True), mapped",
           "Categories(huge=True, written=True), mapped", "an empty entry is written",
           mapping="hugetlb"),
    Mutant("task_mmu", "pagemap_hugetlb_category", "conj(found.file, found.present)", "found.file",
           "a page that migrates is one of a file", mapping="hugetlb", untold=_UNASKED,
           shown=_CATEGORIES),
    Mutant("task_mmu", "pagemap_scan_pte_hole", 'conj(ed.has("scan-hole"), userfaultfd_wp(vma))',
           "False", "what has no page table is not written", mapping="thp"),
    Mutant("task_mmu", "pagemap_scan_pte_hole", "userfaultfd_wp(vma)", "True",
           "what has no page table is written wherever it is", mapping="thp",
           untold="async-precise speaks of what is registered", shown=_CATEGORIES),
    Mutant("task_mmu", "do_pagemap_scan", "has(vma.vm_flags, VM_SOFTDIRTY)", "False",
           "VM_SOFTDIRTY is not asked", untold=_UNASKED, shown=_CATEGORIES),
    Mutant("task_mmu", "do_pagemap_scan", "if vma.mapping.hugetlb:", "if False:",
           "hugetlb memory is taken for small pages", mapping="hugetlb"),
    Mutant("task_mmu", "pagemap_hugetlb_category", "replace(found, huge=True, ",
           "replace(found, written=False, huge=True, ", "what is not protected is not written",
           edition="v7.3", mapping="hugetlb"),
    Mutant("task_mmu", "make_uffd_wp_pte", "pte_mkuffd_wp(ed, pte)", "pte",
           "a scan leaves a page as it is", allow=_SCAN, mapping="anon",
           untold=_WRITTEN, shown=_PROTECTS),
    Mutant("task_mmu", "make_uffd_wp_pte", "make_uffd_wp_marker(ed)", "pte",
           "a scan leaves an empty entry as it is", allow=_SCAN, mapping="anon",
           untold="an empty entry reads as written, as it should be", shown=_PROTECTS),
    Mutant("task_mmu", "make_uffd_wp_huge_pte", "huge_pte_mkuffd_wp(ed, pte)", "pte",
           "a scan leaves a page of hugetlb as it is", allow=_SCAN, mapping="hugetlb",
           untold=_WRITTEN, shown=_PROTECTS),
    Mutant("task_mmu", "pagemap_scan_pmd_entry", "ite(written, on_pmd, entry)", "entry",
           "a huge page is not protected", allow=_SCAN, mapping="thp",
           untold=_WRITTEN, shown=_PROTECTS),
    Mutant("task_mmu", "pagemap_scan_pmd_entry", "conj(known, allowed)", "known",
           "a scan protects what is not registered with WP_ASYNC", allow=_SCAN, mapping="anon"),
)
