"""Wrong edits of how memory is filled and emptied, and of who may ask for it."""

from model.mutation.mutant import Mutant

MUTANTS = (
    Mutant("userfaultfd", "mfill_atomic_pte_zeropage", "zero_page=True", "anon=True",
           "the zero page is one of the process's own", mapping="anon",
           allow="register:missing zeropage"),
    Mutant("userfaultfd", "mfill_atomic_pte_zeropage", "pte_mkspecial(vma.vm_page_prot)",
           "vma.vm_page_prot", "the zero page is an ordinary one", mapping="anon",
           allow="register:missing zeropage"),
    Mutant("userfaultfd", "mfill_atomic", "exists = negate(pte_none(entry.pte))", "pass",
           "UFFDIO_ZEROPAGE takes the place of a marker of a private mapping",
           mapping="private-shmem", allow="register:wp+missing zeropage"),
    Mutant("userfaultfd", "userfaultfd_unregister", 'ed.has("unregister-owner")', "False",
           "7.3 lets another userfaultfd unregister", edition="v7.3", mapping="anon",
           allow="other:unregister"),
    Mutant("userfaultfd", "userfaultfd_unregister", "replace(vma, wp_async=False)", "vma",
           "6.12 lets another userfaultfd unregister a file", mapping="file",
           allow="other:unregister close open:async",
           untold="owner-only speaks of what can be protected without WP_ASYNC"),
    Mutant("madvise", "madvise_remove", "in_cache=False", "in_cache=True",
           "the hole keeps its page", allow="remove register:missing",
           untold="no promise says what a hole reads as"),
    Mutant("madvise", "madvise_remove", "unmap_single_vma(ed, vma, entry)", "entry",
           "the page stays mapped over a hole", allow="remove"),
    Mutant("madvise", "madvise_remove", "VM_MAYWRITE", "VM_WRITE",
           "6.12 asks whether the mapping may be written to now", allow="remove",
           untold="no promise says when a hole can be punched"),
)
