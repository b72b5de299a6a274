"""The guard of a command (model/processes.py), a program by itself: it waits for the command's end,
kills the process group that it leads, and removes files and folders.

Its standard input says which, "+PATH", and "-PATH" for one that is no longer to be removed, each
with a NUL behind it. The command holds the other end: however it ends, the pipe ends.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from contextlib import suppress


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    left: dict[bytes, None] = {}
    for word in sys.stdin.buffer.read().split(b"\0")[:-1]:
        if word.startswith(b"+"):
            left[word[1:]] = None
        else:
            left.pop(word[1:], None)
    group = os.getpgrp()
    if os.fork():
        signal.pause()  # ends with the group: without it there would be none to kill
    os.setpgid(0, 0)
    os.killpg(group, signal.SIGKILL)
    for path in left:
        with suppress(OSError):
            os.unlink(path)
        shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
    main()
