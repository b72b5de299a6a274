"""Mutants of what pins, guard regions, userfaultfd ioctls and mode RWP do to huge pages."""

from model.mutation.mutant import Mutant

_ON = "close open:rwp register:rwp rwp unrwp"
_SMALL = "copy dontneed poison collapse"
_PINNED = "no promise says that a pinned page is not collapsed"

MUTANTS = (
    # --- pins
    Mutant("huge_memory", "copy_huge_pmd", "conj(entry.pinned, entry.anon_exclusive)", "False",
           "fork shares a pinned huge page", mapping="thp", allow="pin fork:stay"),
    Mutant("khugepaged", "referenced_elsewhere", "entry.pinned", "False",
           "a pinned page is collapsed", mapping="thp", allow="pin split collapse",
           untold=_PINNED),
    # --- markers and small pages in the place of a PMD
    Mutant("userfaultfd", "mfill_establish_pmd", "conj(entry.huge, pte_none(entry.pte))",
           "entry.huge", "a PMD that maps a huge page is taken for a page table", mapping="thp",
           allow="copy"),
    Mutant("madvise", "madvise_guard_install", "guard=True, huge=False", "guard=True",
           "a guard region leaves no page table", edition="v7.3", mapping="thp", allow="guard"),
    Mutant("khugepaged", "madvise_collapse", "negate(marked))", "True)",
           "poison is collapsed", edition="v7.3", mapping="thp", allow="poison collapse"),
    # --- small pages in the page cache of huge ones
    Mutant("khugepaged", "keeps_page_table", "disj(protected, vma.anon_vma, vma.maybe_guard)",
           "True", "a collapse keeps the page table", edition="v7.3", mapping="shmem-thp",
           allow=_SMALL),
    Mutant("khugepaged", "keeps_page_table", "disj(protected, vma.anon_vma, vma.maybe_guard)",
           "disj(protected, vma.anon_vma)", "a collapse drops guard regions", edition="v7.3",
           mapping="shmem-thp", allow="copy dontneed guard collapse",
           untold="guard-kept does not speak of what a huge page may map"),
    Mutant("khugepaged", "collapse_scan_file", "entry.pinned, ", "",
           "a pinned small page is collapsed", mapping="shmem-thp", allow="copy pin collapse",
           untold=_PINNED),
    Mutant("khugepaged", "collapse_file", "ite(entry.cache_small, huge, entry)", "entry",
           "small pages are not collapsed", edition="v7.3", mapping="shmem-thp", allow=_SMALL),
    Mutant("memory", "do_fault", "conj(entry.huge, negate(entry.cache_small))", "entry.huge",
           "a PMD maps a small page", mapping="shmem-thp", allow="copy dontneed",
           untold="no promise says what a page is mapped by"),
    # --- mode RWP
    Mutant("huge_memory", "change_huge_pmd", "changed = rwp_restored(ed, vma, changed)", "pass",
           "mprotect opens a PMD that is read-write protected", edition="v7.3", mapping="thp",
           allow=_ON),
    Mutant("huge_memory", "change_huge_pmd", "if cp.uffd_prot:\n        changed",
           "if cp.uffd_wp:\n        changed", "`rwp` does not protect a PMD", edition="v7.3",
           mapping="thp", allow=_ON),
    Mutant("huge_memory", "split_huge_pmd_locked", "pmd, rwp_restored(ed, vma, pte))", "pmd, pte)",
           "the PTEs of a read-write protected PMD are open", edition="v7.3", mapping="thp",
           allow=f"{_ON} split"),
    Mutant("huge_memory", "split_huge_zero_page_pmd", "rwp_restored(ed, vma, pte)", "pte",
           "those of the huge zero page are open", edition="v7.3", mapping="thp",
           allow=f"{_ON} split"),
    Mutant("huge_memory", "remove_migration_pmd", "since = rwp_restored(ed, vma, since)", "pass",
           "a read-write protected huge page that migrates is open", edition="v7.3",
           mapping="thp", allow=f"{_ON} migrate"),
    Mutant("huge_memory", "move_huge_pmd", "rwp_disarmed(ed, vma, pmd)", "pmd",
           "a read-write protected huge page moves closed", edition="v7.3", mapping="thp",
           allow=f"{_ON} mremap",
           untold="the next access takes it for a NUMA hint, and opens it"),
    Mutant("huge_memory", "do_huge_pmd_uffd_rwp", "vma.rwp_async", "True",
           "a fault opens a PMD that is read-write protected", edition="v7.3", mapping="thp",
           allow=_ON),
    Mutant("huge_memory", "huge_pmd_hint", "userfaultfd_pte_rwp(vma, entry.pte)", "False",
           "a read-write protected PMD is taken for a NUMA hint", edition="v7.3", mapping="thp",
           allow=_ON),
)
