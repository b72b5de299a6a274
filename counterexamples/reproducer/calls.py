"""What a reproducer says of each operation, mapping, outcome and pagemap bit, in C.

To add an operation: a row in CALLS, and where it needs one a part in parts.py.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Call:
    """An operation as a C expression whose value is 0, an errno, or minus a signal."""

    expression: str
    needs: tuple[str, ...]


CALLS = {
    "store": Call("touch(1)", ("touch",)),
    "load": Call("touch(0)", ("touch",)),
    "clear_refs": Call("CLEAR_REFS", ("clear_refs",)),
    "register": Call("UFFD(REGISTER, reg)", ("uffd", "reg")),
    "unregister": Call("UFFD(UNREGISTER, range)", ("uffd", "range")),
    "wp": Call("UFFD(WRITEPROTECT, wp)", ("uffd", "wp")),
    "unwp": Call("UFFD(WRITEPROTECT, unwp)", ("uffd", "unwp")),
    "mprotect:none": Call("MPROTECT(PROT_NONE)", ("mprotect",)),
    "mprotect:r": Call("MPROTECT(PROT_READ)", ("mprotect",)),
    "mprotect:rw": Call("MPROTECT(PROT_READ | PROT_WRITE)", ("mprotect",)),
    "mprotect:w": Call("MPROTECT(PROT_WRITE)", ("mprotect",)),
    "mprotect:rx": Call("MPROTECT(PROT_READ | PROT_EXEC)", ("mprotect",)),
    "mprotect:rwx": Call("MPROTECT(PROT_READ | PROT_WRITE | PROT_EXEC)", ("mprotect",)),
    "register:missing": Call("UFFD(REGISTER, reg_missing)", ("uffd", "reg:missing")),
    "register:wp+missing": Call("UFFD(REGISTER, reg_both)", ("uffd", "reg:both")),
    "read": Call("transfer(1)", ("transfer",)),
    "write": Call("transfer(0)", ("transfer",)),
    "process_vm_readv": Call("REMOTE(process_vm_readv)", ("remote",)),
    "process_vm_writev": Call("REMOTE(process_vm_writev)", ("remote",)),
    "alias:store": Call("store_by_alias()", ("map_files", "alias")),
    "other:unwp": Call("BY_OTHER(UFFD(WRITEPROTECT, unwp))", ("uffd", "open", "other", "unwp")),
    "other:unregister": Call("BY_OTHER(UFFD(UNREGISTER, range))",
                             ("uffd", "open", "other", "range")),
    "close": Call("close(uffd) ? errno : (uffd = -1, 0)", ("uffd",)),
    "open": Call("open_uffd(0)", ("uffd", "open")),
    "dontneed": Call("madvise(PLACE, LENGTH, MADV_DONTNEED) ? errno : 0", ()),
    "remove": Call("madvise(PLACE, LENGTH, MADV_REMOVE) ? errno : 0", ()),
    "free": Call("madvise(PLACE, LENGTH, MADV_FREE) ? errno : 0", ()),
    "truncate": Call("truncate_file()", ("map_files", "truncate")),
    "fork": Call("fork_and_wait()", ("fork",)),
    "mremap": Call("move()", ("mremap",)),
    "mremap:dontunmap": Call("move_alone()", ("dontunmap",)),
    "mmap": Call("map_anew()", ("mmap",)),
    "open:unpopulated": Call("open_uffd(1 << 13 /* UFFD_FEATURE_WP_UNPOPULATED */)",
                             ("uffd", "open")),
    "open:async": Call("open_uffd(1 << 15 /* UFFD_FEATURE_WP_ASYNC */)", ("uffd", "open")),
    "scan:wp": Call("scan(LENGTH, 3 /* PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC */) < 0"
                    " ? errno : 0", ("scan",)),
    "open:rwp": Call("open_uffd(1 << 17 /* UFFD_FEATURE_RWP */)", ("uffd", "open")),
    "open:rwp-async": Call("open_uffd(3 << 17 /* UFFD_FEATURE_RWP, RWP_ASYNC */)",
                           ("uffd", "open")),
    "open:events": Call("open_heard()", ("uffd", "events")),
    "open:user": Call("open_for_user()", ("uffd", "open:user")),
    "register:rwp": Call("UFFD(REGISTER, reg_rwp)", ("uffd", "reg:rwp")),
    "rwp": Call("UFFD_RWPROTECT(rwp)", ("uffd", "rwprotect", "rwp")),
    "unrwp": Call("UFFD_RWPROTECT(unrwp)", ("uffd", "rwprotect", "unrwp")),
    "copy": Call("copy(0)", ("uffd", "copy")),
    "copy:wp": Call("copy(UFFDIO_COPY_MODE_WP)", ("uffd", "copy")),
    "zeropage": Call("UFFD(ZEROPAGE, zero)", ("uffd", "zero")),
    "register:minor": Call("UFFD(REGISTER, reg_minor)", ("uffd", "reg:minor")),
    "register:wp+minor": Call("UFFD(REGISTER, reg_wp_minor)", ("uffd", "reg:wp+minor")),
    "continue": Call("proceed(0)", ("uffd", "continue")),
    "continue:wp": Call("proceed(1 << 1 /* UFFDIO_CONTINUE_MODE_WP */)", ("uffd", "continue")),
    "move:in": Call("move_in()", ("uffd", "elsewhere", "move:in")),
    "move:in:wp": Call("move_swapped_in()", ("uffd", "swap", "elsewhere", "move:in:wp")),
    "move:out": Call("move_out()", ("uffd", "elsewhere", "move:out")),
    "poison": Call("poison()", ("uffd", "poison")),
    "guard": Call("guard(102 /* MADV_GUARD_INSTALL */)", ("guard",)),
    "unguard": Call("guard(103 /* MADV_GUARD_REMOVE */)", ("guard",)),
    "fork:stay": Call("fork_and_stay()", ("child", "fork:stay")),
    "fork:write": Call("fork_and_store()", ("child", "fork:write")),
    "fork:child": Call("become_child()", ("fork:child",)),
    "pin": Call("pin()", ("ring", "params", "unpin", "pin")),
    "unpin": Call("unpin()", ("ring", "unpin")),
    "pin:write": Call("store_through_pin()", ("ring", "params", "pin:write")),
    "pageout": Call("page_out()", ("swap", "pageout")),
    "swapoff": Call("empty_swap()", ("swap", "swapoff")),
    "migrate": Call("migrate()", ("migrate",)),
    "ksm": Call("merge()", ("ksm",)),
    "writeback": Call("msync(PLACE, LENGTH, MS_SYNC) ? errno : 0", ()),
    "split": Call("split()", ("split",)),
    "collapse": Call("madvise(PLACE, LENGTH, 25 /* MADV_COLLAPSE */) ? errno : 0", ()),
}


@dataclass(frozen=True)
class Memory:
    """A mapping: the flags, the file and the length that mmap() gets, what that needs, and the
    madvise() after it."""

    flags: str
    needs: tuple[str, ...] = ()
    file: str = "-1"
    length: str = "PAGE"
    advice: str = ""


_HUGE = "(2UL << 20)"
MAPPINGS = {
    "anon": Memory("MAP_PRIVATE | MAP_ANONYMOUS"),
    "shmem": Memory("MAP_SHARED | MAP_ANONYMOUS"),
    "private-shmem": Memory("MAP_PRIVATE", ("file",), "file()"),
    "hugetlb": Memory("MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB", ("hugetlb",), length=_HUGE),
    "private-hugetlb": Memory("MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB", ("hugetlb",),
                              length=_HUGE),
    "file": Memory("MAP_SHARED", ("regular",), "file()"),
    "private-file": Memory("MAP_PRIVATE", ("regular",), "file()"),
    "thp": Memory("MAP_PRIVATE | MAP_ANONYMOUS", ("thp",), length=_HUGE, advice="MADV_HUGEPAGE"),
    "shmem-thp": Memory("MAP_SHARED | MAP_ANONYMOUS", ("shmem-thp",), length=_HUGE,
                        advice="MADV_HUGEPAGE"),
}

OUTCOMES = {"ok": "0", "event": "-SIGBUS", "bus": "-SIGBUS", "segv": "-SIGSEGV",
            "refault": "-SIGALRM", "never": "-SIGALRM"}
"""Other outcomes are errno names, which C knows."""

BITS = {"present": ("PM_PRESENT", 63), "swap": ("PM_SWAP", 62), "file": ("PM_FILE", 61),
        "uffd_wp": ("PM_UFFD_WP", 57), "exclusive": ("PM_MMAP_EXCLUSIVE", 56),
        "soft_dirty": ("PM_SOFT_DIRTY", 55)}
"""Pagemap bits by the kernel's names (fs/proc/task_mmu.c)."""
WRITTEN = ("PM_WRITTEN", 0)
"""Of what PAGEMAP_SCAN says, at a place where the bits of the page frame are left out."""
