"""The results as text, JSON, KTAP and JUnit XML."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from model.checking.cells import CellResult, Exit, judged
from model.cli import TOOL, tool
from model.kernel.changes import CHANGES
from model.kernel.editions import find_edition

_COLUMNS = 5
_COLOURS = {"proved": "32", "violated": "33", "bounded": "36", "unknown": "35", "vacuous": "35",
            "contradiction": "31"}
_UNMET = "31"


@dataclass(frozen=True)
class Files:
    """Where a cell's evidence was written: paths, or None."""

    trace: str | None = None
    certificate: str | None = None


def as_json(results: Sequence[CellResult], files: Sequence[Files]) -> str:
    rows: list[dict[str, Any]] = [{
        "kernel": r.kernel, "mapping": r.mapping, "property": r.prop, "verdict": r.verdict,
        "depth": r.depth, "engine": r.engine, "expected": r.expected, "met": r.met,
        "seconds": r.seconds, "trace": f.trace, "certificate": f.certificate,
        **({"allow": list(r.allow)} if r.allow else {}),
        **({"base": r.base, "patch": r.patch} if r.patch else {}),
    } for r, f in zip(results, files, strict=True)]
    return json.dumps({"tool": tool(), "results": rows}, indent=1)


def _story(r: CellResult) -> str:
    """One line: the verdict with its depth, what was expected, the calls, the reason."""
    told = r.verdict
    if r.verdict == "violated":
        told += f" at step {r.depth}: {', '.join(r.trace or ()) or 'the fresh mapping'}"
    elif r.verdict == "bounded":
        told += f": no violation up to {r.depth} calls, which is not a proof"
    if r.reason:
        told += f" ({r.reason})"
    if r.news or r.open:
        return f"{told}; {r.news or r.open}"
    return told if r.met else f"{told}; expected{' of ' * bool(r.base)}{r.base}: {r.expected}"


def _passes(r: CellResult, strict: bool) -> bool:
    return r.exit_code(strict) == Exit.MET


def _dotted(r: CellResult) -> str:
    return "+".join((r.mapping, *r.allow))


def as_ktap(results: Sequence[CellResult], strict: bool) -> str:
    results = judged(results)
    lines = ["KTAP version 1", f"1..{len(results)}"]
    for number, r in enumerate(results, start=1):
        result = "ok" if _passes(r, strict) else "not ok"
        lines.append(f"{result} {number} {r.kernel}.{_dotted(r)}.{r.prop} # {_story(r)}")
    return "\n".join(lines)


def as_junit(results: Sequence[CellResult], strict: bool) -> str:
    results = judged(results)
    failed = sum(not _passes(r, strict) for r in results)
    suite = ElementTree.Element("testsuite", name=TOOL, tests=str(len(results)),
                                failures=str(failed))
    for r in results:
        case = ElementTree.SubElement(suite, "testcase", classname=f"{r.kernel}.{_dotted(r)}",
                                      name=r.prop, time=f"{r.seconds:.3f}")
        if _passes(r, strict):
            ElementTree.SubElement(case, "system-out").text = _story(r)
        else:
            ElementTree.SubElement(case, "failure", type=r.verdict, message=_story(r))
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)


