"""The kernel functions against the oracle (oracle.py) and against rules stated for all inputs.

The oracle is compared on every edge of the reachable graph, and on random runs. The laws below it
reach what no modelled run reaches: other mappings, VMAs that may not be written, poison markers.
"""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import product
from typing import Any

import pytest
import z3
from hypothesis import given, settings
from hypothesis import strategies as st

from model.kernel import fault, memory, mmap, mprotect, mremap, task_mmu, userfaultfd, userfaultfd_k
from model.kernel.editions import EDITIONS, Edition
from model.kernel.logic import Bool, as_term, word
from model.kernel.records import CpFlags, Entry, Mapping, Outcome, Vma
from model.kernel.swapops import swp_migration
from model.system.relation.compiled import compile_terms
from model.system.relation.kernel import kernel_system
from model.system.state.mappings import MAPPINGS
from tests.kernel.oracle import KINDS, OPS, RULES, difference, run
from tests.kernel.test_pgtable import (
    NX,
    PCD,
    PROTECTION_MAP,
    PROTNONE,
    RW,
    SD,
    SPECIAL,
    UWP,
    A,
    D,
    P,
    X,
    Y,
    always,
    bit,
    dirty,
    editions,
    same,
    saved_dirty,
)

READ, WRITE, EXEC, SHARED, MAYWRITE, MISSING, WP, SOFTDIRTY = 0, 1, 2, 3, 5, 9, 12, 27
FLAGS, PP = z3.BitVecs("flags pp", 64)
ANON, EXCLUSIVE, ZERO, CACHED = z3.Bools("anon exclusive zero cached")
ENTRY = Entry(X, ANON, EXCLUSIVE, ZERO, CACHED)
OWN = Mapping("anon", "private anonymous", anonymous=True, shared=False)
SHM = Mapping("shmem", "shared anonymous", anonymous=False, shared=True)
FILE_COPY = Mapping("file-copy", "private file", anonymous=False, shared=False)
LISTENERS = tuple(Mapping("m", "m", False, True, *facts) for facts in (
    (False, False, False), (True, False, False), (False, True, False), (False, False, True)))
"""Shared mappings that differ in page_mkwrite, writeback, hugetlb."""


def vma(mapping: Mapping = SHM) -> Vma:
    return Vma(FLAGS, PP, mapping)


def equal(a: Any, b: Any) -> z3.BoolRef:
    """Two records (or terms) are the same."""
    if isinstance(a, Vma | Entry):
        parts = [equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(a)
                 if f.name != "mapping"]
        return z3.And(parts)
    claim = as_term(a) == as_term(b) if isinstance(a, bool) or isinstance(b, bool) else a == b
    assert isinstance(claim, z3.BoolRef)
    return claim


def then(condition: Bool, claim: Bool) -> None:
    """Prove that `condition` implies `claim`."""
    always(z3.Implies(as_term(condition), as_term(claim)))


def ended(result: z3.BitVecRef, outcome: Outcome) -> z3.BoolRef:
    claim = result == int(outcome)
    assert isinstance(claim, z3.BoolRef)
    return claim


def marker(ed: Edition, offset: int = 1) -> int:
    kind = 30 if ed.name == "v6.1" or ed.name.startswith("v6.1-") else 31
    return kind << 59 | ((1 << 50) - 1 - offset) << 9


def pgprot(flags: int) -> int:
    return PROTECTION_MAP[flags & 15]


# --- model and oracle -----------------------------------------------------------------------------

pairs = pytest.mark.parametrize(("name", "mapping"), [
    pytest.param(name, m, id=f"{name}-{m}") for name in RULES for m in KINDS])


@pairs
def test_every_edge_is_observed_as_the_oracle_says(name: str, mapping: str) -> None:
    """On every reachable edge: outcome, faults, pagemap and VmFlags."""
    kernel = kernel_system(EDITIONS[name], MAPPINGS[mapping])
    assert not difference(kernel, RULES[name], bits=False)


