"""An edition with undecided changes is every edition at once."""

from __future__ import annotations

from dataclasses import replace
from itertools import compress

import pytest

from model.kernel.changes import CHANGES
from model.kernel.editions import EDITIONS, choice
from model.system.actions.operations import CORE
from model.system.actions.themes import modelled
from model.system.relation.compiled import compile_terms
from model.system.relation.kernel import KernelSystem
from model.system.relation.reach import explore
from model.system.state.mappings import MAPPINGS
from model.system.state.state import flatten

ANY = replace(EDITIONS["v6.1"], name="any", undecided=frozenset(CHANGES))


@pytest.mark.parametrize("mapping", ["anon", "shmem", "private-hugetlb"])
def test_it_steps_as_each_edition_does(mapping: str) -> None:
    """Every transition of a few unlike editions, with the choices put in. A fact that an edition
    does not follow is what it was at first."""
    system = KernelSystem(ANY, MAPPINGS[mapping]).system
    choices = [choice(c) for c in CHANGES]
    first = compile_terms(choices, system.initial)
    branches = [compile_terms((*choices, *system.variables), branch) for branch in system.branches]
    for edition in (EDITIONS[name] for name in ("v5.7", "v6.1", "v6.3-as-described", "v6.12")):
        kernel = KernelSystem(edition, MAPPINGS[mapping])
        machine = kernel.machine
        followed = [not a.eq(b) for a, b in zip(flatten(kernel.before), flatten(kernel.initial),
                                                strict=True)]
        chosen = tuple(edition.has(c) for c in CHANGES)
        assert first(chosen) == machine.initial
        for state in explore(machine).states:
            for action, branch in enumerate(branches):
                after, outputs = machine.step(state, action)
                found = branch((*chosen, *state))
                assert tuple(compress(found, followed)) == tuple(compress(after, followed))
                assert found[len(after):] == outputs


@pytest.mark.parametrize("mapping", ["file", "private-file", "private-shmem", "thp", "shmem-thp",
                                     "hugetlb"])
def test_no_kernel_function_decides_it_while_terms_are_built(mapping: str) -> None:
    """Python cannot branch on a Z3 Boolean, so each effect of each operation can be built."""
    kernel = KernelSystem(ANY, MAPPINGS[mapping], modelled(ANY, MAPPINGS[mapping]))
    assert len(kernel.effects) == len(kernel.actions) > len(CORE)
    assert all(flatten(e.state) for e in kernel.effects)


def test_an_undecided_change_is_one_constant() -> None:
    some = replace(EDITIONS["v6.1"], undecided=frozenset({"931298e103c2"}))
    assert choice("931298e103c2").eq(some.has("931298e103c2"))
    assert some.has("f45ec5ff16a7") is True
    assert some.has("saved-dirty") is False
    assert some != EDITIONS["v6.1"]
