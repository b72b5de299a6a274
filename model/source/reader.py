"""Finds definitions in kernel C as text, and digests them.

By the kernel's own style: a definition begins in the first column and ends with a brace in it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from model.source.conditions import Gap, gaps
from model.source.names import oldest
from model.source.preprocess import CONFIG

_COMMENT_OR_STRING = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""",
                                re.DOTALL)
_TOKEN = re.compile(r"""[A-Za-z_]\w*|\d[\w.]*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|"""
                    r"""<<=|>>=|\.\.\.|->|\+\+|--|<<|>>|[<>=!+\-*/%&|^]=|&&|\|\||\#\#|\S""")


@dataclass(frozen=True)
class Definition:
    """A definition in a file: `line` counts from 1, `text` is as it is written; `gap` has
    the lines that the configuration leaves out with it, if it does."""

    path: str
    line: int
    text: str
    gap: Gap | None = None

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}"

    @property
    def stub(self) -> bool:
        """Whether it does nothing but return one word, if that."""
        return re.search(r"\{\s*(return\s+-?\w+\s*;)?\s*\}\s*$",
                         without_comments(self.text)) is not None


def without_comments(text: str) -> str:
    """The text with spaces for comments; every line stays where it is."""

    def blank(match: re.Match[str]) -> str:
        found = match.group()
        return re.sub(r"[^\n]", " ", found) if found.startswith("/") else found

    return _COMMENT_OR_STRING.sub(blank, text)


@lru_cache(maxsize=64)
def _bare(text: str) -> str:
    """The text with spaces for comments and strings: what braces and lines are found by."""
    return _COMMENT_OR_STRING.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


@lru_cache(maxsize=64)
def _gaps(text: str) -> list[Gap]:
    return gaps(text, CONFIG)


def definitions(text: str, path: str, name: str) -> list[Definition]:
    """All definitions of `name` in the text of a file: a function, a table, or a macro with
    arguments; several where the configuration chooses."""
    blank = _bare(text)
    found = []
    for match in re.finditer(rf"(?<![\w.>]){re.escape(name)}\s*(?=[(\[])", blank):
        start = blank.rfind("\n", 0, match.start()) + 1
        head = blank[start:match.start()]
        if re.fullmatch(r"#\s*define\s+", head):
            end = _end_of_macro(blank, match.end())
        elif re.fullmatch(r"[\w *]*", head) and not head[:1].isspace() \
                and not head.startswith("return"):
            end = _end_of_body(blank, match.end())
            start = _with_type(blank, start, head)
        else:
            continue
        if end:
            line = text.count("\n", 0, start) + 1
            gap = next((gap for gap in _gaps(text) if gap.start < line < gap.end), None)
            found.append(Definition(path, line, text[start:end], gap))
    return found


def _end_of_macro(code: str, at: int) -> int:
    end = re.compile(r"(?<!\\)\n|\Z").search(code, at)
    return end.start() if end else len(code)


def _end_of_body(code: str, at: int) -> int:
    """Where a definition ends whose name ends at `at`; 0 for a declaration or a call."""
    depth = 0
    for mark in re.compile(r"[()\[\]{};=]").finditer(code, at):
        match mark.group():
            case "(" | "[":
                depth += 1
            case ")" | "]":
                depth -= 1
            case ";" if depth == 0:
                return 0
            case "{" if depth == 0:
                break
    else:
        return 0
    line_end = code.find("\n", mark.start())
    if code[mark.start():line_end].count("{") == code[mark.start():line_end].count("}"):
        return line_end
    closing = re.compile(r"^\}", re.MULTILINE).search(code, mark.start())
    return closing.end() if closing else 0


def _with_type(code: str, start: int, head: str) -> int:
    """The start of the line with the return type, where the name begins its own line."""
    if head.strip(" *"):
        return start
    before = code.rfind("\n", 0, max(start - 1, 0)) + 1
    return before if re.fullmatch(r"[A-Za-z_][\w *]*\n", code[before:start]) else start


def digest(found: Sequence[Definition]) -> str:
    """SHA-256 of the code of the definitions: comments and white space do not count, nor does by
    which of its names a release calls what names.py says to be the same."""
    tokens = [oldest(token) for d in found for token in _TOKEN.findall(without_comments(d.text))
              if token != "\\"]
    return hashlib.sha256("\n".join(tokens).encode()).hexdigest()
