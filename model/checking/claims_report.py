"""The verdicts on claims as text and JSON, and what they make of the exit code."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from model.checking.cells import Exit
from model.checking.claims import UNDECIDED, VACUOUS, Answer, Judged
from model.cli import tool
from properties.claims.base import EXCEPT, FALSE, TRUE

_WORST_FIRST = (Exit.UNEXPECTED_VIOLATION, Exit.VIOLATION_NOT_FOUND, Exit.VACUOUS, Exit.UNDECIDED,
                Exit.MET)
_RANK = {TRUE: 0, EXCEPT: 1, FALSE: 2}
_COLOURS = {TRUE: "32", FALSE: "33", EXCEPT: "33", UNDECIDED: "35", VACUOUS: "35"}
_WIDTH = 88
Traces = dict[tuple[str, str, str], str]
"""Where the calls of an answer were written, by claim, edition and mapping."""


def exit_code(results: Sequence[Judged], strict: bool) -> Exit:
    """The worst of all verdicts: more false than expected, less false, vacuous, undecided. Where a
    patch file was given it is about the editions with it: that one of these is true except where
    the edition without it is not is as unexpected as that it is false."""
    codes = {_code(j, strict) for j in _about(results)}
    if any(_changes(j, of).startswith("except") for j, of in _pairs(results)):
        codes.add(Exit.UNEXPECTED_VIOLATION)
    return next((code for code in _WORST_FIRST if code in codes), Exit.MET)


def _about(results: Sequence[Judged]) -> list[Judged]:
    return [j for j in results if j.patch] or list(results)


def _pairs(results: Sequence[Judged]) -> list[tuple[Judged, Judged]]:
    """Each verdict on an edition with a patch file, and that on the edition without it."""
    found = {(j.claim.name, j.kernel): j for j in results}
    return [(j, found[j.claim.name, j.base]) for j in results if j.patch]


def _changes(judged: Judged, base: Judged) -> str:
    """What a patch file makes of a verdict; empty where that is the same."""
    if judged.verdict != base.verdict:
        return f"{base.verdict} -> {judged.verdict}"
    if judged.condition == base.condition:
        return ""
    return f"{EXCEPT.split()[-1]} {in_words(base.condition)} -> {in_words(judged.condition)}"


def _code(judged: Judged, strict: bool) -> Exit:
    worse = [_RANK[a.verdict] - (0 if strict else _RANK[a.expected]) for a in judged.answers]
    if any(by > 0 for by in worse):
        return Exit.UNEXPECTED_VIOLATION
    if any(by < 0 for by in worse):
        return Exit.VIOLATION_NOT_FOUND
    if judged.verdict == VACUOUS:
        return Exit.VACUOUS
    return Exit.UNDECIDED if judged.verdict == UNDECIDED else Exit.MET


def as_json(results: Sequence[Judged], traces: Traces) -> str:
    rows: list[dict[str, Any]] = [{
        "claim": j.claim.name, "fact": j.claim.fact, "of_message": not j.claim.ours,
        "kernel": j.kernel, "verdict": j.verdict,
        "condition": [list(cube) for cube in j.condition], "domain": j.domain, "met": j.met,
        "reason": j.reason, "seconds": j.seconds,
        **({"base": j.base, "patch": j.patch} if j.patch else {}),
        "mappings": [{
            "mapping": a.mapping, "verdict": a.verdict, "expected": a.expected, "met": a.met,
            "because": a.because, "instances": a.instances, "reason": a.reason,
            "kernel": a.kernel, "beside": a.beside or None,
            "ops": None if a.ops is None else list(a.ops),
            "trace": traces.get((j.claim.name, j.kernel, a.mapping)),
        } for a in j.answers],
    } for j in results]
    loss = [{"kernel": j.kernel, "claim": j.claim.name, "verdict": j.verdict,
             "condition": [list(cube) for cube in j.condition]} for j in _preconditions(results)]
    return json.dumps({"tool": tool(), "claims": rows, "loss": loss}, indent=1)


def in_words(condition: Sequence[Sequence[str]]) -> str:
    """A disjunction of conjunctions; an empty conjunction asks nothing."""
    cubes = [(" and ".join(cube) or "always", len(cube) > 1) for cube in condition]
    return " or ".join(f"({cube})" if several and len(cubes) > 1 else cube
                       for cube, several in cubes)


class TextReport:
    """Each claim once, with the editions that share a verdict in one line, and at the end the
    weakest precondition of the loss."""

    def __init__(self, results: Sequence[Judged], *, colour: bool, strict: bool) -> None:
        self._results = results
        self._colour = colour
        self._strict = strict

    def __str__(self) -> str:
        named = dict.fromkeys(j.claim.name for j in self._results)
        parts = [self._claim([j for j in self._results if j.claim.name == name]) for name in named]
        return "\n\n".join([*self._patched(), *parts, *self._partings(), *self._loss()])

    def _patched(self) -> list[str]:
        """What a patch file changes, by editions."""
        told: dict[str, list[str]] = {}
        for j, base in _pairs(self._results):
            lines = told.setdefault(f"From {j.base} to {j.kernel} ({j.patch}):", [])
            if changes := _changes(j, base):
                wrong = " (not as expected)" * changes.startswith("except")
                lines += _wrapped(f"{j.claim.name}: {changes}{wrong}", 2)
        return ["\n".join([title, *(lines or ["  all verdicts are the same"])])
                for title, lines in told.items()]

    def _claim(self, group: Sequence[Judged]) -> str:
        first = group[0]
        lines = [first.claim.name, *_wrapped(f"{first.claim.fact} [{first.domain}]", 2)]
        alike: dict[Any, list[Judged]] = {}
        for j in group:
            alike.setdefault((j.verdict, j.condition, j.reason, _code(j, self._strict),
                              tuple(_calls(j)), tuple(_reasons(j))), []).append(j)
        for same in alike.values():
            lines += self._verdict(same)
        return "\n".join(lines)

    def _verdict(self, same: Sequence[Judged]) -> Iterator[str]:
        j = same[0]
        code = _code(j, self._strict)
        mark = "" if code == Exit.MET else "  ! not as " + ("wanted" if self._strict
                                                             else "expected")
        told = f"{j.verdict}{mark}"
        if self._colour:
            told = f"\033[{_COLOURS[j.verdict] if code == Exit.MET else '31'}m{told}\033[0m"
        yield f"  {', '.join(s.kernel for s in same)}: {told}"
        if j.condition:
            yield from _wrapped(in_words(j.condition), 6)
        if j.reason:
            yield from _wrapped(j.reason, 6)
        for mappings, calls in _calls(j):
            yield from _wrapped(f"{mappings}: {calls}", 6)
        for because in _reasons(j):
            yield from _wrapped(f"({because})", 6)

    def _partings(self) -> list[str]:
        """The sentences of the message that are not simply true."""
        told: dict[tuple[str, str], list[str]] = {}
        for j in self._results:
            if not j.claim.ours and j.verdict in (FALSE, EXCEPT):
                told.setdefault((j.claim.name, j.verdict), []).append(j.kernel)
        if not told:
            return []
        lines = ["Where the code parts from the message (the model follows the code):"]
        for (name, verdict), kernels in told.items():
            lines += _wrapped(f"{name}: {verdict} in {', '.join(kernels)}", 2)
        return ["\n".join(lines)]

    def _loss(self) -> list[str]:
        """What each precondition is, by editions."""
        found: dict[str, dict[str, list[str]]] = {}
        for j in _preconditions(self._results):
            words = {EXCEPT: in_words(j.condition), TRUE: "never", FALSE: "always"}
            kernels = found.setdefault(j.claim.precondition, {})
            kernels.setdefault(words.get(j.verdict, j.verdict), []).append(j.kernel)
        lines = ["The weakest precondition of the loss, exact over every reachable state:"]
        for what, by_condition in found.items():
            lines += _wrapped(f"{what} exactly if", 2)
            for when, editions in by_condition.items():
                lines += _wrapped(f"{', '.join(editions)}: {when}", 6)
        return ["\n".join(lines)] if found else []


def _preconditions(results: Sequence[Judged]) -> list[Judged]:
    return [j for j in results if j.claim.precondition]


def _calls(judged: Judged) -> Iterator[tuple[str, str]]:
    """The mappings that share calls, and the calls, with the editions that they are run in."""
    shared: dict[str, list[Answer]] = {}
    for a in judged.answers:
        if a.ops is not None or a.reason:
            calls = ", ".join(a.ops) if a.ops else a.reason
            shared.setdefault(calls, []).append(a)
    for calls, answers in shared.items():
        yield ", ".join(a.mapping for a in answers), calls


def _reasons(judged: Judged) -> Iterator[str]:
    """Why it is expected not to be simply true, each reason once."""
    yield from dict.fromkeys(a.because for a in judged.answers if a.verdict != TRUE and a.met)


def _wrapped(text: str, indent: int) -> list[str]:
    space = " " * indent
    return textwrap.wrap(text, _WIDTH, initial_indent=space, subsequent_indent=space + "  ",
                         break_on_hyphens=False)
