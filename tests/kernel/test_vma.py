"""Which VMAs merge, which survives, and what fault-around maps: tables and rules for all inputs.

The tables say what mm/vma.c does of every case by itself, and not by the model's terms.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product

import z3

from model.kernel import fault_around, memory, mprotect, vma
from model.kernel.bits import (
    VM_EXEC,
    VM_READ,
    VM_SOFTDIRTY,
    VM_UFFD_MISSING,
    VM_UFFD_WP,
    VM_WRITE,
)
from model.kernel.editions import Edition
from model.kernel.logic import BV, Bool, as_term, number, word
from model.kernel.records import IDENTITY_BITS, Area, Entry, Place, Vma
from model.system.state.mappings import MAPPINGS
from tests.kernel.test_functions import (
    ANON,
    CACHED,
    EXCLUSIVE,
    FLAGS,
    MISSING,
    SOFTDIRTY,
    WP,
    ZERO,
    equal,
    then,
)
from tests.kernel.test_functions import vma as plain
from tests.kernel.test_pgtable import A, D, X, always, bit, editions, same

OTHER = z3.BitVec("other", 64)
SWAPPED, MINOR, RWP, ACCOUNT, GUARD = z3.Bools("swapped minor rwp account guard")
PRIVATE = ("anon", "private-shmem")
NEW = 7
"""An anon_vma that nobody has yet."""


def area(mapping: str = "anon", flags: BV | int = VM_READ, pp: int = 0, family: int = 0,
         chained: bool = False, pgoff: int = 0) -> Area:
    flags = word(flags) if isinstance(flags, int) else flags
    return Area(Vma(flags, word(pp), MAPPINGS[mapping]), False, number(family, IDENTITY_BITS),
                chained, number(pgoff, IDENTITY_BITS))


def holds(claim: Bool) -> bool:
    """The truth of a claim without variables."""
    return bool(z3.is_true(z3.simplify(as_term(claim))))


def value(term: BV) -> int:
    number = z3.simplify(term)
    assert isinstance(number, z3.BitVecNumRef)
    return int(number.as_long())


def may_join(ed: Edition, ours: tuple[int, bool], theirs: tuple[int, bool]) -> bool:
    """An anon_vma (0: none) and whether its chain has more than one link, of the range and of the
    neighbour."""
    table = {
        (False, False): True,
        (False, True): not theirs[1],
        (True, False): ed.has("879bca0a2c4f") is True and not ours[1],
        (True, True): ours[0] == theirs[0],
    }
    return table[bool(ours[0]), bool(theirs[0])]


ANON_VMAS = [(0, False), (1, False), (1, True), (2, False), (2, True)]


@editions
def test_anon_vmas_that_may_be_one(ed: Edition) -> None:
    for ours, theirs in product(ANON_VMAS, ANON_VMAS):
        a, b = (area(family=f, chained=c) for f, c in (ours, theirs))
        assert holds(vma.is_mergeable_anon_vma(ed, a, b)) == may_join(ed, ours, theirs)
        for may in (vma.can_vma_merge_before, vma.can_vma_merge_after):
            assert holds(may(ed, a, b)) == may_join(ed, ours, theirs)


@editions
def test_flags_that_may_differ(ed: Edition) -> None:
    """VM_SOFTDIRTY, and VM_MAYBE_GUARD; for an anon_vma also what mprotect changes."""
    a = area(flags=FLAGS)
    b = replace(a, vma=replace(a.vma, vm_flags=OTHER, maybe_guard=GUARD))
    differing = FLAGS ^ OTHER
    always(same(vma.is_mergeable_vma(ed, a, b),
                differing & ~z3.BitVecVal(1 << SOFTDIRTY, 64) == 0))
    passed = 1 << SOFTDIRTY | VM_READ | VM_WRITE | VM_EXEC
    always(same(vma.anon_vma_compatible(ed, a, b), differing & ~z3.BitVecVal(passed, 64) == 0))
    always(same(vma.is_mergeable_vma(ed, a, replace(a, account=ACCOUNT)), z3.Not(ACCOUNT)))
    for fact in ("minor", "uffd_rwp", "mergeable"):
        differs = replace(a, vma=replace(a.vma, **{fact: MINOR}))
        always(same(vma.is_mergeable_vma(ed, a, differs), z3.Not(MINOR)))
        always(same(vma.anon_vma_compatible(ed, a, differs), z3.Not(MINOR)))


@editions
def test_pgoff_must_continue(ed: Edition) -> None:
    """Of anonymous memory; since 7.3 of private files too."""
    for mapping in (*PRIVATE, "shmem"):
        asked = mapping == "anon" or (mapping != "shmem" and ed.has("anon-pgoff") is True)
        a, b = area(mapping), area(mapping, pgoff=1)
        for may in (vma.can_vma_merge_before, vma.can_vma_merge_after, vma.anon_vma_compatible):
            assert holds(may(ed, a, a))
            assert holds(may(ed, a, b)) != asked


def taken(*families: int) -> int:
    """The first anon_vma that there is."""
    return next((f for f in families if f), 0)


@editions
def test_who_survives(ed: Edition) -> None:
    """The left, else the right, as a whole range and as an edge; who has no anon_vma takes over
    another's."""
    for sides in product((False, True), repeat=2):
        for alike in product((False, True), repeat=2):
            for mine, left, right in product((0, 1, 2), repeat=3):
                check_survivor(ed, sides, alike, (left, mine, right), (False, False, False))
    for dirty in product((False, True), repeat=3):
        for sides in product((False, True), repeat=2):
            check_survivor(ed, sides, (True, True), (0, 0, 0), dirty)


