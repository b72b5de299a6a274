"""How far a command on real kernels is: a line at a time, on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def progress(quiet: bool) -> Callable[[str], None]:
    """`say`; what says nothing, where the command shall be quiet."""
    return _silent if quiet else say


def _silent(line: str) -> None:
    pass
