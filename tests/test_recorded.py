"""The simulator against runs recorded on real kernels, field by field.

The runs take every transition of the explicit graph of each mapping at least once.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from model.kernel.editions import EDITIONS
from model.system.actions.operations import CORE
from model.system.relation.kernel import KernelSystem, kernel_system, whole_system
from model.system.relation.reach import explore
from model.system.state.mappings import MAPPINGS

DATA = Path(__file__).parent / "data"
PAGEMAP = ("present", "swap", "file", "exclusive", "uffd_wp", "soft_dirty")
KERNELS = {"v6.1": "linux-6.1.192.txt", "v6.12": "linux-6.12.117.txt",
           "v7.3": "linux-7.3.4.txt"}
OLDER = {"v6.1.170": "linux-6.1.170.txt", "v6.12.100": "linux-6.12.100.txt",
         "v6.18": "linux-6.18.15.txt"}
"""What tells an older build from the newest of its line, and a line from the next."""


@cache
def recorded(name: str) -> list[tuple[str, list[dict[str, object]]]]:
    """The mapping and the steps of each run, in the form that `simulate` prints."""
    runs = []
    for line in (DATA / name).read_text().splitlines():
        if line.startswith("#"):
            continue
        mapping, *steps = line.split("|")
        runs.append((mapping, [_step(step.split()) for step in steps]))
    return runs


def contradicted(kernel: KernelSystem, name: str) -> str:
    """The first recorded run that a system with every operation gives otherwise; or nothing."""
    for mapping, steps in recorded(name):
        ops = [str(step["op"]) for step in steps]
        if mapping == kernel.mapping.name and observed(kernel, ops) != steps:
            return " ".join(ops)
    return ""


def observed(kernel: KernelSystem, ops: list[str]) -> list[dict[str, object]]:
    """What the model says of a run, less PAGEMAP_SCAN, which was not asked when it was recorded."""
    return [{name: said for name, said in kernel.observe(step).items() if name != "scan"}
            for step in kernel.run(ops)]


def _step(words: list[str]) -> dict[str, object]:
    op, outcome, faults, bits, *flags = words
    pagemap = {name: bit == "1" for name, bit in zip(PAGEMAP, bits, strict=True)}
    return {"op": op, "outcome": outcome, "faults": int(faults), "pagemap": pagemap,
            "vm_flags": sorted(flags)}


@pytest.mark.parametrize(("edition", "name"), [*KERNELS.items(), *OLDER.items()])
def test_the_model_observes_what_the_kernel_showed(edition: str, name: str) -> None:
    for mapping, steps in recorded(name):
        kernel = whole_system(EDITIONS[edition], MAPPINGS[mapping])
        ops = [str(step["op"]) for step in steps]
        assert observed(kernel, ops) == steps


@pytest.mark.parametrize("mapping", ["anon", "shmem"])
@pytest.mark.parametrize("edition", KERNELS)
def test_the_recorded_runs_take_every_transition(edition: str, mapping: str) -> None:
    """Otherwise agreement would say little."""
    kernel = kernel_system(EDITIONS[edition], MAPPINGS[mapping])
    taken = set()
    for kind, steps in recorded(KERNELS[edition]):
        if kind == mapping and {step["op"] for step in steps} <= set(CORE):
            state = kernel.machine.initial
            for step in steps:
                taken.add((state, step["op"]))
                state, _ = kernel.machine.step(state, str(step["op"]))
    graph = explore(kernel.machine)
    assert taken == {(state, op) for state in graph.states for op in CORE}
