"""Which lines of a C file a configuration leaves out: what its #if and #ifdef say of options.

What a condition says of other macros is not known, and counts as if it held.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias

_DIRECTIVE = re.compile(
    r"^[ \t]*#[ \t]*(ifdef|ifndef|if|elif|else|endif)\b((?:\\\n|[^\n])*)", re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?(?:\*/|$)|//.*|\\\n", re.DOTALL)
_ASKED = re.compile(r"(?:defined|IS_ENABLED|IS_BUILTIN|IS_REACHABLE)\s*(?:\(\s*(\w+)\s*\)|(\w+))|"
                    r"&&|\|\||[!()]|[^\s!()&|]+|\S")
_OPTION = "CONFIG_"

Maybe: TypeAlias = bool | None
"""Whether something holds; None where that is not known."""


@dataclass(frozen=True)
class Gap:
    """Lines that are left out, the first and the one after the last, from 1; and why, in words.
    `lacking`: they would be built with more options, and are not what stands for want of one."""

    start: int
    end: int
    why: str
    lacking: bool


@dataclass
class _Branch:
    line: int
    built: bool
    why: str
    lacking: bool
    earlier: Maybe
    """Whether this branch or one before it is taken."""
    other: str
    """Why the next branch would be left out."""


def gaps(text: str, options: Collection[str]) -> list[Gap]:
    """The lines of `text` that are not built where of all options these alone are y."""
    found: list[Gap] = []
    open_: list[_Branch] = []
    for match in _DIRECTIVE.finditer(text):
        kind, rest = match[1], _COMMENT.sub(" ", match[2]).strip()
        line = text.count("\n", 0, match.start()) + 1
        if kind.startswith("if"):
            open_.append(_branch(line, kind, rest, options))
        elif open_:
            last = open_.pop()
            if not last.built:
                found.append(Gap(last.line, line, last.why, last.lacking))
            if kind != "endif":
                open_.append(_next(last, line, kind, rest, options))
    return found


def _branch(line: int, kind: str, rest: str, options: Collection[str]) -> _Branch:
    asked = rest if kind in ("if", "elif") else f"defined({rest})"
    holds = _Condition(asked, options).holds()
    if kind == "ifndef":
        holds = None if holds is None else not holds
    option = re.fullmatch(rf"(!?)\s*(?:(?:defined|IS_ENABLED)\s*\(?)?\s*({_OPTION}\w+)\s*\)?", rest)
    negative = (kind == "ifndef") != bool(option and option[1])
    there, gone = (f"{option[2]} is set", f"{option[2]} is not set") if option else (
        f"{rest} holds", f"{rest} does not hold")
    why, other = (there, gone) if negative else (gone, there)
    return _Branch(line, holds is not False, why, not negative, holds, other)


def _next(last: _Branch, line: int, kind: str, rest: str, options: Collection[str]) -> _Branch:
    if kind == "else":
        return _Branch(line, last.earlier is not True, last.other, False, True, "")
    branch = _branch(line, "elif", rest, options)
    if last.earlier is True:
        return _Branch(line, False, last.other, False, True, last.other)
    if branch.earlier is not True and last.earlier is None:
        branch.earlier = None
    return branch


class _Condition:
    """An expression of the preprocessor, of options alone."""

    def __init__(self, expression: str, options: Collection[str]) -> None:
        self._words = [(m[0], m[1] or m[2]) for m in _ASKED.finditer(expression)]
        self._options = options

    def holds(self) -> Maybe:
        answer = self._any()
        return None if self._words else answer

    def _any(self) -> Maybe:
        answer = self._all()
        while self._words and self._words[0][0] == "||":
            self._words.pop(0)
            more = self._all()
            answer = True if True in (answer, more) else None if None in (answer, more) else False
        return answer

    def _all(self) -> Maybe:
        answer = self._one()
        while self._words and self._words[0][0] == "&&":
            self._words.pop(0)
            more = self._one()
            answer = False if False in (answer, more) else None if None in (answer, more) else True
        return answer

    def _one(self) -> Maybe:
        if not self._words:
            return None
        word, name = self._words.pop(0)
        if word == "!":
            answer = self._one()
            return None if answer is None else not answer
        if word == "(":
            answer = self._any()
            if not self._words or self._words.pop(0)[0] != ")":
                return None
            return answer
        name = name or word
        if name.startswith(_OPTION):
            return name.removeprefix(_OPTION) in self._options
        return bool(int(word)) if word.isdecimal() else None
