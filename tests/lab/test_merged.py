"""The program of the gallery that loses the memory of another process, on a real kernel."""

from __future__ import annotations

from pathlib import Path

from counterexamples import gallery
from counterexamples.lab.kernels import at_hand, named
from counterexamples.lab.tools import static_program

SOURCE = Path(gallery.__file__).parent / "merged" / "madv_free.c"


def test_what_another_process_has_stored_is_lost() -> None:
    said: list[str] = []
    kernel = at_hand(named("debian:7.3.4"), said.append)
    with kernel.start(files={"madv_free": static_program(SOURCE, "-static")},
                      limit=120.0) as session:
        said.clear()
        assert session.execute("/madv_free", said.append) == 1
    assert said[-2:] == ["# stored 7, read 0", "not ok 1 what was stored is there"]
