"""Whether the promises, the oracle and the laws would notice a wrong kernel function.

Which promises tell a mutant stands in a table (model/mutation/table.txt): it has to be of these
functions, mutants and promises, and some of its rows are asked anew here. Where no promise tells
one, what its row names must, and that must be silent about the right function.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

import model.kernel
from model import mutants
from model.kernel.editions import Edition, UsageError, find_edition
from model.kernel.mirror import MIRRORS
from model.mutation import digests
from model.mutation.mutant import Mutant, applied, original
from model.mutation.rows import MUTANTS
from model.mutation.table import Row, asked, load, save, stale
from model.system.actions.operations import CORE, OPERATIONS
from model.system.relation.kernel import KernelSystem
from model.system.relation.library import library
from model.system.relation.reach import explore
from model.system.state.mappings import find_mapping
from properties import PROPERTIES
from tests.kernel import (
    test_categories,
    test_functions,
    test_minor,
    test_pgtable,
    test_uffd_move,
    test_vma,
)
from tests.kernel.oracle import RULES, difference
from tests.test_recorded import KERNELS, contradicted, recorded

MAX_STATES = 5000
"""A right system has about a hundred."""

LAWS: dict[str, Callable[[Edition], None]] = {
    name: law for module in (
        test_pgtable, test_functions, test_categories, test_minor, test_uffd_move,
        test_vma)
    for name, law in vars(module).items()
    if name.startswith("test_") and list(inspect.signature(law).parameters) == ["ed"]}

ROWS = load()
SHOWN = [m for m in MUTANTS if m.shown]
SURVIVORS = [m for m in MUTANTS if m.untold and not m.shown]
RECORDED = frozenset(str(step["op"]) for name in KERNELS.values()
                     for _, steps in recorded(name) for step in steps)
"""The operations in tests/data."""


def named(mutant: Mutant) -> str:
    """Its name as the name of a test."""
    return mutant.name.replace(" ", "-")


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
    return difference(kernel, RULES[kernel.edition.name], bits=name == "bits")


def actions(catcher: str) -> tuple[str, ...]:
    """What a system must explore so that the catcher can speak of it."""
    beyond = RECORDED if catcher == "recorded" else frozenset()
    return tuple(op for op in OPERATIONS if op in CORE or op in beyond)


@cache
def right(edition: str, mapping: str, ops: tuple[str, ...] = CORE) -> KernelSystem:
    """Built to the end, so that no part of it is built while a helper is replaced."""
    kernel = KernelSystem(find_edition(edition), find_mapping(mapping), ops, library())
    if set(ops) >= RECORDED:  # more states than are worth a look; the recorded runs it is
        contradicted(kernel, KERNELS[edition])
        return kernel
    for values in explore(kernel.machine).states:
        kernel.pagemap(values)
    return kernel


def wrong(mutant: Mutant, edition: Edition, mapping: str,
          ops: tuple[str, ...] = CORE) -> KernelSystem:
    """The system of `edition`, in which `mutant` is applied; the operations that do not call it are
    the right ones. What a helper without a mark reaches is not known, so that all is built."""
    known = library() if mutant.function in MIRRORS else None
    return KernelSystem(edition, find_mapping(mapping), ops, known)


# --- the table ------------------------------------------------------------------------------------


def test_the_table_is_of_these_functions_mutants_and_promises() -> None:
    """What is named here has to be asked anew: python -m model.mutants."""
    changed = {m.name: why for m in MUTANTS if (why := stale(m, ROWS.get(m.name)))}
    assert not changed
    assert list(ROWS) == [m.name for m in MUTANTS]


def test_each_mutant_is_told_or_has_its_reason() -> None:
    assert not [line for m in MUTANTS if (line := mutants.complaint(m, ROWS[m.name]))]
    assert [ROWS[m.name].reason for m in MUTANTS] == [m.untold for m in MUTANTS]


SAMPLE = (
    "clear_refs_write: VM_SOFTDIRTY stays",
    "mprotect_fixup: mprotect never upgrades",
    "uffd_wp_range: the patch undone",
    "change_huge_pmd: `wp` does not protect a PMD",
    "pagemap_hugetlb_range: nothing is soft-dirty",
    "hugetlb_wp: a protected page is made writable",
)


@pytest.mark.lab
@pytest.mark.parametrize("mutant", [m for m in MUTANTS if m.name in SAMPLE], ids=named)
def test_a_row_asked_anew_is_the_same(mutant: Mutant) -> None:
    """Of every kind of function, on every kind of memory."""
    assert asked(mutant) == ROWS[mutant.name]


@pytest.mark.lab
def test_everywhere_names_the_mapping_on_which_a_mutant_is_told(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its own tells it not; one that is told there is asked nowhere else."""
    monkeypatch.setattr("model.mutation.trial.MAPPINGS", dict.fromkeys(["anon", "shmem-thp"]))
    special = next(m for m in MUTANTS if m.name == "pte_special: asks another bit")
    elsewhere = replace(special, mapping="anon", untold="a reason")
    row = asked(elsewhere, everywhere=True)
    assert (row.where, row.promises) == (
        ROWS[special.name].where, ROWS[special.name].promises)
    assert mutants.complaint(elsewhere, row) == (
        f"{special.name}: a promise tells it on shmem-thp, which is to be its mapping")
    assert asked(elsewhere).promises == ()
    assert asked(special, everywhere=True) == asked(special) == ROWS[special.name]


