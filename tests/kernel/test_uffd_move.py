"""The rules of UFFDIO_MOVE, stated for all inputs."""

from __future__ import annotations

from dataclasses import replace

import z3

from model.kernel import huge_memory, userfaultfd_move
from model.kernel.bits import VM_ACCESS_FLAGS
from model.kernel.editions import Edition
from model.kernel.logic import as_term, word
from model.kernel.migrate import remove_migration_pte
from model.kernel.pgtable import (
    pte_none,
    pte_present,
    pte_soft_dirty,
    pte_swp_exclusive,
    pte_swp_soft_dirty,
    pte_swp_uffd_wp,
    pte_write,
)
from model.kernel.records import Entry, Outcome, Vma
from model.kernel.swapops import is_migration_entry, is_swap_slot
from model.system.state.mappings import MAPPINGS
from tests.kernel.test_functions import (
    ANON,
    CACHED,
    EXCLUSIVE,
    FLAGS,
    MISSING,
    PP,
    WP,
    WRITE,
    ZERO,
    ended,
    equal,
    then,
    vma,
)
from tests.kernel.test_pgtable import PROTNONE, UWP, P, X, Y, always, bit, dirty, editions, same

THERE, THERE_PP = z3.BitVecs("there there_pp", 64)
PINNED, IN_SWAP_CACHE, RWP, LAZYFREE = z3.Bools("pinned in_swap_cache rwp lazyfree")
DIRTY_PAGE, UNUSED, LARGE, NO_TABLES = z3.Bools("page_dirty unused large no_tables")
THP = MAPPINGS["thp"]
EMPTY = Entry(Y, anon=False, anon_exclusive=False, zero_page=False, in_cache=CACHED)
PAGE = Entry(X, ANON, EXCLUSIVE, ZERO, CACHED, pinned=PINNED, in_swap_cache=IN_SWAP_CACHE,
             lazyfree=LAZYFREE)
NAMES = ("anon", "shmem", "private-shmem", "private-hugetlb")


def source(name: str) -> Vma:
    return Vma(THERE, THERE_PP, MAPPINGS[name])


@editions
def test_where_pages_are_moved(ed: Edition) -> None:
    """Between private anonymous memory of one access and protection that may be written to, if the
    destination is registered. A private one has an anon_vma from then on, whatever comes of it."""
    known = ed.has("adf505457032")
    for to in NAMES:
        for name in NAMES:
            new, _, _, result = userfaultfd_move.userfaultfd_move(
                ed, vma(MAPPINGS[to]), source(name), EMPTY, PAGE)
            able = z3.And((FLAGS ^ THERE) & word(VM_ACCESS_FLAGS) == 0, PP == THERE_PP,
                          bit(FLAGS, WRITE), z3.Or(bit(FLAGS, WP), bit(FLAGS, MISSING)),
                          known, to == "anon", name == "anon")
            always(same(ended(result, Outcome.EINVAL), z3.Not(able)))
            prepared = z3.Or(able, ed.has("867a43a34ff8"))
            private = not MAPPINGS[to].shared
            always(same(new.anon_vma, z3.And(known, private, prepared)))


