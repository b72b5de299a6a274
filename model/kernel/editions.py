"""Editions: sets of changes on a common base, found by name and derived from one another.

The rows are in changes.py. What ``ed.has("<id>")`` answers may be a Z3 Boolean: it goes into `ite`,
`conj`, `disj` and `negate`, never into a Python ``if``.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import PurePath
from types import MappingProxyType
from typing import Any

import z3

from model.kernel.changes import CHANGES, Change
from model.kernel.logic import Bool
from model.kernel.releases import ALIASES, RELEASES

_SHOWN = 200
_NEAR_HASH = 0.75  # any two hashes are half alike
_NEAR_WORD = 0.55  # half of the letters of a short one are in many a longer
_HASH = re.compile("[0-9a-f]{7,40}")
_RELEASE = re.compile(r"(?:debian:|linux-)?v?(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?"
                      r"(-rc\d+)?([-+~].*)?")
"""With what a candidate, a package or `uname -r` has behind the number."""
_CANDIDATE = re.compile(r"-rc\d+|-\d{1,3}(?:~.*)?$")
"""What is behind a number and is no change."""
_AHEAD = re.compile(r"(?:linux-)?next(?:-\d+)?|mainline|master|linus|mm-(?:un)?stable")
"""What names no release and is ahead of all that are modelled."""


class UsageError(ValueError):
    """Something the user named does not exist; the message names the nearest right spelling."""


_SECTIONS = {"edition": "editions", "mapping": "mappings", "property": "properties",
             "operation": "operations", "theme": "themes", "commit": "changes",
             "function": "functions", "name": "names"}
"""What `--list` calls them."""
_NEAR = 3
_FEW = 80  # characters: more names than that are not listed in an error


def unknown(kind: str, name: str, known: list[str], cutoff: float = 0.5) -> UsageError:
    """The error for a misspelt `name`: what is near, else what there is, or how to list it."""
    name = shortened(name)
    near = ([k for k in known if k.startswith(f"{name}:")][:_NEAR]
            or difflib.get_close_matches(name, known, n=1, cutoff=cutoff))
    listed = ", ".join(known)
    if near:
        hint = f"did you mean {' or '.join(map(repr, near))}?"
    elif len(listed) > _FEW and kind in _SECTIONS:
        hint = f"python -m model.check --list {_SECTIONS[kind]} has them all"
    else:
        hint = f"known: {listed}"
    if not name.strip():
        return UsageError(f"an empty name is no {kind}; {hint}")
    return UsageError(f"unknown {kind} {name!r}; {hint}")


def shortened(text: str) -> str:
    """What the user gave, as an error in one line can show it."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def choice(change: str) -> z3.BoolRef:
    """The Z3 constant that says whether a change is there."""
    return z3.Bool(f"has:{change}")


@dataclass(frozen=True)
class Patch:
    """A user's file of kernel functions: `file` as the user named it, `digest` of what it says,
    and the edition `base` that it is applied to."""

    file: str
    digest: str
    base: Edition