@pairs
def test_every_edge_leaves_the_bits_the_oracle_says(name: str, mapping: str) -> None:
    """On every reachable edge: vm_flags, vm_page_prot and the entry, all 64 bits of each."""
    kernel = kernel_system(EDITIONS[name], MAPPINGS[mapping])
    assert not difference(kernel, RULES[name], bits=True)


@settings(derandomize=True, max_examples=150, deadline=None, database=None)
@given(name=st.sampled_from(list(RULES)), mapping=st.sampled_from(KINDS),
       ops=st.lists(st.sampled_from(OPS), max_size=24))
def test_random_runs(name: str, mapping: str, ops: list[str]) -> None:
    """Whole runs, as the simulator runs and prints them; PAGEMAP_SCAN is test_categories.py's."""
    kernel = kernel_system(EDITIONS[name], MAPPINGS[mapping])
    seen = [kernel.observe(s) for s in kernel.run(ops)]
    for step in seen:
        step.pop("scan", None)
    assert seen == run(RULES[name], mapping == "shmem", ops)


LOST = ("store", "clear_refs", "register", "unregister", "store")


@pytest.mark.parametrize(("name", "recorded"), [("v6.1", False), ("v6.12", True)])
def test_the_lost_write(name: str, recorded: bool) -> None:
    """Seen on real kernels: 6.1 loses the second store, 6.12 records it."""
    assert run(RULES[name], True, LOST)[-1]["pagemap"]["soft_dirty"] is recorded
    kernel = kernel_system(EDITIONS[name], MAPPINGS["shmem"])
    assert kernel.pagemap(kernel.run(LOST)[-1].values)["soft_dirty"] is recorded


# --- write notification ---------------------------------------------------------------------------


def wants(ed: Edition, flags: int, pp: int, mapping: Mapping) -> bool:
    """The rule in words: shared and writable, and the file system wants to know, or the stored
    protection is the plain one and soft-dirty, uffd-wp or writeback want to."""
    if not (flags >> SHARED & 1 and flags >> WRITE & 1):
        return False
    if mapping.page_mkwrite:
        return True
    tracked = not flags >> SOFTDIRTY & 1 and not mapping.hugetlb
    uffd = ed.has("51d3d5eb74ff") and flags >> WP & 1
    return pp == pgprot(flags) and bool(tracked or uffd or mapping.can_writeback)


def flag_sets() -> list[int]:
    """All values of vm_flags over the five flags that matter to write notification."""
    places = (READ, WRITE, SHARED, WP, SOFTDIRTY)
    return [sum(b << p for b, p in zip(bits, places, strict=True))
            for bits in product((0, 1), repeat=5)]


@editions
def test_writenotify(ed: Edition) -> None:
    """All combinations of flags, of what the mapping's file wants, and of a stored protection that
    is plain, write-protected, or closed."""
    for mapping in LISTENERS:
        it = vma(mapping)
        decide = compile_terms((FLAGS, PP), (
            as_term(mmap.vma_wants_writenotify(ed, it, PP)),
            as_term(mmap.vma_wants_manual_pte_write_upgrade(ed, it))))
        for flags in flag_sets():
            plain, closed = pgprot(flags), PROTECTION_MAP[0]
            for pp in {plain, plain & ~(1 << RW), closed}:
                notify = wants(ed, flags, pp, mapping)
                upgrade = notify if flags >> SHARED & 1 else bool(flags >> WRITE & 1)
                assert decide((flags, pp)) == (notify, upgrade), (flags, pp, mapping)


@editions
def test_page_prot(ed: Edition) -> None:
    """vm_page_prot is that of the flags, less the write bit where a listener wants stores to fault;
    what a change of protection keeps (here A, and a cache bit) stays."""
    for mapping in LISTENERS:
        new = mmap.vma_set_page_prot(ed, vma(mapping))
        recompute = compile_terms((FLAGS, PP), (new.vm_flags, new.vm_page_prot))
        for flags in flag_sets():
            plain = pgprot(flags)
            expected = plain & ~(1 << RW) if wants(ed, flags, plain, mapping) else plain
            for kept in (0, 1 << PCD):
                after = recompute((flags, PROTECTION_MAP[1] | kept))
                assert after == (flags, expected | kept), (flags, mapping)


