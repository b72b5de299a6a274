"""The results for programs: JSON, KTAP and JUnit XML."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from model.checking.cells import CellResult, Exit, judged
from model.cli import TOOL, tool


@dataclass(frozen=True)
class Files:
    """Where a cell's evidence was written: paths, or None."""

    trace: str | None = None
    certificate: str | None = None


def as_json(results: Sequence[CellResult], files: Sequence[Files]) -> str:
    """One object, {"tool", "results"}, as results.schema.json beside this file says."""
    rows: list[dict[str, Any]] = [{
        "kernel": r.kernel, "mapping": r.mapping, "property": r.prop, "verdict": r.verdict,
        "depth": r.depth, "engine": r.engine, "expected": r.expected, "met": r.met,
        "seconds": r.seconds, "trace": f.trace, "certificate": f.certificate,
        "allow": list(r.allow), "calls": None if r.trace is None else list(r.trace),
        "reason": r.reason or None,
        "causes": None if r.causes is None else [
            {"name": c.name, "calls": list(c.calls), "remedy": c.remedy} for c in r.causes],
        "rest": r.rest, "pages": r.proved_for, "cached": r.cached,
        **({"base": r.base, "patch": r.patch} if r.patch else {}),
        **({"promise": r.promise} if r.promise else {}),
    } for r, f in zip(results, files, strict=True)]
    return json.dumps({"tool": tool(), "results": rows}, indent=1)


def story(r: CellResult) -> str:
    """One line: the verdict with its depth, what was expected, the calls, the reason."""
    told = r.word
    if r.verdict == "violated":
        told += f" at step {r.depth}: {', '.join(r.trace or ()) or 'the fresh mapping'}"
    elif r.verdict == "bounded":
        told += f": no violation up to {r.depth} calls, which is not a proof"
    if r.reason:
        told += f" ({r.reason})"
    if r.causes:
        told += "; " + by_causes(r)
    if r.news or r.open:
        return f"{told}; {r.news or r.open}"
    return (told if r.met or r.expected is None else
            f"{told}; expected{' of ' * bool(r.base)}{r.base}: {r.expected}")


def by_causes(r: CellResult) -> str:
    """"by A (3 calls), by B (5 calls); nothing else, proved"."""
    told = ", ".join(f"by {c.name or 'what is not known'} ({len(c.calls)} calls)"
                     for c in r.causes or ())
    return f"{told}; {left(r)}"


def left(r: CellResult) -> str:
    """What is left when all causes are taken away."""
    return ("nothing else, proved" if r.rest == "proved" else
            "nothing known takes it away" if r.rest == "violated" else
            f"what is left: {r.rest}")


def passes(r: CellResult, strict: bool) -> bool:
    return r.exit_code(strict) == Exit.MET


def _dotted(r: CellResult) -> str:
    return "+".join((r.mapping, *r.allow))


def as_ktap(results: Sequence[CellResult], strict: bool) -> str:
    results = judged(results)
    lines = ["KTAP version 1", f"1..{len(results)}"]
    for number, r in enumerate(results, start=1):
        result = "ok" if passes(r, strict) else "not ok"
        lines.append(f"{result} {number} {r.kernel}.{_dotted(r)}.{r.prop} # {story(r)}")
    return "\n".join(lines)


def as_junit(results: Sequence[CellResult], strict: bool) -> str:
    results = judged(results)
    failed = sum(not passes(r, strict) for r in results)
    suite = ElementTree.Element("testsuite", name=TOOL, tests=str(len(results)),
                                failures=str(failed))
    for r in results:
        case = ElementTree.SubElement(suite, "testcase", classname=f"{r.kernel}.{_dotted(r)}",
                                      name=r.prop, time=f"{r.seconds:.3f}")
        if passes(r, strict):
            ElementTree.SubElement(case, "system-out").text = story(r)
        else:
            ElementTree.SubElement(case, "failure", type=r.verdict, message=story(r))
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)
