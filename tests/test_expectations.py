"""What is expected is what is so: every edition, and every edition less or plus one change."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from model.checking.difference import compare
from model.engines.base import Limits
from model.kernel.changes import CHANGES
from model.kernel.editions import EDITIONS, Edition, find_edition
from model.kernel.records import Mapping
from model.system.actions.operations import CORE, OPERATIONS, with_needed
from model.system.actions.themes import modelled
from model.system.state.mappings import MAPPINGS
from properties import PROPERTIES
from properties.base import Property
from tests.survey import CELLS, verdict

OFTEN = ("anon", "shmem", "hugetlb")
"""The mappings that a developer's loop asks."""


def derived() -> dict[str, Edition]:
    """Each edition, and some less or plus one change; one name for each set of changes."""
    found = {e.changes: e for e in EDITIONS.values()}
    for edition in map(find_edition, ("v6.1", "v6.12", "v6.3-as-described")):
        for change in CHANGES:
            near = (edition.without_change(change) if edition.has(change)
                    else edition.with_change(change))
            found.setdefault(near.changes, near)
    return {e.name: e for e in found.values()}


def spoken_of(edition: Edition, mapping: Mapping, *allow: str) -> list[Property]:
    """The promises that speak of a mapping, and of no more than these operations."""
    return [p for p in PROPERTIES.values()
            if p.speaks_of(edition, mapping) and set(p.about) <= set(allow)]


@pytest.mark.parametrize("op", [op for op in OPERATIONS if op not in CORE])
@pytest.mark.parametrize(("edition", "mappings"), [
    pytest.param("v6.1", ("anon",), marks=pytest.mark.lab, id="v6.1"),
    pytest.param("v6.1.170", ("shmem",), marks=pytest.mark.lab, id="v6.1.170"),
    pytest.param("v6.12", OFTEN, id="v6.12"),
    pytest.param("v6.12", tuple(m for m in MAPPINGS if m not in OFTEN), marks=pytest.mark.lab,
                 id="v6.12-others")])
def test_every_other_operation_gives_the_expected_verdicts(
        edition: str, mappings: tuple[str, ...], op: str,
        record_property: Callable[[str, object], None]) -> None:
    """Each by itself, with what it needs. What the core alone does is asked in test_matrix.py."""
    kernel, allow = EDITIONS[edition], with_needed(op)
    cells = [(p, MAPPINGS[m]) for m in mappings if set(allow) <= set(modelled(kernel, MAPPINGS[m]))
             for p in spoken_of(kernel, MAPPINGS[m], *allow)]
    found = {(m.name, p.name): verdict(p, kernel, m, allow) for p, m in cells}
    assert found == {(m.name, p.name): p.expected(kernel, m, allow) for p, m in cells}
    record_property(CELLS, len(cells))


@pytest.mark.lab
@pytest.mark.parametrize("change", [c for c in CHANGES if CHANGES[c].effect.startswith("none")])
def test_a_change_without_effect_is_observably_without_effect(change: str) -> None:
    """"none" means that no program can tell: the graphs agree observation by observation. "none
    here, though seen" means that one can."""
    edition = next(e for e in reversed(EDITIONS.values()) if e.has(change))
    other = edition.without_change(change)
    seen = 0
    for mapping in MAPPINGS.values():
        found = compare(edition, other, mapping, (), Limits())
        assert found.complete
        seen += len(found.classes)
    assert bool(seen) == CHANGES[change].effect.startswith("none here, though seen")


def test_a_release_by_its_full_name_is_its_edition() -> None:
    assert find_edition("v6.1.192") is EDITIONS["v6.1"]
    assert find_edition("v6.12.117") is EDITIONS["v6.12"]


def test_before_and_after_differ_by_the_patch_alone() -> None:
    assert EDITIONS["before"].changes ^ EDITIONS["after"].changes == {"931298e103c2"}


def test_a_derived_name_finds_its_edition_again() -> None:
    for name, edition in derived().items():
        assert find_edition(name).changes == edition.changes


def test_every_violation_expectation_has_its_reason() -> None:
    assert all(v.because for p in PROPERTIES.values() for v in p.violated)
