"""Kernels that the machine's own suite does not have: fetched from others, and booted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from counterexamples import conform
from counterexamples.lab.compare import abilities
from counterexamples.lab.kernels import at_hand, named
from counterexamples.lab.replaying import CONFIRMED, Plan
from counterexamples.lab.replaying import replay as replayed
from model.kernel.editions import find_edition

TRACKED = ("store", "clear_refs", "store", "mprotect:r", "mprotect:rw", "store")
RUNS = {"file": (*TRACKED, "writeback", "store"),
        "anon": (*TRACKED, "pageout", "load", "swapoff", "store")}


@pytest.mark.parametrize("name", ["debian:6.18", "debian:7.3"])
def test_a_kernel_of_another_suite_does_as_its_model(name: str) -> None:
    """With a disk of its own, which it needs brd for: file is on ext4, and pages go to swap."""
    kernel = at_hand(named(name), print)
    with kernel.start() as session:
        for mapping, ops in RUNS.items():
            plan = Plan(find_edition(kernel.edition or ""), mapping, "", ops)
            verdict = replayed(plan, kernel, session).verdict
            assert (verdict.code, verdict.line) == (CONFIRMED, "confirmed")


def test_a_kernel_without_modules_has_no_disk(capsys: pytest.CaptureFixture[str]) -> None:
    """What file was then was a page of memory, and the model was called wrong."""
    kernel = at_hand(named("debian:7.3"), print)
    with replace(kernel, modules=()).start() as session:
        no_disk = "there is no RAM disk: this kernel needs the module brd for it"
        assert session.probe("file") == {"mapping": no_disk}
        assert abilities(session, "anon").lacks == {"swap": no_disk}
        assert {"pageout", "swapoff"} <= abilities(session, "anon").without
    capsys.readouterr()
    assert conform.main(["--kernel", f"bzimage:{kernel.image}", "--edition", "v7.3", "--quiet",
                         "--mapping", "anon", "--mapping", "file", "--theme", "core", "--tour",
                         "--runs", "0"]) == 0
    told = capsys.readouterr().out
    left_out = told.partition("\nfile core: SKIP: Linux 7.3.")[2]
    assert f"lacks mapping on file: {no_disk}\n" in left_out
    assert "on 1 mappings in" in told