def check_survivor(ed: Edition, sides: tuple[bool, ...], alike: tuple[bool, ...],
                   families: tuple[int, ...], dirty: tuple[bool, ...]) -> None:
    """`families` and `dirty` of what is on the left, of the range, and of what is on the right."""
    left, mine, right = families
    wanted, other = VM_READ | VM_WRITE, VM_READ | VM_UFFD_WP
    flags = [(wanted if is_alike else other) | VM_SOFTDIRTY * sd for is_alike, sd in zip(
        (alike[0], True, alike[1]), dirty, strict=True)]
    prev, changed, following = (area(flags=f, pp=p, family=family) for f, p, family in zip(
        flags, (1, 2, 3), families, strict=True))
    middle = area(flags=other, pp=2, family=mine)
    merge = vma.vma_merge_existing_range(ed, middle, changed, prev, following, *sides)
    goes_left = sides[0] and alike[0] and may_join(ed, (mine, False), (left, False))
    goes_right = sides[1] and alike[1] and may_join(ed, (mine, False), (right, False))
    goes_right = goes_right and (not goes_left or not left or not right or left == right)
    assert (holds(merge.left), holds(merge.right)) == (goes_left, goes_right)
    survivor = 1 if goes_left else 3 if goes_right else 2
    assert value(merge.survivor.vma.vm_page_prot) == survivor
    family = (taken(left, right, mine) if goes_left and goes_right else
              taken(left, mine) if goes_left else taken(right, mine) if goes_right else mine)
    assert value(merge.survivor.family) == family
    if goes_left or goes_right:
        kept = flags[survivor - 1]
        if ed.has("6707915e030a"):
            kept |= VM_SOFTDIRTY * (dirty[1] or (goes_left and dirty[0])
                                    or (goes_right and dirty[2]))
        assert value(merge.survivor.vma.vm_flags) == kept


@editions
def test_what_is_mapped_anew_between_others(ed: Edition) -> None:
    """Before 6.12 the right is asked first, and the left whether it goes with that."""
    for left, right in product((0, 1, 2), repeat=2):
        for there in product((False, True), repeat=2):
            prev, following = area(pp=1, family=left), area(pp=3, family=right)
            merge = vma.vma_merge_new_range(ed, area(pp=2), prev, following, *there)
            both = not left or not right or left == right
            if ed.has("cacded5e42b9"):
                expected = there[0], there[1] and (not there[0] or both)
            else:  # an anon_vma on the right is that of the range then: never to one without
                goes = not right or left == right
                expected = there[0] and (not there[1] or goes), there[1]
            assert (holds(merge.left), holds(merge.right)) == expected
            survivor = 1 if expected[0] else 3 if expected[1] else 2
            assert value(merge.survivor.vma.vm_page_prot) == survivor
            has = [f for f, goes in zip((left, right), expected, strict=True) if goes]
            assert value(merge.survivor.family) == taken(*has)


@editions
def test_what_moves_brings_its_anon_vma(ed: Edition) -> None:
    for mine, left in product((0, 1, 2), repeat=2):
        merge = vma.vma_merge_new_range(ed, area(family=mine), area(family=left), area(), True,
                                        False)
        assert holds(merge.left) == may_join(ed, (mine, False), (left, False))
        if holds(merge.left):
            assert value(merge.survivor.family) == taken(left, mine)


