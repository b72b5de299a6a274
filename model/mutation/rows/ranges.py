"""Mutants of VMAs that merge and split, and of fault-around."""

from model.mutation.mutant import Mutant

_SEVERAL = "promises are broken with it and without, or take more pages than are searched"


def _row(module: str, function: str, old: str, new: str, note: str, law: str,
         edition: str = "v6.12") -> Mutant:
    return Mutant(module, function, old, new, note, edition=edition, untold=_SEVERAL,
                  shown=f"law:test_{law}")


MUTANTS = (
    _row("vma", "is_mergeable_vma", "neighbour, 0", "neighbour, VM_ACCESS_FLAGS",
         "what may be done is not asked", "flags_that_may_differ"),
    _row("vma", "is_mergeable_anon_vma", 'ed.has("879bca0a2c4f")', "True",
         "6.12 merges what is faulted with what is not", "anon_vmas_that_may_be_one"),
    _row("vma", "is_mergeable_anon_vma", "ite(ours, negate(area.chained),", "ite(ours, True,",
         "a child's VMA grows", "anon_vmas_that_may_be_one", edition="v7.3"),
    _row("vma", "needs_adjacent_anon_pgoff", 'ed.has("anon-pgoff")', "True",
         "6.12 asks it of files", "pgoff_must_continue"),
    Mutant("vma", "can_vma_merge_before", "_continues(ed, area, following)", "True",
           "pgoff is not asked", mapping="shmem:3"),
    Mutant("vma", "can_vma_merge_after", "_continues(ed, area, prev)", "True",
           "pgoff is not asked", mapping="shmem:3"),
    _row("vma", "dup_anon_vma", "conj(negate(dst.faulted), src.faulted)", "src.faulted",
         "an anon_vma gives way", "who_lacks_an_anon_vma_takes_it_over"),
    _row("vma", "vma_merge_existing_range",
         "ite(left, dup_anon_vma(ed, prev, source), dup_anon_vma(ed, following, middle))",
         "ite(right, dup_anon_vma(ed, following, middle), dup_anon_vma(ed, prev, source))",
         "the right survives", "who_survives"),
    _row("vma", "vma_merge_existing_range",
         "disj(negate(left), are_anon_vmas_compatible(prev, following))", "True",
         "both sides are not asked about each other", "who_survives"),
    Mutant("vma", "vma_merge_existing_range", "_sticky(ed, survivor, parts)", "survivor",
           "nothing is sticky", edition="v7.3", mapping="shmem:2"),
    Mutant("vma", "vma_merge_existing_range", "right = conj(right_side,", "right = conj(False,",
           "what follows stays apart", mapping="shmem:2"),
    _row("vma", "vma_merge_new_range", 'since = ed.has("cacded5e42b9")', "since = False",
         "6.12 asks the right first", "what_is_mapped_anew_between_others"),
    _row("vma", "vma_merge_new_range", "dup_anon_vma(ed, survivor, made)", "survivor",
         "what moves leaves its anon_vma behind", "what_moves_brings_its_anon_vma",
         edition="v7.3"),
    _row("vma", "vma_modify", "joined=ite(asked, merge.left, new[start].joined)",
         "joined=new[start].joined", "the beginning is not split off",
         "a_range_merges_or_is_split_off"),
    _row("vma", "vma_modify", "conj(right_side, negate(wrong))", "right_side",
         "what follows anonymous memory matches always",
         "a_misplaced_range_merges_with_what_would_follow_the_beginning"),
    _row("vma", "vma_modify", "ite(wrong, said, changed.offset)", "changed.offset",
         "what follows matches always", "a_range_merges_or_is_split_off"),
    _row("vma", "_within", "ite(places[at].joined, one_more(found), NOBODY)", "one_more(found)",
         "pages of other VMAs count",
         "a_misplaced_range_merges_with_what_would_follow_the_beginning"),
    Mutant("userfaultfd", "mwriteprotect_range", "ite(registered, outcome(Outcome.ok), ",
           "ite(negate(registered), outcome(Outcome.ok), ", "what is registered is refused",
           mapping="shmem:2"),
    _row("vma", "anon_vma_compatible", "VM_ACCESS_FLAGS", "0", "mprotect keeps anon_vmas apart",
         "flags_that_may_differ"),
    _row("vma", "find_mergeable_anon_vma", "negate(other.area.chained)", "True",
         "a child's anon_vma is shared", "whose_anon_vma_is_taken"),
    _row("vma", "unmap_region", ".unmapped(word(0))", "", "markers outlive munmap",
         "munmap_leaves_nothing"),
    _row("fault_around", "should_fault_around", "userfaultfd_minor(vma), ", "",
         "minor mode does not end it", "fault_around"),
    _row("fault_around", "do_fault_around", "entry.in_cache, ", "",
         "what is not in the page cache is mapped", "fault_around"),
)
