"""A userfaultfd that asks for the events of fork and mremap, and one for user mode alone."""

from __future__ import annotations

import pytest

from counterexamples.reproducer.forks import EVENTS, needed
from counterexamples.reproducer.program import program
from counterexamples.trace import run_trace
from counterexamples.words.refused import refused
from model.kernel.editions import UsageError, find_edition
from model.system.actions.operations import OPERATIONS
from model.system.actions.themes import allowing, modelled
from model.system.relation.kernel import KernelSystem, Step, kernel_system, whole_system
from model.system.state.mappings import MAPPINGS, find_mapping

_OPENED = "close open:events"


def _system(calls: str, mapping: str, kernel: str) -> KernelSystem:
    edition, memory = find_edition(kernel), find_mapping(mapping)
    return kernel_system(edition, memory, allowing(edition, memory, calls.split()))


def _run(calls: str, mapping: str = "shmem", kernel: str = "v7.3") -> list[Step]:
    return _system(calls, mapping, kernel).run(calls.split())


def _facts(calls: str, mapping: str = "shmem", kernel: str = "v7.3") -> dict[str, object]:
    system = _system(calls, mapping, kernel)
    return dict(zip(system.names, system.run(calls.split())[-1].values, strict=True))


@pytest.mark.parametrize("mapping", ["anon", "shmem", "private-shmem", "hugetlb",
                                     "private-hugetlb", "thp", "shmem-thp"])
@pytest.mark.parametrize("kernel", ["v6.1", "v6.12", "v7.3"])
@pytest.mark.parametrize("call", ["fork:child", "mremap"])
def test_what_is_registered_and_protected_stays_so(kernel: str, mapping: str, call: str) -> None:
    steps = _run(f"{_OPENED} store register wp {call} store unwp store unregister", mapping, kernel)
    assert [s.outcome for s in steps[5:]] == ["ok", "event", "ok", "ok", "ok"]
    plain = _run(f"store register wp {call} store", mapping, kernel)
    assert plain[-1].outcome != "event"


def test_the_child_has_a_userfaultfd_only_of_what_was_registered() -> None:
    assert not _facts(f"{_OPENED} fork:child")["uffd_open"]
    assert _facts(f"{_OPENED} register:missing fork:child")["uffd_open"]
    assert not _facts("register:missing fork:child")["uffd_open"]
    assert _run(f"{_OPENED} register:missing fork:child load")[-1].outcome == "event"
    assert _run(f"{_OPENED} register fork:child close register")[-1].outcome == "EBADF"


def test_page_tables_of_shared_memory_are_copied_for_protection_alone() -> None:
    """Which pagemap shows: a child that lives maps the page too."""
    for modes, shared in (("register", True), ("register:missing", False)):
        system = _system(f"{_OPENED} store {modes} fork:stay", "shmem", "v7.3")
        last = system.run(f"{_OPENED} store {modes} fork:stay".split())[-1]
        assert system.pagemap(last.values)["exclusive"] != shared
    assert _run(f"{_OPENED} store register wp fork:child store", "shmem",
                "v6.12-c56d1b62cce8")[-1].outcome == "ok"


@pytest.mark.parametrize(("kernel", "stays"), [("v6.1", True), ("v6.12", False)])
def test_a_marker_that_has_moved_is_made_anew_for_the_child(kernel: str, stays: bool) -> None:
    calls = f"clear_refs {_OPENED} register wp mremap fork:child"
    system = _system(calls, "shmem", kernel)
    moved, copied = (system.pagemap(s.values) for s in system.run(calls.split())[-2:])
    assert moved["soft_dirty"]
    assert moved["uffd_wp"]
    assert copied["uffd_wp"]
    assert copied["soft_dirty"] == stays


@pytest.mark.parametrize(("kernel", "outcome"), [("v6.1", "ok"), ("v6.12", "event")])
def test_a_copy_of_a_pinned_page_is_protected_since_5a2f8d22ace4(kernel: str,
                                                                 outcome: str) -> None:
    calls = f"{_OPENED} store pin register wp fork:child store"
    assert _run(calls, "private-hugetlb", kernel)[-1].outcome == outcome


@pytest.mark.parametrize("split", ["", "split", "pin"])
def test_the_child_of_a_huge_page_stays_protected(split: str) -> None:
    """One that is pinned is split, and its pages are copied with their protection."""
    calls = f"{_OPENED} store {split} register wp fork:child store"
    assert _run(calls, "thp", "v6.12")[-1].outcome == "event"
    lost = _run(calls, "thp", "v6.12-8f34f1eac382")[-1].outcome
    assert lost == ("ok" if split == "pin" else "event")


def test_for_user_mode_alone_is_as_any_other() -> None:
    """With UFFD_FEATURE_SIGBUS; before v5.11 there is no such flag."""
    for memory in MAPPINGS.values():
        system = whole_system(find_edition("v7.3"), memory)
        first, second = ([(s.outcome, s.faults, s.values) for s in system.run(
            f"close {opened} register:missing store read process_vm_writev register wp load"
            .split())] for opened in ("open", "open:user"))
        assert first == second
    assert _run("close open:user", "anon", "v5.7")[-1].outcome == "EINVAL"
    trace = run_trace(_system("close open:user", "anon", "v5.7"), ("close", "open:user"),
                      prop="test", claim="")
    assert refused(trace, 2) == "UFFD_USER_MODE_ONLY is of v5.11"


def test_where_events_are_not_modelled() -> None:
    """Hugetlb where a store of a child may never end."""
    for kernel, mapping in (("v6.7", "hugetlb"), ("v6.1.170", "private-hugetlb")):
        with pytest.raises(UsageError, match="open:events"):
            _run(_OPENED, mapping, kernel)
        assert "open:user" in modelled(find_edition(kernel), find_mapping(mapping))


def test_a_program_has_what_its_calls_need() -> None:
    assert needed({"events"}, ("open:events",)) == set()
    assert needed({"events", "fork:child"}, ("close",)) == {"events:ask", "events:fork",
                                                            "events:close"}
    ops = ("close", "open:events", "register", "fork", "mremap:dontunmap", "fork:child", "close")
    text = program(run_trace(whole_system(find_edition("v7.3"), find_mapping("shmem")), ops,
                             prop="test", claim="Whatever."))
    for name, part in EVENTS.items():
        assert part.text.strip() in text, name
    assert "UFFDIO_UNREGISTER" in text
    assert "listen_for_events()" in text
    assert 'step("close", close_heard(),' in text
    plain = program(run_trace(whole_system(find_edition("v7.3"), find_mapping("shmem")),
                              ("close", "open", "fork", "fork:child"), prop="test", claim="W."))
    assert "heard" not in plain


def test_the_operations_say_what_they_follow() -> None:
    assert OPERATIONS["open:events"].tracks == ("events",)
    assert not OPERATIONS["open:user"].tracks
