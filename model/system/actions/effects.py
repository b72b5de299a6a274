"""What each operation does: a function of the state, over the functions of the kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from model.kernel.bits import VM_WRITE
from model.kernel.editions import Edition
from model.kernel.fault import Access, user_access
from model.kernel.fork import dup_mmap, stored_by_child
from model.kernel.huge_memory import split_huge_pmd_locked
from model.kernel.khugepaged import collapse_file, collapse_scan_file, madvise_collapse
from model.kernel.ksm import ksm_fork, ksm_madvise, try_to_merge_one_page
from model.kernel.large_folio import finish_fault, migrate_pages_batch
from model.kernel.logic import BV, Bool, as_term, conj, disj, has, ite, negate
from model.kernel.madvise import (
    madvise_free_single_vma,
    madvise_guard_install,
    madvise_guard_remove,
    madvise_remove,
)
from model.kernel.memory import copy_page_range, try_to_free_pte, unmap_single_vma
from model.kernel.migrate import remove_migration_pte
from model.kernel.mprotect import change_prot_numa, do_mprotect_pkey
from model.kernel.mremap import check_prep_vma, move_vma
from model.kernel.pgtable import pte_dirty, pte_none, pte_present
from model.kernel.records import Entry, Outcome, Vma, outcome
from model.kernel.rmap import folio_remove_rmap_pte, page_vma_mkclean_one
from model.kernel.rsrc import io_pin_pages
from model.kernel.swapfile import try_to_unuse
from model.kernel.swapops import is_migration_entry, is_swap_slot, pte_none_mostly
from model.kernel.task_mmu import clear_refs_write, pagemap_scan_pmd_entry
from model.kernel.truncate import do_shared_fault, truncate_pagecache
from model.kernel.userfaultfd_k import userfaultfd_armed
from model.kernel.vmscan import madvise_pageout
from model.system.actions.effect import (
    OK,
    Effect,
    cured,
    each,
    not_rw_protected,
    protected,
    stored,
    unprotected,
)
from model.system.state.mappings import fresh_vma
from model.system.state.state import State, fresh_entry

Accessing: TypeAlias = Callable[[Edition, Vma, Entry, bool], Access]
"""How the first byte is got at, to load it or (True) to store to it; by default as the CPU does."""


def _touched(ed: Edition, s: State, entry: Entry, write: bool = False) -> State:
    """The first page has been accessed, which leaves `entry`. The others see of it that a PMD was
    made, changed or split, that the page of which they are a part has migrated, or lost the first
    to a copy of it, or that the fault has mapped them too."""
    rest = s.rest
    if rest is not None:
        waited = conj(s.entry.large, is_migration_entry(ed, s.entry.pte),
                      negate(is_migration_entry(ed, entry.pte)))
        rest = ite(waited, remove_migration_pte(ed, s.vma, rest), rest)
        copied = conj(s.entry.large, negate(entry.large), negate(s.entry.in_child))
        rest = ite(copied, folio_remove_rmap_pte(ed, rest), rest)
        moved = remove_migration_pte(ed, s.vma, s.entry)
        split = ite(s.entry.huge, split_huge_pmd_locked(ed, s.vma, moved), rest)
        rest = _below_table(s.vma, s.entry, entry, finish_fault(
            ed, s.vma, s.entry, entry, split, write))
        rest = _of_one_file_page(s.vma, entry, ite(entry.huge, entry, rest))
    return _with_anon_vma(replace(s, entry=entry, rest=rest))


def _below_table(vma: Vma, before: Entry, after: Entry, rest: Entry) -> Entry:
    """A page of a file that is no huge one is mapped by a page table, which is made for it."""
    made = conj(vma.mapping.shared, before.huge, negate(after.huge))
    return ite(made, replace(rest, huge=False, no_tables=False), rest)


def _of_one_file_page(vma: Vma, entry: Entry, rest: Entry) -> Entry:
    """What the page cache has of shared memory is one huge page, or small ones at every place."""
    if not vma.mapping.shared:
        return rest
    return replace(rest, in_cache=entry.in_cache, cache_swapped=entry.cache_swapped,
                   cache_small=entry.cache_small,
                   cache_dirty=disj(rest.cache_dirty, entry.cache_dirty))


def store(ed: Edition, s: State, accessing: Accessing | None = None) -> Effect:
    access = (accessing or user_access)(ed, s.vma, s.entry, True)
    done = as_term(access.outcome == OK)
    entry = replace(access.entry, unused=conj(access.entry.unused, negate(done)))
    after = replace(_touched(ed, s, entry, write=True), history=stored(s, done))
    event = outcome(Outcome.EFAULT if accessing else Outcome.event)
    asked = conj(as_term(access.outcome == event), _page_asked_for(s))
    return Effect(_with_anon_vma(after, asked), access.outcome, access.faults)


def _page_asked_for(s: State) -> Bool:
    """A write fault asks for an anonymous page (do_anonymous_page)."""
    return conj(s.vma.mapping.anonymous, has(s.vma.vm_flags, VM_WRITE),
                negate(pte_present(s.entry.pte)))


def _with_anon_vma(s: State, asked: Bool = False) -> State:
    """Who gets its first anonymous page, or a huge page of zeroes, gets an anon_vma before
    (anon_vma_prepare); who has `asked` for one has it even where the fault ended in an event."""
    prepared = disj(s.entry.anon, conj(s.entry.huge, s.entry.zero_page), asked)
    return replace(s, vma=replace(s.vma, anon_vma=disj(s.vma.anon_vma, prepared)))


def load(ed: Edition, s: State, accessing: Accessing | None = None) -> Effect:
    access = (accessing or user_access)(ed, s.vma, s.entry, False)
    return Effect(_touched(ed, s, access.entry), access.outcome, access.faults)


def clear_refs(ed: Edition, s: State) -> Effect:
    vma, _ = clear_refs_write(ed, s.vma, s.entry)
    cleared = each(s, lambda entry: clear_refs_write(ed, s.vma, entry)[1])
    return Effect(replace(cleared, vma=vma, history=replace(s.history, stored=False)))


def scan_wp(ed: Edition, s: State) -> Effect:
    """Protects what reads as written, and so all that was not protected."""
    _, result = pagemap_scan_pmd_entry(ed, s.vma, s.entry)
    done = as_term(result == OK)
    scanned = each(s, lambda entry: pagemap_scan_pmd_entry(ed, s.vma, entry)[0])
    history = replace(s.history, protected_async=disj(s.history.protected_async, done),
                      stored_since_wp=conj(s.history.stored_since_wp, negate(done)))
    return Effect(replace(scanned, history=history), result)


def mprotect(ed: Edition, s: State, prot: int) -> Effect:
    vma, _, result = do_mprotect_pkey(ed, s.vma, s.entry, prot)
    done = protected(ed, s, as_term(vma.vm_flags != s.vma.vm_flags),
                     lambda entry: do_mprotect_pkey(ed, s.vma, entry, prot)[1])
    return Effect(replace(done, vma=vma), result)


def dontneed(ed: Edition, s: State) -> Effect:
    """The program gives the page up, and with it whether it was stored to; that of a file stays,
    and no documentation says that it loses its read-write protection."""
    done = cured(each(s, lambda entry: unmap_single_vma(ed, s.vma, entry)))
    done = not_rw_protected(done, disj(s.entry.anon, s.entry.zero_page, is_swap_slot(s.entry.pte)))
    if not s.vma.mapping.thp:
        return Effect(done)
    freed = try_to_free_pte(ed, done.entry, done.rest or done.entry)
    return Effect(each(done, lambda entry: replace(entry, huge=disj(entry.huge, freed))))


def remove(ed: Edition, s: State) -> Effect:
    """As `dontneed`, with the content of the file, and its read-write protection."""
    _, result = madvise_remove(ed, s.vma, s.entry)
    done = each(s, lambda entry: madvise_remove(ed, s.vma, entry)[0])
    removed = as_term(result == OK)
    return Effect(not_rw_protected(cured(done, removed), removed), result)


def free(ed: Edition, s: State) -> Effect:
    """As `dontneed`, though what is given up may be seen until reclaim drops it."""
    entry, result = madvise_free_single_vma(ed, s.vma, s.entry, s.entry, s.rest, s.entry.unused)
    rest = s.rest and madvise_free_single_vma(ed, s.vma, s.rest, s.entry, s.rest, unused=True)[0]
    done = cured(replace(s, entry=entry, rest=rest), as_term(result == OK))
    return Effect(not_rw_protected(done, pte_none_mostly(ed, entry.pte)), result)


def truncate(ed: Edition, s: State) -> Effect:
    """ftruncate(2) to nothing and back, which takes the content of the file, and private copies."""
    return Effect(cured(each(s, lambda entry: truncate_pagecache(ed, s.vma, entry))))


def alias_store(ed: Edition, s: State) -> Effect:
    """Through a mapping that is made and unmapped for it. To a private mapping it is no store: its
    file's page has changed, and whether that shows is up to what is mapped (mmap(2))."""
    entry = do_shared_fault(ed, s.vma, s.entry)
    return Effect(replace(s, entry=entry, history=stored(s, s.vma.mapping.shared)))


