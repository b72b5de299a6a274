"""Wrong edits by which what was stored is lost."""

from model.mutation.mutant import Mutant

MUTANTS = (
    Mutant("memory", "zap_pte_range", "folio_unmapped(ed, entry).unmapped(pte)",
           "entry.unmapped(pte)", "the dirty bit of the page of a file is dropped",
           allow="dontneed"),
    Mutant("huge_memory", "folio_unmapped", "negate(entry.anon), pte_dirty(ed, entry.pte)",
           "entry.anon", "no page of a file takes over the dirty bit", allow="dontneed"),
    Mutant("rmap", "try_to_unmap_one", "folio_unmapped(ed, entry)", "entry",
           "reclaim drops the dirty bit of the page of a file", allow="pageout"),
    Mutant("rmap", "try_to_migrate_one", "disj(entry.cache_dirty, dirty)", "entry.cache_dirty",
           "the dirty bit of the page of a file is lost on the way",
           allow="migrate:begin migrate:end"),
    Mutant("vmscan", "shrink_folio_list", "disj(negate(of_file), dirty)", "negate(of_file)",
           "a dirty page of a file is dropped", allow="pageout"),
    Mutant("vmscan", "shrink_folio_list",
           "conj(of_file, dirty, not vma.mapping.regular)", "False",
           "a dirty page of a file is not written to swap", allow="pageout",
           untold="no promise speaks of pagemap's present, swap, file and exclusive bits",
           shown="recorded"),
)
