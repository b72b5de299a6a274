"""Editions: sets of changes on a common base, found by name and derived from one another.

The rows are in changes.py. What ``ed.has("<id>")`` answers may be a Z3 Boolean: it goes into `ite`,
`conj`, `disj` and `negate`, never into a Python ``if``.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from types import MappingProxyType
from typing import Any

import z3

from model.kernel.changes import ALIASES, CHANGES, RELEASES, Change
from model.kernel.logic import Bool

_SHOWN = 200

class UsageError(ValueError):
    """Something the user named does not exist; the message names the nearest right spelling."""


def unknown(kind: str, name: str, known: list[str]) -> UsageError:
    """The error for a misspelt `name`; lists what there is when nothing is near."""
    name = shortened(name)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
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

    def has(self, change: str) -> Bool:
        """Whether this edition has `change`; `choice(change)` where that is undecided. Raises
        KeyError for an id that is not in CHANGES."""
        known = CHANGES[change].id
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
        return self._derive("+", wanted.id, self.changes | added) if added else self

    def without_change(self, change: str) -> Edition:
        """This edition less `change` and what requires it. Raises UsageError if unknown."""
        dropped = find_change(change)
        gone = {c.id for c in CHANGES.values() if c.id == dropped.id or dropped.id in c.requires}
        return self._derive("-", dropped.id, self.changes - gone) if gone & self.changes else self

    def _derive(self, sign: str, change: str, changes: frozenset[str]) -> Edition:
        base = self.base
        made = replace(base, name=f"{base.name}{sign}{change}",
                       title=f"{base.title}, {'with' if sign == '+' else 'without'} {change}",
                       changes=changes)
        return made.with_patch(self.patch.file, self.patch.digest, self.overrides) \
            if self.patch else made

    def with_patch(self, file: str, digest: str,
                   overrides: Mapping[str, Callable[..., Any]]) -> Edition:
        """This edition with the functions of a user's file in place of its own."""
        path = PurePath(file)
        return replace(self, name=f"{self.name}+{path.stem}",
                       title=f"{self.title}, with {path.name}",
                       overrides=overrides, patch=Patch(file, digest, self))


EDITIONS: dict[str, Edition] = {r.name: Edition(r.name, r.title, r.changes) for r in RELEASES}


def find_change(name: str) -> Change:
    """The change with that id, or whose id is an unambiguous beginning or a longer hash of it.

    Raises UsageError when there is none.
    """
    if name in CHANGES:
        return CHANGES[name]
    near = [c for c in CHANGES.values()
            if len(name) >= 7 and (c.id.startswith(name) or name.startswith(c.id))]
    if len(near) == 1:
        return near[0]
    raise unknown("commit", name, list(CHANGES))


def find_edition(name: str) -> Edition:
    """The edition `name`, or one derived from it: ``v6.12-931298e103c2``, ``before+931298e103c2``.

    Raises UsageError when there is none.
    """
    name = ALIASES.get(name, name)
    if name in EDITIONS:
        return EDITIONS[name]
    base = max((e for e in EDITIONS if name.startswith(e)), key=len, default="")
    if not base or name[len(base)] not in "+-":
        raise unknown("edition", name, list(EDITIONS))
    edition, rest = EDITIONS[base], name[len(base):]
    for sign, change in _signed_changes(rest):
        edition = edition.with_change(change) if sign == "+" else edition.without_change(change)
    return edition


def _signed_changes(text: str) -> list[tuple[str, str]]:
    ids = sorted(CHANGES, key=len, reverse=True)
    found: list[tuple[str, str]] = []
    while text:
        sign, rest = text[0], text[1:]
        match = next((i for i in ids if rest.startswith(i)), None)
        if match is None:
            end = min((rest.find(s) for s in "+-" if s in rest), default=len(rest))
            match = rest[:end]
            if sign == "+" and not difflib.get_close_matches(match, ids, n=1, cutoff=0.5):
                raise UsageError(f"unknown commit {match!r}; functions of a file are put into an "
                                 "edition by --patch FILE.py")
        find_change(match)
        found.append((sign, match))
        text = rest[len(match):]
    return found