def guard(ed: Edition, s: State) -> Effect:
    """What is mapped there is replaced, by its documentation, and with it what was recorded of it,
    but for shared memory, which keeps what was stored. Page by page; where one is in the way for
    ever, those behind it are zapped and no more."""
    vma, entry, result = madvise_guard_install(ed, s.vma, s.entry)
    zapped = as_term(result != outcome(Outcome.EINVAL))
    kept = conj(s.history.stored, disj(s.vma.mapping.shared, negate(zapped)))
    rest = s.rest
    if rest is not None:
        stuck = as_term(result == outcome(Outcome.never))
        _, guarding, then = madvise_guard_install(ed, s.vma, rest)
        rest = ite(stuck, unmap_single_vma(ed, s.vma, rest), guarding)
        result = ite(stuck, result, then)
    done = as_term(result == OK)
    history = replace(s.history, stored=kept, guarded=disj(s.history.guarded, done))
    guarded = replace(s, vma=vma, entry=entry, rest=rest, history=history)
    return Effect(unprotected(cured(guarded, zapped), done), result)


def unguard(ed: Edition, s: State) -> Effect:
    _, result = madvise_guard_remove(ed, s.vma, s.entry)
    guarded = conj(s.history.guarded, negate(as_term(result == OK)))
    removed = each(s, lambda entry: madvise_guard_remove(ed, s.vma, entry)[0])
    return Effect(replace(removed, history=replace(s.history, guarded=guarded)), result)


