"""The matrix: one cell is one promise put to one edition and one mapping."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from model.kernel.editions import EDITIONS, Edition, UsageError, find_edition, unknown
from model.kernel.records import Mapping
from model.processes import CANNOT_TELL
from model.system.actions.operations import CORE, OPERATIONS, with_needed
from model.system.actions.spans import OF_SEVERAL_ALONE, modelled_of_several
from model.system.actions.themes import modelled
from model.system.state.mappings import MAPPINGS, SEVERAL, find_memory, memory_name, one_page
from properties import PROPERTIES
from properties.base import Property

VACUOUS, CONTRADICTION = "vacuous", "contradiction"
INTERRUPTED = "interrupted"
"""The reason of what was not settled because the run was cut short."""


class Exit(IntEnum):
    """Exit codes of `check`."""

    MET = 0
    USAGE = 2
    VACUOUS = 10
    UNEXPECTED_VIOLATION = 12
    VIOLATION_NOT_FOUND = 20
    UNDECIDED = 30
    CONTRADICTION = 75
    INTERNAL = 255


MEANINGS = {
    Exit.MET: "every check met its expected verdict; a promise of your own is proved",
    Exit.USAGE: "wrong usage, nothing to check, or evidence that could not be written",
    Exit.VACUOUS: "vacuous: nothing puts a promise to the test",
    Exit.UNEXPECTED_VIOLATION: "an unexpected violation, or a promise of your own is broken; with "
                               "--strict any",
    Exit.VIOLATION_NOT_FOUND: "an expected violation was not found",
    Exit.UNDECIDED: "undecided, or interrupted",
    Exit.CONTRADICTION: "the model contradicts itself",
    Exit.INTERNAL: "internal error",
}
"""For --help. The worst wins, in the order of WORST_FIRST."""
WORST_FIRST = (Exit.INTERNAL, Exit.CONTRADICTION, Exit.UNEXPECTED_VIOLATION,
                Exit.VIOLATION_NOT_FOUND, Exit.VACUOUS, Exit.UNDECIDED, Exit.MET)


@dataclass(frozen=True)
class Cell:
    """One question to be answered."""

    edition: Edition
    mapping: Mapping
    prop: Property
    allow: tuple[str, ...] = ()
    """Operations beyond the core, and beyond those that the promise is about."""
    pages: int | None = None
    """Of a mapping with several pages, how many."""

    @property
    def memory(self) -> str:
        """The name of the mapping, with its pages where they are told."""
        return memory_name(self.mapping, self.pages)

    @property
    def operations(self) -> tuple[str, ...]:
        """All that is allowed beyond the core."""
        return tuple(dict.fromkeys((*self.prop.about, *self.allow)))

    @property
    def follows(self) -> tuple[str, ...]:
        """Facts that are kept for the promise."""
        if self.pages is None:
            return self.prop.follows
        return self.prop.among.follows if self.prop.among else ()

    @property
    def executes(self) -> list[str]:
        """The user's files that are executed for it."""
        return [*([self.edition.patch.file] if self.edition.patch else []),
                *([self.prop.own.file] if self.prop.own and self.prop.own.file else [])]


@dataclass(frozen=True)
class Cause:
    """One cause of a violation in words, and the shortest calls by which it breaks the promise
    where those before it are taken away. What takes it away is `remedy`, a change ("-ID": one that
    is dropped) or remedies of findings with + between; or that the call `excused` is not made; or,
    as far as is known, nothing."""

    name: str
    calls: tuple[str, ...]
    remedy: str | None = None
    excused: str | None = None


