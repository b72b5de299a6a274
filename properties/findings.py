"""The findings by cause: which kernels have it, who is at fault, and what would make the promise
hold. They are of the newest edition; what that has mended stays, as of the last that had it.

A remedy is a file of model/kernel/remedies/; `python -m model.findings` proves each row anew.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Broken:
    """Promises that a cause breaks: on each of the mappings (names, with spaces between), with the
    core operations and those of `allow`. `behind` are remedies of other causes, without which this
    one does not show there alone, or those would show with its remedy."""

    promises: str
    mappings: str
    allow: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shown:
    """The editions in which `calls` break `promise` on `mapping` for this cause: `kernels` has the
    first and last of each row of them ("v6.1.170 to v6.1, v6.3 on": the newest has it)."""

    kernels: str
    promise: str
    mapping: str
    calls: str

    @property
    def ops(self) -> tuple[str, ...]:
        return tuple(self.calls.split())


@dataclass(frozen=True)
class Finding:
    """One cause, and one remedy for it.

    `broken` is what it breaks in the last edition that has it, `shown` which have it, and how.
    `function` is the kernel function at fault, in the kernel's `path`; `change` says in a sentence
    what would make the promises hold, `remedy` names the file that does it in the model and `cost`
    what it asks of the kernel or of programs. `gives_up` are promises that cannot stand beside it.
    """

    cause: str
    broken: tuple[Broken, ...]
    shown: tuple[Shown, ...]
    function: str
    path: str
    change: str
    remedy: str
    cost: str = ""
    gives_up: tuple[str, ...] = ()


_UFFD = "anon shmem private-shmem thp shmem-thp hugetlb"
_CACHED = "shmem private-shmem shmem-thp hugetlb private-hugetlb"
_SCAN = ("close", "open:async", "scan:wp")
_MIGRATION = ("migrate:begin", "migrate:end")

FINDINGS: tuple[Finding, ...] = (
    Finding("clear_refs races with migration",
            (Broken("softdirty-complete softdirty-armed",
                    "anon shmem private-shmem file private-file", _MIGRATION),
             Broken("softdirty-complete softdirty-armed", "thp", ("split", *_MIGRATION)),
             Broken("softdirty-armed", "shmem-thp", _MIGRATION),
             Broken("softdirty-complete", "shmem-thp", _MIGRATION, ("file_pmd_splits",))),
            (Shown("v6.9 on", "softdirty-complete", "anon",
                   "store migrate:begin clear_refs store"),
             Shown("v5.7 on", "softdirty-complete", "shmem",
                   "load migrate:begin clear_refs store")),
            "clear_soft_dirty, clear_soft_dirty_pmd", "fs/proc/task_mmu.c",
            "Make a writable migration entry readable where its soft-dirty bit is taken, as "
            "change_pte_range() does.", "clear_refs_downgrades",
            "a write fault on the first store to a page that was migrating"),
    Finding("MADV_DONTNEED, MADV_FREE, MADV_REMOVE and truncation forget soft-dirty",
            (Broken("softdirty-complete", "anon shmem private-shmem file private-file",
                    ("dontneed",)),
             Broken("softdirty-complete", "shmem file", ("remove",)),
             Broken("softdirty-complete", "shmem private-shmem file private-file", ("truncate",)),
             Broken("softdirty-complete", "anon", ("free", "pageout")),
             Broken("softdirty-complete", "thp", ("dontneed",), ("mremap_marks",)),
             Broken("softdirty-complete", "thp", ("free", "pageout"), ("mremap_marks",)),
             *(Broken("softdirty-complete", "shmem-thp", (op,), ("file_pmd_splits",))
               for op in ("dontneed", "remove"))),
            (Shown("v5.7 on", "softdirty-complete", "anon", "clear_refs store dontneed"),),
            "zap_pte_range, zap_huge_pmd", "mm/memory.c, mm/huge_memory.c",
            "Leave the soft-dirty bit in a PTE marker, as uffd-wp does, for the next fault to "
            "take over and clear_refs to take away.", "soft_dirty_markers",
            "a new PTE marker, and page tables that stay where memory was given up; a PMD would "
            "leave a page table of markers"),
    Finding("reclaim of shared memory forgets soft-dirty",
            (Broken("softdirty-complete", "shmem file", ("pageout",)),),
            (Shown("v5.7 on", "softdirty-complete", "shmem", "clear_refs store pageout"),),
            "try_to_unmap_one", "mm/rmap.c",
            "Leave the soft-dirty bit in a PTE marker: the same change, which sits in "
            "pte_install_uffd_wp_if_needed().", "soft_dirty_markers",
            "as for MADV_DONTNEED: page tables that reclaim cannot free"),
    Finding("KSM drops soft-dirty, uffd-wp and read-write protection",
            (Broken("softdirty-complete", "anon private-shmem private-file", ("ksm",)),
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
            (Broken("softdirty-complete", "anon shmem private-shmem private-file thp",
                    ("pin", "pin:write")),
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
            (Broken("softdirty-complete", "shmem-thp"),),
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
            (Broken("softdirty-complete", "shmem-thp", ("collapse",), ("file_pmd_splits",)),),
            (Shown("v5.7 on", "softdirty-complete", "shmem-thp",
                   "store clear_refs store collapse"),),
            "collapse_pte_mapped_thp", "mm/khugepaged.c",
            "Make the new PMD soft-dirty where an entry of the page table was.",
            "collapse_keeps_soft_dirty", "2M read as soft-dirty where 4K were"),
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
    Finding("UFFDIO_REGISTER leaves protected entries where it takes write-protect mode away",
            (Broken("no-stale-uffd-wp", _UFFD + " private-hugetlb", ("register:missing",)),
             Broken("uffd-wp-armed", _UFFD, ("register:missing",)),
             Broken("access-completes", "hugetlb private-hugetlb", ("register:missing",)),
             Broken("uffd-wp-async-complete", _UFFD, ("register:missing", *_SCAN)),
             Broken("no-stale-uffd-wp", _CACHED, ("register:minor",)),
             Broken("uffd-wp-async-complete", "shmem private-shmem shmem-thp hugetlb",
                    ("register:minor", *_SCAN)),
             Broken("access-completes", "hugetlb private-hugetlb", ("register:minor",))),
            (Shown("v5.7 to v7.2", "no-stale-uffd-wp", "anon",
                   "store register wp register:missing"),),
            "userfaultfd_register_range (6.1: userfaultfd_register)",
            "mm/userfaultfd.c (6.1: fs/userfaultfd.c)",
            "Un-protect the entries where VM_UFFD_WP goes, as UFFDIO_UNREGISTER does "
            "(f369b07c8614).", "reregister_cleans",
            "a walk of the page tables when a registration gives the mode up"),
    Finding("the endless fault of hugetlb, by itself",
            (Broken("access-completes", "hugetlb private-hugetlb", ("register:missing",)),
             Broken("access-completes", "hugetlb private-hugetlb", ("register:minor",))),
            (Shown("v6.1.170 to v6.1, v6.3 to v7.2", "access-completes", "hugetlb",
                   "store register wp register:missing store"),),
            "hugetlb_wp", "mm/hugetlb.c",
            "Heed the uffd-wp bit only where the VMA is registered for write-protect mode, and "
            "drop it else.", "hugetlb_wp_asks_registration",
            "the stale bits stay until a store: no-stale-uffd-wp and uffd-wp-armed stay broken"),
    Finding("anonymous memory takes no markers",
            (Broken("uffd-wp-complete", "anon"),
             Broken("uffd-wp-complete", "thp", (), ("mremap_marks",))),
            (Shown("v5.7 on", "uffd-wp-complete", "anon", "register wp store"),),
            "userfaultfd_wp_use_markers", "include/linux/userfaultfd_k.h",
            "Let write-protecting leave markers in empty anonymous entries too, as a userfaultfd "
            "with WP_UNPOPULATED has it.", "anon_markers",
            "page tables for memory that was never touched; documented as it is, and programs can "
            "ask for it (WP_UNPOPULATED, 6.4)"),
    Finding("MADV_DONTNEED and MADV_FREE drop the protection of anonymous memory",
            (Broken("uffd-wp-complete-populated", "anon", ("dontneed",)),
             Broken("uffd-wp-complete-populated", "anon", ("free", "pageout")),
             Broken("uffd-wp-complete-populated", "thp", ("dontneed",), ("mremap_marks",)),
             Broken("uffd-wp-complete-populated", "thp", ("free", "pageout"), ("mremap_marks",)),
             Broken("uffd-wp-complete", "anon", ("dontneed",), ("anon_markers",)),
             Broken("uffd-wp-complete", "thp", ("dontneed",), ("mremap_marks", "anon_markers"))),
            (Shown("v5.7 on", "uffd-wp-complete-populated", "anon",
                   "store register wp dontneed store"),),
            "zap_pte_range (pte_install_uffd_wp_if_needed), zap_huge_pmd",
            "mm/memory.c, include/linux/mm_inline.h, mm/huge_memory.c",
            "Leave a marker where a protected anonymous entry is dropped, as in memory of a file.",
            "anon_markers_stay", "page tables that stay where memory was given up; documented as "
            "it is"),
    Finding("a 2M range that is moved is not marked soft-dirty",
            (*(Broken("mremap-marks-moved", "thp", allow) for allow in (
                ("split",), ("pageout",), ("fork:stay",), ("fork:child",),
                ("close", "open:unpopulated"), ("close", "open:async"), ("guard", "unguard"),
                ("copy",), ("copy:wp",), ("zeropage",), ("free", "poison"), ("pin", "fork"))),
             Broken("mremap-marks-moved", "shmem-thp")),
            (Shown("v5.7 to v6.12.118", "mremap-marks-moved", "thp",
                   "load store clear_refs mremap"),
             Shown("v5.7 on", "mremap-marks-moved", "thp", "store split clear_refs mremap"),
             Shown("v5.19 on", "mremap-marks-moved", "shmem-thp",
                   "clear_refs register wp load unregister mremap")),
            "move_page_tables (move_normal_pmd)", "mm/mremap.c",
            "Move no page table as a whole while soft-dirty tracking is on.", "mremap_marks",
            "512 entries are moved one by one while tracking is on"),
    Finding("a shared page stays read-only after un-protect",
            (Broken("unprotect-precise", "shmem shmem-thp"),),
            (Shown("v6.3 on", "unprotect-precise", "shmem", "store register unregister"),),
            "vma_wants_manual_pte_write_upgrade", "mm/vma.h",
            "Ask can_change_pte_writable() wherever the VMA may be written to: a vm_page_prot that "
            "is write-protected is no reason not to.", "unprotect_upgrades"),
    Finding("a page of hugetlb stays read-only after un-protect",
            (Broken("unprotect-precise", "hugetlb private-hugetlb"),),
            (Shown("v6.3 on", "unprotect-precise", "hugetlb", "store register unregister"),),
            "hugetlb_change_protection, vma_wants_manual_pte_write_upgrade",
            "mm/hugetlb.c, mm/vma.h",
            "Heed MM_CP_TRY_CHANGE_WRITABLE: a dirty page that is shared or the process's own, and "
            "not protected, is made writable; and ask for it as for shmem.", "hugetlb_upgrades"),
    Finding("a huge page that migrates becomes soft-dirty",
            (Broken("softdirty-precise", "thp", ("migrate",)),
             Broken("softdirty-precise", "shmem-thp", ("migrate",), ("batch_exact",)),
             Broken("softdirty-precise", "thp shmem-thp", _MIGRATION,
                    ("batch_exact", "clear_refs_downgrades"))),
            (Shown("v5.7 on", "softdirty-precise", "thp", "store clear_refs migrate"),),
            "remove_migration_pmd", "mm/huge_memory.c",
            "Set or clear soft-dirty after pmd_mkdirty(), as 63222c14c269 does for PTEs.",
            "huge_migration_exact", "clear_soft_dirty_pmd() must then make writable migration "
            "entries readable: the needless bit hides from PMDs the race of clear_refs"),
    Finding("a huge page that is split becomes soft-dirty",
            (Broken("softdirty-precise", "thp", ("split",), ("batch_exact",)),
             Broken("softdirty-precise", "thp", ("pageout",), ("batch_exact",))),
            (Shown("v6.4 on", "softdirty-precise", "thp", "store clear_refs split"),),
            "__split_huge_pmd_locked", "mm/huge_memory.c",
            "Clear soft-dirty after pte_mkdirty() where the PMD had it not.", "split_exact"),
    Finding("a change of protection makes soft-dirty what was dirty",
            (Broken("softdirty-precise", "shmem-thp"),
             Broken("softdirty-precise", "thp", ("close", "open:async"))),
            (Shown("v6.17 on", "softdirty-precise", "shmem-thp",
                   "register wp unregister store clear_refs mprotect:none"),),
            "modify_prot_start_ptes", "include/linux/pgtable.h",
            "Give the dirty bit to the entries before it in a batch without pte_mkdirty(), which "
            "sets soft-dirty too: cac1db8c3aad changes the pages of a large folio together that "
            "agree in soft-dirty.", "batch_exact"),
    Finding("UFFDIO_CONTINUE makes soft-dirty what nobody has stored to",
            (Broken("softdirty-precise", "private-shmem", ("continue",)),
             Broken("softdirty-precise", "private-shmem", ("continue:wp",)),
             Broken("softdirty-precise", "shmem", ("continue", "dontneed")),
             Broken("softdirty-precise", "shmem", ("continue:wp", "dontneed"))),
            (Shown("v5.19 on", "softdirty-precise", "private-shmem",
                   "clear_refs register continue"),),
            "mfill_atomic_install_pte", "mm/userfaultfd.c",
            "Map a page that the page cache has as a load does, by vm_page_prot alone: "
            "pte_mkdirty() is for what has been filled.", "continue_exact",
            "a write fault on the first store to such a page, where somebody tracks stores"),
    Finding("a page of hugetlb that is only read begins to read as written",
            (Broken("async-precise", "hugetlb private-hugetlb"),),
            (Shown("v6.7 on", "async-precise", "hugetlb", "close open:async register load"),),
            "pagemap_hugetlb_category", "fs/proc/task_mmu.c",
            "Call an empty entry written in a VMA that is registered for write-protect mode, as "
            "pagemap_page_category() does, so that a scan that protects what is written protects "
            "it too.", "hugetlb_scans_holes"),
    Finding("PAGEMAP_SCAN that meets a page in migration does not protect it",
            (Broken("async-precise", "anon shmem private-shmem file private-file thp shmem-thp",
                    _MIGRATION),),
            (Shown("v6.7 on", "async-precise", "anon",
                   "store close open:async register migrate:begin scan:wp load"),),
            "make_uffd_wp_pte, make_uffd_wp_pmd", "fs/proc/task_mmu.c",
            "Make a writable migration entry readable where it is protected, as "
            "change_pte_range() does: remove_migration_pte() asks for write permission first, and "
            "then for no uffd-wp bit.", "scan_downgrades"),
    Finding("a second userfaultfd un-protects what the first has protected",
            (Broken("owner-only", "anon shmem private-shmem thp shmem-thp hugetlb private-hugetlb",
                    ("other:unwp",)),),
            (Shown("v5.7 on", "owner-only", "anon", "store register wp other:unwp"),),
            "mwriteprotect_range", "mm/userfaultfd.c",
            "Refuse UFFDIO_WRITEPROTECT where the VMA is registered with another userfaultfd, as "
            "userfaultfd_unregister() does since 6.17.", "unprotect_asks_owner"),
    Finding("UFFDIO_ZEROPAGE takes the place of a uffd-wp marker",
            (Broken("uffd-wp-complete", "shmem", ("zeropage",)),),
            (Shown("v5.19 on", "uffd-wp-complete", "shmem", "register wp zeropage store"),),
            "mfill_atomic_install_pte", "mm/userfaultfd.c",
            "Protect the page where it takes the place of a marker: UFFDIO_ZEROPAGE has no mode WP "
            "by which a program could ask for it.", "zeropage_keeps_marker"),
    Finding("truncation drops the protection of hugetlb memory",
            (Broken("uffd-wp-complete uffd-wp-complete-populated", "hugetlb", ("truncate",)),),
            (Shown("v5.19 on", "uffd-wp-complete", "hugetlb", "store register wp truncate store"),),
            "hugetlb_vmtruncate", "fs/hugetlbfs/inode.c",
            "Unmap without ZAP_FLAG_DROP_MARKER, as hole punching does, and as the truncation of "
            "shared memory that is not hugetlb.", "truncate_keeps_markers",
            "markers stay behind the end of the file, where they protect nothing unless it grows "
            "again"),
    Finding("UFFDIO_WRITEPROTECT passes poison by",
            (Broken("uffd-wp-complete", _CACHED, ("poison", "dontneed")),
             Broken("uffd-wp-complete", "hugetlb", ("poison", "remove")),
             Broken("uffd-wp-complete", "shmem private-shmem", ("poison", "truncate"))),
            (Shown("v6.6 on", "uffd-wp-complete", "shmem", "register poison wp dontneed store"),),
            "change_softleaf_pte, hugetlb_change_protection (6.12: change_pte_range)",
            "mm/mprotect.c, mm/hugetlb.c",
            "Refuse it where the range has poison, which holds no second marker: so a program "
            "does not believe what is given up and comes back to be protected.",
            "poison_refuses_wp", "a range with poison is protected around it"),
    Finding("PAGEMAP_SCAN protects poison and guard regions",
            tuple(Broken("no-stale-uffd-wp", "anon shmem private-shmem thp shmem-thp",
                         ("close", "open:async", op, "scan:wp")) for op in ("poison", "guard")),
            (Shown("v6.7 on", "no-stale-uffd-wp", "anon",
                   "close open:async register poison scan:wp unregister"),),
            "make_uffd_wp_pte", "fs/proc/task_mmu.c",
            "Leave markers other than that of uffd-wp as they are, as make_uffd_wp_huge_pte() "
            "does.", "scan_spares_poison"),
    Finding("MADV_GUARD_INSTALL never returns",
            (Broken("calls-return", "shmem private-shmem shmem-thp"),
             Broken("calls-return", "file private-file", ("close", "open:async"))),
            (Shown("v6.16 on", "calls-return", "shmem", "register wp guard"),),
            "madvise_guard_install", "mm/madvise.c",
            "Put the guard marker in the place of one of uffd-wp, which zap_vma_range() leaves in "
            "memory of a file.", "guard_over_markers"),
    Finding("a child may write to read-only memory",
            (Broken("writable-allowed", "private-hugetlb", ("pin", "fork:child")),),
            (Shown("v5.7 to v6.12.118", "writable-allowed", "private-hugetlb",
                   "pin mprotect:r fork:child"),),
            "copy_hugetlb_page_range, make_huge_pte", "mm/hugetlb.c",
            "Ask the VMA whether it may be written to before the copy of a page that is pinned is "
            "mapped writable, as Linux does since 6.15.", "huge_copy_asks_vma"),
    Finding("UFFDIO_WRITEPROTECT passes a guard region by",
            (Broken("uffd-wp-complete", "shmem private-shmem shmem-thp", ("guard", "unguard")),),
            (Shown("v6.16 on", "uffd-wp-complete", "shmem", "register guard wp unguard store"),),
            "change_softleaf_pte", "mm/mprotect.c",
            "Refuse it where the range has a guard region, which holds no second marker.",
            "guard_refuses_wp", "a range with guard regions is protected around them"),
    Finding("MADV_GUARD_INSTALL forgets soft-dirty of shared memory",
            (Broken("softdirty-complete", "shmem", ("guard",), ("guard_over_markers",)),
             Broken("softdirty-complete", "shmem-thp", ("guard",),
                    ("guard_over_markers", "file_pmd_splits")),
             Broken("softdirty-complete", "file", ("guard",))),
            (Shown("v6.16 on", "softdirty-complete", "shmem", "clear_refs store guard"),),
            "madvise_guard_install", "mm/madvise.c",
            "Take the soft-dirty bit over into the guard marker, where pagemap shows it; "
            "MADV_GUARD_REMOVE would have to hand it on.", "guard_keeps_soft_dirty"),
    Finding("MADV_DONTNEED drops the read-write protection of a page of a file",
            (Broken("rwp-complete", "shmem private-shmem hugetlb", ("dontneed",)),
             Broken("rwp-complete", "shmem-thp", ("dontneed",), ("file_pmd_splits",))),
            (Shown("v7.3 on", "rwp-complete", "shmem",
                   "load close open:rwp register:rwp rwp dontneed load"),),
            "cond_install_uffd_wp_ptes, __unmap_hugepage_range", "mm/memory.c, mm/hugetlb.c",
            "Leave a marker where a read-write protected entry of a file is dropped, as "
            "write-protect mode does, and raise the event for it; or say so in "
            "UFFDIO_RWPROTECT(2const), which names anonymous memory, holes and reclaim.",
            "rwp_markers", "page tables that stay where memory was given up"),
)
