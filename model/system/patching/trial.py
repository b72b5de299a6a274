"""Executing a user's files in a process of their own.

What it does to that process, which may end or never be done, is told in a line by the program that
started it.
"""

from __future__ import annotations

import faulthandler
import os
import re
import select
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from math import inf

from model.kernel.editions import UsageError
from model.processes import LastWords, end_with, ending, kept_words, relay

_GRACE = 5.0  # seconds beyond the limit, in which the process says where it is
DEFINES = {"--patch": "a patch file only defines functions",
           "--promise": "a promise file only defines promises"}
"""What the files of these options may do."""
_within: list[float] = []
"""The limit that this process is to keep now."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """A part of a process whose last words are kept: it is ended, whatever it is in, where the part
    takes longer, and they say where it was. What is inside such a part belongs to that one."""
    words = kept_words()
    if words is None or _within or seconds == inf:
        yield
        return
    sys.stdout.flush()
    faulthandler.dump_traceback_later(seconds, exit=True, file=words.file)
    _within.append(seconds)
    try:
        yield
    finally:
        _within.clear()
        faulthandler.cancel_dump_traceback_later()


def late(files: Sequence[str], words: LastWords) -> str:
    """Where in one of `files` a process was ended because it was not done in time; empty where it
    was not."""
    timed = re.match(r"Timeout \((\d+):(\d+):([\d.]+)\)", words.text)
    if timed is None:
        return ""
    hours, minutes, seconds = map(float, timed.groups())
    named = "|".join(map(re.escape, files))
    places = re.findall(rf'File "({named})", line (\d+)', words.text)
    return _late(f"{':'.join(places[0])}:" if places else f"{', '.join(files)}:",
                 hours * 3600 + minutes * 60 + seconds)


def _late(where: str, seconds: float) -> str:
    return f"{where} not done after {seconds:g} s: is there an endless loop?"


def tried(file: str, attempt: Callable[[], object], seconds: float,
          option: str = "--patch") -> None:
    """Run `attempt`, which executes `file`, that of an `option` of DEFINES, in a child process;
    what it raises is left to the caller, who runs it again. Raises UsageError where the child ends
    in the middle of it, or is not done after that many seconds."""
    words, parent = LastWords(), os.getpid()
    child = os.fork()
    if child == 0:
        end_with(parent)
        _child(attempt, seconds, words)
    in_time = _ends(child, seconds + _GRACE)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if words.say_done:
        return
    if not in_time:
        raise UsageError(_late(f"{file}:", seconds))
    raise UsageError(late([file], words) or f"{file}: it ended the process that executed it, "
                     f"{ending(status)}; {DEFINES[option]}")


def _child(attempt: Callable[[], object], seconds: float, words: LastWords) -> None:
    """What it prints nobody reads: it will be executed once more."""
    end = os._exit
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # what they do is the parent's
        signal.signal(number, signal.SIG_DFL)
    faulthandler.disable()
    words.are_mine()
    with suppress(BaseException), limited(seconds):
        attempt()
    words.done()
    end(0)


def _ends(child: int, seconds: float) -> bool:
    """Whether a child ends in that time."""
    ended = os.pidfd_open(child)
    try:
        return bool(select.select([ended], [], [], seconds)[0])
    finally:
        os.close(ended)


def apart(files: Sequence[tuple[str, str]]) -> None:
    """Go on in a child process, because what follows executes `files`, each after its option. This
    one waits for it and ends as it does; signals are passed on. Raises UsageError, here, where the
    child ends without having said that it wants to."""
    words, parent = LastWords(), os.getpid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {
        signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD})
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        end_with(parent)
        words.are_mine()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return
    status = relay(child)
    if words.say_done:
        raise SystemExit(os.waitstatus_to_exitcode(status))
    names, told = [file for _, file in files], dict.fromkeys(DEFINES[o] for o, _ in files)
    raise UsageError(late(names, words) or f"{', '.join(names)}: the process that executed "
                     f"{'it' if len(names) == 1 else 'them'} ended {ending(status)}, without a "
                     f"report; {'; '.join(told)}")
