"""Branches of the kernel functions: found, and taken as the machine steps."""

from __future__ import annotations

from functools import cache

import pytest

from model.kernel.editions import find_edition
from model.system.asking.coverage import Coverage, by_function
from model.system.relation.kernel import KernelSystem, kernel_system
from model.system.relation.reach import StateGraph, explore
from model.system.state.mappings import find_mapping

EDITIONS = ("v6.12",)


@cache
def covered(edition: str, mapping: str) -> tuple[KernelSystem, StateGraph, Coverage]:
    kernel = kernel_system(find_edition(edition), find_mapping(mapping))
    return kernel, explore(kernel.machine), Coverage(kernel)


@pytest.mark.parametrize("mapping", ["shmem", "hugetlb", "thp", "private-file"])
@pytest.mark.parametrize("edition", EDITIONS)
def test_watching_does_not_change_a_step(edition: str, mapping: str) -> None:
    """The instrumented function gives what the machine's own gives."""
    kernel, graph, coverage = covered(edition, mapping)
    for number, state in enumerate(graph.states[:300]):
        for action in range(len(graph.edges[number])):
            after, outputs = kernel.machine.step(state, action)
            assert coverage.result(state, action) == (*after, *outputs)


def test_a_step_takes_what_its_path_takes() -> None:
    """A first store to shared memory, by hand: what C's && does not reach is not taken."""
    kernel, graph, coverage = covered("v6.12", "shmem")
    taken = {(b.function, b.condition, b.side)
             for b in coverage.of(graph.states[0], kernel.system.actions.index("store"))}
    assert ("handle_pte_fault", "pte_none(pte)", True) in taken
    assert ("set_pte_range", "uffd_wp", False) in taken
    assert ("maybe_mkwrite", "has(vma.vm_flags, VM_WRITE)", True) in taken
    assert ("pte_to_pagemap_entry", "has(vma.vm_flags, VM_SOFTDIRTY)", True) in taken
    functions = {function for function, _, _ in taken}
    assert functions.isdisjoint({"do_wp_page", "change_pte_range", "vma_wants_writenotify"})
    assert ("pte_to_pagemap_entry", "conj(present, pte_soft_dirty(pte))", True) not in taken


def test_the_sums_add_up() -> None:
    _, graph, coverage = covered("v6.12", "private-hugetlb")
    reachable = coverage.reachable(graph)
    one = coverage.of(graph.states[0], 0)
    table = by_function(coverage.branches, reachable, one)
    assert sum(f.taken for f in table.values()) == len(one)
    assert sum(f.reachable for f in table.values()) == len(reachable)
    assert sum(f.all for f in table.values()) == len(coverage.branches)
    assert {b for f in table.values() for b in f.missed} == reachable - one
    assert {b for f in table.values() for b in f.unreachable} == coverage.branches - reachable
