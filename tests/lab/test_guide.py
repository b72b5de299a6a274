"""The newcomer's guide to the end, with the reader's change in Python and in C."""

from __future__ import annotations

from pathlib import Path

from counterexamples.lab.kernels import at_hand, named
from counterexamples.lab.tools import static_program
from tests.guide import PROMISES, blocks, follow

SOURCE = "tree:/usr/src/linux-source-6.1.tar.xz"


def test_the_counterexample_is_confirmed_on_the_changed_kernel(tmp_path: Path) -> None:
    """And by the reproducer, which tells the changed kernel from the one without the change. The
    build is that of test_pair.py."""
    follow(blocks()[1:], tmp_path)
    folder = tmp_path / "out" / "softdirty-complete" / "v6.1+mine" / "anon"
    program = static_program(folder / "repro.c", "-static")
    for name, ends in ((f"{SOURCE}+{tmp_path / 'mine.patch'}", 1), (SOURCE, 0)):
        with at_hand(named(name), print).start(files={"repro": program}) as session:
            assert session.execute("/repro") == ends


def test_a_promise_of_ones_own_is_confirmed_broken(tmp_path: Path) -> None:
    """All of the page: the trace of a user's promise on a real kernel."""
    follow(blocks(PROMISES), tmp_path)
