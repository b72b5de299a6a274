"""What conform finds: each wrong model, in how many runs, against a kernel that is right.

The right model of the same edition stands for the kernel here: the campaigns on the real ones
(tests/lab/test_kernels.py) have shown that no program tells the two apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache

import pytest

from counterexamples.lab.campaign import Campaign
from counterexamples.lab.compare import forced
from counterexamples.lab.observe import Seen, seen_by_model
from counterexamples.lab.session import Run
from counterexamples.lab.suite import observable
from model.kernel.editions import Edition, find_edition
from model.kernel.records import Entry, Vma
from model.mutation.mutant import Mutant, applied
from model.mutation.rows import MUTANTS
from model.system.actions.operations import CORE
from model.system.actions.themes import ALL, themes
from model.system.relation.kernel import KernelSystem, kernel_system
from model.system.relation.reach import explore
from model.system.state.mappings import find_mapping
from tests.lab.test_suite import same

MAX_STATES = 5000


class ModelRunner:
    """The simulator in the place of a kernel; `made` counts the runs."""

    def __init__(self, kernel: KernelSystem) -> None:
        self.kernel = kernel
        self.made = 0

    def answers(self, runs: Iterable[Run]) -> Iterator[tuple[Run, tuple[Seen, ...]]]:
        for run in runs:
            self.made += 1
            yield run, tuple(seen_by_model(self.kernel, s) for s in self.kernel.run(run.ops))


def system(edition: str, mapping: str) -> KernelSystem:
    return kernel_system(find_edition(edition), find_mapping(mapping))


def campaign(model: KernelSystem, extra: int = 1, runs: int = 0) -> Campaign:
    return Campaign(model, theme="core", extra=extra, runs=runs, steps=10, seed=1)


@pytest.mark.parametrize(("model", "kernel", "mapping", "shortest"), [
    ("v6.1", "v6.12", "shmem", "store register unregister store"),
    ("v6.12", "v6.1", "shmem", "store register unregister store"),
    ("v6.1", "v6.12", "anon", "store register unregister store"),
    ("v6.12", "v6.1", "anon", "store register unregister store"),
    ("v6.1", "v6.1-51d3d5eb74ff", "shmem", ""),
    ("v6.12", "v6.3", "shmem", None),
    ("before", "v6.2", "anon", None),
])
def test_editions_are_told_apart_by_the_shortest_run(model: str, kernel: str, mapping: str,
                                                     shortest: str | None) -> None:
    """None: no program can tell the two. Empty: some run does."""
    runs = campaign(system(model, mapping))
    tally = runs.run(ModelRunner(system(kernel, mapping)))
    if shortest is None:
        assert tally.divergence is None
    else:
        assert tally.divergence is not None
        assert not shortest or runs.names(tally.divergence) == tuple(shortest.split())


def test_runs_of_all_operations_find_and_shrink_what_no_theme_has() -> None:
    """A KSM page that a child keeps, and one that the program stores anew: the model that knew of
    no twins was wrong, and all themes that there were then passed it by."""
    whole = (*CORE, "ksm", "fork:stay", "pin")
    right, blind = (KernelSystem(edition, find_mapping("anon"), whole) for edition in (
        find_edition("v6.12"), replace(find_edition("v6.12"), overrides={"ksm_fork": _no_twins})))
    runs = Campaign(blind, theme=ALL, extra=None, runs=3000, steps=10, seed=1)
    tally = runs.run(ModelRunner(right))
    assert tally.guided == 0
    assert runs.transitions is None
    assert tally.divergence is not None
    assert runs.names(tally.divergence) == ("store", "ksm", "fork:stay", "store", "ksm")


def test_the_theme_of_twins_is_toured_and_tells_what_it_is_about() -> None:
    """Every transition of it can be taken; and the model that knew of no twins fails that tour."""
    edition, mapping = find_edition("v6.12"), find_mapping("private-file")
    operations = forced(edition, mapping, themes(edition, mapping)["twins"])
    right, blind = (KernelSystem(e, mapping, operations) for e in (
        edition, replace(edition, overrides={"ksm_fork": _no_twins})))
    found = [Campaign(model, theme="twins", extra=None, runs=0, steps=1, seed=1)
             for model in (right, blind)]
    same, other = (runs.run(ModelRunner(right)) for runs in found)
    assert (same.divergence, len(same.taken)) == (None, found[0].transitions)
    assert other.divergence is not None
    assert "ksm" in found[1].names(other.divergence)


class Fickle(ModelRunner):
    """Answers the first run otherwise than the model, as often as `wrong` says."""

    def __init__(self, kernel: KernelSystem, wrong: int) -> None:
        super().__init__(kernel)
        self.first: tuple[str, ...] = ()
        self.wrong = wrong

    def answers(self, runs: Iterable[Run]) -> Iterator[tuple[Run, tuple[Seen, ...]]]:
        for run, seen in super().answers(runs):
            self.first = self.first or run.ops
            if run.ops == self.first and self.wrong:
                self.wrong -= 1
                seen = (*seen[:-1], replace(seen[-1], faults=9))
            yield run, seen


@pytest.mark.parametrize("wrong", [1, 2])
def test_what_does_not_differ_every_time_is_said_and_is_no_divergence(wrong: int) -> None:
    runs = Campaign(system("v6.12", "anon"), theme=ALL, extra=None, runs=20, steps=5, seed=1)
    tally = runs.run(Fickle(system("v6.12", "anon"), wrong))
    assert (tally.runs, tally.divergence, tally.found_in) == (20, None, None)
    assert [step for _, step in tally.passing] == [5]


def _no_twins(_ed: Edition, _vma: Vma, entry: Entry) -> Entry:
    return entry


def observably_same(one: KernelSystem, other: KernelSystem) -> bool:
    return same(observable(one, explore(one.machine, max_states=MAX_STATES)),
                observable(other, explore(other.machine, max_states=MAX_STATES)))


@cache
def built(edition: str, mapping: str) -> KernelSystem:
    """With all that is made of it, before a helper is replaced."""
    right = KernelSystem(find_edition(edition), find_mapping(mapping))
    observable(right, explore(right.machine))
    return right


@pytest.mark.parametrize("mutant", [m for m in MUTANTS if ":" not in m.mapping],
                         ids=lambda m: m.name.replace(" ", "-"))
def test_a_wrong_model_is_found_or_no_program_could(mutant: Mutant) -> None:
    """Of one page: within some 1,600 runs; and where none of them differs, none at all does."""
    right = built(mutant.edition, mutant.mapping)
    with applied(mutant) as edition:
        wrong = KernelSystem(edition, find_mapping(mutant.mapping))
        tally = campaign(wrong, extra=0, runs=1000).run(ModelRunner(right))
        assert (tally.divergence is not None) != observably_same(right, wrong)
