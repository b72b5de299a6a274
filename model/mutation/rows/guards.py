"""Mutants of guard regions."""

from model.mutation.mutant import Mutant

MUTANTS = (
    Mutant("madvise", "madvise_guard_install", "unmap_single_vma(ed, vma, entry)", "entry",
           "what is mapped is not zapped, and waited for", edition="v7.3", mapping="anon",
           allow="guard"),
    Mutant("madvise", "madvise_guard_install", "guard=True", "guard=False",
           "the marker of a guard region is none", edition="v7.3", mapping="anon", allow="guard"),
    Mutant("memory", "handle_pte_marker", "outcome(Outcome.segv)", "outcome(Outcome.event)",
           "a guard region raises an event", edition="v7.3", mapping="anon", allow="guard"),
    Mutant("madvise", "is_valid_guard_vma", "not vma.mapping.hugetlb", "True",
           "hugetlb memory can have guard regions", edition="v7.3", mapping="hugetlb",
           allow="guard"),
    Mutant("madvise", "madvise_guard_remove", "ite(entry.guard, entry.unmapped(word(0)), entry)",
           "entry.unmapped(word(0))", "MADV_GUARD_REMOVE drops what is mapped", edition="v7.3",
           mapping="anon", allow="guard unguard"),
)
