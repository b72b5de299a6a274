"""What becomes of the record of a store, and of what was stored."""

from __future__ import annotations

from properties.findings.base import Broken, Finding, Shown

_CACHED = "shmem private-shmem shmem-thp hugetlb private-hugetlb"
_MIGRATION = ("migrate:begin", "migrate:end")

FINDINGS: tuple[Finding, ...] = (
    Finding("clear_refs races with migration",
            (Broken("softdirty-complete change-seen softdirty-armed",
                    "anon shmem private-shmem file private-file", _MIGRATION),
             Broken("softdirty-complete change-seen softdirty-armed", "thp",
                    ("split", *_MIGRATION)),
             Broken("softdirty-armed", "shmem-thp", _MIGRATION),
             Broken("softdirty-complete change-seen", "shmem-thp", _MIGRATION,
                    ("file_pmd_splits",))),
            (Shown("v6.9 on", "softdirty-complete", "anon",
                   "store migrate:begin clear_refs store"),
             Shown("v5.7 on", "softdirty-complete", "shmem",
                   "load migrate:begin clear_refs store")),
            "clear_soft_dirty, clear_soft_dirty_pmd", "fs/proc/task_mmu.c",
            "Make a writable migration entry readable where its soft-dirty bit is taken, as "
            "change_pte_range() does.", "clear_refs_downgrades",
            "a write fault on the first store to a page that was migrating"),
    Finding("MADV_DONTNEED, MADV_FREE, MADV_REMOVE, truncation and UFFDIO_MOVE forget soft-dirty",
            (Broken("softdirty-complete", "anon shmem private-shmem file private-file",
                    ("dontneed",)),
             Broken("softdirty-complete", "shmem file", ("remove",)),
             Broken("softdirty-complete", "shmem private-shmem file private-file", ("truncate",)),
             Broken("softdirty-complete", "anon", ("free", "pageout")),
             Broken("softdirty-complete", "anon", ("move:out",)),
             *(Broken("softdirty-complete", "thp", allow, ("mremap_marks",)) for allow in (
                 ("dontneed",), ("free", "pageout"), ("move:out",))),
             Broken("softdirty-complete change-seen", "shmem-thp", ("dontneed",),
                    ("file_pmd_splits",)),
             Broken("softdirty-complete", "shmem-thp", ("remove",), ("file_pmd_splits",)),
             Broken("change-seen", "shmem file", ("dontneed",))),
            (Shown("v5.7 on", "softdirty-complete", "anon", "clear_refs store dontneed"),),
            "zap_pte_range, zap_huge_pmd, move_pages_ptes, move_pages_huge_pmd",
            "mm/memory.c, mm/huge_memory.c, mm/userfaultfd.c",
            "Leave the soft-dirty bit in a PTE marker, as uffd-wp does, for the next fault to "
            "take over and clear_refs to take away.", "soft_dirty_markers",
            "a new PTE marker, and page tables that stay where memory was given up; a PMD would "
            "leave a page table of markers"),
    Finding("what changes without a store is not soft-dirty",
            (Broken("change-seen", "anon private-shmem private-file", ("dontneed",)),
             Broken("change-seen", "shmem file", ("remove",)),
             Broken("change-seen", "shmem private-shmem file private-file", ("truncate",)),
             Broken("change-seen", "anon", ("free", "pageout")),
             Broken("change-seen", "anon", ("move:out",)),
             *(Broken("change-seen", "thp", allow, ("mremap_marks",)) for allow in (
                 ("dontneed",), ("free", "pageout"), ("move:out",))),
             Broken("change-seen", "private-shmem", ("zeropage",)),
             Broken("change-seen", "anon shmem private-shmem", ("poison",)),
             *(Broken("change-seen", "thp", (op,), ("mremap_marks",))
               for op in ("poison", "guard")),
             *(Broken("change-seen", "shmem-thp", (op,), ("file_pmd_splits",))
               for op in ("poison", "guard", "remove")),
             Broken("change-seen", "anon shmem private-shmem file private-file", ("guard",))),
            (Shown("v5.7 on", "change-seen", "anon", "store clear_refs dontneed"),
             Shown("v5.7 on", "change-seen", "file", "clear_refs truncate"),
             Shown("v5.7 on", "change-seen", "private-shmem",
                   "clear_refs register:missing zeropage"),
             Shown("v6.6 on", "change-seen", "anon", "clear_refs register poison"),
             Shown("v6.16 on", "change-seen", "anon", "clear_refs guard")),
            "zap_pte_range, zap_huge_pmd, unmap_mapping_range, mfill_atomic_pte_zeropage, "
            "mfill_atomic_pte_poison, move_pages_ptes, move_pages_huge_pmd, madvise_guard_install, "
            "madvise_guard_remove",
            "mm/memory.c, mm/huge_memory.c, mm/userfaultfd.c, mm/madvise.c",
            "Leave a soft-dirty PTE marker wherever a page of the program's own is dropped, soft-"
            "dirty or not, and in every entry of a hole and of what is truncated; make poison, "
            "guard markers and the zero page of UFFDIO_ZEROPAGE soft-dirty.",
            "drops_mark_soft_dirty", "as for the markers that keep soft-dirty, and page tables "
            "for what was never touched; or say in soft-dirty.rst that it is about stores alone: "
            "what was given up and is read again is mapped, and looks as it did "
            "(given_up/stale.c)",
            ("softdirty-precise",)),
    Finding("UFFDIO_COPY, UFFDIO_ZEROPAGE and UFFDIO_CONTINUE fill a guard region",
            (Broken("guard-kept", "anon shmem private-shmem", ("copy",)),
             Broken("guard-kept", "anon shmem private-shmem", ("copy:wp",)),
             Broken("guard-kept", "shmem", ("zeropage",)),
             Broken("guard-kept", "shmem private-shmem", ("continue",)),
             Broken("guard-kept", "shmem private-shmem", ("continue:wp",))),
            (Shown("v6.16 to v6.18", "guard-kept", "anon", "register guard copy store"),
             Shown("v6.16 to v6.18", "guard-kept", "shmem",
                   "store register guard continue store")),
            "mfill_atomic_install_pte, pte_none_mostly", "mm/userfaultfd.c",
            "Take no marker but that of uffd-wp for an empty entry: EEXIST where a guard region "
            "is, as Linux does since 6.19.", "fills_spare_guards"),
    Finding("reclaim of shared memory forgets soft-dirty",
            (Broken("softdirty-complete change-seen", "shmem file", ("pageout",)),),
            (Shown("v5.7 on", "softdirty-complete", "shmem", "clear_refs store pageout"),),
            "try_to_unmap_one", "mm/rmap.c",
            "Leave the soft-dirty bit in a PTE marker: the same change, which sits in "
            "pte_install_uffd_wp_if_needed().", "soft_dirty_markers",
            "as for MADV_DONTNEED: page tables that reclaim cannot free"),
    Finding("KSM drops soft-dirty, uffd-wp and read-write protection",
            (Broken("softdirty-complete change-seen", "anon private-shmem private-file", ("ksm",)),
             Broken("uffd-wp-complete", "private-shmem", ("ksm",)),
             Broken("uffd-wp-complete", "anon", ("ksm",), ("anon_markers",)),
             Broken("uffd-wp-complete-populated", "anon private-shmem", ("ksm",)),
             Broken("rwp-complete", "anon private-shmem", ("ksm",))),
            (Shown("v5.7 to v6.12, v6.16 on", "softdirty-complete", "anon", "clear_refs store ksm"),
             Shown("v5.7 on", "uffd-wp-complete-populated", "anon",
                   "store register wp ksm store"),
             Shown("v7.3 on", "rwp-complete", "anon",
                   "store close open:rwp register:rwp rwp ksm load")),
            "replace_page", "mm/ksm.c",
            "Take both bits of the entry that is replaced over into the new one, and its PROT_NONE "
            "in a VMA of mode RWP.",
            "ksm_keeps_bits"),
    Finding("a device writes through its pin",
            (Broken("softdirty-complete change-seen", "anon shmem private-shmem private-file",
                    ("pin", "pin:write")),
             Broken("softdirty-complete change-seen", "thp", ("pin", "pin:write")),
             Broken("softdirty-complete", "shmem-thp", ("pin", "pin:write"), ("file_pmd_splits",)),
             Broken("softdirty-complete", "hugetlb private-hugetlb", ("pin", "pin:write"),
                    ("hugetlb_soft_dirty",))),
            (Shown("v5.7 on", "softdirty-complete", "anon",
                   "pin mprotect:none clear_refs pin:write"),),
            "clear_soft_dirty, clear_soft_dirty_pmd", "fs/proc/task_mmu.c",
            "Leave every page soft-dirty that folio_maybe_dma_pinned(), in a shared mapping and "
            "read-only too, and set the bit where it is missing.", "pinned_stay_dirty",
            "a pinned page reads as soft-dirty after each clear_refs, written to or not: no page "
            "table is asked when a device writes, so that no exact record can be had; a page with "
            "very many references counts as pinned"),
    Finding("a device writes through its pin, and the page reads as not written",
            (Broken("uffd-wp-async-complete", f"{_CACHED} anon private-file thp",
                    ("pin", "pin:write")),),
            (Shown("v6.7 on", "uffd-wp-async-complete", "anon",
                   "close open:async register pin wp pin:write"),),
            "uffd_wp_range", "mm/userfaultfd.c",
            "With WP_ASYNC leave every page unprotected that folio_maybe_dma_pinned(), so that it "
            "reads as written.", "pinned_stay_written",
            "a pinned page reads as written after each scan; a page with very many references "
            "counts as pinned"),
    Finding("what a device writes through its pin is taken for clean",
            (Broken("data-kept", "shmem", ("pin", "pin:write")),
             Broken("data-kept", "anon thp", ("free", "pin", "pin:write"))),
            (Shown("v5.7 on", "data-kept", "shmem", "load pin pin:write"),),
            "io_buffer_unmap, pin_user_pages", "io_uring/rsrc.c, mm/gup.c",
            "Mark each page of a buffer dirty that is pinned for writing, as FOLL_TOUCH does, or "
            "before it is unpinned, as Documentation/core-api/pin_user_pages.rst asks; and let "
            "MADV_FREE pass by what is pinned.",
            "pins_dirty", "a buffer that nobody wrote to is written to swap all the same"),
    Finding("MADV_FREE gives up a page that KSM merges others into",
            (Broken("freed-own", "anon"),),
            (Shown("v5.7 on", "freed-own", "anon", "store ksm free"),),
            "madvise_free_pte_range", "mm/madvise.c",
            "Pass by what folio_test_ksm() says: whoever is merged later has not given it up "
            "(merged/madv_free.c loses the memory of another process so).", "free_spares_ksm",
            "what KSM has merged is not given up early"),
    Finding("splitting the PMD of shared memory forgets soft-dirty",
            (Broken("softdirty-complete change-seen", "shmem-thp"),),
            (Shown("v5.19 on", "softdirty-complete", "shmem-thp",
                   "clear_refs store register wp"),),
            "__split_huge_pmd_locked", "mm/huge_memory.c",
            "Split the PMD of a file into PTEs that keep its bits, as that of anonymous memory, "
            "instead of into nothing.", "file_pmd_splits",
            "a page table filled with 512 entries at once, and its memory"),
    Finding("UFFDIO_RWPROTECT unmaps a huge page of shared memory and protects nothing; a store to "
            "a read-only one ends in a minor event",
            (Broken("rwp-complete", "shmem-thp"),
             *(Broken("access-completes", "shmem-thp", (f"register:{mode}",))
               for mode in ("minor", "wp+minor"))),
            (Shown("v7.3 on", "rwp-complete", "shmem-thp",
                   "store close open:rwp register:rwp rwp load"),
             Shown("v5.14 on", "access-completes", "shmem-thp",
                   "store clear_refs register:minor store")),
            "__split_huge_pmd_locked", "mm/huge_memory.c",
            "Split the PMD of a file into PTEs, which can be protected, and are mapped: the same "
            "change.", "file_pmd_splits", "the same"),
    Finding("collapsing shared memory forgets soft-dirty",
            (Broken("softdirty-complete change-seen", "shmem-thp", ("collapse",),
                    ("file_pmd_splits",)),),
            (Shown("v5.7 on", "softdirty-complete", "shmem-thp",
                   "store clear_refs store collapse"),),
            "collapse_pte_mapped_thp, collapse_file", "mm/khugepaged.c",
            "Make the new PMD soft-dirty where an entry of the page table was, and leave small "
            "pages that are soft-dirty as they are while stores are tracked.",
            "collapse_keeps_soft_dirty", "2M read as soft-dirty where 4K were; small pages stay so "
            "until the next clear_refs"),
    Finding("soft-dirty says nothing of hugetlb",
            (Broken("softdirty-complete", "hugetlb private-hugetlb"),),
            (Shown("v5.7 on", "softdirty-complete", "hugetlb", "clear_refs store"),),
            "clear_refs_write (clear_refs_walk_ops), pagemap_hugetlb_range, vma_wants_writenotify",
            "fs/proc/task_mmu.c, mm/vma.c",
            "Let clear_refs visit hugetlb entries, pagemap show their own bit, and tracking be a "
            "reason for write notification; no one of the three is enough.",
            "hugetlb_soft_dirty", "write faults on hugetlb memory after each clear_refs, as "
            "hugetlb-mprotect-precise has it of memory that is not tracked",
            ("hugetlb-mprotect-precise",)),
)