def fork(ed: Edition, s: State, lives: bool = False, stores: bool = False) -> Effect:
    """A userfaultfd that fork brings is closed at once: nobody listens for such a child."""
    done = each(s, lambda entry: copy_page_range(ed, s.vma, entry, child_lives=lives))
    if lives:
        done = each(done, lambda entry: ksm_fork(ed, s.vma, entry))
    if not stores:
        return Effect(done)
    entry = stored_by_child(ed, s.vma, done.entry)
    rest = done.rest and _of_one_file_page(s.vma, entry, done.rest)
    return Effect(replace(done, entry=entry, rest=rest))


def fork_child(ed: Edition, s: State) -> Effect:
    """The run goes on in the child, which has no userfaultfd but the one that an event of fork has
    brought. The parent waits, and maps what it mapped. What the parent has stored stands in its own
    page tables."""
    def twin(entry: Entry) -> Entry:
        """The child's twin is the parent's page, which a pin keeps from being merged."""
        return ite(conj(entry.pinned, entry.anon), entry, ksm_fork(ed, s.vma, entry))

    vma, _ = dup_mmap(ed, s.vma, s.entry)
    child = each(s, lambda entry: dup_mmap(ed, s.vma, twin(entry))[1])
    history = replace(s.history, stored=False,
                      poisoned=conj(s.history.poisoned, not s.vma.mapping.shared))
    heard = _heard_of(s)
    done = replace(child, vma=vma, uffd_open=heard, history=history)
    return Effect(unprotected(done, negate(heard)))


def _heard_of(s: State) -> Bool:
    """The VMA is registered with a userfaultfd that fork and mremap tell of themselves, and so
    goes on being registered, by its documentation."""
    return conj(s.vma.events, userfaultfd_armed(s.vma))


def mmap(ed: Edition, s: State) -> Effect:
    """The userfaultfd stays open, and has the features that it was opened with. The file is a new
    one; one with content is truncated for it, which takes the private copies that children have."""
    vma = replace(fresh_vma(ed, s.vma.mapping), wp_unpopulated=s.vma.wp_unpopulated,
                  wp_async=s.vma.wp_async, rwp=s.vma.rwp, rwp_async=s.vma.rwp_async,
                  events=s.vma.events)
    kept = not s.vma.mapping.filled
    fresh = replace(each(s, lambda entry: replace(
        fresh_entry(s.vma.mapping), twin_in_child=conj(kept, entry.twin_in_child),
        twin_in_slot=conj(kept, entry.twin_in_slot))), vma=vma)
    return Effect(unprotected(replace(fresh, history=replace(
        s.history, stored=False, poisoned=False, guarded=False))))


def swapoff(ed: Edition, s: State) -> Effect:
    """EINTR, as by a signal, where it does not end."""
    done = each(s, lambda entry: try_to_unuse(ed, s.vma, entry)[0])
    ends = conj(*(try_to_unuse(ed, s.vma, entry)[1]
                  for entry in (s.entry, s.rest) if entry is not None))
    return Effect(done, ite(ends, OK, outcome(Outcome.EINTR)))


def _of_one_folio(ed: Edition, entry: Entry, rest: Entry) -> Entry:
    """`rest`, whose page is dirty where the folio is that it shares with the first."""
    dirty = disj(entry.page_dirty, pte_dirty(ed, entry.pte))
    return ite(conj(entry.lazyfree, entry.large, rest.large, pte_present(entry.pte)),
               replace(rest, page_dirty=disj(rest.page_dirty, dirty)), rest)


