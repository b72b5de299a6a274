"""An agent without a kernel: a script that says given lines, for tests of the session."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from counterexamples.lab.session import Session


def session(script: str, *, limit: float = 5.0, console: Path | None = None) -> Session:
    """A session whose other side is a Python script; `say(line)` and `hear()` are at hand."""
    lines = ("import sys, time\n"
             "say = lambda line: print(line, flush=True)\n"
             "hear = lambda: sys.stdin.readline().strip()\n" + script)
    process = subprocess.Popen([sys.executable, "-c", lines], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return Session(process, console, limit, limit)
