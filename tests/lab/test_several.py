"""Mappings with several pages on real kernels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from counterexamples import conform, replay
from counterexamples.lab.compare import model_of
from counterexamples.lab.kernels import at_hand, named
from counterexamples.lab.tools import static_program
from counterexamples.reproducer.several import Shown, program_of_pages
from model.kernel.editions import find_edition
from model.system.relation.ranges import RangeSystem

KERNELS = {"debian:6.1.192": "v6.1", "debian:6.12.117": "v6.12", "debian:7.3.4": "v7.3"}
OPS = ("store@2", "register@1-2", "wp@0-3", "store@1", "mprotect:r@2-3", "munmap@3", "mremap",
       "mmap@3", "dontneed@0-3", "clear_refs", "fork", "store@0", "fork:child", "mmap@1-2",
       "load@2")


@pytest.mark.parametrize("kernel", KERNELS)
def test_random_runs_of_four_pages_agree(kernel: str, capsys: pytest.CaptureFixture[str]) -> None:
    args = ["--kernel", kernel, "--mapping", "shmem:4", "--runs", "15", "--steps", "16", "--quiet"]
    assert conform.main([*args, "--format", "json"]) == 0
    result, = json.loads(capsys.readouterr().out)["results"]
    assert (result["mapping"], result["steps"], result["divergence"]) == ("shmem:4", 240, None)


def test_a_replay_tells_pages_and_vmas(capsys: pytest.CaptureFixture[str]) -> None:
    args = ["--kernel", "debian:6.1.192", "--mapping", "anon:4", "--quiet", *OPS]
    assert replay.main([*args, "--format", "json"]) == 0
    last = json.loads(capsys.readouterr().out)["steps"][-1]
    assert last["model"] == last["kernel"]
    assert set(last["kernel"]) == {"op", "outcome", "faults", "pages", "vmas"}


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_reproducer_does_on_the_kernel_as_the_model(kernel: str, tmp_path: Path) -> None:
    files = {}
    for mapping in ("anon:4", "shmem:4", "private-shmem:4"):
        model = model_of(find_edition(KERNELS[kernel]), mapping, OPS)
        assert isinstance(model, RangeSystem)
        source = tmp_path / f"{mapping.partition(':')[0]}.c"
        source.write_text(program_of_pages(model, OPS, Shown("a-promise", "what it claims.")))
        files[source.stem] = static_program(source, "-static")
    with at_hand(named(kernel), print).start(files=files) as session:
        for name in files:
            told: list[str] = []
            assert session.execute(f"/{name}", told.append) == 1, told