@dataclass(frozen=True)
class Heard:
    """What building a term has asked of an edition: by name the changes, and the mirrored functions
    that were called."""

    changes: set[str] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Edition:
    """One kernel's behaviour: a set of changes on the common base.

    `overrides` replaces kernel functions by name (mutation tests, a user's own patch); `patch` says
    which file they are from.
    """

    name: str
    title: str
    changes: frozenset[str]
    overrides: Mapping[str, Callable[..., Any]] = field(
        default_factory=lambda: MappingProxyType({}), compare=False)
    undecided: frozenset[str] = frozenset()
    """Changes that it may have or not: the terms made of it speak of every such edition."""
    patch: Patch | None = None
    heard: Heard | None = field(default=None, compare=False, repr=False)
    """Where it is written down what is asked."""

    def has(self, change: str) -> Bool:
        """Whether this edition has `change`; `choice(change)` where that is undecided. Raises
        KeyError for an id that is not in CHANGES."""
        known = CHANGES[change].id
        if self.heard is not None:
            self.heard.changes.add(known)
        return choice(known) if known in self.undecided else known in self.changes

    @property
    def unpatched(self) -> Edition:
        """The same edition with no function replaced."""
        return replace(self, overrides=MappingProxyType({}), patch=None)

    @property
    def base(self) -> Edition:
        """The edition that a patch file was applied to; itself without one."""
        return self.patch.base if self.patch else self

    @property
    def argument(self) -> str:
        """What names this edition on a command line, after --kernel or --edition."""
        return (f"{self.base.name} --patch {shlex.quote(self.patch.file)}" if self.patch
                else self.name)

    def with_change(self, change: str) -> Edition:
        """This edition plus `change` and what it requires. Raises UsageError if unknown."""
        wanted = find_change(change)
        added = {wanted.id, *wanted.requires} - self.changes
        return self._derive(self.changes | added) if added else self

    def without_change(self, change: str) -> Edition:
        """This edition less `change` and what requires it. Raises UsageError if unknown."""
        dropped = find_change(change)
        gone = {c.id for c in CHANGES.values() if c.id == dropped.id or dropped.id in c.requires}
        return self._derive(self.changes - gone) if gone & self.changes else self

    def _derive(self, changes: frozenset[str]) -> Edition:
        name, title = _named(changes)
        made = replace(self.base, name=name, title=title, changes=changes)
        return made.with_patch(self.patch.file, self.patch.digest, self.overrides) \
            if self.patch else made

    def sibling(self, name: str) -> Edition:
        """The edition of that name, with the patch file of this one where it has one. Raises
        UsageError."""
        if self.patch is None:
            return find_edition(name)
        base = find_edition(name.removesuffix(f"+{PurePath(self.patch.file).stem}"))
        return base.with_patch(self.patch.file, self.patch.digest, self.overrides)

    def with_patch(self, file: str, digest: str,
                   overrides: Mapping[str, Callable[..., Any]]) -> Edition:
        """This edition with the functions of a user's file in place of its own."""
        path = PurePath(file)
        return replace(self, name=f"{self.name}+{path.stem}",
                       title=f"{self.title}, with {path.name}",
                       overrides=overrides, patch=Patch(file, digest, self))


_NAMES: dict[str, Change] = {name: c for c in CHANGES.values() for name in (c.id, *c.words)}
"""The changes by their ids and by the words that they had before these were known."""

EDITIONS: dict[str, Edition] = {r.name: Edition(r.name, r.title, r.changes) for r in RELEASES}


@cache
def _named(changes: frozenset[str]) -> tuple[str, str]:
    """The one name and title of an edition of these changes: those of the release that has them, or
    of that from which the fewest steps lead to them, the latest of several, and these steps."""
    same = [r for r in RELEASES if r.changes == changes]
    release, steps = min(((r, _steps(r.changes, changes)) for r in same[:1] or reversed(RELEASES)),
                         key=lambda way: len(way[1]))
    told = [f"{'with' if sign == '+' else 'without'} {change}" for sign, change in steps]
    return (release.name + "".join(sign + change for sign, change in steps),
            ", ".join((release.title, *told)))


def _steps(old: frozenset[str], new: frozenset[str]) -> list[tuple[str, str]]:
    """The changes to drop, and then to add, each with its sign; not those that go or come with
    another."""
    gone, come = old - new, new - old
    dropped = [c for c in CHANGES if c in gone and not gone & set(CHANGES[c].requires)]
    needed = {r for c in come for r in CHANGES[c].requires}
    added = [c for c in CHANGES if c in come and c not in needed]
    return [*(("-", c) for c in dropped), *(("+", c) for c in added)]


def find_change(name: str) -> Change:
    """The change with that id or word, or of whose hash it is an unambiguous beginning of seven
    digits or more, or a longer form.

    Raises UsageError when there is none.
    """
    if name in _NAMES:
        return _NAMES[name]
    near = [c for c in CHANGES.values() if _HASH.fullmatch(name) and _HASH.fullmatch(c.id)
            and (c.id.startswith(name) or name.startswith(c.id))]
    if len(near) == 1:
        return near[0]
    raise unknown("commit", name, list(_NAMES), _NEAR_HASH if _HASH.fullmatch(name) else _NEAR_WORD)


