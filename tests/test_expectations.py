"""What is expected is what is so: every edition, and every edition less or plus one change."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from model.checking.difference import compare
from model.engines.base import Limits
from model.engines.explicit import Exhausted, reaches
from model.kernel.changes import CHANGES
from model.kernel.editions import EDITIONS, Edition, find_edition
from model.kernel.records import Mapping
from model.system.actions.operations import CORE, OPERATIONS, with_needed
from model.system.actions.themes import modelled
from model.system.relation.kernel import kernel_system
from model.system.state.mappings import MAPPINGS
from properties import PROPERTIES
from properties.base import Property


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


def verdicts(edition: Edition, *allow: str,
             mappings: Iterable[str] = MAPPINGS) -> dict[tuple[str, str], str]:
    """The verdict of every property on these mappings by the exhausted graph; "vacuous" where it
    is proved and nothing puts it to the test, "unexplained" where it is violated by calls that fit
    no known cause."""
    answers = {}
    for mapping in (MAPPINGS[name] for name in mappings):
        if not set(allow) <= set(modelled(edition, mapping)):
            continue
        kernel = kernel_system(edition, mapping, allow)
        exhausted = Exhausted(kernel.machine)
        for prop in spoken_of(edition, mapping, *allow):
            question = prop.question(kernel)
            found = exhausted.verdict(question, Limits())
            status = found.status
            if found.trace is not None:
                if not prop.reason(edition, mapping, found.trace):
                    status = "unexplained"
            elif not reaches(kernel.machine, exhausted.graph(Limits()), question.witness):
                status = "vacuous"
            answers[mapping.name, prop.name] = status
    return answers


@pytest.mark.parametrize("name", sorted({e.changes: e.name for e in EDITIONS.values()}.values()))
def test_every_edition_gives_the_expected_verdicts(name: str) -> None:
    """On every mapping. What an edition less one change does is asked in test_history.py."""
    edition = EDITIONS[name]
    expected = {(m, p.name): p.expected(edition, MAPPINGS[m])
                for m in MAPPINGS for p in spoken_of(edition, MAPPINGS[m])}
    assert verdicts(edition) == expected


@pytest.mark.parametrize("op", [op for op in OPERATIONS if op not in CORE])
@pytest.mark.parametrize(("edition", "mappings"), [
    ("v6.1", ("anon",)), ("v6.1.170", ("shmem",)), ("v6.12", tuple(MAPPINGS))],
    ids=("v6.1", "v6.1.170", "v6.12"))
def test_every_other_operation_gives_the_expected_verdicts(
        edition: str, mappings: tuple[str, ...], op: str) -> None:
    """Each by itself, with what it needs."""
    kernel, allow = EDITIONS[edition], with_needed(op)
    expected = {(m, p.name): p.expected(kernel, MAPPINGS[m], allow)
                for m in mappings if set(allow) <= set(modelled(kernel, MAPPINGS[m]))
                for p in spoken_of(kernel, MAPPINGS[m], *allow)}
    assert verdicts(kernel, *allow, mappings=mappings) == expected


@pytest.mark.parametrize("change", [c for c in CHANGES if CHANGES[c].effect.startswith("none")])
def test_a_change_without_effect_is_observably_without_effect(change: str) -> None:
    """"none" means that no program can tell: the graphs agree observation by observation."""
    edition = next(e for e in reversed(EDITIONS.values()) if e.has(change))
    other = edition.without_change(change)
    for mapping in MAPPINGS.values():
        found = compare(edition, other, mapping, (), Limits())
        assert (found.complete, found.classes) == (True, ())


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