LETTERS = {"a": VM_READ, "b": VM_READ | VM_WRITE}
Line = list[tuple[int, int, str]]
"""VMAs as first page, last page and letter."""


def placed(line: Line) -> tuple[Place, ...]:
    return tuple(Place(letter != " ", at > first and letter != " ",
                       area("shmem", LETTERS.get(letter, 0)))
                 for first, last, letter in line for at in range(first, last + 1))


def read(places: tuple[Place, ...]) -> Line:
    line: Line = []
    for at, place in enumerate(places):
        if not holds(place.mapped):
            line.append((at, at, " "))
            continue
        letter = next(x for x, flags in LETTERS.items()
                      if flags == value(place.area.vma.vm_flags))
        if holds(place.joined):
            first, _, before = line.pop()
            assert before == letter
            line.append((first, at, letter))
        else:
            line.append((at, at, letter))
    return line


def modified(line: Line, first: int, last: int, letter: str, right_known: bool) -> Line:
    """What becomes of a range that lies in one VMA, by the picture of intervals."""
    at = next(i for i, v in enumerate(line) if v[0] <= first <= last <= v[1])
    begin, end, old = line[at]
    parts = [(begin, first - 1, old), (first, last, letter), (last + 1, end, old)]
    new = [part for part in parts if part[0] <= part[1]]
    here = new.index(parts[1])
    before, after = [*line[:at], *new[:here]], [*new[here + 1:], *line[at + 1:]]
    if before and before[-1][2] == letter:
        first = before.pop()[0]
    if after and after[0][2] == letter and right_known:
        last = after.pop(0)[1]
    return [*before, (first, last, letter), *after]


def lines(pages: int) -> list[Line]:
    """All ways to lay out so many pages."""
    found: list[Line] = []
    for letters in product("ab ", repeat=pages):
        for cuts in product((False, True), repeat=pages - 1):
            line: Line = []
            for at, letter in enumerate(letters):
                joined = at > 0 and not cuts[at - 1]
                if joined and (letters[at - 1] != letter or letter == " "):
                    break
                line = ([*line[:-1], (line[-1][0], at, letter)] if joined
                        else [*line, (at, at, letter)])
            else:
                if all(a[2] != " " or b[2] != " " or a[1] + 1 == b[0] for a, b in pairwise(line)):
                    found.append(line)
    return found


@editions
def test_a_range_merges_or_is_split_off(ed: Edition) -> None:
    """Every range of every layout of three pages, but for those that change nothing."""
    for line in lines(3):
        for begin, end, old in line:
            for first in range(begin, end + 1):
                letter = {"a": "b", "b": "a"}.get(old)
                for last in range(first, end + 1) if letter else ():
                    assert letter
                    for misplaced in (False, True):
                        known = not misplaced or first == begin
                        changed = area("shmem", LETTERS[letter])
                        done = vma.vma_modify(ed, placed(line), first, last, True, changed,
                                              misplaced=misplaced)
                        kept = done.merge.survivor
                        written = replace(kept, vma=replace(kept.vma, vm_flags=word(
                            LETTERS[letter])))
                        assert read(done.written(written)) == modified(
                            line, first, last, letter, known)
                    untouched = vma.vma_modify(ed, placed(line), first, last, False, changed)
                    assert read(untouched.written(changed)) == line


@editions
def test_a_misplaced_range_merges_with_what_would_follow_the_beginning(ed: Edition) -> None:
    """As of memory of a file; of anonymous memory never; whatever VMAs are before it."""
    for mapping, shift, misplaced, others in product(("shmem", "private-shmem", "anon"), (0, 1, 2),
                                                     (False, True), (0, 2)):
        here, changed = area(mapping, VM_READ), area(mapping, VM_READ | VM_UFFD_WP)
        offset = number(-shift % (1 << IDENTITY_BITS), IDENTITY_BITS)
        beside = replace(changed, offset=offset)
        places = (*(Place(True, bool(n), area(mapping)) for n in range(others)),
                  Place(True, False, here), Place(True, True, here), Place(True, False, beside))
        done = vma.vma_modify(ed, places, others + 1, others + 1, True, changed,
                              misplaced=misplaced)
        file = mapping != "anon"
        merges = shift == misplaced if file else not misplaced
        assert holds(done.merge.right) == merges, (mapping, shift, misplaced)
        if merges and file:
            written = done.written(done.merge.survivor)
            assert value(written[others + 1].area.offset) == value(offset)