def pageout(ed: Edition, s: State) -> Effect:
    """By its documentation the page of a file loses its read-write protection."""
    entry, result = madvise_pageout(ed, s.vma, s.entry, s.entry.unused)
    rest = s.rest and madvise_pageout(ed, s.vma, _of_one_folio(ed, s.entry, s.rest),
                                      unused=True)[0]
    done = replace(s, entry=entry, rest=rest)
    return Effect(not_rw_protected(done, pte_none(entry.pte)), result)


def migrate(ed: Edition, s: State, begin: bool = True, end: bool = True) -> Effect:
    if begin:
        rest = s.rest and migrate_pages_batch(ed, s.vma, s.rest, unused=True)
        entry = migrate_pages_batch(ed, s.vma, s.entry, s.entry.unused)
        s = replace(s, entry=entry, rest=rest)
    return Effect(each(s, lambda entry: remove_migration_pte(ed, s.vma, entry)) if end else s)


def split(ed: Edition, s: State) -> Effect:
    """The VMA is split inside the huge page and merged again: its page table stays split."""
    return Effect(each(s, lambda entry: ite(
        entry.huge, split_huge_pmd_locked(ed, s.vma, entry), entry)))


def collapse(ed: Edition, s: State) -> Effect:
    if s.vma.mapping.shared:
        vma, pages = s.vma, [page for page in (s.entry, s.rest) if page is not None]
        held = disj(*(collapse_scan_file(ed, vma, page) for page in pages))
        s = each(s, lambda page: ite(held, page, collapse_file(ed, vma, page)))
    entry, result = madvise_collapse(ed, s.vma, s.entry, s.rest or s.entry)
    rest = None if s.rest is None else ite(entry.huge, entry, s.rest)
    return Effect(_with_anon_vma(replace(s, entry=entry, rest=rest)), result)


def writeback(ed: Edition, s: State) -> Effect:
    entry = page_vma_mkclean_one(ed, s.entry) if s.vma.mapping.shared else s.entry
    return Effect(replace(s, entry=entry))


def ksm(ed: Edition, s: State) -> Effect:
    return Effect(replace(s, vma=ksm_madvise(ed, s.vma, s.entry),
                          entry=try_to_merge_one_page(ed, s.vma, s.entry)))


def _pinned(ed: Edition, s: State, before: Entry) -> tuple[Entry, BV]:
    """A page that is made for it holds zeroes."""
    entry, result = io_pin_pages(ed, s.vma, before)
    if not s.vma.mapping.thp:
        return entry, result
    unused = disj(before.unused, before.zero_page, pte_none_mostly(ed, before.pte))
    return replace(entry, unused=conj(entry.anon, unused)), result


def pin(ed: Edition, s: State) -> Effect:
    """An earlier pin is given up before. Of a huge page that PTEs map each is faulted and pinned in
    its turn; where one is refused, all are let go, and what the faults made of them stays."""
    s = each(s, lambda entry: replace(entry, pinned=False))
    entry, result = _pinned(ed, s, s.entry)
    done = _with_anon_vma(_touched(ed, s, entry, write=True), _page_asked_for(s))
    if done.rest is None:
        return Effect(done, result)
    rest, then = _pinned(ed, done, done.rest)
    both = replace(done, entry=_of_one_file_page(s.vma, rest, entry), rest=rest)
    both = ite(entry.huge, done, both)
    refused = conj(as_term(result == OK), negate(entry.huge), as_term(then != OK))
    let_go = each(both, lambda page: replace(page, pinned=False))
    return Effect(ite(as_term(result != OK), done, ite(refused, let_go, both)),
                  ite(refused, then, result))


def unpin(_ed: Edition, s: State) -> Effect:
    return Effect(each(s, lambda entry: replace(entry, pinned=False)))


def device_store(_ed: Edition, s: State) -> Effect:
    """No page table is asked. Where the page that is pinned is no longer mapped, the program has
    lost it, and the store with it."""
    entry = replace(s.entry, unused=conj(s.entry.unused, negate(s.entry.pinned)))
    return Effect(replace(s, entry=entry, history=stored(s, s.entry.pinned)))


def numa(ed: Edition, s: State) -> Effect:
    return Effect(replace(s, entry=change_prot_numa(ed, s.vma, s.entry)))


def mremap(ed: Edition, s: State, dontunmap: bool = False) -> Effect:
    """The run goes on at the new place. What stays of the old one is in no promise: each is about
    the place that the run is at."""
    vma, _ = move_vma(ed, s.vma, s.entry)
    moved = each(s, lambda entry: move_vma(ed, s.vma, entry)[1])
    done = Effect(unprotected(replace(moved, vma=vma), negate(_heard_of(s))))
    refused = negate(check_prep_vma(ed, s.vma)) if dontunmap else False
    return ite(refused, Effect(s, outcome(Outcome.EINVAL)), done)
