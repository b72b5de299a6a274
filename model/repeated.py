"""Options that take one value and may be repeated, and what is said where more stand behind one."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence


def to_repeat(word: str, line: Sequence[str], actions: Sequence[argparse.Action]) -> str:
    """Of a word that is one too many on a command line: that the option before it is to be repeated
    for it; empty where that option takes no second value."""
    before = line[:line.index(word)] if word in line else []
    option = next((w for w in reversed(before) if w.startswith("-")), "")
    name, _, value = option.partition("=")
    for action in actions:
        if name in action.option_strings and action.nargs is None and _repeats(action):
            first = value or before[before.index(option) + 1]
            return (f"{word!r} is one word too many: {name} takes one; repeat it, as in "
                    f"{name} {shlex.quote(first)} {name} {shlex.quote(word)}")
    return ""


def _repeats(action: argparse.Action) -> bool:
    return type(action).__name__ == "_AppendAction"
