"""What a load would read: followed where a promise asks for it, and kept out of all else."""

from __future__ import annotations

import pytest

from model.kernel.editions import find_edition
from model.system.actions.content import own
from model.system.asking.language import as_term
from model.system.asking.view import View
from model.system.relation.compiled import compile_terms
from model.system.relation.kernel import KernelSystem, kernel_system, whole_system
from model.system.relation.library import library
from model.system.state.mappings import find_mapping
from model.system.state.state import FOLLOWED, flatten
from properties import PROPERTIES

CHANGED = {
    "anon": ("store clear_refs dontneed", "store clear_refs dontneed load", "clear_refs store",
             "clear_refs guard", "guard clear_refs unguard", "clear_refs register poison",
             "store clear_refs free pageout", "store clear_refs mmap"),
    "shmem": ("clear_refs store dontneed", "store clear_refs remove load",
              "store clear_refs truncate", "clear_refs alias:store", "clear_refs fork:write",
              "clear_refs register:missing copy", "store clear_refs guard"),
    "private-shmem": ("store clear_refs dontneed", "clear_refs truncate", "clear_refs alias:store",
                      "clear_refs register:missing zeropage"),
    "file": ("clear_refs remove", "clear_refs truncate load"),
    "thp": ("store clear_refs dontneed", "store clear_refs split dontneed load"),
}
SAME = {
    "anon": ("clear_refs dontneed", "clear_refs store dontneed", "store clear_refs pageout load",
             "store clear_refs ksm", "store clear_refs migrate", "store clear_refs mremap",
             "store clear_refs fork:write", "clear_refs guard unguard",
             "store clear_refs mprotect:none", "store clear_refs free",
             "clear_refs register:missing zeropage", "clear_refs store fork:child",
             "poison clear_refs load", "store clear_refs mmap store clear_refs mmap clear_refs"),
    "shmem": ("store clear_refs dontneed load", "store clear_refs guard unguard",
              "clear_refs remove", "store remove clear_refs truncate",
              "clear_refs mprotect:r fork:write", "guard clear_refs fork:write unguard guard",
              "clear_refs register:missing zeropage", "store clear_refs pageout"),
    "private-shmem": ("clear_refs load", "clear_refs dontneed", "store clear_refs alias:store",
                      "clear_refs fork:write"),
    "file": ("store clear_refs pageout", "truncate clear_refs truncate", "store clear_refs load"),
    "thp": ("clear_refs load", "clear_refs store dontneed collapse"),
}


def reads_otherwise(mapping: str, calls: str) -> bool:
    """In the newest edition, after these calls."""
    ops = calls.split()
    whole = whole_system(find_edition("v7.3"), find_mapping(mapping))
    kernel = KernelSystem(whole.edition, whole.mapping, whole.actions, library(), FOLLOWED)
    told = compile_terms(kernel.system.variables, (
        as_term(View(kernel.edition, kernel.before).reads_otherwise),))
    return bool(told(kernel.run(ops)[-1].values)[0])


@pytest.mark.parametrize(("mapping", "calls"), [
    pytest.param(m, calls, id=f"{m}-{calls}") for m, all_ in CHANGED.items() for calls in all_])
def test_it_reads_otherwise(mapping: str, calls: str) -> None:
    assert reads_otherwise(mapping, calls)


@pytest.mark.parametrize(("mapping", "calls"), [
    pytest.param(m, calls, id=f"{m}-{calls}") for m, all_ in SAME.items() for calls in all_])
def test_it_reads_as_before(mapping: str, calls: str) -> None:
    assert not reads_otherwise(mapping, calls)


def test_what_no_promise_asks_for_is_not_followed() -> None:
    """Neither where its operations are allowed, nor by those who ask for other facts."""
    edition, mapping = find_edition("v7.3"), find_mapping("anon")
    first = flatten(kernel_system(edition, mapping).initial)
    for follows, moves in (((), set()), (("guarded",), {"guarded"}), (FOLLOWED, {*FOLLOWED})):
        kernel = kernel_system(edition, mapping, ("guard", "unguard", "dontneed"), follows)
        ends = {kernel.names[i]
                for ops in ("store guard clear_refs unguard store", "store clear_refs guard")
                for step in kernel.run(ops.split())
                for i, value in enumerate(step.values) if str(value) != str(first[i])}
        assert ends & {*FOLLOWED} == moves


def test_the_promises_that_follow_facts_say_which() -> None:
    assert {p.name: p.follows for p in PROPERTIES.values() if p.follows} == {
        "change-seen": FOLLOWED[:-1], "guard-kept": ("guarded",)}


def test_private_content_is_what_would_be_lost() -> None:
    """`content` says no more of anonymous memory than that it has a page of its own."""
    edition, mapping = find_edition("v7.3"), find_mapping("anon")
    kernel = kernel_system(edition, mapping, ("dontneed", "pageout"), FOLLOWED)
    told = compile_terms(kernel.system.variables, (
        as_term(own(kernel.before)), as_term(kernel.before.history.content)))
    for ops in ("store", "store pageout", "store dontneed", "load", "store pageout load"):
        there, content = told(kernel.run(ops.split())[-1].values)
        assert there == content == (ops not in ("store dontneed", "load")), ops