class TextReport:
    """The report for a reader: a table for each mapping, then what is broken and why."""

    def __init__(self, results: Sequence[CellResult], *, colour: bool, strict: bool,
                 verbose: int) -> None:
        self._results = results
        self._colour = colour
        self._strict = strict
        self._verbose = verbose
        self._judged = {r.kernel for r in judged(results)}

    def __str__(self) -> str:
        parts = [*self._tables(), self._legend(), *self._broken(), *self._others(),
                 *self._differences()]
        return "\n\n".join(part for part in parts if part)

    def _passes(self, r: CellResult) -> bool:
        return _passes(r, self._strict and r.kernel in self._judged)

    def _paint(self, text: str, r: CellResult) -> str:
        if not self._colour:
            return text
        code = _COLOURS[r.verdict] if self._passes(r) else _UNMET
        return f"\033[{code}m{text}\033[0m"

    def _tables(self) -> list[str]:
        """A table for each mapping; of many editions one for each promise."""
        kernels = list(dict.fromkeys(r.kernel for r in self._results))
        if len(kernels) > _COLUMNS:
            return [self._matrix(p) for p in dict.fromkeys(r.prop for r in self._results)]
        return [self._table(m, kernels) for m in dict.fromkeys(r.scope for r in self._results)]

    def _matrix(self, prop: str) -> str:
        """Editions by mappings; `@k` is short for violated@k."""
        cells = {(r.kernel, r.scope): r for r in self._results if r.prop == prop}
        scopes = list(dict.fromkeys(scope for _, scope in cells))
        widths = {scope: max(8, len(scope) + 2) for scope in scopes}
        first = max(len(kernel) for kernel, _ in cells) + 4
        lines = [prop, " " * first + "".join(f"{s:{widths[s]}}" for s in scopes).rstrip()]
        for kernel in dict.fromkeys(kernel for kernel, _ in cells):
            line = f"  {kernel:{first - 2}}"
            for scope in scopes:
                line += self._entry(cells.get((kernel, scope)), widths[scope], short=True)
            lines.append(line.rstrip())
        return "\n".join(lines)

    def _entry(self, r: CellResult | None, width: int, short: bool = False) -> str:
        """One cell; `-` where the promise does not speak of the mapping."""
        if r is None:
            return "-" + " " * (width - 1)
        word = f"@{r.depth}" if short and r.verdict == "violated" else _cell(r)
        word += "" if self._passes(r) else " !"
        return self._paint(word, r) + " " * (width - len(word))

    def _table(self, mapping: str, kernels: Sequence[str]) -> str:
        cells = {(r.prop, r.kernel): r for r in self._results if r.scope == mapping}
        widths = {k: max(14, len(k) + 2) for k in kernels}
        lines = [f"{mapping:30}" + "".join(f"{k:{widths[k]}}" for k in kernels).rstrip()]
        for prop in dict.fromkeys(p for p, _ in cells):
            line = f"  {prop:28}"
            for kernel in kernels:
                line += self._entry(cells.get((prop, kernel)), widths[kernel])
            lines.append(line.rstrip())
        return "\n".join(lines)

    def _legend(self) -> str:
        many = len({r.kernel for r in self._results}) > _COLUMNS
        told = ["proved: at every depth, certificate checked",
                f"{'@k: violated' if many else 'violated@k'}: the shortest trace has k calls"]
        if any(r.verdict == "bounded" for r in self._results):
            told.append("bounded@k: none up to k calls, no proof")
        if not all(self._passes(r) for r in self._results):
            told.append("!: not as " + ("wanted" if self._strict else "expected"))
        return "\n".join(textwrap.wrap("; ".join(told), 72))

    def _broken(self) -> list[str]:
        """Each violation once, with all the editions that share its calls."""
        told: dict[tuple[object, ...], list[CellResult]] = {}
        for r in self._results:
            if r.verdict == "violated":
                told.setdefault((r.prop, r.scope, r.trace, r.because, r.met, r.news), []).append(r)
        return [_violation(group) for group in told.values()]

    def _others(self) -> list[str]:
        """What was not settled or not as expected; with -v also what each proof leans on."""
        lines = [f"{r.prop} on {r.scope} in {r.kernel}: {_story(r)}" for r in self._results
                 if r.verdict != "violated" and not self._passes(r)]
        if self._verbose:
            lines += [f"{r.prop} on {r.scope} in {r.kernel}: proved by {r.engine} in "
                      f"{r.seconds:.2f} s; leans on {', '.join(r.lemmas) or 'no lemma'}"
                      for r in self._results if r.verdict == "proved"]
            sizes = {(r.kernel, r.scope): (r.states, r.diameter) for r in self._results
                     if r.states is not None}
            lines += [f"{mapping} in {kernel}: {states} reachable states, diameter {diameter}"
                      for (kernel, mapping), (states, diameter) in sizes.items()]
        return ["\n".join(lines)] if lines else []

    def _differences(self) -> list[str]:
        """Where two editions are compared, or some with a patch file to those without: what the
        changes between them did to the promises."""
        patches = dict.fromkeys((r.base, r.kernel, r.patch) for r in self._results if r.patch)
        if patches:
            return [self._difference(*pair) for pair in patches]
        kernels = list(dict.fromkeys(r.kernel for r in self._results))
        if len(kernels) != 2:
            return []
        apart = find_edition(kernels[0]).changes ^ find_edition(kernels[1]).changes
        names = ", ".join(c for c in CHANGES if c in apart) or "nothing"
        return [self._difference(kernels[0], kernels[1], names)]

    def _difference(self, before: str, after: str, by: str) -> str:
        old, new = ({(r.scope, r.prop): r for r in self._results if r.kernel == k}
                    for k in (before, after))
        both = [key for key in old if key in new]
        changed = [key for key in both
                   if old[key].verdict != new[key].verdict or new[key].news]
        head = f"From {before} to {after} ({by}):"
        same = len(both) - len(changed)
        lines = [f"  {prop} on {mapping}: {old[mapping, prop].verdict} -> "
                 f"{_verdict(new[mapping, prop])}" for mapping, prop in changed]
        return "\n".join([head, *lines, f"  {same} of {len(both)} verdicts are the same"])


def _violation(group: Sequence[CellResult]) -> str:
    r = group[0]
    kernels = ", ".join(g.kernel for g in group)
    lines = [f"{r.prop} on {r.scope} in {kernels}: violated at step {r.depth}, "
             + ("as expected" if r.met else _unmet(r)), f"    {', '.join(r.trace or ())}"]
    if r.loss:
        lines.append(f"    {r.loss}")
    return "\n".join(lines + textwrap.wrap(r.because, 68, initial_indent="    ",
                                           subsequent_indent="    "))


def _unmet(r: CellResult) -> str:
    known = r.news or (f"{r.base} is expected to keep it" if r.patch else "")
    return "NOT EXPECTED" + (f": {known}" if known else "")


def _verdict(r: CellResult) -> str:
    """With what is new about it; what a patch broke that was whole is news by the verdict alone."""
    return f"{r.verdict}: {r.news}" if r.news and r.patch else r.verdict


def _cell(r: CellResult) -> str:
    return f"{r.verdict}@{r.depth}" if r.verdict in ("violated", "bounded") else r.verdict
