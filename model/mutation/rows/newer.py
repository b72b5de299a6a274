"""Mutants of what came after Linux 6.12."""

from model.mutation.mutant import Mutant

MUTANTS = (
    # --- mprotect.py
    Mutant("mprotect", "modify_prot_start_ptes", 'ed.has("cac1db8c3aad")', "False",
           "each entry is changed by itself", edition="v7.3", mapping="shmem-thp"),
    Mutant("mprotect", "modify_prot_start_ptes", "of_huge, alike,", "of_huge,",
           "entries that differ are a batch", edition="v7.3", mapping="shmem-thp",
           untold="the right one too makes soft-dirty what nobody has stored to",
           shown="recorded"),
    Mutant("mprotect", "modify_prot_start_ptes", "conj(together, dirty)", "together",
           "a batch is dirty though none of it was", edition="v7.3", mapping="shmem-thp",
           untold="the right one too makes soft-dirty what nobody has stored to",
           shown="recorded"),
    Mutant("mprotect", "change_prot_numa", "negate(pinned), ", "",
           "a page that is pinned becomes a hint", edition="v7.3", mapping="anon",
           allow="numa pin",
           untold="no promise says which pages become hints"),
    # --- large_folio.py
    Mutant("large_folio", "finish_fault", "disj(whole, near)", "False",
           "no other page of the file's huge page is mapped", edition="v7.3", mapping="shmem-thp"),
    Mutant("large_folio", "finish_fault", "near = conj(not write, before.in_cache,",
           "near = conj(", "a store maps what is near though a userfaultfd listens",
           edition="v7.3", mapping="shmem-thp", allow="register:missing",
           untold="the right one too makes soft-dirty what nobody has stored to",
           shown="recorded"),
    # --- huge_memory.py
    Mutant("huge_memory", "do_huge_pmd_wp_page", "pte_mkdirty(ed, mk_pte(ed, vma))",
           "mk_pte(ed, vma)", "a store to the huge zero page is not recorded", edition="v7.3",
           mapping="thp"),
    # --- memory.py
    Mutant("memory", "set_pte_range", "pte_write(pte), entry.cache_dirty", "entry.cache_dirty",
           "a load maps a dirty page soft-dirty though it is tracked", edition="v7.3",
           allow="dontneed"),
    Mutant("memory", "try_to_free_pte", "pte_none(rest.pte)", "True",
           "a page table that holds markers is freed", edition="v7.3", mapping="shmem-thp",
           allow="dontneed close open:async",
           untold="no promise says where a huge page is mapped", shown="recorded"),
    Mutant("memory", "swap_in", 'conj(negate(ed.has("f1879e8a0c60")), passed_by)', "passed_by",
           "7.0 too passes the swap cache by", edition="v7.3", mapping="anon",
           allow="fork pageout",
           untold="no promise counts the faults of a page that was in swap", shown="recorded"),
    # --- khugepaged.py
    Mutant("khugepaged", "madvise_collapse", 'disj(ed.has("collapse-read-only"),', "disj(False,",
           "one page has to be writable still", edition="v7.3", mapping="thp",
           allow="split collapse"),
    Mutant("khugepaged", "madvise_collapse", 'negate(untabled)', "negate(entry.no_tables)",
           "a page table has to be there still", edition="v7.3", mapping="shmem-thp",
           allow="collapse fork:child",
           untold="no promise says when a collapse succeeds", shown="recorded"),
    Mutant("khugepaged", "collapse_huge_page", "entry.zero_page, entry.unused", "entry.unused",
           "of the zero page a collapse makes one that was stored to", edition="v7.3",
           mapping="thp", allow="split collapse migrate"),
)
