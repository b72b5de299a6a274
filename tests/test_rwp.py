"""Mode RWP of userfaultfd: what programs see of it, by runs that real kernels have confirmed."""

import pytest

from model.kernel.editions import find_edition
from model.system.relation.kernel import Step, whole_system
from model.system.state.mappings import find_mapping

ON = "close open:rwp register:rwp rwp"


def _run(calls: str, mapping: str = "anon", kernel: str = "v7.3") -> list[Step]:
    return whole_system(find_edition(kernel), find_mapping(mapping)).run(calls.split())


@pytest.mark.parametrize("mapping", ["anon", "shmem", "private-shmem", "hugetlb",
                                     "private-hugetlb"])
def test_loads_and_stores_raise_an_event_until_it_is_taken_away(mapping: str) -> None:
    steps = _run(f"store {ON} load store mprotect:r mprotect:rw load unrwp load store", mapping)
    assert [s.outcome for s in steps if s.op in ("load", "store")] == [
        "ok", "event", "event", "event", "ok", "ok"]


def test_what_is_not_there_is_not_protected() -> None:
    assert _run(f"{ON} load")[-1].outcome == "ok"


def test_asynchronous_accesses_are_what_pagemap_scan_tells() -> None:
    system = whole_system(find_edition("v7.3"), find_mapping("anon"))
    steps = system.run(["store", "close", "open:rwp-async", "register:rwp", "rwp", "load"])
    assert [s.outcome for s in steps] == ["ok"] * 6
    assert ["accessed" in system.scan(s.values) for s in steps] == [
        False, False, False, True, False, True]
    assert [system.pagemap(s.values)["uffd_wp"] for s in steps[3:]] == [False, True, False]


@pytest.mark.parametrize(("calls", "outcome"), [
    ("register:rwp", "EINVAL"),  # the userfaultfd has not the feature
    ("close open:rwp mprotect:none register:rwp", "EINVAL"),
    ("close open:rwp rwp", "ENOENT"),
    ("close open:rwp register register:rwp", "EBUSY"),
    ("close open:rwp register:rwp register", "EBUSY"),
    ("close open:rwp register:rwp register:missing", "EBUSY"),
    ("close open:rwp register:missing register:rwp", "ok"),
    ("close open:rwp register:rwp wp", "ENOENT"),
])
def test_modes_do_not_mix(calls: str, outcome: str) -> None:
    assert _run(calls)[-1].outcome == outcome


@pytest.mark.parametrize("kernel", ["v6.1", "v6.12", "v7.2"])
def test_kernels_before_it_refuse(kernel: str) -> None:
    steps = _run("register:rwp rwp unrwp close open:rwp open:rwp-async", kernel=kernel)
    assert [s.outcome for s in steps] == ["EINVAL"] * 3 + ["ok"] + ["EINVAL"] * 2


def test_regular_files_are_refused() -> None:
    assert _run("close open:rwp register:rwp", "file")[-1].outcome == "EINVAL"


@pytest.mark.parametrize("calls", [
    f"store {ON} pageout load", f"store {ON} pageout swapoff load", f"store {ON} migrate load",
    f"store {ON} fork store", f"store pageout fork:stay {ON} store"])
def test_it_outlives_what_the_kernel_does_with_the_page(calls: str) -> None:
    assert _run(calls)[-1].outcome == "event"


@pytest.mark.parametrize("calls", ["process_vm_readv", "process_vm_writev", "read", "write", "pin"])
def test_accesses_by_the_kernel_fail(calls: str) -> None:
    assert _run(f"store {ON} {calls}")[-1].outcome == "EFAULT"


def test_a_page_of_ksm_that_moves_protected_stays_merged_and_is_lost_to_reclaim() -> None:
    last = _run(f"store ksm {ON} mremap pageout")[-1]
    assert last.outcome == "ok"
    system = whole_system(find_edition("v7.3"), find_mapping("anon"))
    assert system.pagemap(last.values)["present"]
    opened = _run("store ksm close open:rwp-async register:rwp rwp mremap pageout")[-1]
    assert system.pagemap(opened.values)["swap"]
