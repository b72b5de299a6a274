"""A fix taken without its fellow: what stable kernels lost by it, on the kernels themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from counterexamples.lab.kernels import Kernel, at_hand, named
from counterexamples.lab.replaying import CONFIRMED, Plan, replay
from counterexamples.lab.session import Session
from model.kernel.editions import find_edition
from model.system.relation.kernel import whole_system
from model.system.state.mappings import find_mapping
from properties import PROPERTIES

CLOSED = ("store", "clear_refs", "register", "close", "store")
INHERITED = ("store", "register", "wp", "fork:child", "store")


@dataclass(frozen=True)
class Booted:
    kernel: Kernel
    session: Session

    def last(self, mapping: str, ops: tuple[str, ...]) -> tuple[str, int, bool]:
        """Outcome, faults and soft-dirty after the last call; the model says the same of all."""
        plan = Plan(find_edition(self.kernel.edition or ""), mapping, "", ops)
        done = replay(plan, self.kernel, self.session)
        assert done.verdict.code == CONFIRMED, done.verdict.line
        seen = done.rows[-1].kernel
        return seen.outcome, seen.faults, "soft_dirty" in seen.pagemap


@pytest.fixture(scope="module", params=["debian:6.1.170", "debian:6.1.192"])
def booted(request: pytest.FixtureRequest) -> Iterator[Booted]:
    kernel = at_hand(named(request.param), print)
    with kernel.start() as session:
        yield Booted(kernel, session)


def test_close_keeps_tracking_until_c88033efe9a3_comes_without_931298e103c2(
        booted: Booted) -> None:
    """6.1.191 took the first: close un-protects, and what it un-protects is writable."""
    edition = find_edition(booted.kernel.edition or "")
    assert not edition.has("931298e103c2")
    took = edition.has("c88033efe9a3")
    assert took == (edition.name == "v6.1")
    assert booted.last("shmem", CLOSED) == ("ok", 0 if took else 1, not took)
    promise = PROPERTIES["close-keeps-armed"]
    expected = promise.expected(edition, find_mapping("shmem"))
    assert expected == ("violated" if took else "proved")


def test_a_child_stores_for_ever_since_60d5b473d61b_came_without_5a2f8d22ace4(
        booted: Booted) -> None:
    """6.1.24 took the first: a page with the uffd-wp bit is not written to, and the child of a
    registered process has the bit without the registration."""
    edition = find_edition(booted.kernel.edition or "")
    assert edition.has("60d5b473d61b")
    assert not edition.has("5a2f8d22ace4")
    assert booted.last("private-hugetlb", INHERITED)[0] == "refault"
    before = whole_system(edition.without_change("60d5b473d61b"), find_mapping("private-hugetlb"))
    assert before.run(INHERITED)[-1].outcome == "ok"
