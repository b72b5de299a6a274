"""What the commands share: one-line errors, argument types, colour, the tool's own version."""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, TextIO

from model import streams
from model.kernel.editions import Edition, UsageError, shortened, unknown

TOOL = "ptecheck"
USAGE, INTERNAL = 2, 255
MANY = 1_000_000_000
SHORTEST, LONGEST = 0.001, 1_000_000


def tool() -> dict[str, str]:
    """The tool and the solver that the verdicts rest on, by version."""
    from importlib.metadata import PackageNotFoundError, version

    import z3
    try:
        own = version(TOOL)
    except PackageNotFoundError:
        own = "unknown"
    return {"name": TOOL, "version": own, "solver": f"Z3 {z3.get_version_string()}"}


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line that names the nearest right spelling."""

    def error(self, message: str) -> NoReturn:
        prefix = "unrecognized arguments: "
        if message.startswith(prefix):
            word = message[len(prefix):].split()[0]
            options = [o for action in self._actions for o in action.option_strings]
            near = difflib.get_close_matches(word.split("=")[0], options, n=1)
            message = f"unknown option {word!r}; " + (
                f"did you mean {near[0]!r}?" if near else "--help lists them")
        fail(self.prog.rpartition(" ")[2], message)


def fail(prog: str, message: str) -> NoReturn:
    """Say what is wrong in one line and end with exit code 2."""
    print(f"{prog}: {' '.join(str(message).split())}", file=sys.stderr)
    raise SystemExit(USAGE)


def one_of(kind: str, names: Sequence[str]) -> Callable[[str], str]:
    """An argument type: one of `names`."""

    def parse(text: str) -> str:
        if text not in names:
            raise argparse.ArgumentTypeError(str(unknown(kind, text, list(names))))
        return text

    return parse


def whole(least: int, most: int = MANY) -> Callable[[str], int]:
    """An argument type: a whole number from `least` to `most`, in digits alone."""

    def parse(text: str) -> int:
        if not re.fullmatch("0*[0-9]{1,18}", text, re.ASCII) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{shortened(text)!r} is not a whole number from "
                                             f"{least} to {most}")
        return int(text)

    return parse


def seconds(text: str) -> float:
    """An argument type: a number of seconds, of a millisecond or more: timers count those, in 32
    bits."""
    number = r"0*([0-9]{1,18}(\.[0-9]*)?|\.[0-9]+)(e[-+]?[0-9]{1,2})?"
    if (not re.fullmatch(number, text, re.ASCII | re.IGNORECASE)
            or not SHORTEST <= float(text) <= LONGEST):
        raise argparse.ArgumentTypeError(f"{shortened(text)!r} is not a number of seconds from "
                                         f"{SHORTEST} to {LONGEST}")
    return float(text)


def add_patch_argument(parser: argparse._ActionsContainer) -> None:
    """--patch FILE.py, for a command that has editions."""
    parser.add_argument("--patch", metavar="FILE.py", help="kernel functions of your own instead "
                        "of the edition's (guide: model/kernel/PATCHING.md); the file is executed")


def patched(edition: Edition, file: str | None) -> Edition:
    """`edition` with the functions of a patch file, if one is given. Raises UsageError."""
    return with_patch([edition], file)[-1]


def with_patch(editions: Sequence[Edition], file: str | None) -> list[Edition]:
    """The editions, each followed by itself with the functions of a patch file, if one is given.

    Raises UsageError.
    """
    if file is None:
        return list(editions)
    from model.system.patching.files import load  # what it needs is slow to import

    patch = load(file)
    return [e for edition in editions for e in (edition, patch.applied(edition))]


def writable_folder(path: Path) -> Path:
    """Make the folder, or raise UsageError saying why it cannot be written."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UsageError(f"cannot write to {str(path)!r}: {error.strerror}; "
                         "give --out a folder that can be written") from error
    return path


def wants_colour(stream: TextIO) -> bool:
    """Colour on a terminal only, and never where NO_COLOR is set (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR")


def entry(prog: str, main: Callable[[], int]) -> NoReturn:
    """Run a command: usage errors, Ctrl-C, a closed pipe, files that fail and bugs each end in one
    line."""
    streams.take()
    try:
        code = streams.run(main)
    except (UsageError, streams.Unsaid) as error:
        fail(prog, str(error))
    except BrokenPipeError:
        code = 0
    except KeyboardInterrupt:
        print(f"{prog}: interrupted", file=sys.stderr)
        code = 130
    except OSError as error:
        fail(prog, f"{error.filename or 'a file'}: {error.strerror or error}")
    except Exception as error:
        if os.environ.get("PTECHECK_TRACEBACK"):
            raise
        print(f"{prog}: internal error: {type(error).__name__}: {error}; "
              "set PTECHECK_TRACEBACK=1 to see where", file=sys.stderr)
        code = INTERNAL
    raise SystemExit(code)


class StatusLine:
    """How far a command is, on stderr: one line that is written anew on a terminal, else a line a
    minute."""

    _EVERY = 60.0

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._next = time.monotonic() + self._EVERY

    def __call__(self, line: str, last: bool) -> None:
        """`last` takes the line off the terminal."""
        if self._quiet:
            return
        if self._terminal:
            end = "\r\033[K" if last else ""
            print(f"\r\033[K{line}", end=end, file=sys.stderr, flush=True)
        elif time.monotonic() >= self._next:
            self._next += self._EVERY
            print(line, file=sys.stderr, flush=True)
