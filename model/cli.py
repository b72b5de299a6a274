"""What the commands share: one-line errors, argument types, colour, the tool's own version."""

from __future__ import annotations

import argparse
import difflib
import gc
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn, TextIO, TypeVar

from model import streams
from model.kernel.editions import Edition, UsageError, shortened, unknown
from model.processes import (
    CANNOT_TELL,
    end_now,
    end_on_signals,
    interrupted_code,
    kept_words,
    say_end,
)
from model.repeated import to_repeat

T = TypeVar("T")
TOOL = "ptecheck"
USAGE, INTERNAL = 2, 255
WRONG_BISECT = 128
"""What stops `git bisect run`: the command line is wrong, whatever the revision."""
_WORD, _LINE = 240, 800
"""Characters of a word and of all in an error: a name that is longer is no name."""
FILE_WIDTH = 80
MANY = 1_000_000_000
SHORTEST, LONGEST = 0.000001, 1_000_000


def tool() -> dict[str, str]:
    """The tool and the solver that the verdicts rest on, by version."""
    from importlib.metadata import PackageNotFoundError, version

    import z3
    try:
        own = version(TOOL)
    except PackageNotFoundError:
        own = "unknown"
    return {"name": TOOL, "version": own, "solver": f"Z3 {z3.get_version_string()}"}


class _Once(argparse.Action):
    """What takes one value takes no second one: it would not be known which decides."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace,
                 values: object, option_string: str | None = None) -> None:
        given = vars(namespace).setdefault(_GIVEN, {})
        if option_string and given.setdefault(self.dest, values) != values:
            parser.error(f"argument {option_string}: given twice, and it takes one value")
        setattr(namespace, self.dest, values)


_GIVEN = " given"  # no option's name


class _Version(argparse.Action):
    """--version: the tool and the solver, which is slow to ask and so asked for this alone."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="say the version, and end")

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace,
                 values: object, option_string: str | None = None) -> NoReturn:
        told = tool()
        print(f"{told['name']} {told['version']}, {told['solver']}")
        parser.exit()