@dataclass(frozen=True)
class CellResult:
    """The answer, as plain data.

    `trace` are the operations of the violation; `certificate` the SMT-LIB text of a proof;
    `kernel` may be `base` with a user's file `patch`;
    `allow` are the operations that were allowed beyond the core and the promise's own, `loss` what
    kind of loss a violation is; `states` and `diameter` those of the reachable graph, where it was
    explored; `news` says why an expected violation is not the one that is known, and `open` why
    that was not found out. `expected` is None where nobody has said, of a promise of a user's own;
    `promise` is the file of such a one, `role` as of Property.
    """

    kernel: str
    mapping: str
    prop: str
    verdict: str
    depth: int | None
    engine: str
    expected: str | None
    because: str
    seconds: float
    trace: tuple[str, ...] | None = None
    certificate: str | None = None
    lemmas: tuple[str, ...] = ()
    reason: str = ""
    allow: tuple[str, ...] = ()
    loss: str = ""
    states: int | None = None
    diameter: int | None = None
    base: str = ""
    patch: str = ""
    promise: str = ""
    role: str = "promise"
    news: str = ""
    open: str = ""
    causes: tuple[Cause, ...] | None = None
    """Of a violation, where they were asked for: all that is found to cause it."""
    rest: str | None = None
    """The verdict where all causes are taken away."""
    cached: bool = False
    """Whether a proof was taken from what an earlier run has proved."""
    pages: int | None = None
    """Of a mapping with several pages, how many: what is proved is proved of so many alone."""

    @property
    def settled(self) -> bool:
        return self.verdict in ("proved", "violated")

    @property
    def cut_short(self) -> bool:
        """Whether the run was ended before this was settled."""
        return self.reason == INTERRUPTED

    @property
    def word(self) -> str:
        """The verdict for a reader."""
        if self.pages is not None and self.verdict == "proved":
            return f"proved for N = {self.pages}"
        return f"{self.verdict} (cached)" if self.cached else self.verdict

    @property
    def proved_for(self) -> int | None:
        """The number of pages that it is proved for."""
        return (self.pages or 1) if self.verdict == "proved" else None

    @property
    def scope(self) -> str:
        """The mapping, and the operations beyond the core that were allowed."""
        return self.mapping + (f" with {', '.join(self.allow)}" if self.allow else "")

    @property
    def met(self) -> bool:
        """Whether it is as expected; where nobody has said, whether the promise is kept."""
        return self.verdict == (self.expected or "proved") and not self.news

    def exit_code(self, strict: bool) -> Exit:
        """What this answer alone makes of the exit code."""
        match self.verdict:
            case "violated" if strict or not self.met:
                return Exit.UNEXPECTED_VIOLATION
            case "violated" if self.open:
                return Exit.UNDECIDED
            case "contradiction":
                return Exit.CONTRADICTION
            case "vacuous":
                return Exit.VACUOUS
            case "unknown":
                return Exit.UNDECIDED
            case "proved" | "bounded" if self.expected == "violated" and not strict:
                return Exit.VIOLATION_NOT_FOUND
            case "bounded":
                return Exit.UNDECIDED
        return Exit.MET


def judged(results: Sequence[CellResult]) -> list[CellResult]:
    """The results that the exit code is about: those of editions with a user's patch file, where
    there are such; the editions without it are run for comparison."""
    return [r for r in results if r.patch] or list(results)


def exit_code(results: Sequence[CellResult], strict: bool, *, interrupted: bool = False,
              missing: bool = False) -> Exit:
    """The worst of all answers. A run that was `interrupted` has none; where evidence is `missing`
    the run did not do what was asked, unless the model contradicts itself."""
    codes = {r.exit_code(strict) for r in results}
    if interrupted:
        return Exit.UNDECIDED
    if missing and Exit.CONTRADICTION not in codes:
        return Exit.USAGE
    return next((c for c in WORST_FIRST if c in codes), Exit.MET)


def bisect_code(results: Sequence[CellResult], *, interrupted: bool = False) -> int:
    """For `git bisect run`: 1 if any promise is broken, 0 if all are proved, else 125."""
    verdicts = {r.verdict for r in results}
    if "violated" in verdicts and not interrupted:
        return 1
    return 0 if verdicts == {"proved"} and not interrupted else CANNOT_TELL


def select(kind: str, patterns: Sequence[str], known: Sequence[str]) -> list[str]:
    """Those of `known` that the names or globs pick. Raises UsageError where one picks none."""
    chosen: list[str] = []
    for pattern in patterns:
        found = [k for k in known if fnmatch.fnmatchcase(k, pattern)]
        if not found:
            if kind == "mapping":
                one_page(pattern)
            raise unknown(kind, pattern, list(known))
        chosen += [f for f in found if f not in chosen]
    return chosen


def select_editions(patterns: Sequence[str], added: Sequence[str],
                    dropped: Sequence[str]) -> list[Edition]:
    """The editions named by names, globs or derived names, each with and without the changes.

    Raises UsageError for an unknown name, and for a change that no selected edition lacks (to add)
    or has (to drop).
    """
    chosen: list[Edition] = []
    for pattern in patterns:
        found = [EDITIONS[name] for name in EDITIONS if fnmatch.fnmatchcase(name, pattern)]
        chosen += [e for e in found or [find_edition(pattern)] if e not in chosen]
    for change in added:
        derived = [e.with_change(change) for e in chosen]
        _must_alter(chosen, derived, change, "has")
        chosen = derived
    for change in dropped:
        derived = [e.without_change(change) for e in chosen]
        _must_alter(chosen, derived, change, "lacks")
        chosen = derived
    return list(dict.fromkeys(chosen))


