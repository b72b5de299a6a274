"""--promise and --never: promises of a user's own, for the commands that take them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from model.cli import call_limit, trusted
from model.kernel.editions import UsageError

if TYPE_CHECKING:
    from properties.base import Property


def add_promise_argument(parser: argparse._ActionsContainer) -> None:
    """--promise FILE.py."""
    parser.add_argument("--promise", action="append", default=[], metavar="FILE.py",
                        help="a promise of your own, repeatable (guide: properties/PROMISES.md); "
                        "the file is executed")


def add_promise_arguments(parser: argparse._ActionsContainer) -> None:
    """--promise FILE.py and --never EXPRESSION."""
    add_promise_argument(parser)
    parser.add_argument("--never", action="append", default=[], metavar="EXPRESSION",
                        help="a promise of your own: that this never becomes true, as in 'present "
                        "and file and stored' (--list names in model.check); repeatable")


def promises(files: Sequence[str], expressions: Sequence[str] = (),
             seconds: float | None = None) -> list[Property]:
    """The promises of these files and expressions, each once; `seconds` as of `with_patch`. Raises
    UsageError, also where a file ends the process that it is executed in."""
    from properties.own.never import never  # what these need is slow to import

    found = {p.name: p for p in map(never, expressions)}
    for file in dict.fromkeys(files):
        for promise in _of_file(file, seconds):
            if promise.name in found:
                raise UsageError(f"{file}: another file has a promise {promise.name} too")
            found[promise.name] = promise
    return list(found.values())


def _of_file(file: str, seconds: float | None) -> tuple[Property, ...]:
    from properties.own.files import OPTION, load, tried

    def attempt() -> tuple[Property, ...]:
        loaded = load(file, call_limit(seconds))
        for promise in loaded:
            tried(promise)
        return loaded

    return trusted(file, attempt, seconds, OPTION)