class Parser(argparse.ArgumentParser):
    """An argument parser with --version, whose errors are one line that names the nearest right
    spelling and end with `wrong`."""

    def __init__(self, *args: Any, wrong: int = USAGE, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._wrong = wrong
        self._words: list[str] = []
        self.register("action", None, _Once)
        self.add_argument("--version", action=_Version, dest=argparse.SUPPRESS)

    def parse_known_args(  # type: ignore[override]
            self, args: Sequence[str] | None = None,
            namespace: argparse.Namespace | None = None) -> tuple[argparse.Namespace, list[str]]:
        """An argument that is empty, as of a variable that is not set, is none: it would be taken
        for one that was not given."""
        self._words = self._words or list(sys.argv[1:] if args is None else args)
        found, more = super().parse_known_args(args, namespace)
        for action in self._actions:
            given = getattr(found, action.dest, None)
            if any(isinstance(text, str) and not text.strip()
                   for text in (given if isinstance(given, list) else [given])):
                name = "/".join(action.option_strings) or action.metavar or action.dest
                self.error(f"argument {name}: it is empty")
        if any(not text.strip() for text in more):
            named = self._named()
            self.error("an empty argument is " + (f"no {' or '.join(named)}" if named else
                                                  "one word too many"))
        return found, more

    def error(self, message: str) -> NoReturn:
        prefix = "unrecognized arguments: "
        if message.startswith(prefix):
            message = self._unrecognized(message[len(prefix):].split()[0])
        fail(self.prog.rpartition(" ")[2], message, self._wrong)

    def _named(self) -> list[str]:
        """The arguments that are no options."""
        return [str(a.metavar or a.dest) for a in self._actions if not a.option_strings]

    def _unrecognized(self, word: str) -> str:
        named = self._named()
        if not word.startswith("-"):
            if again := to_repeat(word, self._words, self._actions):
                return again
            takes = f"{' '.join(named)} and options" if named else "options alone"
            return f"{word!r} is no option, and one word too many: this command takes {takes}"
        options = [o for action in self._actions for o in action.option_strings]
        near = difflib.get_close_matches(word.split("=")[0], options, n=1)
        return f"unknown option {word!r}; " + (
            f"did you mean {near[0]!r}?" if near else "--help lists them")


def fail(prog: str, message: str, code: int = USAGE) -> NoReturn:
    """Say what is wrong in one line and end with `code`."""
    complain(prog, message)
    raise SystemExit(code)


def complain(prog: str, message: str) -> None:
    """Say what is wrong, in one line on stderr."""
    print(f"{prog}: {one_line(message)}", file=sys.stderr)


def one_line(message: str) -> str:
    """A message, whatever the user gave that stands in it: in one line, of a length that can be
    read, and without what would move a terminal's cursor."""
    words = (_cut(word, _WORD) for word in message.split())
    return escaped(_cut(" ".join(words), _LINE))


def escaped(text: str) -> str:
    """As Python writes it, where it cannot be printed."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _cut(text: str, most: int) -> str:
    """Its beginning and its end, which says more than the middle."""
    return text if len(text) <= most else f"{text[:most - most // 4]}...{text[-(most // 4):]}"


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
    """An argument type: a number of seconds; some timers count milliseconds, in 32 bits."""
    number = r"0*([0-9]{1,18}(\.[0-9]*)?|\.[0-9]+)(e[-+]?[0-9]{1,2})?"
    if (not re.fullmatch(number, text, re.ASCII | re.IGNORECASE)
            or not SHORTEST <= float(text) <= LONGEST):
        raise argparse.ArgumentTypeError(f"{shortened(text)!r} is not a number of seconds from "
                                         f"{SHORTEST:f} to {LONGEST}")
    return float(text)


def folder(text: str) -> Path:
    """An argument type: a folder by name; an empty one, as of an unset variable, names none."""
    if not text.strip():
        raise argparse.ArgumentTypeError("an empty name is no folder; '.' is the current one")
    return Path(text)


def new_file(text: str) -> Path:
    """An argument type: a file that is to be written; the folder must be there."""
    path = Path(text)
    if not text.strip() or path.is_dir() or not path.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"{shortened(text)!r} is no name for a file in a folder "
                                         "that is there")
    return path


def add_patch_argument(parser: argparse._ActionsContainer) -> None:
    """--patch FILE.py, for a command that has editions."""
    parser.add_argument("--patch", metavar="FILE.py", help="kernel functions of your own instead "
                        "of the edition's (guide: model/kernel/PATCHING.md); the file is executed")


def patched(edition: Edition, file: str | None, seconds: float | None = None) -> Edition:
    """`edition` with the functions of a patch file, if one is given. Raises UsageError, as
    `with_patch`."""
    return with_patch([edition], file, seconds)[-1]


LOADING = 60.0
"""Seconds that a patch file may take to be executed and tried, and later each call of a function in
it, where no limit is given."""
_LEAST, _LEAST_CALL = 10.0, 1.0  # seconds that these may take whatever limit is given


def with_patch(editions: Sequence[Edition], file: str | None,
               seconds: float | None = None) -> list[Edition]:
    """The editions, each followed by itself with the functions of a patch file, if one is given.

    Raises UsageError, also where the file ends the process or takes longer than `seconds`.
    """
    if file is None:
        return list(editions)
    from model.system.patching.files import load  # slow to import

    def applied() -> list[Edition]:
        patch = load(file)
        return [e for edition in editions
                for e in (edition, patch.applied(edition, call_limit(seconds)))]

    return trusted(file, applied, seconds)


def call_limit(seconds: float | None) -> float:
    """How long a call of a user's function may take, where cells may take `seconds`."""
    return max(LOADING if seconds is None else seconds, _LEAST_CALL)


def trusted(file: str, attempt: Callable[[], T], seconds: float | None,
            option: str = "--patch") -> T:
    """What `attempt` makes of `file`, which it executes, after it was tried in another process.
    Raises UsageError, also where the file ends the process or takes longer than `seconds`."""
    from model.system.patching.trial import limited, tried

    limit = max(LOADING if seconds is None else seconds, _LEAST)
    tried(file, attempt, limit, option)
    with limited(limit):
        return attempt()


def writable_folder(path: Path) -> Path:
    """Make the folder, or raise UsageError saying why it cannot be written."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):  # no name that another run could meet
            pass
    except OSError as error:
        raise UsageError(f"cannot write to {str(path)!r}: {error.strerror}; "
                         "give --out a folder that can be written") from error
    return path


def columns(stream: TextIO) -> int:
    """How wide lines may be: as the terminal is; in a file always the same."""
    if not stream.isatty():
        return FILE_WIDTH
    return shutil.get_terminal_size((FILE_WIDTH, 24)).columns


def wants_colour(stream: TextIO) -> bool:
    """Colour on a terminal only, and never where NO_COLOR is set (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR")


def entry(prog: str, main: Callable[[], int]) -> NoReturn:
    """Run a command: usage errors, Ctrl-C, a closed pipe, files that fail and bugs each end in one
    line."""
    streams.take()
    gc.set_threshold(200_000)  # terms and states are many and make no cycles
    end_on_signals(prog)
    try:
        files = _user_files(sys.argv[1:])
        if files and kept_words() is None:
            from model.system.patching.trial import apart
            apart(files)
            streams.aside()
    except UsageError as error:
        fail(prog, str(error), CANNOT_TELL if "--bisect" in sys.argv[1:] else USAGE)
    try:
        code = _code(prog, main)
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        say_end()
    if kept_words() is None:
        raise SystemExit(code)
    end_now(code)  # whatever a user's file has left running


_EXECUTED = ("--patch", "--promise")


def _user_files(words: Sequence[str]) -> list[tuple[str, str]]:
    """The files that are named to be executed, each after its option, before the command line is
    understood; of patch files the last."""
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for word, after in pairwise([*words, ""]):
        option, equals, value = word.partition("=")
        if option in _EXECUTED:
            file = value if equals else after
            found[option, "" if option == "--patch" else file] = option, file
    return list(found.values())


def _code(prog: str, main: Callable[[], int]) -> int:
    """What the command ends with; where it is not that of `main`, a line was told. Raises
    SystemExit."""
    try:
        code = streams.run(main)
    except UsageError as error:
        fail(prog, str(error))
    except streams.Unsaid as error:
        fail(prog, str(error), WRONG_BISECT if "--bisect" in sys.argv[1:] else USAGE)
    except BrokenPipeError:
        code = 0
    except KeyboardInterrupt:
        print(f"{prog}: interrupted", file=sys.stderr)
        code = interrupted_code()
    except OSError as error:
        fail(prog, f"{escaped(str(error.filename or 'a file'))}: {error.strerror or error}")
    except Exception as error:
        if os.environ.get("PTECHECK_TRACEBACK"):
            raise
        complain(prog, f"internal error: {type(error).__name__}: {one_line(str(error))}; "
                 "set PTECHECK_TRACEBACK=1 to see where")
        code = INTERNAL
    return code


def cut_short(prog: str, done: int, asked: int) -> bool:
    """Whether a signal has left open any of what was asked for, which is told in a line."""
    if done < asked:
        print(f"{prog}: interrupted, {asked - done} of {asked} left open", file=sys.stderr)
    return done < asked


def tell(text: str) -> None:
    """Print a text at once. Where nobody reads stdout any more the command goes on: its exit code
    is an answer too."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        streams.silence(sys.stdout)


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

    def clear(self) -> None:
        """Take the line off the terminal: something else is printed there."""
        if self._terminal and not self._quiet:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