def test_a_row_says_what_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    mutant = next(m for m in MUTANTS if ROWS[m.name].promises)
    row = ROWS[mutant.name]
    assert stale(mutant, None) == "it is new"
    assert stale(replace(mutant, new="word(1)"), row) == "the mutant has changed"
    gone = replace(row, promises=("no-such-promise 3",))
    assert "no-such-promise" in stale(mutant, gone)
    monkeypatch.setattr(digests, "_promise", lambda name: "another")
    assert stale(mutant, row) == "a promise has changed"


def test_digests_are_of_code_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A docstring or a comment more changes nothing, a line of code does."""
    source = 'def f(a):\n    """One."""\n    return a\n'
    before = ast_of(monkeypatch, source)
    other_words = source.replace("One", "Two").replace("return", "# why\n    return")
    assert ast_of(monkeypatch, other_words) == before
    assert ast_of(monkeypatch, source.replace("return a", "return not a")) != before


def ast_of(monkeypatch: pytest.MonkeyPatch, source: str) -> str:
    monkeypatch.setattr(inspect, "getsource", lambda _: source)
    return digests.of_function(MUTANTS[0])


# --- the mutants ----------------------------------------------------------------------------------


def test_every_mirrored_function_has_a_mutant() -> None:
    """No kernel function is modelled without somebody watching it."""
    for module in pkgutil.iter_modules(model.kernel.__path__):
        importlib.import_module(f"model.kernel.{module.name}")
    assert {m.function for m in MUTANTS} >= set(MIRRORS)


def test_mutants_are_stated_once() -> None:
    """No edit is listed twice, and each edits a function of the module it names."""
    edits = [(m.function, m.old, m.new, m.edition, m.mapping) for m in MUTANTS]
    assert len(set(edits)) == len(edits)
    assert len({m.name for m in MUTANTS}) == len(MUTANTS)
    for mutant in MUTANTS:
        assert original(mutant).__module__ == f"model.kernel.{mutant.module}"
        assert set(mutant.allow.split()) <= set(OPERATIONS) - set(CORE)
        assert not mutant.shown or mutant.untold


def test_every_promise_tells_something() -> None:
    """A promise that no mutant breaks, or makes hold where it should not, is idle."""
    telling = {tells.split()[0] for row in ROWS.values() for tells in row.promises}
    assert telling == set(PROPERTIES)


# --- those that no promise tells ------------------------------------------------------------------


@pytest.mark.lab
@pytest.mark.parametrize("mutant", SHOWN, ids=named)
def test_what_no_promise_tells_is_shown_by_what_it_names(mutant: Mutant) -> None:
    with applied(mutant) as edition:
        kernel = wrong(mutant, edition, mutant.mapping, actions(mutant.shown))
        assert complaint(mutant.shown, kernel)


CONTROLS = sorted({(m.shown, m.edition, m.mapping) for m in SHOWN})


@pytest.mark.lab
@pytest.mark.parametrize(("catcher", "edition", "mapping"), CONTROLS)
def test_catcher_is_silent_about_the_right_function(catcher: str, edition: str,
                                                    mapping: str) -> None:
    """Without the mutant the same catcher has nothing to say."""
    assert not complaint(catcher, right(edition, mapping, actions(catcher)))


@pytest.mark.lab
@pytest.mark.parametrize("mapping", ["anon", "shmem"])
@pytest.mark.parametrize("mutant", SURVIVORS, ids=named)
def test_survivor_changes_no_step(mutant: Mutant, mapping: str) -> None:
    """The graph of the core operations is the same to the bit: states, steps, outcomes and
    observations."""
    control = right(mutant.edition, mapping)
    with applied(mutant) as edition:
        kernel = wrong(mutant, edition, mapping)
        graph = explore(kernel.machine, max_states=MAX_STATES)
        assert graph.states == explore(control.machine).states
        for state in graph.states:
            assert kernel.pagemap(state) == control.pagemap(state)
            for action in kernel.system.actions:
                assert kernel.machine.step(state, action) == control.machine.step(state, action)


@pytest.mark.lab
@pytest.mark.parametrize("mutant", SURVIVORS, ids=named)
def test_survivor_breaks_no_law(mutant: Mutant) -> None:
    """A survivor that a law catches is shown by it."""
    with applied(mutant) as edition:
        for law in LAWS.values():
            law(edition)


# --- the command ----------------------------------------------------------------------------------


def test_check_says_that_nothing_has_changed(capsys: pytest.CaptureFixture[str]) -> None:
    assert mutants.main(["--check"]) == 0
    assert capsys.readouterr().out == f"0 of {len(MUTANTS)} mutants have to be asked anew\n"


def test_a_mutant_that_is_new_is_asked_and_the_table_written(
        monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
        capsys: pytest.CaptureFixture[str]) -> None:
    """The other rows stay as they are; one that is damaged is told in a line."""
    name = SAMPLE[0]
    kept = [row for row in ROWS.values() if row.name != name]
    file = tmp_path / "table.txt"
    save(kept, file)
    monkeypatch.setattr(mutants, "load", lambda: load(file))
    monkeypatch.setattr(mutants, "save", lambda rows: save(rows, file))
    function = name.partition(":")[0]
    assert mutants.main(["--check", "--function", function]) == 1
    assert f"{name}: it is new\n" in capsys.readouterr().out
    assert mutants.main(["-q", "--function", function]) == 0
    assert load(file) == ROWS
    file.write_text("half a row\n")
    with pytest.raises(UsageError, match="line 1 of"):
        load(file)


def test_what_was_asked_is_kept_whatever_ends_the_command(monkeypatch: pytest.MonkeyPatch,
                                                           tmp_path: Path) -> None:
    """Before the next is asked: a signal leaves no time for it."""
    file = tmp_path / "table.txt"
    told: list[str] = []

    def asking(mutant: Mutant, everywhere: bool) -> Row:
        if told:
            assert load(file)[told[0]].where == "elsewhere"
            raise KeyboardInterrupt
        told.append(mutant.name)
        return replace(ROWS[mutant.name], where="elsewhere")

    monkeypatch.setattr(mutants, "save", lambda rows: save(rows, file))
    monkeypatch.setattr(mutants, "asked", asking)
    with pytest.raises(KeyboardInterrupt):
        mutants.main(["-q", "--all", "--function", "pte_modify"])
    assert len(told) == 1


def test_a_function_that_has_no_mutant_is_told() -> None:
    with pytest.raises(UsageError, match="did you mean 'pte_modify'"):
        mutants.main(["--function", "pte_modfy"])