@editions
def test_soft_dirty_tracking(ed: Edition) -> None:
    """Tracking is on while VM_SOFTDIRTY is clear; then a clean entry must stay read-only."""
    tracked = z3.Not(bit(FLAGS, SOFTDIRTY))
    always(same(mmap.vma_soft_dirty_enabled(vma()), tracked))
    always(same(mmap.pte_needs_soft_dirty_wp(vma(), X), z3.And(tracked, z3.Not(bit(X, SD)))))


# --- change of protection -------------------------------------------------------------------------


@editions
def test_can_change_pte_writable(ed: Edition) -> None:
    """A writable VMA (since 6.2), an entry open to the CPU, nothing to record; then, shared: dirty;
    private: an anonymous page of its own (before 6.2: and dirty)."""
    clean = z3.Not(bit(X, SD))
    tracked = z3.Not(bit(FLAGS, SOFTDIRTY))
    own = z3.And(z3.Not(bit(X, SPECIAL)), ANON, EXCLUSIVE)
    if ed.name.startswith("v6.1") and not ed.name.startswith(("v6.12", "v7")):
        own = z3.And(own, dirty(ed, X))
    old = ed.name.startswith("v6.1") and not ed.name.startswith(("v6.12", "v7"))
    guard = z3.BoolVal(True) if old else bit(FLAGS, WRITE)  # 6.1 trusts its callers
    needs = z3.And(tracked, clean)
    if not ed.has("76aefad628aa"):  # the check was upside down
        needs = z3.And(z3.Not(tracked), clean)
    may = z3.And(guard, z3.Or(bit(X, P), z3.Not(bit(X, PROTNONE))), z3.Not(needs),
                 z3.Not(z3.And(bit(FLAGS, WP), bit(X, UWP))),
                 z3.If(bit(FLAGS, SHARED), dirty(ed, X), own))
    always(same(mprotect.can_change_pte_writable(ed, vma(), ENTRY), may))


PLAIN = CpFlags()
TRY = CpFlags(try_change_writable=True)
PROTECT = CpFlags(uffd_wp=True)
RESOLVE = CpFlags(uffd_wp_resolve=True)


@editions
def test_change_present_entry(ed: Edition) -> None:
    """Protect: the bit and no write permission. Resolve: not the bit. Both: A, D, SD kept."""
    present = z3.And(z3.Or(bit(X, P), bit(X, PROTNONE)),
                     z3.Implies(bit(X, RW), z3.Not(bit(X, 58))),
                     z3.Implies(z3.Not(bit(X, RW)), z3.Not(bit(X, D))) if saved_dirty(ed) else True)
    for cp, uwp, rw in ((PLAIN, bit(X, UWP), bit(Y, RW)), (PROTECT, True, False),
                        (RESOLVE, False, bit(Y, RW))):
        after = mprotect.change_protection(ed, Vma(FLAGS, Y, SHM), ENTRY, Y, cp)
        then(present, same(bit(after.pte, UWP), uwp))
        then(present, same(bit(after.pte, RW), rw))
        then(present, same(dirty(ed, after.pte), dirty(ed, X)))
        for kept in (A, SD, SPECIAL):
            then(present, same(bit(after.pte, kept), bit(X, kept)))
        for taken in (P, PROTNONE, NX):
            then(present, same(bit(after.pte, taken), bit(Y, taken)))
        always(z3.And(equal(after.anon, ANON), equal(after.zero_page, ZERO),
                      equal(after.anon_exclusive, EXCLUSIVE)))


@editions
def test_write_upgrade(ed: Edition) -> None:
    """With TRY a read-only result is made writable exactly where can_change_pte_writable() says
    so; without TRY never."""
    read_only = z3.And(bit(X, P), z3.Not(bit(Y, RW)))
    it = Vma(FLAGS, Y, SHM)
    plain = mprotect.change_protection(ed, it, ENTRY, Y, PLAIN)
    tried = mprotect.change_protection(ed, it, ENTRY, Y, TRY)
    allowed = as_term(mprotect.can_change_pte_writable(ed, it, plain))
    then(read_only, same(bit(tried.pte, RW), allowed))
    then(read_only, z3.Not(bit(plain.pte, RW)))


