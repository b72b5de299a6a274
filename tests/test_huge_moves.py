"""UFFDIO_MOVE of transparent huge pages."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from counterexamples.reproducer.program import program
from counterexamples.trace import run_trace
from model.kernel.editions import UsageError, find_edition
from model.system.relation.kernel import KernelSystem, Step, kernel_system
from model.system.state.mappings import find_mapping

_STUCK = "register store pin split move:out"


def _system(calls: str, mapping: str = "thp", kernel: str = "v7.3") -> KernelSystem:
    return kernel_system(find_edition(kernel), find_mapping(mapping), calls.split())


def _run(calls: str, mapping: str = "thp", kernel: str = "v7.3") -> list[Step]:
    return _system(calls, mapping, kernel).run(calls.split())


def test_a_huge_page_moves_whole() -> None:
    """So that mremap marks its PMD; a page table it moves as it is."""
    calls = "register {} clear_refs unregister mremap"
    for coming, marked in (("move:in", True), ("move:in:wp load", False)):
        system = _system(calls.format(coming))
        last = system.run(calls.format(coming).split())[-1]
        assert system.pagemap(last.values)["present"]
        assert system.pagemap(last.values)["soft_dirty"] == marked


def test_small_pages_move_one_by_one() -> None:
    """Up to the first that is not there: what was moved is gone."""
    steps = _run("register move:in:wp move:out store move:out store")
    assert [step.outcome for step in steps] == ["ok", "ok", "ok", "ok", "EAGAIN", "ok"]
    assert steps[-1].faults == 1


@pytest.mark.parametrize(("kernel", "outcome"), [("v6.12", "never"), ("v7.2", "never"),
                                                 ("v7.3", "EBUSY")])
def test_a_pinned_one_is_tried_again_for_ever(kernel: str, outcome: str) -> None:
    assert _run(_STUCK, kernel=kernel)[-1].outcome == outcome
    assert _run("register store pin move:out", kernel=kernel)[-1].outcome == "EBUSY"


def test_memory_of_a_file_is_refused() -> None:
    for call in ("move:in", "move:out"):
        assert _run(f"register store {call}", "shmem-thp")[-1].outcome == "EINVAL"


def test_where_it_is_not_modelled() -> None:
    """Kernels that crash on the huge zero page."""
    for kernel in ("v6.16", "v6.18", "v6.19"):
        with pytest.raises(UsageError, match="move:out"):
            _run("register load move:out", kernel=kernel)


@pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")
def test_its_program_compiles(tmp_path: Path) -> None:
    """It kills what never returns."""
    ops = (*_STUCK.split(), "dontneed", "move:in", "dontneed", "move:in:wp")
    trace = run_trace(_system(" ".join(ops), kernel="v6.12"), ops, prop="test", claim="W.")
    text = program(trace)
    assert 'step("move:out", move_out(), -SIGALRM,' in text
    (tmp_path / "repro.c").write_text(text)
    done = subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", "-O2", "-c", "repro.c"],
                          cwd=tmp_path, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
