"""Each change: the promise that it mends is refuted without it and proved with it."""

from __future__ import annotations

from functools import cache

import pytest

from model.engines.base import Limits
from model.engines.explicit import Exhausted
from model.kernel.editions import CHANGES, EDITIONS, Edition
from model.system.kernel import KernelSystem
from model.system.mappings import MAPPINGS
from model.system.themes import allowing
from properties import PROPERTIES
from properties.history import TOLD_BY


@cache
def verdicts(edition: Edition, name: str, allow: tuple[str, ...]) -> dict[str, str]:
    """Of every promise that speaks of no more than what is explored, by the exhausted graph."""
    mapping = MAPPINGS[name]
    kernel = KernelSystem(edition, mapping, allowing(edition, mapping, allow))
    exhausted = Exhausted(kernel.machine)
    return {p.name: exhausted.verdict(p.question(kernel), Limits()).status
            for p in PROPERTIES.values()
            if p.speaks_of(edition, mapping) and set(p.about) <= set(allow)}


@pytest.mark.parametrize("change", TOLD_BY)
def test_refuted_without_and_proved_with(change: str) -> None:
    """And every other promise is kept or broken, with the change and without, as is expected."""
    told = TOLD_BY[change]
    keeps, breaks = told.pair(change)
    found = [verdicts(edition, told.mapping, told.allow) for edition in (keeps, breaks)]
    assert [f[told.promise] for f in found] == ["proved", "violated"]
    for edition, answers in zip((keeps, breaks), found, strict=True):
        assert answers == {name: PROPERTIES[name].expected(edition, MAPPINGS[told.mapping],
                                                           told.allow) for name in answers}


def test_every_change_is_told_or_says_why_not() -> None:
    """Apart from those without effect, only what no kernel has ever executed is told by nothing."""
    told = {c.id for c in CHANGES.values() if not (c.variant or c.effect.startswith("none"))}
    assert set(TOLD_BY) == told


def test_every_change_is_in_some_edition() -> None:
    """And, but for what the first edition had, missing from an older one."""
    newest = EDITIONS["v6.12"].changes
    for change in CHANGES.values():
        assert change.variant or change.id in newest
        if change.since.startswith(("v6", "v5.1")):
            assert not EDITIONS["v5.7"].has(change.id)


def test_no_edition_has_a_change_without_what_it_edits() -> None:
    for edition in EDITIONS.values():
        for change in edition.changes:
            assert edition.changes >= set(CHANGES[change].requires)