@editions
def test_change_empty_entry(ed: Edition) -> None:
    """Protecting an empty entry leaves a marker in a file mapping (from 6.4 on only while it is
    registered), and nothing in an anonymous one; nothing else touches an empty entry."""
    empty = Entry(word(0), anon=False, anon_exclusive=False, zero_page=False, in_cache=False)
    always(equal(mprotect.change_protection(ed, vma(OWN), empty, Y, PROTECT).pte, word(0)))
    for cp in (PLAIN, RESOLVE, TRY):
        always(equal(mprotect.change_protection(ed, vma(), empty, Y, cp).pte, word(0)))
    for mapping in (SHM, FILE_COPY):
        after = mprotect.change_protection(ed, vma(mapping), empty, Y, PROTECT).pte
        left = z3.If(bit(FLAGS, WP), word(marker(ed)),
                     word(0 if ed.name.startswith(("v6.12", "v7")) else marker(ed)))
        always(equal(after, left))


@editions
def test_change_marker(ed: Edition) -> None:
    """Un-protecting takes a uffd-wp marker away and leaves a poison marker and a swap entry."""
    for offset, gone in ((1, True), (2, False)):
        pte = word(marker(ed, offset))
        entry = Entry(pte, anon=False, anon_exclusive=False, zero_page=False, in_cache=False)
        after = mprotect.change_protection(ed, vma(), entry, Y, RESOLVE)
        always(equal(after.pte, word(0) if gone else pte))
        for cp in (PLAIN, PROTECT):
            always(equal(mprotect.change_protection(ed, vma(), entry, Y, cp).pte, pte))


@editions
def test_mprotect(ed: Edition) -> None:
    """EACCES for what the mapping may never have; the same protection again touches nothing; else
    the flags are replaced and vm_page_prot is worked out anew."""
    for prot in (0, 1, 2, 3):
        new, entry, result = mprotect.do_mprotect_pkey(ed, vma(), ENTRY, prot)
        legal = z3.And([bit(FLAGS, 4 + b) for b in (0, 1) if prot >> b & 1] or [z3.BoolVal(True)])
        flags = FLAGS & ~word(7) | prot
        always(same(ended(result, Outcome.ok), legal))
        always(same(ended(result, Outcome.EACCES), z3.Not(legal)))
        then(z3.Or(z3.Not(legal), flags == FLAGS), z3.And(equal(new, vma()), equal(entry, ENTRY)))
        then(legal, new.vm_flags == flags)
        fixed = mmap.vma_set_page_prot(ed, Vma(flags, PP, SHM))
        then(z3.And(legal, flags != FLAGS), new.vm_page_prot == fixed.vm_page_prot)
        then(z3.And(legal, flags != FLAGS, bit(X, P), z3.Not(bit(fixed.vm_page_prot, P))),
             z3.Not(bit(entry.pte, P)))


# --- userfaultfd ----------------------------------------------------------------------------------


@editions
def test_registration_predicates(ed: Edition) -> None:
    """Registered for write protection, registered at all, protected entry; who takes markers."""
    always(same(userfaultfd_k.userfaultfd_wp(vma()), bit(FLAGS, WP)))
    always(same(userfaultfd_k.userfaultfd_armed(vma()), z3.Or(bit(FLAGS, WP), bit(FLAGS, MISSING))))
    always(same(userfaultfd_k.userfaultfd_pte_wp(vma(), X), z3.And(bit(FLAGS, WP), bit(X, UWP))))
    always(z3.Not(as_term(userfaultfd_k.userfaultfd_wp_use_markers(ed, vma(OWN)))))
    always(same(userfaultfd_k.userfaultfd_wp_use_markers(ed, vma(FILE_COPY)),
                bit(FLAGS, WP) if ed.name.startswith(("v6.12", "v7")) else True))


