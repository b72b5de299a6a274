"""The rows: changes (commits that alter modelled behaviour) and releases (sets of changes on a
common base). What finds and derives editions of them is in editions.py.

The base is Linux 6.0 without what is listed here. To add a change: a row in CHANGES, a test of
``ed.has("<id>")`` inside the one function that the commit changed, and its id in the releases that
have it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """One commit that alters modelled behaviour.

    `since` is the first mainline release (and stable ones in brackets); `requires` are changes
    whose code it edits, so that it cannot be kept without them; `effect` says what dropping it
    alone does to the promises of the modelled operations: "none" where no program can tell by the
    core operations, "none here, though seen" where one can, but no promise speaks of it. `words`
    are what it was called before its id was known, and can still be called.
    """

    id: str
    title: str
    since: str
    effect: str
    requires: tuple[str, ...] = ()
    variant: bool = False
    """True for a reading of a commit message that no kernel has ever executed."""
    words: tuple[str, ...] = ()


_SCAN = ("52526ca7fdb9",)

CHANGES: dict[str, Change] = {c.id: c for c in (
    Change("d9104d1ca966", "mm: track vma changes with VM_SOFTDIRTY bit", "v3.11",
           "dropped: what is mapped anew at the place of what was tracked looks untouched"),
    Change("179ef71cbc08", "mm: save soft-dirty bits on swapped pages", "v3.11",
           "dropped: a page that was swapped out comes back not soft-dirty"),
    Change("64e455079e1b", "mm: softdirty: enable write notifications on VMAs after VM_SOFTDIRTY "
           "cleared", "v3.18", "dropped: a clean page of a tracked shared mapping is mapped "
           "writable by a load, and a store escapes"),
    Change("f45ec5ff16a7", "userfaultfd: wp: support swap and page migration", "v5.7",
           "dropped: a protected page that is swapped out or migrates comes back unprotected"),
    Change("099dd6878b9b", "mm/swap: fix pte_same_as_swp() not removing uffd-wp bit when compare",
           "v5.13", "dropped: swapoff never ends while a write-protected page is in swap"),
    Change("dontunmap-files", "mm: Extend MREMAP_DONTUNMAP to non-anonymous mappings", "v5.13",
           "none here: MREMAP_DONTUNMAP is refused for memory of a file"),
    Change("8f34f1eac382", "mm/userfaultfd: fix uffd-wp special cases for fork()", "v5.14",
           "dropped: a child, which is not registered, inherits uffd-wp bits"),
    Change("0e88904cb700", "userfaultfd: mark uffd_wp regardless of VM_WRITE flag",
           "v5.18 (5.17.5)", "dropped: UFFDIO_COPY with MODE_WP does not protect a page of a "
           "read-only mapping, which mprotect then makes writable"),
    Change("b1f9e8768618", "mm/uffd: enable write protection for shmem & hugetlbfs", "v5.19",
           "dropped: only anonymous memory can be registered for write-protection"),
    Change("999dad824c39", "mm/shmem: persist uffd-wp bit across zapping for file-backed", "v5.19",
           "dropped: what is protected in shared memory is lost when its page is unmapped"),
    Change("deb4c93a9871", "mm/khugepaged: don't recycle vma pgtable if uffd-wp registered",
           "v5.19", "none here: a collapse of the page cache itself, which would take protection "
           "with the page table, is not modelled"),
    Change("64fe24a3e05e", "mm/mprotect: try avoiding write faults for exclusive anonymous pages "
           "when changing protection", "v6.0",
           "dropped: mprotect leaves a page of the process's own read-only"),
    Change("76aefad628aa", "mm/mprotect: fix soft-dirty check in can_change_pte_writable()", "v6.0",
           "dropped: mprotect makes a tracked, clean anonymous page writable, and a store escapes"),
    Change("f369b07c8614", "mm/uffd: reset write protection when unregister with wp-mode", "v6.0",
           "dropped: uffd-wp bits and markers outlive the registration, and a later registration "
           "inherits them on writable entries"),
    Change("14a762dd1977", "mm/swapfile: fix lost swap bits in unuse_pte()", "v6.0",
           "dropped: swapoff forgets soft-dirty and uffd-wp of what it brings back"),
    Change("1d8d14641fd9", "mm/hugetlb: support write-faults in shared mappings", "v6.0",
           "dropped: a store to a read-only page of shared hugetlb memory goes to a copy"),
    Change("f96f7a40874d", "mm/hugetlb: fix hugetlb not supporting softdirty tracking", "v6.0",
           "dropped: once clear_refs was written, mprotect leaves shared hugetlb memory read-only"),
    Change("914eedcb9ba0", "userfaultfd: don't fail on unrecognized features", "v6.0 until v6.3",
           "added: a userfaultfd opens without a feature that it was asked for"),
    Change("2ff559f31a5d", 'Revert "userfaultfd: don\'t fail on unrecognized features"',
           "v6.3 (6.1.26)", "dropped: a userfaultfd opens without a feature that it was asked for",
           requires=("914eedcb9ba0",)),
    Change("44f86392bdd1", "mm/hugetlb: fix uffd-wp handling for migration entries in "
           "hugetlb_change_protection()", "v6.2 (6.1.8)", "dropped: hugetlb memory that migrates "
           "read-only cannot be protected"),
    Change("49d6d7fb6313", "mm/uffd: fix pte marker when fork() without fork event",
           "v6.2 (6.1.11)", "dropped: a child, which is not registered, inherits markers"),
    Change("0e678153f5be", "mm/hugetlb: fix PTE marker handling in hugetlb_change_protection()",
           "v6.2 (6.1.8)", "dropped: protecting twice, un-protecting, or mprotect makes a marker "
           "into a present entry that maps no page of the process"),
    Change("5a2f8d22ace4", "mm/hugetlb: fix uffd-wp during fork()", "v6.4",
           "dropped: a child, which is not registered, inherits uffd-wp bits of hugetlb memory"),
    Change("d84887739d5c", "mm/mprotect: allow clean exclusive anon pages to be writable", "v6.2",
           "none here: an exclusive anonymous page is always dirty until pages are swapped or "
           "cleaned"),
    Change("7ea7e333842e", "mm/mprotect: minor can_change_pte_writable() cleanups", "v6.2",
           "none here: nobody asks about a read-only VMA, and now the answer would be no"),
    Change("b9086fde6d44", "mm: rework handling in do_wp_page() based on private vs. shared "
           "mappings", "v6.2", "none here: both orders give one answer where a shared mapping may "
           "be written"),
    Change("15520a3f0469", "mm: use pte markers for swap errors", "v6.2",
           "none: renumbers the swap type of PTE markers, which no program can see"),
    Change("6a56ccbcf6c6", "mm/autonuma: use can_change_(pte|pmd)_writable() to replace savedwrite",
           "v6.2", "none here: the one PROT_NONE entry that a fault repairs, that of a write-only "
           "mapping protected without 931298e103c2, may not be written to either way"),
    Change("51d3d5eb74ff", "mm/userfaultfd: enable writenotify while userfaultfd-wp is enabled for "
           "a VMA", "v6.2 (6.1.8)",
           "dropped: on shmem vm_page_prot stays writable under uffd-wp, and mprotect makes a "
           "protected page writable"),
    Change("fed15f1345dc", "mm/hugetlb: pre-allocate pgtable pages for uffd wr-protects",
           "v6.2 (6.1.8)", "dropped: hugetlb memory without a page table cannot be protected"),
    Change("931298e103c2", "mm/userfaultfd: rely on vma->vm_page_prot in uffd_wp_range()", "v6.3",
           "dropped: un-protecting shmem maps clean pages writable, and a store escapes soft-dirty "
           "tracking; private pages stay read-only after un-protect"),
    Change("1ef488edd6c4", "mm/mprotect: drop pgprot_t parameter from change_protection()", "v6.3",
           "none: every caller passed what change_protection() now works out itself",
           requires=("931298e103c2",)),
    Change("f1eb1bacfba9", "mm/uffd: always wr-protect pte in pte|pmd_mkuffd_wp()", "v6.3",
           "none here: the callers without it write-protect first"),
    Change("24bf08c4376b", "mm/userfaultfd: fix uffd-wp handling for THP migration entries",
           "v6.3 (6.1.26)", "dropped: a protected huge page that migrates comes back unprotected",
           requires=("f45ec5ff16a7",)),
    Change("42b2af2c9b7e", "mm/userfaultfd: propagate uffd-wp bit when PTE-mapping the huge "
           "zeropage", "v6.3 (6.1.21)", "dropped: a protected huge zero page that is split is no "
           "longer protected"),
    Change("60d5b473d61b", "mm/hugetlb: fix uffd wr-protection for CoW optimization path",
           "v6.3 (6.1.24)", "dropped: the first store to a protected, empty page of private "
           "hugetlb memory raises no event; but a stale uffd-wp bit stops no store"),
    Change("2bad466cc9d9", "mm/uffd: UFFD_FEATURE_WP_UNPOPULATED", "v6.4",
           "dropped: a userfaultfd with WP_UNPOPULATED cannot be opened"),
    Change("c88033efe9a3", "mm/userfaultfd: reset ptes when close() for wr-protected ones",
           "v6.9 (6.1.191)",
           "dropped: uffd-wp bits and markers outlive a userfaultfd that is closed"),
    Change("0cef0bb836e3", "mm: clear uffd-wp PTE/PMD state on mremap()",
           "v6.13 (6.12.11, 6.1.191)",
           "dropped: uffd-wp bits and markers move along with memory whose registration does not"),
    Change("83abe2fd5b3a", "mm/hugetlb: fix swap entry corruption when clearing uffd-wp at "
           "fork()", "v7.2 (6.1.183, 6.12.103)", "dropped: the child of a process whose "
           "protected hugetlb page migrates inherits the uffd-wp bit",
           words=("hugetlb-fork-swap",)),
    Change("6cce3314b928", "mm/ksm: fix KSM COW breaking with userfaultfd-wp via "
           "FAULT_FLAG_UNSHARE", "v6.2", "none here: a page that mremap takes out of KSM is mapped "
           "as by a store"),
    Change("saved-dirty", "x86/mm: Introduce _PAGE_SAVED_DIRTY", "v6.6",
           "none: keeps the dirty bit of a read-only entry in another place"),
    Change("0f230bc24b6e", "mm/hugetlb: fix uffd-wp bit lost when unsharing happens", "v6.4",
           "dropped: a protected page of private hugetlb memory that a child has too loses its "
           "protection when another process reads it"),
    Change("474098edac26", "mm/gup: replace FOLL_NUMA by gup_can_follow_protnone()", "v6.1",
           "none here: until d7c0e68dab98 follow_page() does not see a page of PROT_NONE memory, "
           "and break_ksm() leaves it merged"),
    Change("d7c0e68dab98", "mm/ksm: convert break_ksm() to use walk_page_range_vma()", "v6.2",
           "none here: break_ksm() leaves a page of PROT_NONE memory merged"),
    Change("d74943a2f3cd", "mm/gup: reintroduce FOLL_NUMA as FOLL_HONOR_NUMA_FAULT", "v6.5",
           "none: only where another process reads a page is its NUMA hint left as it is"),
    Change("8ac268436e6d", "mm/gup: disallow FOLL_LONGTERM GUP-nonfast writing to file-backed "
           "mappings", "v6.5", "dropped: a device writes through its pin of a page of a file on a "
           "disk, of which the file system does not hear"),
    Change("edd478269640", "io_uring: rsrc: delegate VMA file-backed check to GUP", "v6.5",
           "added: a private mapping of a file can be pinned, and a device writes to its pages "
           "unrecorded, as to all others"),
    Change("1943f96b3816", "io_uring: unify io_pin_pages()", "v6.10",
           "none here: what no entry should let through is pinned where one does",
           requires=("8ac268436e6d", "edd478269640")),
    Change("4ed4379881aa", "mm: handle shared faults under the VMA lock", "v6.7",
           "none here: a fault of a page that reclaim has left to writeback counts as "
           "major"),
    Change("d61ea1cb0095", "userfaultfd: UFFD_FEATURE_WP_ASYNC", "v6.7",
           "dropped: a userfaultfd with WP_ASYNC cannot be opened", requires=("2bad466cc9d9",)),
    Change("867a43a34ff8", "userfaultfd: use per-vma locks in userfaultfd operations", "v6.9",
           "none here: a failed UFFDIO_COPY leaves private memory an anon_vma, and with it page "
           "tables for the child of a fork"),
    Change("63222c14c269", "mm/migrate: preserve exact soft-dirty state", "v6.9",
           "dropped: a dirty page that migrates comes back soft-dirty"),
    Change("3c811f7883c4", 'mm/migrate: revert "mm/migrate: fix wrongly apply write bit after '
           'mkdirty on sparc64"', "v6.4", "dropped: a shared page that migrates comes back "
           "read-only"),
    Change("5436d6556937", 'mm/huge_memory: revert "Partly revert "mm/thp: carry over dirty bit '
           'when thp splits on pmd""', "v6.4",
           "added: a huge page that is split becomes soft-dirty where it was dirty"),
    Change("migration-downgrade", "change_pte_range() drops uffd-wp from a writable migration "
           "entry", "after v6.1", "none: such an entry has it only where nobody is registered"),
    Change("collapse-ebusy", "madvise_collapse_errno() answers EBUSY to SCAN_EXCEED_NONE_PTE",
           "after v6.1", "none here: an error number of MADV_COLLAPSE, of which no promise speaks"),
    Change("b1f202060afe", "mm: remap unused subpages to shared zeropage when splitting isolated "
           "thp", "v6.12", "none here: of the pages that were never stored to no promise speaks"),
    Change("9658d698a8a8", "mm/rmap: fix soft-dirty and uffd-wp bit loss when remapping "
           "zero-filled mTHP subpage to shared zeropage", "v6.18 (6.12.57)", "none here: of the "
           "pages that were never stored to no promise speaks", requires=("b1f202060afe",)),
    Change("8a8ca142a488", "mm: migrate: requeue destination folio on deferred split queue",
           "v7.0 (6.12.86)", "none here: a huge page that page tables map and that migrates "
           "twice is split", words=("requeue-split",)),
    Change("f7491d7c81db", "x86/mm: Fix user-space data loss with MADV_FREE and THP",
           "v7.3 (7.2.7, 6.12.111)", "dropped: a change of protection takes the dirty bit of a "
           "huge page, and reclaim may drop what was stored",
           requires=("saved-dirty",), words=("pmd-modify-dirty",)),
    Change("fe6cf984939d", "mm/huge_memory: transfer the pmd dirty bit to the folio on zap",
           "v7.2 (6.12.114, 6.1.191)", "none here: what was stored to a huge page of shared memory "
           "is lost where it is dropped and reclaimed, and of reclaim of such pages nothing is "
           "modelled"),
    Change("c27f479ef542", "mm/huge_memory: try avoiding write faults when changing PMD protection",
           "v6.2", "dropped: un-protecting leaves a huge page of the process's own read-only"),
    Change("20dfa5b7adc5", "mm: set pte writable while pte_soft_dirty() is true in do_swap_page()",
           "v6.11", "dropped: a page that is swapped in by a load comes back read-only"),
    Change("huge-pte-vm-write", "mm/hugetlb: don't map folios writable without VM_WRITE when "
           "copying during fork()", "v6.15", "dropped: the child of a process that has pinned a "
           "page of private hugetlb memory may write to its copy, though mprotect has taken write "
           "permission"),
    Change("ksm-soft-dirty", "mm/ksm: keep soft-dirty when merging a page", "after v7.3 (6.12.118)",
           "dropped: a page that KSM merges forgets that it was stored to"),
    Change("register-ebusy", "userfaultfd: add UFFDIO_REGISTER_MODE_RWP and UFFDIO_RWPROTECT "
           "plumbing", "v7.3", "dropped: UFFDIO_REGISTER with another mode takes write-protect "
           "mode away and leaves the entries protected"),
    Change("hugetlb-leftover", "mm/hugetlb: fix endless write fault on a leftover uffd bit",
           "after v7.3 (7.3.4)", "dropped: where a uffd-wp bit has outlived its registration, a "
           "store to hugetlb memory faults for ever"),
    Change("hugetlb-marker", "mm/hugetlb: tolerate UFFD_WP markers outside uffd-wp VMAs",
           "after v7.3 (7.3.4)", "none here: with register-ebusy no marker outlives its "
           "registration"),
    Change("hugetlb-zap", "mm/hugetlb: don't leave a uffd-wp marker when zapping an RWP entry",
           "after v7.3 (7.3.4)", "none here: with register-ebusy no bit outlives its registration"),
    Change("pagemap-special", "proc/task_mmu: handle special PMDs in clear_refs and pagemap",
           "after v7.3 (7.3.4)", "none here, though seen: pagemap calls the huge zero page that of "
           "a file (bit 61), of which no promise speaks"),
    Change("1ced09e0331f", "mm: allocate THP on hugezeropage wp-fault", "v6.13",
           "dropped: a store to the huge zero page makes it a page table, which mremap moves "
           "without a mark"),
    Change("6375e95f381e", "mm: pgtable: reclaim empty PTE page in madvise(MADV_DONTNEED)", "v6.14",
           "none here: what is mapped next at the place of a huge page is huge again"),
    Change("1da190f4d0a6", "mm: Copy-on-Write (COW) reuse support for PTE-mapped THP", "v6.15",
           "none here: a page of a huge one that the child is done with is not copied"),
    Change("4e92030c05dc", "mm: set the pte dirty if the folio is already dirty", "v6.16",
           "none here, though seen: a load maps a dirty page of shared memory dirty"),
    Change("cac1db8c3aad", "mm: optimize mprotect() by PTE batching", "v6.17",
           "added: a change of protection makes soft-dirty what was dirty of a huge page that PTEs "
           "map"),
    Change("collapse-read-only", "mm: enable khugepaged anonymous collapse on non-writable regions",
           "v6.18", "none here: MADV_COLLAPSE does what a change of the page table does"),
    Change("collapse-no-table", "mm/khugepaged: do not fail collapse_pte_mapped_thp() on "
           "SCAN_PMD_NULL", "v6.18", "none here: MADV_COLLAPSE maps a page that a load would map"),
    Change("prot-numa-skip", "mm: mprotect: always skip dma pinned folio in prot_numa_skip()",
           "after v6.18", "none here: a pinned page of shared memory is no hint"),
    Change("f1879e8a0c60", "mm, swap: never bypass the swap cache even for SWP_SYNCHRONOUS_IO",
           "v7.0", "dropped: a page that KSM merged comes back from swap writable and not "
           "soft-dirty, and clear_refs spares it where it is pinned"),
    Change("e8e17ee90eaf", "mm: drop the assumption that VM_SHARED always implies writable",
           "v6.7 (6.1 stable)", "none here: MADV_REMOVE is refused where mprotect has taken write "
           "permission"),
    Change("unregister-owner", "userfaultfd: prevent unregistering VMAs through a different "
           "userfaultfd", "v6.17", "dropped: who has not registered memory can unregister it"),
    Change("9cb28da54643", "mm/gup: handle hugetlb in the generic follow_page_mask code", "v6.10",
           "none here: process_vm_writev leaves the entry of hugetlb memory as it is, of which no "
           "promise speaks"),
    Change("fc71884a5f59", "mm: userfaultfd: add new UFFDIO_POISON ioctl", "v6.6",
           "none here: UFFDIO_POISON is refused, and promises about it are not made"),
    Change("adf505457032", "userfaultfd: UFFDIO_MOVE uABI", "v6.8",
           "none here: UFFDIO_MOVE is refused"),
    Change("folio-mk-pmd", "mm: add folio_mk_pmd()", "v6.16", "none here: UFFDIO_MOVE of the huge "
           "zero page maps it", requires=("adf505457032",)),
    Change("move-zero-pmd", "mm/huge_memory: fix use of NULL folio in move_pages_huge_pmd()",
           "v7.0", "none here: UFFDIO_MOVE of the huge zero page marks nothing"),
    Change("move-extra-refs", "userfaultfd: fix UFFDIO_MOVE livelock on large folio with extra "
           "references", "after v7.3 (7.3.4)", "dropped: UFFDIO_MOVE of a pinned huge page that "
           "page tables map never returns", requires=("adf505457032",)),
    Change("7677f7fd8be7", "userfaultfd: add minor fault registration mode", "v5.13",
           "none here: minor faults cannot be registered for"),
    Change("f619147104c8", "userfaultfd: add UFFDIO_CONTINUE ioctl", "v5.13",
           "none here: UFFDIO_CONTINUE is refused"),
    Change("c949b097ef2e", "userfaultfd/shmem: support minor fault registration for shmem", "v5.14",
           "none here: minor faults of shmem cannot be registered for", requires=("7677f7fd8be7",)),
    Change("153132571f02", "userfaultfd/shmem: support UFFDIO_CONTINUE for shmem", "v5.14",
           "none here: UFFDIO_CONTINUE of shmem is refused", requires=("f619147104c8",)),
    Change("0289184476c8", "mm: userfaultfd: add UFFDIO_CONTINUE_MODE_WP to install WP PTEs",
           "v6.4", "dropped: UFFDIO_CONTINUE in the place of a marker leaves the page unprotected, "
           "and has no mode WP to ask for more", requires=("f619147104c8",)),
    Change("37cd0575b851", "userfaultfd: add UFFD_USER_MODE_ONLY", "v5.11",
           "none here: userfaultfd(2) refuses the flag"),
    Change("c56d1b62cce8", "mm/shmem: handle uffd-wp during fork()", "v5.19",
           "dropped: a child that is registered as its parent is (UFFD_FEATURE_EVENT_FORK) has "
           "nothing protected in shared memory"),
    Change("af19487f00f3", "mm: make PTE_MARKER_SWAPIN_ERROR more general", "v6.6",
           "none here: in a registered child a marker that mremap has moved is soft-dirty"),
    Change("rwp", "mm/userfaultfd: add RWP fault delivery and expose UFFDIO_REGISTER_MODE_RWP",
           "v7.3", "none here: mode RWP is refused, and promises about it are not made"),
    Change("662df3e5c376", "mm: madvise: implement lightweight guard page mechanism", "v6.13",
           "none here: MADV_GUARD_INSTALL is refused"),
    Change("f807123d578d", "mm: allow guard regions in file-backed and read-only mappings", "v6.15",
           "none here: MADV_GUARD_INSTALL is refused for files", requires=("662df3e5c376",)),
    Change("guard-flag", "mm: set the VM_MAYBE_GUARD flag on guard region install", "v6.19",
           "none here: guard regions of files are copied by fork with an anon_vma",
           requires=("662df3e5c376", "f807123d578d")),
    Change("copy-marker", "mm: correctly handle UFFD PTE markers", "v6.19",
           "UFFDIO_COPY fills a guard region, as UFFDIO_ZEROPAGE of shared memory and "
           "UFFDIO_CONTINUE do", requires=("662df3e5c376",)),
    Change("52526ca7fdb9", "fs/proc/task_mmu: implement IOCTL to get and optionally clear info "
           "about PTEs", "v6.7", "none here: PAGEMAP_SCAN is refused, and promises about it are "
           "not made"),
    Change("scan-huge-zero", "fs/proc/task_mmu: fix PAGE_IS_PFNZERO detection for the huge zero "
           "folio", "v6.16 (6.12.36)", "none here: PAGEMAP_SCAN does not know the huge zero page",
           requires=_SCAN),
    Change("scan-guard", "fs/proc: extend the PAGEMAP_SCAN ioctl to report guard regions", "v6.16",
           "none here: PAGEMAP_SCAN does not know guard regions", requires=_SCAN),
    Change("scan-unpopulated", "PAGEMAP_SCAN calls an empty entry written", "v7.2 (6.12.103)",
           "dropped: a page that is only read begins to read as written",
           requires=_SCAN),
    Change("scan-hole", "PAGEMAP_SCAN calls written what has no page table", "v7.2 (6.12.105)",
           "dropped: a huge page that is only read begins to read as written",
           requires=_SCAN),
    Change("scan-registered", "PAGEMAP_SCAN calls written only what is registered for "
           "write-protect mode", "v7.3", "none here: of memory that nobody has registered "
           "PAGEMAP_SCAN says that it is written", requires=_SCAN),
    Change("swapbacked-dirty", "mm: set folio swapbacked iff folios are dirty in "
           "try_to_unmap_one", "v6.15", "none here: what MADV_FREE gave up while it was pinned is "
           "swapped out and not dropped"),
    Change("lazyfree-batch", "mm/madvise: optimize lazyfreeing with mTHP in madvise_free", "v6.10",
           "none here: a huge page that page tables map is split by MADV_FREE"),
    Change("pageout-batch", "mm: madvise: avoid split during MADV_PAGEOUT and MADV_COLD", "v6.10",
           "none here: a huge page that page tables map is split before it is reclaimed"),
    Change("735ecdfaf4e8", "mm/vmscan: avoid split lazyfree THP during shrink_folio_list()",
           "v6.11", "none here: what MADV_FREE gave up of a huge page leaves a page table"),
    Change("lazyfree-by-pte", "mm/rmap: don't discard lazyfree THPs at PMD level",
           "after v7.3 (7.3.3, 6.12.117)", "none here: what MADV_FREE gave up of a huge page "
           "leaves no page table", requires=("735ecdfaf4e8",)),
    Change("34228d473efe", "mm: ignore VM_SOFTDIRTY on VMA merging", "v3.14",
           "none here: of several VMAs nothing is asked yet"),
    Change("5543d3c43c41", "mm/uffd: allow vma to merge as much as possible", "v6.4",
           "none here: UFFDIO_REGISTER of a part leaves VMAs beside each other that are alike"),
    Change("a1b92a3f1498", "mm/userfaultfd: support WP on multiple VMAs", "v6.4",
           "none here: UFFDIO_WRITEPROTECT of several VMAs is refused"),
    Change("unaccount-unfaulted", "mm/mprotect: allow unfaulted VMAs to be unaccounted on "
           "mprotect()", "v6.7", "none here: VM_ACCOUNT tells no VMAs apart"),
    Change("a17c7d8fd2b0", "userfaultfd: move core VMA manipulation logic to mm/userfaultfd.c",
           "v6.12", "none here: a merged VMA has the VM_SOFTDIRTY of its part that was registered"),
    Change("cacded5e42b9", "mm: avoid using vma_merge() for new VMAs", "v6.12",
           "none here: mmap between a faulted VMA and one that is not joins fewer"),
    Change("879bca0a2c4f", "mm/vma: fix incorrectly disallowed anonymous VMA merges", "v6.16",
           "none here: a faulted VMA does not merge with a neighbour that is not"),
    Change("6707915e030a", "mm: propagate VM_SOFTDIRTY on merge", "v6.19",
           "none here: a merged VMA has the VM_SOFTDIRTY of one of its parts"),
    Change("anon-pgoff", "VMAs of private files have an anonymous page offset too", "v7.3",
           "none here: VMAs of private files merge that moved apart"),
    Change("remap-move", "mm/mremap: permit mremap() move of multiple VMAs", "v6.17",
           "none here: mremap of several VMAs is refused"),
    Change("as-described", "the reading of 931298e103c2's message: TRY_CHANGE_WRITABLE whenever a "
           "writable mapping is un-protected", "no kernel",
           "added: shmem pages are writable again after un-protect", ("931298e103c2",), True),
    Change("no-try", "931298e103c2 without MM_CP_TRY_CHANGE_WRITABLE", "no kernel",
           "added: private pages too stay read-only after un-protect", ("931298e103c2",), True),
)}
