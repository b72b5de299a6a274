"""What is expected is what is so: every edition, and every edition less or plus one change."""

from __future__ import annotations

import pytest

from model.engines.base import Limits
from model.engines.explicit import explicit, reaches
from model.kernel.editions import CHANGES, EDITIONS, Edition, find_edition
from model.kernel.records import Mapping
from model.system.kernel import kernel_system
from model.system.mappings import MAPPINGS
from model.system.operations import CORE, OPERATIONS
from model.system.reach import explore
from properties import PROPERTIES
from properties.base import Property

NEEDED = {"c88033efe9a3": ("close",), "0cef0bb836e3": ("mremap",)}
"""Operations beyond the core without which a change has no effect."""


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


def verdicts(edition: Edition, *allow: str) -> dict[tuple[str, str], str]:
    """The verdict of every mapping and property by the exhausted graph."""
    answers = {}
    for mapping in MAPPINGS.values():
        kernel = kernel_system(edition, mapping, allow)
        graph = explore(kernel.machine)
        for prop in spoken_of(edition, mapping, *allow):
            verdict = explicit(prop.question(kernel), Limits(), machine=kernel.machine, graph=graph)
            answers[mapping.name, prop.name] = verdict.status
    return answers


@pytest.mark.parametrize("name", derived())
def test_every_edition_gives_the_expected_verdicts(name: str) -> None:
    edition = derived()[name]
    expected = {(m.name, p.name): p.expected(edition, m)
                for m in MAPPINGS.values() for p in spoken_of(edition, m)}
    assert verdicts(edition) == expected


@pytest.mark.parametrize("op", [op for op in OPERATIONS if op not in CORE])
@pytest.mark.parametrize("edition", ["v6.1", "v6.1.170", "v6.12"])
def test_every_other_operation_gives_the_expected_verdicts(edition: str, op: str) -> None:
    """Each by itself, and `close` with `open`, which alone does nothing."""
    kernel, allow = EDITIONS[edition], ("close", "open") if op == "open" else (op,)
    expected = {(m.name, p.name): p.expected(kernel, m, allow)
                for m in MAPPINGS.values() for p in spoken_of(kernel, m, *allow)}
    assert verdicts(kernel, *allow) == expected


@pytest.mark.parametrize("change", [c for c in CHANGES if CHANGES[c].effect.startswith("none")])
def test_a_change_without_effect_is_observably_without_effect(change: str) -> None:
    """"none" means that no program can tell: the graphs agree observation by observation."""
    for edition in EDITIONS.values():
        if edition.has(change):
            other = edition.without_change(change)
            for mapping in MAPPINGS.values():
                assert _indistinguishable(edition, other, mapping.name)


def _indistinguishable(left: Edition, right: Edition, mapping: str) -> bool:
    kernels = [kernel_system(e, MAPPINGS[mapping]) for e in (left, right)]
    start = tuple(k.machine.initial for k in kernels)
    seen, todo = {start}, [start]
    while todo:
        pair = todo.pop()
        for op in kernels[0].system.actions:
            taken = [k.machine.step(s, op) for k, s in zip(kernels, pair, strict=True)]
            shown = [(out, k.pagemap(s), k.vm_flags(s))
                     for k, (s, out) in zip(kernels, taken, strict=True)]
            if shown[0] != shown[1]:
                return False
            after = (taken[0][0], taken[1][0])
            if after not in seen:
                seen.add(after)
                todo.append(after)
    return True


@pytest.mark.parametrize("change", [c for c in CHANGES if not CHANGES[c].effect.startswith("none")])
def test_a_change_with_an_effect_changes_some_verdict(change: str) -> None:
    edition = next(e for e in reversed(EDITIONS.values()) if e.has(change))
    assert verdicts(edition, *NEEDED.get(change, ())) != verdicts(
        edition.without_change(change), *NEEDED.get(change, ()))


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("edition", EDITIONS)
def test_no_promise_is_vacuous(edition: str, mapping: str) -> None:
    kernel = kernel_system(EDITIONS[edition], MAPPINGS[mapping])
    graph = explore(kernel.machine)
    for prop in spoken_of(kernel.edition, kernel.mapping):
        if prop.expected(kernel.edition, kernel.mapping) == "proved":
            assert reaches(kernel.machine, graph, prop.question(kernel).witness), prop.name


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