@editions
def test_what_is_moved_whole(ed: Edition) -> None:
    """A huge page of the process's own that nobody holds, to where no page table is. It is dirty
    and soft-dirty there, and writable; the huge zero page is soft-dirty since "move-zero-pmd"; in a
    VMA of mode RWP neither can be got at. Nothing is left behind."""
    to = Vma(FLAGS, PP, THP, uffd_rwp=RWP)
    dst = replace(EMPTY, pte=word(0), huge=True)
    src = replace(PAGE, huge=True, page_dirty=DIRTY_PAGE, unused=UNUSED)
    moved, left, result = huge_memory.move_pages_huge_pmd(ed, to, dst, src)
    done = ended(result, Outcome.ok)
    always(same(done, z3.Or(ZERO, z3.And(EXCLUSIVE, z3.Not(PINNED)))))
    always(same(ended(result, Outcome.EBUSY), z3.Not(done)))
    then(z3.Not(done), z3.And(equal(moved, dst), equal(left, src)))
    then(done, z3.And(as_term(pte_none(left.pte)), as_term(left.huge), as_term(moved.huge)))
    open_pp = z3.And(bit(PP, P), z3.Not(bit(PP, PROTNONE)), z3.Not(bit(PP, UWP)))
    page = z3.And(done, z3.Not(ZERO), open_pp)
    then(page, z3.And(as_term(pte_soft_dirty(moved.pte)), as_term(moved.anon_exclusive),
                      same(moved.lazyfree, LAZYFREE), same(moved.page_dirty, DIRTY_PAGE),
                      same(moved.unused, UNUSED), dirty(ed, moved.pte)))
    then(z3.And(page, z3.Not(RWP)), z3.And(as_term(pte_write(moved.pte)),
                                           z3.Not(bit(moved.pte, UWP))))
    then(z3.And(done, RWP, open_pp), z3.And(bit(moved.pte, UWP), z3.Not(bit(moved.pte, P))))
    zero = z3.And(done, ZERO, open_pp, bit(X, P), z3.Not(bit(X, PROTNONE)))
    then(zero, as_term(moved.zero_page))
    then(z3.And(zero, z3.Not(RWP)), z3.Not(bit(moved.pte, UWP)))
    if ed.has("move-zero-pmd") is True:
        then(zero, as_term(pte_soft_dirty(moved.pte)))
    else:
        then(zero, same(pte_soft_dirty(moved.pte), pte_soft_dirty(PP)))


@editions
def test_of_a_range_that_a_huge_page_may_map(ed: Edition) -> None:
    """EEXIST where a huge page is, ENOENT where nothing is; a huge page is moved whole, and split
    where a page table is at the destination, if it is the process's own; a pinned one that page
    tables map is tried again for ever, before "move-extra-refs"."""
    to, of = Vma(FLAGS, PP, THP), Vma(THERE, THERE_PP, THP)
    table, whole = z3.Bools("table whole")
    dst = replace(EMPTY, huge=z3.Not(table), no_tables=z3.And(z3.Not(table), Y == 0))
    src = replace(PAGE, pinned=z3.And(ANON, PINNED), huge=whole, large=LARGE,
                  no_tables=NO_TABLES)
    possible = z3.And(
        bit(THERE_PP, P), as_term(pte_present(X)) | (X == 0), as_term(pte_present(Y)) | (Y == 0),
        z3.Implies(NO_TABLES, z3.And(X == 0, whole)), z3.Implies(X == 0, z3.Not(z3.Or(
            ANON, ZERO, LARGE, PINNED))), z3.Implies(X != 0, z3.Xor(ANON, ZERO)),
        z3.Implies(LARGE, z3.And(ANON, z3.Not(whole))), z3.Implies(ZERO, z3.Not(EXCLUSIVE)))
    moved, left, result = userfaultfd_move.move_pages_pmd(ed, to, of, dst, src)
    there, nothing = z3.And(z3.Not(table), Y != 0), X == 0
    exists = z3.And(z3.Or(there, z3.And(z3.Not(whole), Y != 0)), z3.Not(NO_TABLES))
    own = z3.Or(ZERO, EXCLUSIVE)
    shared = z3.And(whole, X != 0, z3.Not(own))
    full = z3.And(table, Y != 0, X != 0)

    def told(condition: z3.BoolRef, claim: z3.BoolRef) -> None:
        then(z3.And(possible, condition), claim)

    told(exists, ended(result, Outcome.EEXIST))
    told(z3.And(nothing, z3.Not(exists)), z3.And(
        ended(result, Outcome.ENOENT),
        same(moved.no_tables, z3.And(as_term(dst.no_tables), NO_TABLES))))
    told(z3.And(shared, z3.Not(there)), ended(result, Outcome.EBUSY))
    told(z3.And(full, whole, own), z3.And(ended(result, Outcome.EEXIST), z3.Not(left.huge)))
    free = z3.And(X != 0, Y == 0, own)
    told(z3.And(free, z3.Not(PINNED)), z3.And(
        ended(result, Outcome.ok), as_term(pte_none(left.pte)),
        same(left.huge, z3.And(whole, z3.Not(table))), same(moved.huge, left.huge),
        z3.Not(moved.no_tables)))
    again = Outcome.EBUSY if ed.has("move-extra-refs") is True else Outcome.never
    told(z3.And(free, ANON, PINNED, LARGE), ended(result, again))
    told(z3.And(free, ANON, PINNED, whole, z3.Not(table)), ended(result, Outcome.EBUSY))