@editions
def test_register(ed: Edition) -> None:
    """EPERM without VM_MAYWRITE; a subset of what is there changes nothing, and is EBUSY in 7.3
    where it lacks write-protect mode, as another mode is; else the modes are replaced, and a shared
    VMA's vm_page_prot follows uffd-wp."""
    for mode in (1 << WP, 1 << MISSING, 1 << WP | 1 << MISSING):
        new, result = userfaultfd.userfaultfd_register(ed, vma(), mode)
        busy = z3.And(bit(FLAGS, WP), not mode & 1 << WP, ed.has("register-ebusy"))
        always(same(ended(result, Outcome.EPERM), z3.Not(bit(FLAGS, MAYWRITE))))
        may = z3.And(bit(FLAGS, MAYWRITE), z3.Not(busy))
        always(same(ended(result, Outcome.ok), may))
        always(same(ended(result, Outcome.EBUSY), z3.And(bit(FLAGS, MAYWRITE), busy)))
        there = FLAGS & mode == mode
        then(z3.Or(z3.Not(may), there), equal(new, vma()))
        flags = FLAGS & ~word(1 << WP | 1 << MISSING) | mode
        then(z3.And(may, z3.Not(there)), new.vm_flags == flags)
        recomputed = mmap.vma_set_page_prot(ed, Vma(flags, PP, SHM)).vm_page_prot
        changed = z3.And(may, z3.Not(there), bit(FLAGS, SHARED),
                         bit(FLAGS, WP) != bit(flags, WP), ed.has("51d3d5eb74ff"))
        then(changed, new.vm_page_prot == recomputed)
        then(z3.Not(changed), new.vm_page_prot == PP)


@editions
def test_unregister(ed: Edition) -> None:
    """Always succeeds; takes both modes away; resolves where write protection was on (since 6.0),
    and touches no entry where it was not."""
    new, entry, result = userfaultfd.userfaultfd_unregister(ed, vma(), ENTRY)
    always(ended(result, Outcome.ok))
    always(equal(new.vm_flags, FLAGS & ~word(1 << WP | 1 << MISSING)))
    then(z3.Not(bit(FLAGS, WP)), z3.And(equal(entry, ENTRY), equal(new.vm_page_prot, PP)))
    if ed.has("f369b07c8614"):
        then(z3.And(bit(FLAGS, WP), bit(X, P)), z3.Not(bit(entry.pte, UWP)))
    else:
        always(equal(entry, ENTRY))


@editions
def test_writeprotect(ed: Edition) -> None:
    """ENOENT and nothing touched where the VMA is not registered for it."""
    for enable in (False, True):
        entry, result = userfaultfd.mwriteprotect_range(ed, vma(), ENTRY, enable)
        registered = bit(FLAGS, WP)
        always(same(ended(result, Outcome.ok), registered))
        always(same(ended(result, Outcome.ENOENT), z3.Not(registered)))
        then(z3.Not(registered), equal(entry, ENTRY))
        then(z3.And(registered, bit(X, P)), same(bit(entry.pte, UWP), enable))


# --- clear_refs and pagemap -----------------------------------------------------------------------


@editions
def test_clear_refs(ed: Edition) -> None:
    """VM_SOFTDIRTY goes; a present entry loses RW and SD and stays dirty; a swap entry loses bit 1;
    vm_page_prot is worked out anew only where VM_SOFTDIRTY was set."""
    new, entry = task_mmu.clear_refs_write(ed, vma(), ENTRY)
    flags = FLAGS & ~word(1 << SOFTDIRTY)
    always(equal(new.vm_flags, flags))
    then(bit(FLAGS, SOFTDIRTY), equal(new, mmap.vma_set_page_prot(ed, Vma(flags, PP, SHM))))
    then(z3.Not(bit(FLAGS, SOFTDIRTY)), equal(new, vma()))
    present = z3.Or(bit(X, P), bit(X, PROTNONE))
    then(present, z3.Not(z3.Or(bit(entry.pte, RW), bit(entry.pte, SD))))
    then(present, same(dirty(ed, entry.pte), dirty(ed, X)))
    then(present, same(bit(entry.pte, UWP), bit(X, UWP)))
    none = X & ~word(1 << A | 1 << D) == 0
    then(z3.And(z3.Not(present), z3.Not(none)), entry.pte == X & ~word(2))
    then(none, entry.pte == X)
    always(z3.And(equal(entry.anon, ANON), equal(entry.zero_page, ZERO),
                  equal(entry.anon_exclusive, EXCLUSIVE)))


