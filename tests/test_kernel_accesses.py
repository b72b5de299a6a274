"""Loads and stores by the kernel for a system call: read(2), write(2), process_vm_readv(2) and
process_vm_writev(2)."""

from __future__ import annotations

import pytest

from counterexamples.lab.compare import BY_KERNEL, forced
from model.kernel.editions import find_edition
from model.system.actions.operations import KERNEL_LOADS, KERNEL_STORES
from model.system.actions.themes import modelled
from model.system.relation.kernel import whole_system
from model.system.state.mappings import MAPPINGS, find_mapping
from model.system.state.state import leaf_names
from properties import PROPERTIES
from tests.survey import verdict

REGISTRABLE = [m for m in MAPPINGS if not MAPPINGS[m].regular]
KERNELS = ("v6.1", "v6.12", "v7.3")


def last(edition: str, mapping: str, calls: str) -> tuple[str, int, bool, bool]:
    """Of the last call: the outcome, the faults, soft-dirty and uffd-wp."""
    kernel = whole_system(find_edition(edition), find_mapping(mapping))
    *_, step = kernel.run(calls.split())
    bits = kernel.pagemap(step.values)
    return step.outcome, step.faults, bits["soft_dirty"], bits["uffd_wp"]


@pytest.mark.parametrize("edition", KERNELS)
@pytest.mark.parametrize("op", [*KERNEL_STORES, *KERNEL_LOADS])
@pytest.mark.parametrize("mapping", MAPPINGS)
def test_they_are_there_for_every_mapping_and_end_in_efault(mapping: str, op: str,
                                                            edition: str) -> None:
    """Where the program would get a signal; and no fault is the program's."""
    assert op in modelled(find_edition(edition), find_mapping(mapping))
    assert last(edition, mapping, op)[:2] == ("ok", 0)
    assert last(edition, mapping, f"store mprotect:none {op}")[:2] == ("EFAULT", 0)
    allowed = "EFAULT" if op in KERNEL_STORES else "ok"
    assert last(edition, mapping, f"store mprotect:r {op}")[:2] == (allowed, 0)


@pytest.mark.parametrize("edition", KERNELS)
@pytest.mark.parametrize("op", KERNEL_STORES)
@pytest.mark.parametrize("mapping", REGISTRABLE)
def test_a_store_by_the_kernel_is_recorded_and_heeds_protection(mapping: str, op: str,
                                                                edition: str) -> None:
    """An event is EFAULT, and the page stays protected; with WP_ASYNC the store takes the
    protection away."""
    recorded = not MAPPINGS[mapping].hugetlb
    assert last(edition, mapping, f"store clear_refs {op}") == ("ok", 0, recorded, False)
    assert last(edition, mapping, f"store register wp {op}") == ("EFAULT", 0, True, True)
    if find_edition(edition).has("d61ea1cb0095"):
        assert last(edition, mapping, f"close open:async store register wp {op}") == (
            "ok", 0, True, False)


@pytest.mark.parametrize("op", KERNEL_LOADS)
def test_a_missing_page_is_no_page_for_the_kernel_either(op: str) -> None:
    assert last("v7.3", "shmem", f"register:missing {op}")[0] == "EFAULT"


def test_write_only_memory_is_read_by_the_cpu_alone() -> None:
    """check_vma_flags() wants VM_READ; a copy by write(2) is as good as a load."""
    assert last("v7.3", "anon", "store mprotect:w process_vm_readv")[0] == "EFAULT"
    assert last("v7.3", "anon", "store mprotect:w write")[0] == "ok"


@pytest.mark.parametrize(("edition", "kept"), [("v6.1", False), ("v6.12", True)])
def test_the_copy_for_another_process_is_protected_too(edition: str, kept: bool) -> None:
    """0f230bc24b6e: private hugetlb memory that a child has too."""
    calls = "store register wp fork:stay process_vm_readv"
    assert last(edition, "private-hugetlb", calls)[3] == kept
    assert last(edition, "private-hugetlb", f"{calls} store")[0] == ("event" if kept else "ok")


def test_a_load_by_another_process_makes_a_huge_page_soft_dirty() -> None:
    """Unsharing splits the PMD, and the split gives the dirty bit by pte_mkdirty()."""
    calls = "store clear_refs fork:stay process_vm_readv"
    assert last("v7.3", "thp", calls)[2]
    assert not last("v7.3", "anon", calls)[2]
    assert not last("v6.1", "thp", calls)[2]


@pytest.mark.parametrize(("promise", "mapping"), [
    ("softdirty-precise", "thp"), ("uffd-wp-complete", "private-hugetlb"),
    ("uffd-wp-complete-populated", "private-hugetlb")])
@pytest.mark.parametrize("edition", KERNELS)
def test_what_unsharing_breaks_is_expected(edition: str, promise: str, mapping: str) -> None:
    """It takes a child that lives, so that no operation alone shows it."""
    prop, kernel, kind = PROPERTIES[promise], find_edition(edition), find_mapping(mapping)
    broken = (edition == "v6.1") == (mapping == "private-hugetlb")
    allow = ("fork:stay", "process_vm_readv")
    assert verdict(prop, kernel, kind, allow) == prop.expected(kernel, kind, allow)
    assert prop.expected(kernel, kind, allow) == ("violated" if broken else "proved")


@pytest.mark.parametrize("op", [*KERNEL_STORES, *KERNEL_LOADS])
def test_what_the_promises_remember_counts_the_stores_of_the_kernel(op: str) -> None:
    kernel = whole_system(find_edition("v7.3"), find_mapping("shmem"))
    *_, step = kernel.run(("clear_refs", op))
    known = dict(zip(leaf_names(kernel.before), step.values, strict=True))
    stored = op in KERNEL_STORES
    assert (known["stored"], known["stored_since_wp"]) == (stored, stored)


def test_what_would_never_return_is_asked_of_no_kernel() -> None:
    """Where a store may fault for ever, no signal ends one by the kernel."""
    edition, hugetlb = find_edition("v6.12"), find_mapping("hugetlb")
    ops = ("store", "register:missing", *KERNEL_STORES)
    assert last("v6.12", "hugetlb", "store register wp register:missing read")[0] == "refault"
    assert set(forced(edition, hugetlb, ops)) == {"store", "register:missing"}
    assert set(forced(find_edition("v7.3"), hugetlb, ops)) == set(ops)
    assert set(forced(edition, hugetlb, BY_KERNEL)) == BY_KERNEL
