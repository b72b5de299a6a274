"""What the search for changes found, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from model.checking.backporting import Answer, Breach, Found
from model.checking.cells import CellResult
from model.checking.series import BAD, Course, Turn
from model.cli import tool
from model.kernel.changes import CHANGES


def answers_text(answers: Sequence[Answer]) -> str:
    return "\n\n".join("\n".join(_answer(a)) for a in answers)


def _calls(trace: Sequence[str]) -> str:
    return ", ".join(trace) or "no call at all"


def _scope(a: Answer) -> str:
    return f" with {', '.join(a.allow)}" if a.allow else ""


def _answer(a: Answer) -> list[str]:
    head = f"{a.prop} in {a.edition}{_scope(a)}: "
    if a.reason:
        return [head + f"undecided: {a.reason}"]
    if not a.broken:
        return [head + f"holds already on {', '.join(a.mappings)}; nothing to take"]
    lines = [head + f"broken on {', '.join(a.broken)}"]
    kept = [m for m in a.mappings if m not in a.broken]
    if kept:
        lines.append(f"  it holds already on {', '.join(kept)}")
    for mapping, search in a.alone.items():
        lines += [f"  {mapping}: {_calls(a.broken[mapping])}"]
        if not search.sets:
            offer = (f"no set of the {a.offered} known changes on offer is enough" if a.offered
                     else "no known change is left to take")
            lines.append(f"    {offer}; what later kernels did is not known here:")
            last = " whichever are taken" if a.offered and len(search.refutations) == 1 else ""
            lines += [f"    {_calls(r.trace)} breaks {r.prop}{last}" for r in search.refutations]
        elif len(a.together) > 1:
            found = " or ".join(" ".join(c for c in CHANGES if c in s) for s in search.sets)
            lines.append(f"    mended by {found}")
    if a.together and not a.sets:
        lines.append(f"  no set makes it hold on {', '.join(a.together)} together")
    if a.sets:
        number = f"{len(a.sets)} minimal sets, all there are" if len(a.sets) > 1 else (
            "one minimal set, and no other")
        lines.append(f"  {number}, of {a.offered} changes on offer, for {', '.join(a.together)}:")
    for found_set in a.sets:
        lines += _found(found_set, a.prop)
    return lines


def _found(f: Found, prop: str) -> list[str]:
    lines = [f"  {f.edition}"]
    for ids, verb in ((f.added, "take"), (f.dropped, "drop")):
        lines += [f"    {verb} {c}  {CHANGES[c].title} ({CHANGES[c].since})" for c in ids]
    lines += [f"    {_proof(r)}" for r in f.proofs if r.prop == prop]
    others = [r for r in f.proofs if r.prop != prop]
    if others:
        kept = sum(r.verdict == "proved" for r in others)
        lines.append(f"    {kept} of {len(others)} promises that were to be kept proved too")
        lines += [f"    {r.prop}: {_proof(r)}" for r in others if r.verdict != "proved"]
    lines += [_broken("with" if c in f.dropped else "without", c, b, prop)
              for c, b in f.without.items()]
    lines += [_broken("leans on", c, b, prop, "else ") for c, b in f.leans_on.items()]
    lines += [_broken("conflicts with", c, b, prop) for c, b in f.conflicts.items()]
    lines += [f"    it breaks {b.prop} on {b.mapping}: {_calls(b.trace)}" for b in f.breaks]
    lines += [f"    it mends {b.prop} on {b.mapping} too" for b in f.mends]
    return lines


def _proof(r: CellResult) -> str:
    if r.verdict == "proved":
        return f"proved on {r.mapping} at every depth by {r.engine}"
    told = f" by {_calls(r.trace)}" if r.trace else f": {r.reason}" if r.reason else ""
    return f"{r.verdict.upper()} on {r.mapping}{told}"


def _broken(word: str, change: str, b: Breach, prop: str, otherwise: str = "") -> str:
    other = f" breaks {b.prop}" if b.prop != prop else ""
    return f"    {word} {change}: {otherwise}{_calls(b.trace)} ({b.mapping}){other}"


def courses_text(courses: Sequence[Course]) -> str:
    return "\n\n".join("\n".join(_course(c)) for c in courses)


def _course(c: Course) -> list[str]:
    scope = f" with {', '.join(c.allow)}" if c.allow else ""
    lines = [f"{c.prop} on {c.mapping}{scope}"]
    width = max(len(s.edition) for s in c.stops)
    for stop in c.stops:
        told = _calls(stop.trace) if stop.trace is not None else stop.reason
        lines.append(f"  {stop.edition:{width}}  {stop.verdict:8}{told}".rstrip())
    for turn in c.turns:
        lines += _turn(turn)
    if not c.turns:
        bad = [s for s in c.stops if s.verdict == BAD]
        lines.append("  no turn: " + ("bad from the first on" if bad else "no edition is bad"))
    return lines


def _turn(t: Turn) -> list[str]:
    ends = (f"last good {t.before}, first bad {t.after}" if t.lost
            else f"last bad {t.before}, good again {t.after}")
    by = " or ".join(" ".join(s) for s in t.by) or "no single part of them that could be found"
    return [f"  {ends}: {_proof(t.good)} in {t.good.kernel}",
            f"    between them: {' '.join(t.between)}",
            f"    {'lost' if t.lost else 'mended'} by {by}"]


def answers_json(answers: Sequence[Answer]) -> str:
    return _json([{**asdict(a), "alone": _alone(a), "sets": [_plain(f) for f in a.sets],
                   "hopeless": a.hopeless} for a in answers], "answers")


def _alone(a: Answer) -> dict[str, Any]:
    return {mapping: {"sets": [[c for c in CHANGES if c in s] for s in search.sets],
                      "refutations": [asdict(r) for r in search.refutations],
                      "tried": search.tried} for mapping, search in a.alone.items()}


def _plain(f: Found) -> dict[str, Any]:
    return {**asdict(f), "proofs": [_result(r) for r in f.proofs]}


def _result(r: CellResult) -> dict[str, Any]:
    return asdict(replace(r, certificate=None))


def courses_json(courses: Sequence[Course]) -> str:
    return _json([{**asdict(c), "turns": [{**asdict(t), "good": _result(t.good)} for t in c.turns]}
                  for c in courses], "courses")


def _json(rows: list[dict[str, Any]], name: str) -> str:
    return json.dumps({"tool": tool(), name: rows}, indent=2)