@editions
def test_pagemap(ed: Edition) -> None:
    """Bits 63, 62, 61, 56, 57 and 55 of a pagemap entry, of a present entry and of a marker."""
    present = z3.Or(bit(X, P), bit(X, PROTNONE))
    report = task_mmu.pte_to_pagemap_entry(ed, vma(), ENTRY)
    page = z3.And(present, z3.Not(bit(X, SPECIAL)))
    always(same(report.present, present))
    always(same(report.exclusive, z3.And(page, z3.Not(ZERO))))
    of_file = z3.And(page, z3.Not(ANON), z3.Not(z3.And(ZERO, ed.has("pagemap-special"))))
    then(z3.Or(present, X == 0), same(report.file, of_file))
    then(present, z3.Not(as_term(report.swap)))
    then(present, same(report.uffd_wp, bit(X, UWP)))
    then(present, same(report.soft_dirty, z3.Or(bit(FLAGS, SOFTDIRTY), bit(X, SD))))
    swap = z3.And(z3.Not(present), bit(X, 63))
    then(swap, same(report.soft_dirty, z3.Or(bit(FLAGS, SOFTDIRTY), bit(X, 1))))
    for kind, (there, file) in product(range(3), ((True, False), (False, True))):
        it = Entry(swp_migration(ed, kind), anon=there, anon_exclusive=False, zero_page=False,
                   in_cache=False)
        always(same(task_mmu.pte_to_pagemap_entry(ed, vma(), it).file, file))
    poison = marker(ed, 2)
    for pte, swap, uffd in ((marker(ed), True, True), (0, False, False), (poison, True, False)):
        it = Entry(word(pte), anon=False, anon_exclusive=False, zero_page=False, in_cache=False)
        report = task_mmu.pte_to_pagemap_entry(ed, vma(), it)
        always(same(report.swap, swap))
        always(same(report.uffd_wp, uffd))
        always(same(report.soft_dirty, bit(FLAGS, SOFTDIRTY)))


# --- faults ---------------------------------------------------------------------------------------


@editions
def test_access_error(ed: Edition) -> None:
    """A store needs VM_WRITE; a load any of read, write, execute."""
    any_access = z3.Or(bit(FLAGS, READ), bit(FLAGS, WRITE), bit(FLAGS, EXEC))
    always(same(fault.access_error(ed, vma(), True), z3.Not(bit(FLAGS, WRITE))))
    always(same(fault.access_error(ed, vma(), False), z3.Not(any_access)))


@editions
def test_marker_faults(ed: Edition) -> None:
    """A poison marker is SIGBUS; a uffd-wp marker of a VMA no longer registered is dropped; before
    6.4 no anonymous mapping could have one. Where missing pages are waited for, and the page cache
    has none, a registered one stays and is an event."""
    for mapping in (SHM, OWN):
        odd = mapping is OWN and not ed.name.startswith(("v6.12", "v7"))
        for offset in (1, 2):
            pte = word(marker(ed, offset))
            it = Entry(pte, anon=False, anon_exclusive=False, zero_page=False, in_cache=False)
            for write in (False, True):
                fault = memory.handle_pte_fault(ed, vma(mapping), it, write)
                if offset == 2 or odd:
                    always(ended(fault.outcome, Outcome.bus))
                    always(equal(fault.entry, it))
                    continue
                awaited = z3.And(bit(FLAGS, WP), bit(FLAGS, MISSING))
                always(same(ended(fault.outcome, Outcome.event), awaited))
                then(awaited, equal(fault.entry, it))
                then(z3.Not(bit(FLAGS, WP)), fault.entry.pte == 0)
                then(z3.And(bit(FLAGS, WP), z3.Not(awaited)),
                     z3.And(bit(fault.entry.pte, UWP), z3.Not(bit(fault.entry.pte, RW))))


