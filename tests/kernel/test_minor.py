"""The rules of minor faults and of UFFDIO_CONTINUE, stated for all inputs."""

from __future__ import annotations

from dataclasses import replace

import z3

from model.kernel import memory, userfaultfd, userfaultfd_k
from model.kernel.bits import VM_UFFD_MINOR
from model.kernel.editions import Edition
from model.kernel.logic import as_term, word
from model.kernel.records import Entry, Outcome, Vma
from model.kernel.swapops import pte_none_mostly
from model.system.state.mappings import MAPPINGS
from tests.kernel.test_functions import (
    ANON,
    CACHED,
    EXCLUSIVE,
    FLAGS,
    MAYWRITE,
    MISSING,
    PP,
    SHARED,
    WP,
    WRITE,
    ZERO,
    ended,
    equal,
    then,
    vma,
)
from tests.kernel.test_pgtable import RW, SD, UWP, A, D, P, X, always, bit, editions, same

MINOR, SWAPPED, GUARD = z3.Bools("minor swapped guard")
ENTRY = Entry(X, ANON, EXCLUSIVE, ZERO, CACHED, cache_swapped=SWAPPED, guard=GUARD)
NAMES = ("shmem", "private-shmem", "hugetlb")


def of(name: str) -> Vma:
    return replace(vma(MAPPINGS[name]), minor=MINOR)


@editions
def test_who_takes_minor_mode(ed: Edition) -> None:
    """Memory of shmem and hugetlb, and no other, where no other mode is asked for."""
    for mapping in MAPPINGS.values():
        able = userfaultfd.vma_can_userfault(ed, vma(mapping), word(0), minor=True)
        always(same(able, not mapping.anonymous and not mapping.regular))


@editions
def test_registered_for_minor_faults(ed: Edition) -> None:
    """The modes are replaced, but for one that is there; 7.3 drops no write-protect mode.
    Unregister takes all away."""
    new, result = userfaultfd.userfaultfd_register(ed, of("shmem"), VM_UFFD_MINOR)
    busy = z3.And(bit(FLAGS, WP), ed.has("register-ebusy"))
    may = z3.And(bit(FLAGS, MAYWRITE), z3.Not(busy))
    always(same(ended(result, Outcome.ok), may))
    then(z3.Or(z3.Not(may), MINOR), equal(new, of("shmem")))
    taken = z3.And(may, z3.Not(MINOR))
    then(taken, z3.And(as_term(new.minor), new.vm_flags == FLAGS & ~word(1 << WP | 1 << MISSING)))
    always(same(userfaultfd_k.userfaultfd_armed(of("shmem")),
                z3.Or(bit(FLAGS, WP), bit(FLAGS, MISSING), MINOR)))
    new, _, result = userfaultfd.userfaultfd_unregister(ed, of("shmem"), ENTRY)
    always(z3.And(ended(result, Outcome.ok), z3.Not(as_term(new.minor))))


@editions
def test_a_minor_fault(ed: Edition) -> None:
    """An event, and nothing mapped, for what the page cache has."""
    for name in NAMES:
        for write in (False, True):
            of_name = replace(of(name), vm_flags=FLAGS & ~word(1 << MISSING))
            found = memory.handle_mm_fault(ed, of_name, replace(ENTRY, pte=word(0)), write)
            event = z3.And(MINOR, CACHED)
            always(same(ended(found.outcome, Outcome.event), event))
            then(event, equal(found.entry, replace(ENTRY, pte=word(0))))


@editions
def test_continue(ed: Edition) -> None:
    """ENOENT, EINVAL, EFAULT, EEXIST, in this order; and what is mapped."""
    for name in NAMES:
        for wp in (False, True):
            private = name == "private-shmem"
            new, entry, result = userfaultfd.userfaultfd_continue(ed, of(name), ENTRY, wp)
            armed = z3.Or(bit(FLAGS, WP), bit(FLAGS, MISSING), MINOR)
            known = not wp or bool(ed.has("0289184476c8"))
            marker = as_term(pte_none_mostly(ed, X))
            guarded = z3.And(GUARD, ed.has("copy-marker"))
            empty = z3.And(marker, z3.Not(guarded))
            mode = z3.And(known, armed, z3.Or(not wp, bit(FLAGS, WP)))
            always(same(ended(result, Outcome.ENOENT), z3.And(known, z3.Not(armed))))
            always(same(ended(result, Outcome.EINVAL), z3.And(z3.Not(mode), z3.Or(
                not known, armed))))
            always(same(ended(result, Outcome.EFAULT), z3.And(mode, z3.Not(CACHED))))
            always(same(ended(result, Outcome.EEXIST), z3.And(mode, CACHED, z3.Not(empty))))
            done = z3.And(mode, CACHED, empty)
            always(same(ended(result, Outcome.ok), done))
            then(z3.Not(z3.And(mode, CACHED)), equal(entry, ENTRY))
            then(z3.And(mode, CACHED), z3.Not(as_term(entry.cache_swapped)))
            plain = PP & ~word(1 << RW | 1 << UWP) | word(1 << P | 1 << A)
            fixed = replace(of(name), vm_page_prot=plain)
            mapped = userfaultfd.userfaultfd_continue(ed, fixed, ENTRY, wp)[1]
            then(done, z3.And(bit(mapped.pte, SD), same(bit(mapped.pte, UWP), wp),
                              same(as_term(mapped.anon), False)))
            writable = z3.And(bit(FLAGS, WRITE), not wp, not private)
            then(done, same(bit(mapped.pte, RW), writable))
            then(z3.And(done, bit(mapped.pte, RW)), bit(mapped.pte, D))
            if private:
                prepared = z3.Or(z3.And(armed, z3.Or(not wp, bit(FLAGS, WP))),
                                 ed.has("867a43a34ff8"))
                always(same(new.anon_vma, z3.And(known, prepared)))
            then(z3.Not(bit(FLAGS, SHARED)), new.vm_page_prot == PP)
    anon = userfaultfd.userfaultfd_continue(ed, of("anon"), replace(ENTRY, in_cache=False), False)
    then(MINOR, ended(anon[2], Outcome.EINVAL))
