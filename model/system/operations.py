"""The operations: one thing a program or the kernel can do, as a function of the state.

To add one: a function ``(ed, state) -> Effect`` over the kernel's functions, and a row in
OPERATIONS. The order of the rows is the order of plainness: of two traces of one length the one
that is first in this order is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import z3

from model.kernel.bits import (
    VM_EXEC,
    VM_READ,
    VM_UFFD_FLAGS,
    VM_UFFD_MISSING,
    VM_UFFD_WP,
    VM_WRITE,
)
from model.kernel.editions import Edition, unknown
from model.kernel.fault import FAULT_BITS, user_access
from model.kernel.fork import dup_mmap
from model.kernel.gup import pin_user_pages
from model.kernel.huge_memory import split_huge_pmd_locked
from model.kernel.khugepaged import madvise_collapse
from model.kernel.ksm import try_to_merge_one_page
from model.kernel.logic import BV, Bool, as_term, conj, disj, has_all, ite, negate
from model.kernel.memory import (
    copy_page_range,
    stored_by_child,
    unmap_single_vma,
)
from model.kernel.migrate import remove_migration_pte
from model.kernel.mprotect import change_prot_numa, do_mprotect_pkey
from model.kernel.mremap import move_vma
from model.kernel.pgtable import pte_present
from model.kernel.records import Entry, Outcome, outcome
from model.kernel.rmap import page_vma_mkclean_one, try_to_migrate_one
from model.kernel.swapfile import try_to_unuse
from model.kernel.task_mmu import clear_refs_write
from model.kernel.userfaultfd import (
    mfill_atomic,
    mwriteprotect_range,
    userfaultfd_api,
    userfaultfd_register,
    userfaultfd_register_range,
    userfaultfd_release,
    userfaultfd_unregister,
)
from model.kernel.vmscan import madvise_pageout
from model.system.mappings import fresh_vma
from model.system.state import History, State, fresh_entry

NO_FAULTS = z3.BitVecVal(0, FAULT_BITS)
OK = outcome(Outcome.ok)


@dataclass(frozen=True)
class Effect:
    """The state after an operation, the outcome (4 bits) and the minor faults taken (3 bits)."""

    state: State
    outcome: BV = OK
    faults: BV = NO_FAULTS


@dataclass(frozen=True)
class Operation:
    """`name` as users type it; `call` is the call in C terms, for reports.

    `core` are the operations that every check allows: what a program does with protection and
    tracking. The others, which copy, move or drop memory or change who listens, are allowed by
    name. `by_kernel` are those that the kernel does on its own (the environment's steps), although
    a program may be able to ask for them. `after` are operations beyond the core without which it
    does nothing. `tracks` are the facts of the state, beyond those that always change, that the
    operation reads or makes true.
    """

    name: str
    call: str
    run: Callable[[Edition, State], Effect]
    core: bool = False
    by_kernel: bool = False
    after: tuple[str, ...] = ()
    tracks: tuple[str, ...] = ()


def _each(s: State, call: Callable[[Entry], Entry]) -> State:
    """`call` made of every page of the mapping."""
    return replace(s, entry=call(s.entry), rest=None if s.rest is None else call(s.rest))


def _touched(ed: Edition, s: State, entry: Entry) -> State:
    """The first page has been accessed, which leaves `entry`. The others see of it that a PMD was
    made, changed or split."""
    rest = s.rest
    if rest is not None:
        split = ite(s.entry.huge, split_huge_pmd_locked(ed, s.vma, s.entry), rest)
        rest = ite(entry.huge, entry, split)
    return _with_anon_vma(replace(s, entry=entry, rest=rest))


def _store(ed: Edition, s: State) -> Effect:
    access = user_access(ed, s.vma, s.entry, write=True)
    done = as_term(access.outcome == OK)
    after = replace(_touched(ed, s, access.entry), history=_stored(s, done))
    return Effect(after, access.outcome, access.faults)


def _stored(s: State, done: Bool) -> History:
    """A store has completed where `done`."""
    return replace(s.history, stored=disj(s.history.stored, done),
                   stored_since_wp=disj(s.history.stored_since_wp, done))


def _with_anon_vma(s: State) -> State:
    """Who gets its first anonymous page, or a huge page of zeroes, gets an anon_vma before
    (anon_vma_prepare)."""
    prepared = disj(s.entry.anon, conj(s.entry.huge, s.entry.zero_page))
    return replace(s, vma=replace(s.vma, anon_vma=disj(s.vma.anon_vma, prepared)))


def _load(ed: Edition, s: State) -> Effect:
    access = user_access(ed, s.vma, s.entry, write=False)
    return Effect(_touched(ed, s, access.entry), access.outcome, access.faults)


def _clear_refs(ed: Edition, s: State) -> Effect:
    vma, _ = clear_refs_write(ed, s.vma, s.entry)
    cleared = _each(s, lambda entry: clear_refs_write(ed, s.vma, entry)[1])
    return Effect(replace(cleared, vma=vma, history=replace(s.history, stored=False)))


def _ioctl(s: State, effect: Effect) -> Effect:
    """An ioctl on the userfaultfd."""
    return ite(s.uffd_open, effect, Effect(s, outcome(Outcome.EBADF)))


def _unprotected(s: State, ended: Bool = True) -> State:
    history = replace(s.history, protected=False, protected_populated=False,
                      protected_async=False)
    return replace(s, history=ite(ended, history, s.history))


def _register(ed: Edition, s: State, mode: int) -> Effect:
    """Registering anew without write-protect mode ends the protection."""
    vma, result = userfaultfd_register(ed, s.vma, mode)
    done = ite(result == OK, _each(s, lambda entry: userfaultfd_register_range(
        ed, s.vma, entry, mode)), s)
    registered = replace(done, vma=vma)
    kept = has_all(vma.vm_flags, VM_UFFD_WP)
    return _ioctl(s, Effect(ite(kept, registered, _unprotected(registered)), result))


def _unregister(ed: Edition, s: State) -> Effect:
    vma, _, result = userfaultfd_unregister(ed, s.vma, s.entry)
    done = _each(s, lambda entry: userfaultfd_unregister(ed, s.vma, entry)[1])
    return _ioctl(s, Effect(_unprotected(replace(done, vma=vma)), result))


def _writeprotect(ed: Edition, s: State, enable_wp: bool) -> Effect:
    _, result = mwriteprotect_range(ed, s.vma, s.entry, enable_wp)
    done = _each(s, lambda entry: mwriteprotect_range(ed, s.vma, entry, enable_wp)[0])
    populated = conj(enable_wp, pte_present(done.entry.pte))
    sync = conj(enable_wp, negate(s.vma.wp_async))
    history = replace(s.history, protected=sync,
                      protected_populated=conj(sync, populated),
                      protected_async=conj(enable_wp, s.vma.wp_async), stored_since_wp=False)
    return _ioctl(s, Effect(replace(done, history=ite(result == OK, history, s.history)), result))


def _mprotect(ed: Edition, s: State, prot: int) -> Effect:
    vma, _, result = do_mprotect_pkey(ed, s.vma, s.entry, prot)
    done = _each(s, lambda entry: do_mprotect_pkey(ed, s.vma, entry, prot)[1])
    return Effect(replace(done, vma=vma), result)


def _close(ed: Edition, s: State) -> Effect:
    vma, _ = userfaultfd_release(ed, s.vma, s.entry)
    done = _each(s, lambda entry: userfaultfd_release(ed, s.vma, entry)[1])
    closed = _unprotected(replace(done, vma=vma, uffd_open=False))
    return ite(s.uffd_open, Effect(closed), Effect(s, outcome(Outcome.EBADF)))


def _open(ed: Edition, s: State, wp_unpopulated: bool = False, wp_async: bool = False) -> Effect:
    """Nothing where one is open; EINVAL for a feature that the kernel does not have."""
    vma = replace(s.vma, wp_unpopulated=wp_unpopulated, wp_async=wp_async)
    able = conj(userfaultfd_api(ed, wp_unpopulated, ed.has("2bad466cc9d9")),
                userfaultfd_api(ed, wp_async, ed.has("d61ea1cb0095")))
    opened = ite(able, Effect(replace(s, vma=vma, uffd_open=True)),
                 Effect(s, outcome(Outcome.EINVAL)))
    return ite(s.uffd_open, Effect(s), opened)


def _copy(ed: Edition, s: State, wp: bool) -> Effect:
    """What is copied in counts as a store; with MODE_WP the page is protected from then on."""
    entry, result = mfill_atomic(ed, s.vma, s.entry, wp)
    done = as_term(result == OK)
    sync = conj(wp, negate(s.vma.wp_async))
    history = replace(_stored(s, True), protected=sync, protected_populated=sync,
                      protected_async=conj(wp, s.vma.wp_async), stored_since_wp=False)
    copied = _with_anon_vma(replace(s, entry=entry, history=ite(done, history, s.history)))
    return _ioctl(s, Effect(ite(done, copied, s), result))


def _dontneed(ed: Edition, s: State) -> Effect:
    """The program gives the page up, and with it whether it was stored to."""
    return Effect(_each(s, lambda entry: unmap_single_vma(ed, s.vma, entry)))


def _fork(ed: Edition, s: State, lives: bool = False, stores: bool = False) -> Effect:
    done = _each(s, lambda entry: copy_page_range(ed, s.vma, entry, child_lives=lives))
    return Effect(replace(done, entry=stored_by_child(s.vma, done.entry)) if stores else done)


def _fork_child(ed: Edition, s: State) -> Effect:
    """The run goes on in the child, which has no userfaultfd; the parent waits, and maps what it
    mapped. What the parent has stored stands in its own page tables."""
    vma, _ = dup_mmap(ed, s.vma, s.entry)
    child = _each(s, lambda entry: dup_mmap(ed, s.vma, entry)[1])
    history = replace(s.history, stored=False)
    return Effect(_unprotected(replace(child, vma=vma, uffd_open=False, history=history)))


def _mmap(ed: Edition, s: State) -> Effect:
    """The userfaultfd stays open, and has the features that it was opened with."""
    vma = replace(fresh_vma(ed, s.vma.mapping), wp_unpopulated=s.vma.wp_unpopulated,
                  wp_async=s.vma.wp_async)
    fresh = replace(_each(s, lambda _: fresh_entry(s.vma.mapping)), vma=vma)
    return Effect(_unprotected(replace(fresh, history=replace(s.history, stored=False))))


def _swapoff(ed: Edition, s: State) -> Effect:
    """EINTR, as by a signal, where it does not end."""
    done = _each(s, lambda entry: try_to_unuse(ed, s.vma, entry)[0])
    ends = conj(*(try_to_unuse(ed, s.vma, entry)[1]
                  for entry in (s.entry, s.rest) if entry is not None))
    return Effect(done, ite(ends, OK, outcome(Outcome.EINTR)))


def _pageout(ed: Edition, s: State) -> Effect:
    _, result = madvise_pageout(ed, s.vma, s.entry)
    return Effect(_each(s, lambda entry: madvise_pageout(ed, s.vma, entry)[0]), result)


def _migrate(ed: Edition, s: State, begin: bool = True, end: bool = True) -> Effect:
    def moved(entry: Entry) -> Entry:
        entry = try_to_migrate_one(ed, entry) if begin else entry
        return remove_migration_pte(ed, s.vma, entry) if end else entry

    return Effect(_each(s, moved))


def _split(ed: Edition, s: State) -> Effect:
    """The VMA is split inside the huge page and merged again: its page table stays split."""
    return Effect(_each(s, lambda entry: ite(
        entry.huge, split_huge_pmd_locked(ed, s.vma, entry), entry)))


def _collapse(ed: Edition, s: State) -> Effect:
    entry, result = madvise_collapse(ed, s.vma, s.entry, s.rest or s.entry)
    rest = None if s.rest is None else ite(entry.huge, entry, s.rest)
    return Effect(_with_anon_vma(replace(s, entry=entry, rest=rest)), result)


def _writeback(ed: Edition, s: State) -> Effect:
    entry = page_vma_mkclean_one(ed, s.entry) if s.vma.mapping.shared else s.entry
    return Effect(replace(s, entry=entry))


def _ksm(ed: Edition, s: State) -> Effect:
    return Effect(replace(s, entry=try_to_merge_one_page(ed, s.vma, s.entry)))


def _pin(ed: Edition, s: State) -> Effect:
    """An earlier pin is given up before."""
    entry, result = pin_user_pages(ed, s.vma, replace(s.entry, pinned=False))
    return Effect(_with_anon_vma(replace(s, entry=entry)), result)


def _unpin(_ed: Edition, s: State) -> Effect:
    return Effect(replace(s, entry=replace(s.entry, pinned=False)))


def _device_store(_ed: Edition, s: State) -> Effect:
    """No page table is asked. Where the page that is pinned is no longer mapped, the program has
    lost it, and the store with it."""
    return Effect(replace(s, history=_stored(s, s.entry.pinned)))


def _numa(ed: Edition, s: State) -> Effect:
    return Effect(replace(s, entry=change_prot_numa(ed, s.vma, s.entry)))


def _mremap(ed: Edition, s: State) -> Effect:
    vma, _ = move_vma(ed, s.vma, s.entry)
    moved = _each(s, lambda entry: move_vma(ed, s.vma, entry)[1])
    return Effect(_unprotected(replace(moved, vma=vma)))


_RW = VM_READ | VM_WRITE

OPERATIONS: dict[str, Operation] = {o.name: o for o in (
    Operation("store", "write one byte", _store, core=True),
    Operation("load", "read one byte", _load, core=True),
    Operation("clear_refs", 'write "4" to /proc/self/clear_refs', _clear_refs, core=True),
    Operation("register", "UFFDIO_REGISTER, mode WP", partial(_register, mode=VM_UFFD_WP),
              core=True),
    Operation("unregister", "UFFDIO_UNREGISTER", _unregister, core=True),
    Operation("wp", "UFFDIO_WRITEPROTECT, mode WP", partial(_writeprotect, enable_wp=True),
              core=True),
    Operation("unwp", "UFFDIO_WRITEPROTECT, mode 0", partial(_writeprotect, enable_wp=False),
              core=True),
    Operation("mprotect:none", "mprotect(PROT_NONE)", partial(_mprotect, prot=0), core=True),
    Operation("mprotect:r", "mprotect(PROT_READ)", partial(_mprotect, prot=VM_READ), core=True),
    Operation("mprotect:rw", "mprotect(PROT_READ|PROT_WRITE)", partial(_mprotect, prot=_RW),
              core=True),
    Operation("mprotect:w", "mprotect(PROT_WRITE)", partial(_mprotect, prot=VM_WRITE)),
    Operation("mprotect:rx", "mprotect(PROT_READ|PROT_EXEC)",
              partial(_mprotect, prot=VM_READ | VM_EXEC)),
    Operation("mprotect:rwx", "mprotect(PROT_READ|PROT_WRITE|PROT_EXEC)",
              partial(_mprotect, prot=_RW | VM_EXEC)),
    Operation("register:missing", "UFFDIO_REGISTER, mode MISSING",
              partial(_register, mode=VM_UFFD_MISSING)),
    Operation("register:wp+missing", "UFFDIO_REGISTER, modes WP and MISSING",
              partial(_register, mode=VM_UFFD_FLAGS)),
    Operation("close", "close the userfaultfd", _close),
    Operation("open", "open a userfaultfd where none is open", _open, after=("close",)),
    Operation("dontneed", "madvise(MADV_DONTNEED)", _dontneed),
    Operation("fork", "fork(2), the child exits and is waited for", _fork),
    Operation("mremap", "mremap(2) to another address", _mremap),
    Operation("mmap", "munmap(2), and mmap(2) of the same at the same address", _mmap),
    Operation("open:unpopulated", "open a userfaultfd with UFFD_FEATURE_WP_UNPOPULATED",
              partial(_open, wp_unpopulated=True), after=("close",), tracks=("wp_unpopulated",)),
    Operation("open:async", "open a userfaultfd with UFFD_FEATURE_WP_ASYNC",
              partial(_open, wp_unpopulated=True, wp_async=True), after=("close",),
              tracks=("wp_unpopulated", "wp_async", "protected_async", "stored_since_wp")),
    Operation("copy", "UFFDIO_COPY", partial(_copy, wp=False)),
    Operation("copy:wp", "UFFDIO_COPY, mode WP", partial(_copy, wp=True)),
    Operation("fork:stay", "fork(2), the child lives on", partial(_fork, lives=True),
              tracks=("in_child", "cache_in_child", "slot_in_child", "anon_vma")),
    Operation("fork:write", "fork(2), the child stores one byte and exits",
              partial(_fork, stores=True), tracks=("in_swap_cache", "cache_dirty")),
    Operation("fork:child", "fork(2), the run goes on in the child", _fork_child,
              tracks=("in_child", "cache_in_child", "slot_in_child", "anon_vma")),
    Operation("pin", "a long-term pin of the page, for writing (io_uring)", _pin,
              tracks=("pinned",)),
    Operation("unpin", "the pin is given up", _unpin, after=("pin",), tracks=("pinned",)),
    Operation("pin:write", "a device writes through the pin", _device_store,
              after=("pin",), tracks=("pinned",)),
    Operation("pageout", "reclaim, as by madvise(MADV_PAGEOUT)", _pageout, by_kernel=True,
              tracks=("cache_dirty", "cache_swapped")),
    Operation("swapoff", "swapoff(2), and swapon(2) again", _swapoff, after=("pageout",)),
    Operation("migrate", "the page moves to another NUMA node, as by mbind(2)", _migrate,
              by_kernel=True),
    Operation("migrate:begin", "the page begins to migrate", partial(_migrate, end=False),
              by_kernel=True),
    Operation("migrate:end", "the page has migrated", partial(_migrate, begin=False),
              by_kernel=True, after=("migrate:begin",)),
    Operation("ksm", "KSM merges the page with an equal one", _ksm, by_kernel=True,
              tracks=("ksm",)),
    Operation("writeback", "the page is written to its file, as by msync(2)", _writeback,
              by_kernel=True, tracks=("cache_dirty",)),
    Operation("split", "the page table of the huge page is split, as by madvise(2) of a part",
              _split, by_kernel=True, tracks=("huge", "large")),
    Operation("collapse", "madvise(MADV_COLLAPSE)", _collapse, by_kernel=True,
              tracks=("huge", "large", "no_tables")),
    Operation("numa", "NUMA balancing makes the entry a hint", _numa, by_kernel=True),
)}

CORE = tuple(name for name, operation in OPERATIONS.items() if operation.core)


TRACKED = frozenset(fact for operation in OPERATIONS.values() for fact in operation.tracks)
"""The facts that are followed only where an operation that needs them is explored."""


def find_operation(name: str) -> Operation:
    """The operation of that name. Raises UsageError when there is none."""
    if name not in OPERATIONS:
        raise unknown("operation", name, list(OPERATIONS))
    return OPERATIONS[name]


def with_needed(op: str) -> tuple[str, ...]:
    """An operation beyond the core, after those without which it does nothing."""
    return (*OPERATIONS[op].after, op)
