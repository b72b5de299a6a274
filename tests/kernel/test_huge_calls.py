"""What pins, guard regions, userfaultfd ioctls and mode RWP make of a huge page, run by run."""

from __future__ import annotations

from typing import Any

import pytest

from model.kernel.editions import find_edition
from model.system.relation.kernel import whole_system
from model.system.state.mappings import MAPPINGS

RWP = "close open:rwp register:rwp"


def last(edition: str, mapping: str, calls: str) -> tuple[str, dict[str, Any]]:
    """The outcome of the last call, and the state after it."""
    kernel = whole_system(find_edition(edition), MAPPINGS[mapping])
    step = kernel.run(calls.split())[-1]
    return step.outcome, dict(zip(kernel.names, step.values, strict=True))


@pytest.mark.parametrize(("edition", "mapping", "calls", "outcome", "facts"), [
    ("v7.3", "thp", "pin fork", "ok", {"huge": False, "large": True, "pinned": True}),
    ("v7.3", "thp", "store fork", "ok", {"huge": True, "pinned": False}),
    ("v7.3", "thp", "pin split collapse", "EAGAIN", {"huge": False}),
    ("v6.1", "thp", "pin split unpin collapse", "ok", {"huge": True}),
    ("v7.3", "thp", "pin fork:child", "ok", {"huge": False, "large": False, "pinned": False}),
    ("v7.3", "thp", "guard", "ok", {"huge": False, "guard": True, "rest.guard": True}),
    ("v7.3", "thp", "register copy", "ok", {"huge": False, "large": False, "rest.anon": True}),
    ("v7.3", "thp", "store register copy", "EEXIST", {"huge": True}),
    ("v7.3", "thp", "register poison load", "bus", {"huge": False, "rest.poison": True}),
    ("v7.3", "thp", "register poison collapse", "EINVAL", {"huge": False}),
    ("v7.3", "shmem-thp", "store remove", "ok", {"huge": True, "in_cache": False}),
    ("v7.3", "shmem-thp", "register continue", "EFAULT", {"huge": False}),
    ("v7.3", "shmem-thp", "store register dontneed continue", "ok",
     {"huge": False, "rest.huge": False}),
    ("v7.3", "shmem-thp", "register guard fork:write", "ok", {"in_cache": False}),
    ("v7.3", "shmem-thp", f"store {RWP} rwp", "ok", {"huge": True, "pte": 0}),
    ("v7.3", "shmem-thp", f"store {RWP} rwp load", "ok", {}),
    ("v7.3", "thp", f"store {RWP} rwp load", "event", {"huge": True}),
    ("v7.3", "thp", f"store {RWP} rwp mprotect:rw split load", "event", {"huge": False}),
    ("v7.3", "thp", f"store {RWP} rwp migrate load", "event", {"huge": True}),
    ("v7.3", "shmem-thp", "store clear_refs register:minor store", "event", {"pte": 0}),
])
def test_what_becomes_of_a_huge_page(edition: str, mapping: str, calls: str, outcome: str,
                                     facts: dict[str, Any]) -> None:
    ended, state = last(edition, mapping, calls)
    assert ended == outcome
    assert {name: state[name] for name in facts} == facts