@editions
def test_missing_page(ed: Edition) -> None:
    """What is mapped for an empty entry, by kind of memory: whose page, how writable, how dirty.
    Where missing pages are waited for, an event comes first, but for a page in the page cache."""
    mapped = z3.And(PP & ~word(1 << RW | 1 << P | 1 << A | 1 << 2 | 1 << NX) == 0, bit(PP, P))
    for mapping, write in product((SHM, OWN, FILE_COPY), (False, True)):
        there = CACHED if mapping is not OWN else z3.BoolVal(False)
        empty = Entry(word(0), anon=False, anon_exclusive=False, zero_page=False, in_cache=there)
        fault = memory.handle_pte_fault(ed, vma(mapping), empty, write)
        it, pte = fault.entry, fault.entry.pte
        awaited = z3.And(bit(FLAGS, MISSING), z3.Not(there))
        always(same(ended(fault.outcome, Outcome.event), awaited))
        always(same(ended(fault.outcome, Outcome.ok), z3.Not(awaited)))
        then(awaited, equal(it, empty))
        plain = z3.And(mapped, z3.Not(awaited))
        own = write and mapping is not SHM
        zero = not write and mapping is OWN
        then(plain, z3.And(same(it.anon, own), same(it.anon_exclusive, own),
                           same(it.zero_page, zero), same(it.in_cache, mapping is not OWN)))
        then(plain, same(bit(pte, SPECIAL), zero))
        then(plain, z3.Not(bit(pte, UWP)))
        if not write:
            then(plain, z3.And(same(bit(pte, RW), bit(PP, RW)), z3.Not(bit(pte, SD)),
                               z3.Not(dirty(ed, pte))))
            continue
        then(z3.And(plain, bit(FLAGS, WRITE)),
             z3.And(bit(pte, RW), bit(pte, SD), dirty(ed, pte)))
        then(z3.And(plain, z3.Not(bit(FLAGS, WRITE))), same(bit(pte, RW), bit(PP, RW)))


@editions
def test_write_fault(ed: Edition) -> None:
    """A store to a read-only entry: event where protected, else recorded; a shared page or an
    anonymous one, which has no other owner any more, is reused and exclusive, any other is copied
    and loses its uffd-wp bit."""
    private = z3.Not(z3.Or(bit(FLAGS, SHARED), bit(FLAGS, 7)))
    shared = z3.And(bit(FLAGS, SHARED), bit(FLAGS, 7))
    fault = memory.handle_pte_fault(ed, vma(), ENTRY, True)
    it = fault.entry
    read_only = z3.And(bit(X, P), z3.Not(bit(X, RW)), bit(FLAGS, WRITE), z3.Or(private, shared))
    watched = z3.And(bit(FLAGS, WP), bit(X, UWP))
    own = z3.And(z3.Not(bit(X, SPECIAL)), ANON)
    then(read_only, same(ended(fault.outcome, Outcome.event), watched))
    then(read_only, same(ended(fault.outcome, Outcome.ok), z3.Not(watched)))
    then(z3.And(read_only, watched), equal(it, ENTRY))
    recorded = z3.And(read_only, z3.Not(watched))
    then(recorded, z3.And(bit(it.pte, RW), bit(it.pte, SD), dirty(ed, it.pte)))
    reused = z3.And(recorded, z3.Or(shared, own))
    then(reused, z3.And(same(it.anon, ANON), same(it.anon_exclusive, ANON),
                        same(it.zero_page, ZERO), bit(it.pte, A),
                        same(bit(it.pte, UWP), bit(X, UWP))))
    copied = z3.And(recorded, private, z3.Not(own))
    then(copied, z3.And(same(it.anon, True), same(it.anon_exclusive, True),
                        same(it.zero_page, False), same(bit(it.pte, UWP), bit(PP, UWP))))


