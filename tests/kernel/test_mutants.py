"""Whether the promises, the oracle and the laws would notice a wrong kernel function.

Each mutant (mutants.py) must be caught by what it names, and that catcher must be silent about the
right function: the test suite's own test.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Collection
from functools import cache

import pytest

import model.kernel
from model.engines.explicit import first_violation
from model.kernel.editions import Edition, find_edition
from model.kernel.mirror import MIRRORS
from model.system.actions.operations import CORE, OPERATIONS
from model.system.actions.themes import modelled
from model.system.relation.kernel import KernelSystem
from model.system.relation.reach import explore
from model.system.state.mappings import find_mapping
from properties import PROPERTIES
from tests.kernel import test_functions, test_pgtable
from tests.kernel.mutants import MUTANTS, SURVIVORS, Mutant, applied, original
from tests.kernel.oracle import RULES, difference
from tests.test_recorded import KERNELS, contradicted, recorded

MAX_STATES = 5000
"""A right system has about a hundred."""

LAWS: dict[str, Callable[[Edition], None]] = {
    name: law for module in (test_pgtable, test_functions) for name, law in vars(module).items()
    if name.startswith("test_") and list(inspect.signature(law).parameters) == ["ed"]}


def verdict(name: str, kernel: KernelSystem) -> str:
    """The explicit engine's, over the whole graph."""
    question = PROPERTIES[name].question(kernel)
    graph = explore(kernel.machine, max_states=MAX_STATES)
    return "proved" if first_violation(kernel.machine, graph, question) is None else "violated"


def complaint(catcher: str, kernel: KernelSystem) -> str:
    """What `catcher` has to say about this system; empty where all is right."""
    kind, _, name = catcher.partition(":")
    if kind == "law":
        try:
            LAWS[name](kernel.edition)
        except AssertionError as error:
            return str(error) or "broken"
        return ""
    if kind == "recorded":
        return contradicted(kernel, KERNELS[kernel.edition.name])
    if kind == "oracle":
        return difference(kernel, RULES[kernel.edition.name], bits=name == "bits")
    name, beyond = promise(catcher)
    expected = PROPERTIES[name].expected(kernel.edition, kernel.mapping, beyond)
    found = verdict(name, kernel)
    return "" if found == expected else f"{found}, not {expected}"


def promise(catcher: str) -> tuple[str, tuple[str, ...]]:
    """The promise that a catcher names, and the operations that it names after it."""
    name, *beyond = catcher.removeprefix("property:").split()
    return name, tuple(beyond)


def named(mutants: tuple[Mutant, ...]) -> list[object]:
    """Test ids: the function and a number within it."""
    seen: dict[str, int] = {}
    cases: list[object] = []
    for mutant in mutants:
        number = seen[mutant.function] = seen.get(mutant.function, 0) + 1
        cases.append(pytest.param(mutant, id=f"{mutant.function}-{number}"))
    return cases


@pytest.mark.parametrize("mutant", named(MUTANTS))
def test_mutant_is_caught(mutant: Mutant) -> None:
    """The catcher that the mutant names complains."""
    with applied(mutant) as edition:
        kernel = KernelSystem(edition, find_mapping(mutant.mapping), actions(mutant.caught_by))
        assert complaint(mutant.caught_by, kernel)


def actions(catcher: str) -> tuple[str, ...]:
    """What a system must explore so that the catcher can speak of it."""
    beyond: Collection[str] = RECORDED if catcher == "recorded" else ()
    if catcher.startswith("property:"):
        name, ops = promise(catcher)
        beyond = (*PROPERTIES[name].about, *ops)
    return tuple(op for op in OPERATIONS if op in CORE or op in beyond)


RECORDED = frozenset(str(step["op"]) for name in KERNELS.values()
                     for _, steps in recorded(name) for step in steps)
"""The operations in tests/data."""


@cache
def right(edition: str, mapping: str, ops: tuple[str, ...] = CORE) -> KernelSystem:
    """Built to the end, so that no part of it is built while a helper is replaced."""
    kernel = KernelSystem(find_edition(edition), find_mapping(mapping), ops)
    if set(ops) >= RECORDED:  # more states than are worth a look; the recorded runs it is
        contradicted(kernel, KERNELS[edition])
        return kernel
    for values in explore(kernel.machine).states:
        kernel.pagemap(values)
    return kernel


CONTROLS = sorted({(m.caught_by, m.edition, m.mapping) for m in MUTANTS})


@pytest.mark.parametrize(("catcher", "edition", "mapping"), CONTROLS)
def test_catcher_is_silent_about_the_right_function(catcher: str, edition: str,
                                                    mapping: str) -> None:
    """Without the mutant the same catcher has nothing to say."""
    assert not complaint(catcher, right(edition, mapping, actions(catcher)))


@pytest.mark.parametrize("mapping", ["anon", "shmem"])
@pytest.mark.parametrize("mutant", named(SURVIVORS))
def test_survivor_changes_no_step(mutant: Mutant, mapping: str) -> None:
    """The graph of the core operations is the same to the bit: states, steps, outcomes and
    observations."""
    control = right(mutant.edition, mapping)
    with applied(mutant) as edition:
        kernel = KernelSystem(edition, find_mapping(mapping))
        graph = explore(kernel.machine, max_states=MAX_STATES)
        assert graph.states == explore(control.machine).states
        for state in graph.states:
            assert kernel.pagemap(state) == control.pagemap(state)
            for action in kernel.system.actions:
                assert kernel.machine.step(state, action) == control.machine.step(state, action)


@pytest.mark.parametrize("mutant", named(SURVIVORS))
def test_survivor_breaks_no_law(mutant: Mutant) -> None:
    """A survivor that a law catches is a mutant: it belongs in the other list."""
    with applied(mutant) as edition:
        for law in LAWS.values():
            law(edition)


def test_every_mirrored_function_has_a_mutant() -> None:
    """No kernel function is modelled without somebody watching it."""
    for module in pkgutil.iter_modules(model.kernel.__path__):
        importlib.import_module(f"model.kernel.{module.name}")
    edited = {m.function for m in (*MUTANTS, *SURVIVORS)}
    assert edited >= set(MIRRORS)


def test_mutants_are_stated_once() -> None:
    """No edit is listed twice, and each edits a function of the module it names."""
    edits = [(m.function, m.old, m.new, m.edition, m.mapping) for m in (*MUTANTS, *SURVIVORS)]
    assert len(set(edits)) == len(edits)
    for mutant in (*MUTANTS, *SURVIVORS):
        assert original(mutant).__module__ == f"model.kernel.{mutant.module}"
        assert mutant.note
        assert bool(mutant.caught_by) == (mutant in MUTANTS)


def test_catchers_name_what_is_modelled() -> None:
    """The operations are those of the edition and mapping, and add to what is explored anyway."""
    for catcher, edition, mapping in CONTROLS:
        if catcher.startswith("property:"):
            ed, where = find_edition(edition), find_mapping(mapping)
            name, beyond = promise(catcher)
            assert PROPERTIES[name].concerns(ed, where)
            assert set(beyond) <= set(modelled(ed, where)) - {*CORE, *PROPERTIES[name].about}
            assert list(beyond) == [op for op in OPERATIONS if op in beyond]


def test_every_promise_catches_something() -> None:
    """A promise that no mutant breaks, or makes hold where it should not, is idle."""
    caught = {promise(m.caught_by)[0] for m in MUTANTS if m.caught_by.startswith("property:")}
    assert not set(PROPERTIES) - caught
