"""Executing a user's file in a process of its own first.

What it does to that process, which may end or never be done, is told in a line, and the program
that asked goes on to say it.
"""

from __future__ import annotations

import faulthandler
import os
import re
import select
import signal
from collections.abc import Callable
from contextlib import suppress

from model.kernel.editions import UsageError
from model.processes import end_with

_DONE = b"."
_GRACE = 5.0  # seconds beyond the limit, in which the process says where it is


def tried(file: str, attempt: Callable[[], object], seconds: float) -> None:
    """Run `attempt`, which executes `file`, in a child process; what it raises is left to the
    caller, who runs it again. Raises UsageError where the child ends in the middle of it, or is not
    done after that many seconds."""
    reading, writing = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        end_with(parent)
        _child(attempt, seconds, writing)
    os.close(writing)
    try:
        told = _heard(reading, seconds + _GRACE)
    finally:
        os.close(reading)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    if told == _DONE:
        return
    if told is None or told:  # late, or with the place where it was
        places = re.findall(rf'File "{re.escape(file)}", line (\d+)', (told or b"").decode())
        where = f"{file}:{places[0]}:" if places else f"{file}:"
        raise UsageError(f"{where} not done after {seconds:g} s: is there an endless loop?")
    code = os.waitstatus_to_exitcode(status)
    how = f"with exit code {code}" if code >= 0 else f"by signal {-code}"
    raise UsageError(f"{file}: it ended the process that executed it, {how}; a patch file only "
                     "defines functions")


def _child(attempt: Callable[[], object], seconds: float, writing: int) -> None:
    """What it prints nobody reads: it will be executed once more."""
    end = os._exit
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    faulthandler.disable()
    faulthandler.dump_traceback_later(seconds, file=writing, exit=True)
    with suppress(BaseException):
        attempt()
    os.write(writing, _DONE)
    end(0)


def _heard(reading: int, seconds: float) -> bytes | None:
    """All that is written until the other side is closed, or None where it is not in time."""
    told = b""
    while select.select([reading], [], [], seconds)[0]:
        piece = os.read(reading, 4096)
        if not piece or piece == _DONE:
            return told + piece
        told += piece
    return None