def find_edition(name: str) -> Edition:
    """The edition `name`, or one derived from it: ``v6.12-931298e103c2``, ``before+931298e103c2``
    (which is ``after``: an edition of the same changes has one name).

    Raises UsageError when there is none.
    """
    name = ALIASES.get(name, name)
    if name in EDITIONS:
        return EDITIONS[name]
    base = max((e for e in (*EDITIONS, *ALIASES) if name.startswith(e)), key=len, default="")
    if not base or name[len(base)] not in "+-" or _CANDIDATE.match(name, len(base)):
        raise _unknown_edition(name)
    edition, rest = EDITIONS[ALIASES.get(base, base)], name[len(base):]
    for sign, change in _signed_changes(rest):
        edition = edition.with_change(change) if sign == "+" else edition.without_change(change)
    return edition


def _unknown_edition(name: str) -> UsageError:
    """For a release, its candidates and packages: that release, or the nearest modelled before
    it."""
    asked = _RELEASE.fullmatch(name)
    if asked is None and not _AHEAD.fullmatch(name):
        return unknown("edition", name, list(EDITIONS))
    if found := asked and _spelt(asked):
        return UsageError(f"unknown edition {shortened(name)!r}; did you mean {found!r}?")
    return UsageError(f"unknown edition {shortened(name)!r}; {nearest(name)[1]}")


def nearest(release: str) -> tuple[str | None, str]:
    """The edition of a release (6.12.60) or of the nearest modelled before it, by name, and that in
    words; None before all that are modelled. What names no release is ahead of all."""
    asked = _RELEASE.fullmatch(release)
    short = {e for e in ALIASES.values() if e.count(".") == 1}  # without its number
    exact = {**{e: e for e in EDITIONS if e not in short}, **ALIASES}
    numbers = sorted((_number(known), e) for n, e in exact.items()
                     if (known := _RELEASE.fullmatch(n)) and not known[5])
    before = [e for number, e in numbers if asked is None or number <= _number(asked)]
    if not before:
        return None, f"the oldest that is modelled is {numbers[0][1]!r}"
    if len(before) == len(numbers):
        return before[-1], f"not modelled after {before[-1]}, which is the nearest before it"
    return before[-1], f"the nearest before it is {before[-1]!r}"


def _spelt(release: re.Match[str]) -> str:
    """The edition that is meant by another spelling of its name, or empty."""
    number = ".".join(part for part in release.groups()[:3] if part)
    name = f"v{number}{release[5] or ''}"
    if release[4]:
        return ""
    for meant in (name, f"v{number}"):
        with suppress(UsageError):
            if meant != release[0]:
                find_edition(meant)
                return meant
    return ""


def _number(release: re.Match[str]) -> tuple[int, ...]:
    """A candidate is before its release."""
    return *(int(part or "0") for part in release.groups()[:3]), not release[4]


def _unknown_word(text: str) -> str:
    """What stands in front of a text that no known change begins: a hash, or a word with its
    hyphens as far as something of its own begins."""
    first, *more = re.split("(?=[+-])", text)
    if _HASH.fullmatch(first):
        return first
    word = first
    for number, part in enumerate(more):
        rest = "".join(more[number:])[1:]
        if part[0] == "+" or _HASH.fullmatch(part[1:]) or any(map(rest.startswith, _NAMES)):
            break
        word += part
    return word


def _signed_changes(text: str) -> list[tuple[str, str]]:
    ids = sorted(_NAMES, key=len, reverse=True)
    found: list[tuple[str, str]] = []
    while text:
        sign, rest = text[0], text[1:]
        match = next((i for i in ids if rest.startswith((i + "+", i + "-")) or rest == i), None)
        if match is None:
            match = _unknown_word(rest)
            if sign == "+" and not difflib.get_close_matches(match, ids, n=1, cutoff=_NEAR_WORD):
                raise UsageError(f"unknown commit {match!r}; functions of a file are put into an "
                                 "edition by --patch FILE.py")
        find_change(match)
        found.append((sign, match))
        text = rest[len(match):]
    return found