@editions
def test_spurious_fault(ed: Edition) -> None:
    """A fault on an entry that allows the access makes it young, and records a store."""
    for write in (False, True):
        it = memory.handle_pte_fault(ed, vma(), ENTRY, write).entry
        allowed = z3.And(bit(X, P), bit(X, RW))
        then(allowed, z3.And(bit(it.pte, A), bit(it.pte, RW)))
        then(allowed, same(bit(it.pte, SD), z3.Or(bit(X, SD), write)))
        then(z3.And(allowed, z3.Not(bit(X, 58))),
             same(dirty(ed, it.pte), z3.Or(dirty(ed, X), write)))


# --- calls that drop or move page tables ----------------------------------------------------------

HUGE = Mapping("hugetlb", "shared huge pages", anonymous=False, shared=True, hugetlb=True)


@editions
def test_zap(ed: Edition) -> None:
    """A dropped page leaves a marker where it was protected: in a registered mapping of a file, in
    hugetlb always before "hugetlb-zap", in an anonymous mapping never. The page is gone, the file's
    stays cached."""
    for mapping in (OWN, SHM, FILE_COPY, HUGE):
        it = memory.unmap_single_vma(ed, vma(mapping), ENTRY)
        always_kept = mapping is HUGE and not ed.has("hugetlb-zap")
        kept = z3.And(mapping is not OWN, bit(X, UWP), z3.Or(always_kept, bit(FLAGS, WP)))
        then(bit(X, P), it.pte == z3.If(kept, word(marker(ed)), word(0)))
        always(z3.And(same(it.anon, False), same(it.anon_exclusive, False),
                      same(it.zero_page, False), same(it.in_cache, CACHED)))


@editions
def test_zap_of_a_huge_page(ed: Edition) -> None:
    """It leaves nothing, and the page of a file is dirty then where its PMD was: since
    fe6cf984939d."""
    shared = Mapping("shmem-thp", "shared huge page", anonymous=False, shared=True, thp=True)
    was = z3.Bool("was dirty")
    entry = replace(ENTRY, huge=True, cache_dirty=was)
    it = memory.unmap_single_vma(ed, vma(shared), entry)
    then(bit(X, P), z3.And(it.pte == word(0), same(it.anon, False), same(it.huge, True)))
    heard = z3.And(dirty(ed, X), z3.Not(ANON)) if ed.has("fe6cf984939d") else z3.BoolVal(False)
    then(bit(X, P), same(it.cache_dirty, z3.Or(was, heard)))


@editions
def test_the_huge_zero_page_in_pagemap(ed: Edition) -> None:
    """It reads as a page of a file before "pagemap-special"."""
    it = task_mmu.pagemap_read(ed, vma(OWN), replace(ENTRY, anon=False, zero_page=True, huge=True))
    there = z3.And(bit(X, P), z3.Not(bit(X, SPECIAL)))
    then(there, same(it.file, not ed.has("pagemap-special")))
    then(there, z3.Not(as_term(it.exclusive)))


@editions
def test_move(ed: Edition) -> None:
    """A moved page is soft-dirty (hugetlb: as it was). Its protection stays behind with the
    registration since 0cef0bb836e3, which 6.1.192 and 6.12 have."""
    for mapping in (OWN, SHM, HUGE):
        new, it = mremap.move_vma(ed, vma(mapping), ENTRY)
        armed = z3.Or(bit(FLAGS, WP), bit(FLAGS, MISSING))
        dropped = armed if ed.has("0cef0bb836e3") else z3.BoolVal(False)
        then(bit(X, P), same(bit(it.pte, UWP), z3.And(bit(X, UWP), z3.Not(dropped))))
        then(bit(X, P), same(bit(it.pte, SD), bit(X, SD) if mapping is HUGE else True))
        then(bit(X, P), (it.pte | 3 << 10) == (X | 3 << 10))
        always(new.vm_flags == FLAGS & ~word(1 << WP | 1 << MISSING))