@editions
def test_whose_anon_vma_is_taken(ed: Edition) -> None:
    """What follows is asked first, then what is before; a child's is not taken."""
    for mapping, left, right in product(PRIVATE, ANON_VMAS, ANON_VMAS):
        for flags in (0, VM_SOFTDIRTY, VM_WRITE, VM_UFFD_WP, VM_UFFD_MISSING):
            alike = not flags & (VM_UFFD_WP | VM_UFFD_MISSING)
            sides = [area(mapping, VM_READ | flags, family=f, chained=c) for f, c in (left, right)]
            places = tuple(Place(True, False, a) for a in (sides[0], area(mapping), sides[1]))
            found = vma.find_mergeable_anon_vma(ed, places, 1, number(NEW, IDENTITY_BITS))
            reusable = [f for f, chained in (right, left) if f and not chained and alike]
            assert value(found) == taken(*reusable, NEW)
            apart = (places[0], replace(places[1], area=area(mapping)), replace(
                places[2], mapped=False))
            found = vma.find_mergeable_anon_vma(ed, apart, 1, number(NEW, IDENTITY_BITS))
            assert value(found) == taken(*reusable[-1:] if left[0] and not left[1] and alike
                                         else (), NEW)


@editions
def test_who_lacks_an_anon_vma_takes_it_over(ed: Edition) -> None:
    for (dst, dst_chained), (src, src_chained) in product(ANON_VMAS, ANON_VMAS):
        got = vma.dup_anon_vma(ed, area(family=dst, chained=dst_chained),
                               area(family=src, chained=src_chained))
        assert value(got.family) == taken(dst, src)
        assert holds(got.chained) == (dst_chained if dst else src_chained if src else False)


@editions
def test_accounted(ed: Edition) -> None:
    """Private memory from when it is writable; anonymous memory until it is not and has nothing."""
    for mapping, family, old, new, account in product(
            (*PRIVATE, "shmem"), (0, 1), (VM_READ, VM_WRITE), (VM_READ, VM_WRITE), (False, True)):
        before = replace(area(mapping, old, family=family), account=account)
        kept = account and not (mapping == "anon" and not family
                                and ed.has("unaccount-unfaulted") is True)
        gained = mapping != "shmem" and old != VM_WRITE
        expected = account or gained if new == VM_WRITE else kept
        assert holds(mprotect.vma_accounted(ed, before, word(new))) == expected


ENTRY = Entry(X, ANON, EXCLUSIVE, ZERO, CACHED, cache_swapped=SWAPPED)


@editions
def test_munmap_leaves_nothing(ed: Edition) -> None:
    """No marker stays; what the page cache has does."""
    for mapping in (*PRIVATE, "shmem"):
        left = vma.unmap_region(ed, plain(MAPPINGS[mapping]), ENTRY)
        always(equal(left.pte, word(0)))
        always(same(left.in_cache, CACHED))
        always(z3.Not(as_term(left.anon)))


@editions
def test_fault_around(ed: Edition) -> None:
    """What a load would map there without an event, where the entry is empty and the page in
    memory; not in a VMA that is registered for more than missing pages."""
    empty = X & ~word(1 << A | 1 << D) == 0
    for mapping in (*PRIVATE, "shmem"):
        mapped = replace(plain(MAPPINGS[mapping]), minor=MINOR, uffd_rwp=RWP)
        listening = z3.Or(bit(FLAGS, WP), MINOR, RWP)
        around = as_term(fault_around.should_fault_around(ed, mapped, ENTRY))
        then(listening, z3.Not(around))
        then(z3.And(empty, z3.Not(listening)), same(around, mapping != "anon"))
        then(z3.And(z3.Not(empty), bit(X, 0)), z3.Not(around))
        done = fault_around.do_fault_around(ed, mapped, ENTRY)
        ready = z3.And(empty, CACHED, z3.Not(SWAPPED))
        then(z3.Not(ready), equal(done, ENTRY))
        if mapping != "anon":
            quiet = replace(mapped, minor=False, vm_flags=FLAGS & ~z3.BitVecVal(1 << MISSING, 64))
            load = memory.do_fault(ed, quiet, ENTRY, False).entry
            then(ready, equal(done, load))
