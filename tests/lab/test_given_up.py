"""The program of the gallery that reads what was given up, on a real kernel."""

from __future__ import annotations

from pathlib import Path

from counterexamples import gallery
from counterexamples.lab.kernels import at_hand, named
from counterexamples.lab.tools import static_program

SOURCE = Path(gallery.__file__).parent / "given_up" / "stale.c"


def test_what_reads_otherwise_is_mapped_and_not_soft_dirty() -> None:
    said: list[str] = []
    kernel = at_hand(named("debian:7.3.4"), said.append)
    with kernel.start(files={"stale": static_program(SOURCE, "-static")},
                      limit=120.0) as session:
        said.clear()
        assert session.execute("/stale", said.append) == 1
    assert said[-6:] == [
        "# stored 7, read 0, mapped", "not ok 1 shared memory, MADV_REMOVE",
        "# stored 7, read 0, mapped", "not ok 2 a huge page, MADV_DONTNEED",
        "# stored 7, read 0, mapped", "not ok 3 private memory, MADV_DONTNEED"]
