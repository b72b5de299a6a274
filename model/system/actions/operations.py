"""The operations: one thing a program or the kernel can do, as a function of the state.

To add one: a function ``(ed, state) -> Effect`` in effects.py, and a row in OPERATIONS. The
order of the rows is the order of plainness: of two traces of one length the one that is first in
this order is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from model.kernel.bits import (
    VM_EXEC,
    VM_READ,
    VM_UFFD_MINOR,
    VM_UFFD_MISSING,
    VM_UFFD_WP,
    VM_WRITE,
)
from model.kernel.editions import Edition, unknown
from model.kernel.fault import kernel_access
from model.kernel.process_vm_access import process_vm_rw_single_vec
from model.system.actions import effects, moves, uffd
from model.system.actions.effect import Effect
from model.system.state.state import State


@dataclass(frozen=True)
class Operation:
    """`name` as users type it; `call` is the call in C terms, for reports.

    `core` are the operations that every check allows: what a program does with protection and
    tracking. The others, which copy, move or drop memory or change who listens, are allowed by
    name. `by_kernel` are those that the kernel does on its own (the environment's steps), although
    a program may be able to ask for them. `after` are operations beyond the core without which it
    does nothing. `tracks` are the facts of the state, beyond those that always change, that the
    operation reads or makes true. `access`: it loads from or stores to the first byte by way of
    its entry, whoever does so, or ("alias") by way of another mapping.
    """

    name: str
    call: str
    run: Callable[[Edition, State], Effect]
    core: bool = False
    by_kernel: bool = False
    after: tuple[str, ...] = ()
    tracks: tuple[str, ...] = ()
    access: Literal["", "load", "store", "alias"] = ""


_RW = VM_READ | VM_WRITE

OPERATIONS: dict[str, Operation] = {o.name: o for o in (
    Operation("store", "write one byte", effects.store, core=True, access="store"),
    Operation("load", "read one byte", effects.load, core=True, access="load"),
    Operation("clear_refs", 'write "4" to /proc/self/clear_refs', effects.clear_refs, core=True),
    Operation("register", "UFFDIO_REGISTER, mode WP", partial(uffd.register, mode=VM_UFFD_WP),
              core=True),
    Operation("unregister", "UFFDIO_UNREGISTER", uffd.unregister, core=True),
    Operation("wp", "UFFDIO_WRITEPROTECT, mode WP", partial(uffd.writeprotect, enable_wp=True),
              core=True),
    Operation("unwp", "UFFDIO_WRITEPROTECT, mode 0", partial(uffd.writeprotect, enable_wp=False),
              core=True),
    Operation("mprotect:none", "mprotect(PROT_NONE)", partial(effects.mprotect, prot=0),
              core=True),
    Operation("mprotect:r", "mprotect(PROT_READ)", partial(effects.mprotect, prot=VM_READ),
              core=True),
    Operation("mprotect:rw", "mprotect(PROT_READ|PROT_WRITE)", partial(effects.mprotect, prot=_RW),
              core=True),
    Operation("mprotect:w", "mprotect(PROT_WRITE)", partial(effects.mprotect, prot=VM_WRITE)),
    Operation("mprotect:rx", "mprotect(PROT_READ|PROT_EXEC)",
              partial(effects.mprotect, prot=VM_READ | VM_EXEC)),
    Operation("mprotect:rwx", "mprotect(PROT_READ|PROT_WRITE|PROT_EXEC)",
              partial(effects.mprotect, prot=_RW | VM_EXEC)),
    Operation("register:missing", "UFFDIO_REGISTER, mode MISSING",
              partial(uffd.register, mode=VM_UFFD_MISSING)),
    Operation("register:wp+missing", "UFFDIO_REGISTER, modes WP and MISSING",
              partial(uffd.register, mode=VM_UFFD_WP | VM_UFFD_MISSING)),
    Operation("read", "read(2) of one byte into the page",
              partial(effects.store, accessing=kernel_access), access="store"),
    Operation("write", "write(2) of one byte from the page",
              partial(effects.load, accessing=kernel_access), access="load"),
    Operation("process_vm_readv", "process_vm_readv(2) of one byte, by itself",
              partial(effects.load, accessing=process_vm_rw_single_vec), access="load"),
    Operation("process_vm_writev", "process_vm_writev(2) of one byte, by itself",
              partial(effects.store, accessing=process_vm_rw_single_vec), access="store"),
    Operation("alias:store", "write one byte by a second, shared mapping of the file",
              effects.alias_store, tracks=("cache_dirty",), access="alias"),
    Operation("other:unwp", "UFFDIO_WRITEPROTECT, mode 0, by a second userfaultfd",
              partial(uffd.writeprotect, enable_wp=False, other=True)),
    Operation("other:unregister", "UFFDIO_UNREGISTER by a second userfaultfd",
              partial(uffd.unregister, other=True)),
    Operation("close", "close the userfaultfd", uffd.close_uffd),
    Operation("open", "open a userfaultfd where none is open", uffd.open_uffd, after=("close",)),
    Operation("dontneed", "madvise(MADV_DONTNEED)", effects.dontneed),
    Operation("remove", "madvise(MADV_REMOVE), which punches a hole", effects.remove),
    Operation("free", "madvise(MADV_FREE)", effects.free, tracks=("lazyfree", "page_dirty")),
    Operation("truncate", "ftruncate(2) to nothing, and to the length again", effects.truncate),
    Operation("fork", "fork(2), the child exits and is waited for", effects.fork),
    Operation("mremap", "mremap(2) to another address", effects.mremap),
    Operation("mremap:dontunmap", "mremap(2), MREMAP_DONTUNMAP: the old place stays, empty",
              partial(effects.mremap, dontunmap=True)),
    Operation("mmap", "munmap(2), and mmap(2) of the same at the same address", effects.mmap),
    Operation("open:unpopulated", "open a userfaultfd with UFFD_FEATURE_WP_UNPOPULATED",
              partial(uffd.open_uffd, wp_unpopulated=True), after=("close",),
              tracks=("wp_unpopulated",)),
    Operation("open:async", "open a userfaultfd with UFFD_FEATURE_WP_ASYNC",
              partial(uffd.open_uffd, wp_unpopulated=True, wp_async=True), after=("close",),
              tracks=("wp_unpopulated", "wp_async", "protected_async", "stored_since_wp")),
    Operation("scan:wp", "PAGEMAP_SCAN of what is written, which it write-protects",
              effects.scan_wp, after=("close", "open:async"),
              tracks=("wp_unpopulated", "wp_async", "protected_async", "stored_since_wp")),
    Operation("open:rwp", "open a userfaultfd with UFFD_FEATURE_RWP",
              partial(uffd.open_uffd, rwp=True), after=("close",), tracks=("rwp",)),
    Operation("open:rwp-async", "open a userfaultfd with UFFD_FEATURE_RWP_ASYNC",
              partial(uffd.open_uffd, rwp=True, rwp_async=True), after=("close",),
              tracks=("rwp", "rwp_async")),
    Operation("open:events", "open a userfaultfd with UFFD_FEATURE_EVENT_FORK, _REMAP, _REMOVE and "
              "_UNMAP, whose events are read", partial(uffd.open_uffd, events=True),
              after=("close",), tracks=("events",)),
    Operation("open:user", "open a userfaultfd with UFFD_USER_MODE_ONLY",
              partial(uffd.open_uffd, user_mode_only=True), after=("close",)),
    Operation("register:rwp", "UFFDIO_REGISTER, mode RWP",
              partial(uffd.register, mode=0, rwp=True), after=("close", "open:rwp"),
              tracks=("uffd_rwp",)),
    Operation("rwp", "UFFDIO_RWPROTECT, mode RWP", partial(uffd.rwprotect, enable_rwp=True),
              after=("close", "open:rwp", "register:rwp"), tracks=("rw_protected",)),
    Operation("unrwp", "UFFDIO_RWPROTECT, mode 0", partial(uffd.rwprotect, enable_rwp=False),
              after=("close", "open:rwp", "register:rwp"), tracks=("rw_protected",)),
    Operation("copy", "UFFDIO_COPY", partial(uffd.copy, wp=False)),
    Operation("copy:wp", "UFFDIO_COPY, mode WP", partial(uffd.copy, wp=True)),
    Operation("zeropage", "UFFDIO_ZEROPAGE", uffd.zeropage),
    Operation("register:minor", "UFFDIO_REGISTER, mode MINOR",
              partial(uffd.register, mode=VM_UFFD_MINOR), tracks=("minor",)),
    Operation("register:wp+minor", "UFFDIO_REGISTER, modes WP and MINOR",
              partial(uffd.register, mode=VM_UFFD_WP | VM_UFFD_MINOR), tracks=("minor",)),
    Operation("continue", "UFFDIO_CONTINUE", partial(uffd.proceed, wp=False)),
    Operation("continue:wp", "UFFDIO_CONTINUE, mode WP", partial(uffd.proceed, wp=True)),
    Operation("move:in", "UFFDIO_MOVE into the place, of a page that was stored to elsewhere",
              moves.move_in),
    Operation("move:in:wp", "UFFDIO_MOVE into the place, of a page that is write-protected and "
              "swapped out elsewhere", partial(moves.move_in, swapped=True)),
    Operation("move:out", "UFFDIO_MOVE of the page to a fresh mapping, which is unmapped then",
              moves.move_out),
    Operation("poison", "UFFDIO_POISON", uffd.poison, tracks=("poison", "poisoned")),
    Operation("guard", "madvise(MADV_GUARD_INSTALL)", effects.guard,
              tracks=("guard", "maybe_guard", "anon_vma", "mergeable")),
    Operation("unguard", "madvise(MADV_GUARD_REMOVE)", effects.unguard, after=("guard",)),
    Operation("fork:stay", "fork(2), the child lives on", partial(effects.fork, lives=True),
              tracks=("in_child", "cache_in_child", "slot_in_child", "anon_vma", "mergeable")),
    Operation("fork:write", "fork(2), the child stores one byte and exits",
              partial(effects.fork, stores=True), tracks=("in_swap_cache", "cache_dirty")),
    Operation("fork:child", "fork(2), the run goes on in the child", effects.fork_child,
              tracks=("in_child", "cache_in_child", "slot_in_child", "anon_vma", "mergeable")),
    Operation("pin", "a long-term pin of the page, for writing (io_uring)", effects.pin,
              tracks=("pinned",)),
    Operation("unpin", "the pin is given up", effects.unpin, after=("pin",), tracks=("pinned",)),
    Operation("pin:write", "a device writes through the pin", effects.device_store,
              after=("pin",), tracks=("pinned",)),
    Operation("pageout", "reclaim, as by madvise(MADV_PAGEOUT)", effects.pageout, by_kernel=True,
              tracks=("cache_dirty", "cache_swapped", "cache_reclaim", "partially_mapped")),
    Operation("swapoff", "swapoff(2), and swapon(2) again", effects.swapoff, after=("pageout",)),
    Operation("migrate", "the page moves to another NUMA node, as by mbind(2)", effects.migrate,
              by_kernel=True, tracks=("partially_mapped",)),
    Operation("migrate:begin", "the page begins to migrate", partial(effects.migrate, end=False),
              by_kernel=True, tracks=("partially_mapped",)),
    Operation("migrate:end", "the page has migrated", partial(effects.migrate, begin=False),
              by_kernel=True, after=("migrate:begin",)),
    Operation("ksm", "KSM merges the page with an equal one", effects.ksm, by_kernel=True,
              tracks=("ksm", "astray", "twin_in_child", "twin_in_slot")),
    Operation("writeback", "the page is written to its file, as by msync(2)", effects.writeback,
              by_kernel=True, tracks=("cache_dirty",)),
    Operation("split", "the page table of the huge page is split, as by madvise(2) of a part",
              effects.split, by_kernel=True, tracks=("huge", "large")),
    Operation("collapse", "madvise(MADV_COLLAPSE)", effects.collapse, by_kernel=True,
              tracks=("huge", "large", "no_tables", "unused")),
    Operation("numa", "NUMA balancing makes the entry a hint", effects.numa, by_kernel=True),
)}

CORE = tuple(name for name, operation in OPERATIONS.items() if operation.core)


STORES = tuple(name for name, o in OPERATIONS.items() if o.access == "store")
LOADS = tuple(name for name, o in OPERATIONS.items() if o.access == "load")
"""Stores to and loads from the page by way of its entry, whoever makes them; a device's store
through its pin asks no entry."""
ALIAS_STORES = tuple(name for name, o in OPERATIONS.items() if o.access == "alias")
"""Stores by way of another mapping of the same file, which ask the entries of that mapping: stores
to shared memory, and to the file behind private memory."""
KERNEL_STORES = tuple(name for name in STORES if name not in CORE)
KERNEL_LOADS = tuple(name for name in LOADS if name not in CORE)
"""Of these, what the kernel does for a system call."""
TRACKED = frozenset(fact for operation in OPERATIONS.values() for fact in operation.tracks)
"""The facts that are followed only where an operation that needs them is explored."""


def find_operation(name: str) -> Operation:
    """The operation of that name. Raises UsageError when there is none."""
    if name not in OPERATIONS:
        raise unknown("operation", name, list(OPERATIONS))
    return OPERATIONS[name]


def with_needed(op: str) -> tuple[str, ...]:
    """An operation beyond the core, after those without which it does nothing."""
    return (*(OPERATIONS[op].after if op in OPERATIONS else ()), op)
