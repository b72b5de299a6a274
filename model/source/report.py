"""A comparison as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from model.source.compare import Comparison, Finding, differs
from model.source.correspond import FIXED, MEANING
from model.source.digests import (
    ABSENT,
    CHANGED,
    COMPILED_OUT,
    DRIFT,
    MISSING,
    MOVED,
    NEW,
    RENAMED,
    SAME,
    SPLIT,
    UNRECORDED,
    Part,
    editions,
)
from model.source.preprocess import CONFIG
from model.source.prove import DIFFERS, EQUAL, UNKNOWN, Proof, bits
from model.source.reader import digest

_RED, _GREEN, _PLAIN = "\033[31m", "\033[32m", "\033[0m"


def as_text(comparison: Comparison, *, colour: bool = False, verbose: int = 0) -> str:
    """A row for each function, in groups, then what has drifted, what was presumed, and the sums.
    """
    shown = [f for f in comparison.findings if not f.absent]
    presumed = list(dict.fromkeys(w for f in shown if f.proof for w in f.proof.presumed))
    rows = {id(f): (f.item.name, f.place or "not in the tree", _meaning(f, presumed), f.words)
            for f in shown}
    head = ("function", "where", "meaning", "text")
    widths = [max(len(row[n]) for row in (head, *rows.values())) + 2 for n in range(3)]
    lines = [_title(comparison), "", _row(head, widths)]
    for group, findings in _groups(shown).items():
        lines += ["", f"{group} ({len(findings)})"]
        for finding in findings:
            line = _row(rows[id(finding)], widths)
            lines.append((_RED if finding.drifted else _GREEN) + line + _PLAIN if colour else line)
    for finding in shown:
        if finding.drifted:
            lines += ["", *_drifted(finding, comparison.flags)]
    if any(f.status in DRIFT and not f.diff for f in shown) and comparison.old:
        lines += ["", comparison.old]
    if presumed:
        lines += ["", "proved for all inputs where"]
        lines += [f"  [{n}] {words}" for n, words in enumerate(presumed, 1)]
    if any(f.proof and f.proof.ignored_bits for f in shown):
        lines.append("  [f] the bits of the frame number, which the model leaves out, are not "
                     "compared")
    if verbose:
        lines += ["", *_trusted(shown)]
    return "\n".join([*lines, "", _sums(comparison)])


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=False)) + cells[3]


_GROUPS = {DIFFERS: "differs from the model", UNKNOWN: "not compared with the model",
           COMPILED_OUT: "compiled out", MISSING: "gone", SPLIT: "split", CHANGED: "changed",
           NEW: "new to the edition", RENAMED: "renamed", MOVED: "moved", SAME: "same",
           ABSENT: "written out where it was called", UNRECORDED: "not recorded"}


def _groups(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """By what is worst of each, the worst group first."""
    groups: dict[str, list[Finding]] = {title: [] for title in _GROUPS.values()}
    for finding in findings:
        proof = finding.proof.verdict if finding.proof else EQUAL
        groups[_GROUPS[finding.status if proof == EQUAL else proof]].append(finding)
    return {title: found for title, found in groups.items() if found}


def _title(comparison: Comparison) -> str:
    tree, read = comparison.tree, comparison.release
    known = f"read from {read}" if read else (
        f"of which no digests are recorded; --edition {' or '.join(editions())} has some")
    return f"{tree.name}, Linux {tree.version}, against {comparison.edition.name}, {known}"


def _meaning(finding: Finding, presumed: list[str]) -> str:
    proof = finding.proof
    if proof is None:
        return "not compared" if finding.item.leaf else "digested only"
    marks = [str(presumed.index(w) + 1) for w in proof.presumed]
    marks += ["f"] if proof.ignored_bits else []
    where = f" [{','.join(marks)}]" if marks else ""
    match proof.verdict:
        case "equal":
            return f"proved equal{where}"
        case "differs":
            return f"differs{where}"
    return "unknown"


def _drifted(finding: Finding, flags: Mapping[int, str]) -> Iterator[str]:
    proof = finding.proof
    told = finding.words if finding.status in DRIFT else ""
    if proof is not None and proof.verdict == EQUAL:
        told += ", and it is still equal to the model's"
    yield f"{finding.item.name} ({finding.place or 'not in the tree'})" + (
        f": {told}" if told else "")
    if proof is not None and proof.verdict == DIFFERS:
        yield (f"  differs from the model's {finding.item.function}() on this input, all that is "
               "not named 0 or false:")
        for name, value in proof.inputs:
            if value:
                yield f"    {name} = {_value(name, value, flags)}"
        yield f"  the tree answers {_value('', proof.tree, flags)}, the model " \
              f"{_value('', proof.model, flags)}" + (f"; {proof.reason}" if proof.reason else "")
    elif proof is not None and proof.reason:
        yield f"  not compared with the model: {proof.reason}"
    for line in finding.diff:
        yield f"  {line}"
    if finding.properties:
        yield "  properties that rest on it: " + ", ".join(finding.properties)
    else:
        yield "  no property rests on it"


def _value(name: str, value: int | bool, flags: Mapping[int, str]) -> str:
    named = bits(name, value, flags)
    return named if isinstance(value, bool) else f"{named} ({value:#x})"


def _trusted(shown: list[Finding]) -> Iterator[str]:
    """What the proofs trust: the configuration and the table of correspondences."""
    yield "trusted: the configuration has " + " ".join(CONFIG)
    yield "trusted: what inputs stand for"
    for name, words in MEANING.items():
        yield f"  {name:28}{words}"
    yield "trusted: what is fixed"
    for name, words in FIXED.items():
        yield f"  {name:40}{words}"
    yield "compared: the tree's C with the model's function, and what it is presumed of"
    for finding in shown:
        if finding.proof is not None and finding.item.leaf is not None:
            leaf, followed = finding.item.leaf, len(finding.proof.followed)
            yield f"  {leaf.c[-1]}"
            yield f"      {leaf.function}() of the model; {followed} functions of the tree followed"
            if finding.proof.facts:
                yield f"      facts: {', '.join(finding.proof.facts)}"
            if finding.proof.presumed:
                yield f"      where {'; '.join(finding.proof.presumed)}"


def _sums(comparison: Comparison) -> str:
    shown = [f for f in comparison.findings if not f.absent]
    proved = sum(f.proof is not None and f.proof.verdict == EQUAL for f in shown)
    told = sum(map(differs, shown))
    by_text = {s: sum(f.status == s for f in shown) for s in dict.fromkeys(f.status for f in shown)}
    parts = [f"{count} {status}" for status, count in by_text.items()]
    unknown = sum(f.proof is not None and f.proof.verdict not in (EQUAL, DIFFERS) for f in shown)
    parts += [f"{proved} proved equal"] + ([f"{told} differ"] if told else [])
    parts += [f"{unknown} unknown"] if unknown else []
    parts += [f"{sum(f.proof is None for f in shown)} digested only"]
    absent = len(comparison.findings) - len(shown)
    beside = f" ({absent} of other releases)" if absent else ""
    return f"{len(shown)} function{'s' * (len(shown) != 1)}{beside}: {', '.join(parts)}"


def as_json(comparison: Comparison, tool: dict[str, str]) -> str:
    return json.dumps({
        "tool": tool, "tree": comparison.tree.name, "version": comparison.tree.version,
        "edition": comparison.edition.name, "release": comparison.release or None,
        "drift": comparison.drifted, "configuration": list(CONFIG),
        "trusted": {**MEANING, **FIXED},
        "functions": [_finding(f) for f in comparison.findings],
    }, indent=1)


def _finding(finding: Finding) -> dict[str, Any]:
    return {"name": finding.item.name, "model": finding.item.function, "text": finding.status,
            "words": finding.words,
            "definitions": [_part(p) for p in finding.parts if p.status != ABSENT],
            "proof": _proof(finding), "drift": finding.drifted,
            "properties": list(finding.properties), "diff": list(finding.diff)}


def _part(part: Part) -> dict[str, Any]:
    first = part.found[0] if part.found else None
    return {"name": part.name, "text": part.status, "path": first.path if first else None,
            "line": first.line if first else None,
            "sha256": digest(part.found) if part.found else None,
            "recorded": {"name": part.recorded_name, "path": part.recorded_path,
                         "sha256": part.recorded_digest}
            if part.recorded_path else None}


def _proof(finding: Finding) -> dict[str, Any] | None:
    proof: Proof | None = finding.proof
    if proof is None or finding.item.leaf is None:
        return None
    told: dict[str, Any] = {
        "verdict": proof.verdict, "c": list(finding.item.leaf.c), "where": list(proof.presumed),
        "ignored_bits": proof.ignored_bits, "followed": dict(proof.followed),
        "facts": list(proof.facts), "reason": proof.reason or None}
    if proof.verdict == DIFFERS:
        told |= {"inputs": dict(proof.inputs), "tree": proof.tree, "model_answer": proof.model}
    return told
