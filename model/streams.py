"""The standard streams of a command: a report that cannot be written is told, and nothing that is
said in vain ends a command with a code that means something else."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import TextIO


class Unsaid(Exception):
    """Standard output takes no more, and not because its reader has gone. No OSError, which might
    be taken for that of a file and which argparse passes over."""


class _Output(io.TextIOWrapper):
    """Standard output. Raises Unsaid; BrokenPipeError where its reader has gone."""

    def write(self, text: str, /) -> int:
        _told(super().write, text)
        return len(text)

    def flush(self) -> None:
        _told(super().flush)


class _Errors(io.TextIOWrapper):
    """Standard error, whose own failure can be told nowhere."""

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError:
            silence(self)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            silence(self)


def _told(act: Callable[..., object], *given: str) -> None:
    try:
        act(*given)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Unsaid(f"cannot write to standard output: {error.strerror or error}") from error


def take() -> None:
    """Make standard output and error these, where they are the process's own. One that the caller
    has closed fails when it is written to; no other file gets its number."""
    if sys.stdout is sys.__stdout__:
        sys.stdout = _of(sys.stdout, 1, _Output)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _of(sys.stderr, 2, _Errors)


def _of(stream: TextIO | None, number: int, kind: type[io.TextIOWrapper]) -> TextIO:
    """What the encoding lacks is escaped."""
    if stream is None:
        unwritable = os.open(os.devnull, os.O_RDONLY)
        if unwritable != number:
            os.dup2(unwritable, number)
            os.close(unwritable)
        return kind(open(number, "wb", closefd=False), encoding="utf-8", errors="backslashreplace")
    assert isinstance(stream, io.TextIOWrapper)
    encoding, lines, through = stream.encoding, stream.line_buffering, stream.write_through
    return kind(stream.detach(), encoding, "backslashreplace", None, lines, through)


def aside() -> None:
    """From now on what else writes to the process's standard output, past sys.stdout, writes to
    standard error: that is the report's alone."""
    stream = sys.stdout
    assert isinstance(stream, io.TextIOWrapper)
    stream.flush()
    through = stream.write_through
    sys.stdout = _Output(os.fdopen(os.dup(stream.fileno()), "wb", 0 if through else -1),
                         stream.encoding, stream.errors, None, stream.line_buffering, through)
    os.dup2(2, 1)


def run(main: Callable[[], int]) -> int:
    """The exit code of `main`, once all that it printed is written. Raises what it raises, Unsaid
    and BrokenPipeError; nothing is left to be written then."""
    try:
        try:
            code = main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        sys.stdout.flush()
    except (Unsaid, BrokenPipeError):
        silence(sys.stdout)
        raise
    except BaseException:
        try:
            sys.stdout.flush()
        except (Unsaid, BrokenPipeError):
            silence(sys.stdout)
        raise
    return code


def silence(stream: TextIO) -> None:
    """From now on the stream goes nowhere, and so does what it holds."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
