"""The rules of UFFDIO_MOVE, stated for all inputs."""

from __future__ import annotations

from dataclasses import replace

import z3

from model.kernel import userfaultfd_move
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
