"""Each change: the promise that it mends is refuted without it and proved with it."""

from __future__ import annotations

import pytest

from model.kernel.changes import CHANGES
from model.kernel.editions import EDITIONS, Edition, find_edition
from model.kernel.releases import KERNELS
from model.system.state.mappings import MAPPINGS
from properties import PROPERTIES
from properties.history import NOT_TOLD, TOLD_BY, Told
from tests.survey import verdict


def asked(promise: str, edition: Edition, told: Told) -> str:
    """By the exhausted graph; it must be as is expected."""
    prop, mapping = PROPERTIES[promise], MAPPINGS[told.mapping]
    found = verdict(prop, edition, mapping, told.allow)
    assert found == prop.expected(edition, mapping, told.allow), (promise, edition.name)
    return found


def pair(change: str) -> tuple[Edition, Edition]:
    """The edition that keeps the promise, and the one that does not."""
    told = TOLD_BY[change]
    having = find_edition(told.edition)
    without = having.without_change(change)
    return (without, having) if told.breaks else (having, without)


@pytest.mark.parametrize("change", TOLD_BY)
def test_refuted_without_and_proved_with(change: str) -> None:
    told = TOLD_BY[change]
    keeps, breaks = pair(change)
    assert asked(told.promise, keeps, told) == "proved"
    assert asked(told.promise, breaks, told) == "violated"


@pytest.mark.parametrize("change", [c for c, told in TOLD_BY.items() if not told.allow])
def test_the_other_promises_are_as_expected_without(change: str) -> None:
    """Where the core operations alone tell."""
    told = TOLD_BY[change]
    for edition in pair(change):
        for prop in PROPERTIES.values():
            if not prop.about and prop.speaks_of(edition, MAPPINGS[told.mapping]):
                asked(prop.name, edition, told)


def test_every_change_is_told_or_says_why_not() -> None:
    """Apart from those without effect, only what no kernel has ever executed is told by nothing."""
    told = {c.id for c in CHANGES.values() if not (c.variant or c.effect.startswith("none"))}
    assert set(TOLD_BY) == told
    assert not set(NOT_TOLD) & set(CHANGES)


def test_every_change_is_in_some_edition() -> None:
    """And, but for what the first edition had, missing from an older one."""
    kernels = frozenset().union(*(EDITIONS[name].changes for name in KERNELS))
    for change in CHANGES.values():
        assert change.variant or change.id in kernels
        if change.since.startswith(("v6", "v5.1")):
            assert not EDITIONS["v5.7"].has(change.id)


@pytest.mark.parametrize(("release", "edition"), [
    ("v6.1.170", "v6.1.170"), ("v6.1.180", "v6.1.170"), ("v6.1.190", "v6.1.187"),
    ("v6.1.192", "v6.1"), ("v6.12.101", "v6.12.100"), ("v6.12.111", "v6.12.113"),
    ("v6.12.43", "v6.12.43"), ("v6.12.74", "v6.12.85"), ("v6.12.95", "v6.12.100"),
    ("v6.12.105", "v6.12.107"), ("v6.12.107", "v6.12.107"),
    ("v6.12.113", "v6.12.113"), ("v6.12.115", "v6.12")])
def test_what_debian_ships_has_its_edition(release: str, edition: str) -> None:
    """zap_huge_pmd() changed in 6.1.191 and 6.12.114."""
    found = find_edition(release)
    assert found == EDITIONS[edition]
    assert found.has("fe6cf984939d") == (edition in ("v6.1", "v6.12"))


def test_no_edition_has_a_change_without_what_it_edits() -> None:
    for edition in EDITIONS.values():
        for change in edition.changes:
            assert edition.changes >= set(CHANGES[change].requires)