def _must_alter(old: list[Edition], new: list[Edition], change: str, verb: str) -> None:
    if old == new:
        names = ", ".join(e.name for e in old)
        raise UsageError(f"{change} makes no difference: {names} {verb} it already")


def select_promises(patterns: Sequence[str], own: Sequence[Property] = ()) -> list[Property]:
    """Those that names or globs pick, out of all that there are and a user's `own`; without a
    pattern, the user's own, or all. What comes of a file or an expression of the user's is picked
    whole, unless a pattern picks some of it. Raises UsageError where one picks none."""
    known = PROPERTIES | {p.name: p for p in own}
    if not patterns:
        return list(own or known.values())
    chosen = [known[name] for name in select("property", patterns, list(known))]
    named = {p.own for p in chosen}
    return [*chosen, *(p for p in own if p.own not in named)]


def plan(editions: Sequence[Edition], mappings: Sequence[str], properties: Sequence[str],
         allow: Sequence[str] = (), *, each: bool = False,
         own: Sequence[Property] = (), several: bool = False) -> list[Cell]:
    """The cells, edition by edition and mapping by mapping; a promise that does not speak of a
    mapping has none there. `properties` and `own` as of `select_promises`.

    `allow` are names or globs of operations beyond the core; with `each`, every one of them is
    allowed by itself, with what it needs, in cells of its own. Raises UsageError for an unknown
    name, and where no promise is left to be checked, or one of the user's own is not; `several`:
    mappings may have several pages.
    """
    for name in mappings if not several else ():
        one_page(name)
    memories = select_memories(mappings)
    chosen = select_promises(properties, own)
    known = [*OPERATIONS, *(OF_SEVERAL_ALONE if any(pages for _, pages in memories) else ())]
    beyond = [o for o in select("operation", allow, known) if o not in CORE]
    scopes = [with_needed(op) for op in beyond] if each else [tuple(beyond)]
    cells = [Cell(e, m, p, scope, pages) for e in editions for m, pages in memories
             for scope in scopes if set(scope) <= set(_modelled(e, m, pages)) for p in chosen
             if p.concerns(e, m, pages)]
    if any(cell.pages is not None and cell.edition.patch for cell in cells):
        raise UsageError("a patch file is checked on mappings of one page so far")
    asked = {cell.prop.name for cell in cells}
    silent = [p for p in chosen if p.own and p.name not in asked] if cells else chosen
    if silent or not cells:
        raise UsageError("nothing to check: "
                         + _silence(editions, [m for m, _ in memories], silent, scopes))
    return cells


def _modelled(edition: Edition, mapping: Mapping, pages: int | None) -> Sequence[str]:
    return (modelled(edition, mapping) if pages is None else
            modelled_of_several(edition, mapping))


def select_memories(patterns: Sequence[str]) -> list[tuple[Mapping, int | None]]:
    """The mappings that names or globs pick, each with its pages where they are told. Raises
    UsageError."""
    chosen: list[tuple[Mapping, int | None]] = []
    for pattern in patterns:
        kind, colon, pages = pattern.partition(":")
        names = select("mapping", [kind], SEVERAL if colon and "*" in kind else list(MAPPINGS))
        found = [find_memory(f"{name}{colon}{pages}") for name in names]
        chosen += [f for f in found if f not in chosen]
    return chosen


def _silence(editions: Sequence[Edition], mappings: Sequence[Mapping],
             properties: Sequence[Property], scopes: Sequence[Sequence[str]]) -> str:
    """Why there is no cell: of the first edition and mapping, where that stands for all."""
    if not scopes:
        return "--each is of operations beyond the core, and the core alone was named"
    where = f"{_all_of([m.name for m in mappings])} in {_all_of([e.name for e in editions])}"
    for what, wanted in [("", scope) for scope in scopes] + [
            (f"{p.name} is about {', '.join(p.about)}, and ", p.about) for p in properties]:
        lacking = [op for op in wanted
                   if all(op not in modelled(e, m) for e in editions for m in mappings)]
        if lacking:
            return f"{what}{', '.join(lacking)} is not modelled for {where}"
    silent = [p for p in properties
              if not any(p.speaks_of(e, m) for e in editions for m in mappings)]
    if not silent:
        return f"no promise can be put to {where} with all of these operations together"
    one, memories = len(silent) == 1, list(dict.fromkeys(p.memory for p in silent))
    told = (f"{'it speaks' if one else 'they speak'} of {memories[0]}" if len(memories) == 1 else
            "; ".join(f"{p.name} speaks of {p.memory}" for p in silent[:3]))
    return f"{_all_of([p.name for p in silent])} say{'s' * one} nothing of {where}: {told}"


def _all_of(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