@editions
def test_what_is_moved(ed: Edition) -> None:
    """A page of the process's own that nobody holds, to where nothing is; what is not moved stays.
    It is soft-dirty there, but for the zero page, dirty as it was, and of what was in memory no
    more is kept: it may be written to, and in a VMA of mode RWP not be got at."""
    to = replace(vma(MAPPINGS["anon"]), uffd_rwp=RWP)
    moved, left, result = userfaultfd_move.move_pages_ptes(
        ed, to, source("anon"), EMPTY, PAGE)
    page = remove_migration_pte(ed, source("anon"), PAGE)
    done, empty = ended(result, Outcome.ok), as_term(pte_none(Y))
    nothing, present = as_term(pte_none(page.pte)), as_term(pte_present(page.pte))
    swapped = as_term(is_swap_slot(page.pte))
    zero, own = as_term(page.zero_page), as_term(page.anon_exclusive)
    held = z3.And(ANON, PINNED)
    free = z3.If(swapped, as_term(pte_swp_exclusive(page.pte)), z3.Or(zero, own))
    always(same(ended(result, Outcome.EEXIST), z3.Not(empty)))
    always(same(ended(result, Outcome.ENOENT), z3.And(empty, nothing)))
    some = z3.And(empty, z3.Not(nothing))
    there = z3.And(some, z3.Or(present, swapped))
    always(same(ended(result, Outcome.EFAULT), z3.And(some, z3.Not(z3.Or(present, swapped)))))
    always(same(ended(result, Outcome.EBUSY), z3.And(there, z3.Or(z3.Not(free), held))))
    always(same(done, z3.And(there, free, z3.Not(held))))
    then(z3.Not(done), equal(moved, EMPTY))
    then(z3.And(z3.Not(done), empty), equal(left, page))
    then(z3.And(z3.Not(done), z3.Not(empty)), equal(left, PAGE))
    migrating = z3.And(as_term(is_migration_entry(ed, X)), bit(THERE_PP, P))
    then(z3.And(some, migrating), z3.Not(ended(result, Outcome.EFAULT)))
    then(done, as_term(pte_none(left.pte)))
    then(z3.And(done, swapped), z3.And(
        as_term(pte_swp_soft_dirty(moved.pte)), same(moved.in_swap_cache, IN_SWAP_CACHE),
        same(pte_swp_uffd_wp(moved.pte), z3.Or(RWP, as_term(pte_swp_uffd_wp(page.pte))))))
    open_pp = z3.And(bit(PP, P), z3.Not(bit(PP, PROTNONE)), z3.Not(bit(PP, UWP)))
    mapped = z3.And(done, present, z3.Not(swapped), open_pp)
    then(z3.And(mapped, z3.Not(zero)), z3.And(
        as_term(pte_soft_dirty(moved.pte)), as_term(moved.anon_exclusive),
        same(moved.lazyfree, LAZYFREE),
        z3.Implies(dirty(ed, page.pte), dirty(ed, moved.pte)),
        z3.Implies(z3.Not(z3.Or(dirty(ed, page.pte), dirty(ed, PP))),
                   z3.Not(dirty(ed, moved.pte)))))
    then(z3.And(mapped, zero), as_term(moved.zero_page))
    then(z3.And(mapped, RWP), z3.And(bit(moved.pte, UWP), z3.Not(bit(moved.pte, P))))
    then(z3.And(mapped, z3.Not(RWP)), z3.Not(bit(moved.pte, UWP)))
    then(z3.And(mapped, z3.Not(RWP), z3.Not(zero)), as_term(pte_write(moved.pte)))
