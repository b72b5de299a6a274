"""Branches of the kernel functions: found, taken as the machine steps, and why some cannot be."""

from __future__ import annotations

import re
from functools import cache
from itertools import product

import pytest

from model.kernel.editions import find_edition
from model.system.coverage import Branch, Coverage, by_function
from model.system.kernel import KernelSystem, whole_system
from model.system.mappings import MAPPINGS, find_mapping
from model.system.reach import StateGraph, explore

EDITIONS = ("v6.12",)

# No list of calls takes these branches. Mappings ("" for all), function, conditions with the side,
# and the reason; a later mapping, operation or edition may make one reachable.
SMALL, PRIVATE, HUGE = "anon shmem private-shmem", "anon private-shmem private-hugetlb", \
    "hugetlb private-hugetlb"
REASONS = [
    ("", "do_mprotect_pkey|userfaultfd_register", r"denied is true",
     "a fresh mapping has VM_MAYREAD, VM_MAYWRITE and VM_MAYEXEC, and nothing takes them away"),
    ("", "do_anonymous_page|maybe_mkwrite", r"has\(vma.vm_flags, VM_WRITE\) is false",
     "access_error() turns such a store away before"),
    ("", "handle_pte_fault", r"negate\(pte_write\(pte\)\) is false",
     "the CPU lets a store through a writable entry; only a race or a stale TLB faults there"),
    ("", "hugetlb_fault", r"pte_write\(pte\) is true|negate\(pte_write\(pte\)\) is false",
     "the same"),
    ("", "change_pte_range", r"negate\(pte_write\(changed\)\) is false",
     "on private mappings vm_page_prot is never writable, on shared ones it is not asked"),
    ("", "can_change_pte_writable", r"negate\(pte_protnone\(entry.pte\)\) is false",
     "it is asked about VM_WRITE mappings, whose vm_page_prot is no PROT_NONE"),
    ("", "can_change_pte_writable", r"disj\(not ed.has.* is false",
     "every caller asks about VM_WRITE mappings only: the warning of 7ea7e333842e cannot come"),
    ("anon", "do_wp_page|can_change_pte_writable", r"entry.anon is false",
     "a page of an anonymous mapping is PageAnon or the zero page"),
    ("", "is_pte_marker", r"is_marker is false", "no swap entries but markers: no pageout"),
    ("", "pte_marker_uffd_wp|handle_pte_marker|hugetlb_change_protection",
     r"PTE_MARKER_UFFD_WP .* is false|marker is false|pte_marker_uffd_wp\(ed, pte\) is false",
     "no markers but those of uffd-wp: no poison"),
    ("", "pte_swp_uffd_wp_any", r"has\(pte, SWP_UFFD_WP\) is true", "no swap entries but markers"),
    ("", "pte_swp_uffd_wp_any", r"(disj|pte_marker).* is false", "no markers but those of uffd-wp"),
    ("", "pte_protnone|handle_pte_fault|do_numa_page",
     r"PAGE_PRESENT\)\) is|PAGE_PROTNONE\) is true|protnone|vma_is_accessible|upgrade|writable"
     r"|pte_write\(pte\)",
     "PROT_NONE entries stand in VMAs without access, since 931298e103c2 and without NUMA hints"),
    ("", "move_ptes|move_huge_pte", r"is_swap_pte\(pte\) is true|pte_present\(pte\) is false"
     r"|is_swap_pte\(pte\) is false", "what is not empty is a page or a marker, and a marker of a "
     "registered VMA is dropped: no swap entries"),
    ("", "move_soft_dirty_pte", r"is_swap_pte\(pte\) is false", "an empty entry is not moved"),
    ("", "pte_install_uffd_wp_if_needed",
     r"pte_present\(pteval\) is false|pte_swp_uffd_wp_any\(ed, pteval\) is true",
     "a marker never comes so far: no swap entries"),

    ("anon", "pte_install_uffd_wp_if_needed", "", "an anonymous mapping decides at once"),
    (PRIVATE, "can_change_pte_writable|userfaultfd_set_vm_flags|vma_wants_manual_pte_write_upgrade",
     r"has\(.*flags, VM_SHARED\).* is true", "private"),
    (PRIVATE, "do_wp_page", r"shared is true", "private"),
    (PRIVATE, "userfaultfd_set_vm_flags", r"uffd_wp_changed is", "private: not asked"),
    (PRIVATE, "vma_wants_writenotify", r"", "private: shared_writable decides"),
    (PRIVATE, "vma_set_page_prot", r"vma_wants_writenotify\(ed, vma, prot\) is true", "private"),
    (PRIVATE, "pte_mksaveddirty|pte_clear_saveddirty",
     r"pte_write\(pte\) is true|SAVED_DIRTY\) is (false|true)",
     "vm_page_prot is never writable, so pte_modify() leaves no writable entry, and an entry that "
     "is made writable was dirty before; huge_pte_mkwrite() moves no dirty bit"),
    ("anon", "pte_to_pagemap_entry", r"negate\(entry.anon\) is true",
     "the zero page is special, and every other page is PageAnon"),
    ("anon", "change_pte_range|clear_soft_dirty|do_anonymous_page|handle_pte_fault"
     "|handle_pte_marker|is_pte_marker|is_swap_pte|move_ptes|move_soft_dirty_pte"
     "|pte_marker_uffd_wp|pte_swp_uffd_wp_any|pte_to_pagemap_entry|zap_pte_range",
     r"marker|MARKER|is_swap_pte|pte_present\(pte\)\)? is (true|false)|SWP_UFFD_WP|swp_soft_dirty"
     r"|userfaultfd_wp\(vma\)|kept",
     "an empty anonymous entry gets a marker with UFFD_FEATURE_WP_UNPOPULATED only"),

    ("shmem", "can_change_pte_writable|pte_needs_soft_dirty_wp|pte_protnone", r"",
     "vma_wants_manual_pte_write_upgrade() says no to shared mappings without page_mkwrite"),
    ("shmem", "change_pte_range",
     r"can_change_pte_writable|cp.try_change_writable|pte_write\(changed\)|upgrade is true",
     "the same"),
    ("shmem private-shmem", "change_pte_range", r"pte_none\(pte\) is false",
     "present, a marker, or empty"),
    ("shmem private-shmem", "change_pte_range", r"pte_marker_uffd_wp\(ed, pte\) is false",
     "no other markers"),
    ("shmem private-shmem", "change_pte_range", r"use_markers\(ed, vma\) is false",
     "uffd_wp_range() is called for registered VMAs, and those of a file take markers"),
    ("shmem", "do_wp_page", r"shared.* is false|owned|normal_page|entry.anon", "shared"),
    ("shmem hugetlb", "userfaultfd_set_vm_flags|vma_wants_manual_pte_write_upgrade",
     r"VM_SHARED.* is false", "shared"),
    ("shmem private-shmem", "pte_to_pagemap_entry",
     r"negate\((entry.anon|pte_special\(pte\))\) is false",
     "no page of a file mapping is special, and none of a shared one PageAnon"),
    ("private-shmem", "can_change_pte_writable|do_wp_page", r"normal_page is false",
     "no page of a file mapping is special"),
    ("private-shmem", "do_fault", r"missing is true|in_cache\) is true",
     "the file has its page from the start"),
    (HUGE, "vma_wants_manual_pte_write_upgrade|vma_wants_writenotify",
     r"has\(vma.vm_flags, VM_SHARED\) is (true|false)|plain_pgprot is false",
     "asked with MM_CP_TRY_CHANGE_WRITABLE only, which hugetlb ignores, or right after the "
     "comparison holds by construction"),
    (HUGE, "hugetlb_wp", r"disj\(.* is false|entry.anon is|VM_MAYSHARE\) is",
     "a page of the mapping is either shared or anonymous"),
    ("private-hugetlb", "hugetlb_no_page",
     r"VM_WRITE \| VM_SHARED\) is true|in_cache\) is false", "private"),
    (HUGE, "pagemap_hugetlb_range", r"negate\(entry.anon\) is",
     "pages of a shared mapping are the file's, those of a private one anonymous"),
]


@cache
def covered(edition: str, mapping: str) -> tuple[KernelSystem, StateGraph, Coverage]:
    kernel = whole_system(find_edition(edition), find_mapping(mapping))
    return kernel, explore(kernel.machine), Coverage(kernel)


def why(mapping: str, branch: Branch) -> list[int]:
    """The reasons, by number, that speak of a branch."""
    told = f"{branch.condition} is {str(branch.side).lower()}"
    return [n for n, (where, functions, conditions, _) in enumerate(REASONS)
            if (not where or mapping in where.split()) and re.fullmatch(functions, branch.function)
            and re.search(conditions, told)]


def test_branches_out_of_reach_have_a_reason_and_no_reason_is_idle() -> None:
    """With every operation that is modelled."""
    used = set()
    for edition, mapping in product(EDITIONS, MAPPINGS):
        _, graph, coverage = covered(edition, mapping)
        for branch in coverage.branches - coverage.reachable(graph):
            reasons = why(mapping, branch)
            assert reasons, f"{mapping}: {branch}"
            used.update(reasons)
    assert used == set(range(len(REASONS))), [REASONS[n] for n in set(range(len(REASONS))) - used]


@pytest.mark.parametrize("mapping", ["shmem", "hugetlb"])
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
