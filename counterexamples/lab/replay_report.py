"""A replay as text, JSON and KTAP."""

from __future__ import annotations

import json
from collections.abc import Collection

from counterexamples.lab.observe import PAGEMAP, Difference, Seen, SeenPages
from counterexamples.lab.replaying import SKIP, Replay, Verdict
from model.cli import tool

_LETTERS = dict(zip(PAGEMAP, "PWFXUS", strict=True))
_FLAGS = ("rd", "wr", "um", "uw", "ur", "sd")


def as_text(replay: Replay) -> str:
    """The model's column beside the kernel's, then the verdict."""
    if not replay.rows:
        return replay.verdict.line
    plan, kernel = replay.plan, replay.kernel
    head = "outcome flt pgmap  VmFlags"
    wide = max(13, *(len(row.op) for row in replay.rows)) + 1
    cells = [tuple(_cells(seen, replay.ignored) for seen in (row.model, row.kernel))
             for row in replay.rows]
    half = max(31, *(len(line) for model, _ in cells for line in model))
    lines = [f"{plan.title}: the model of {plan.edition.name} beside {kernel.name}",
             f"({kernel.version})", "",
             f"{'':4}{'':{wide}}{plan.edition.name:{half}} {kernel.name}",
             f" #  {'call':{wide}}{head:{half}} {head}"]
    for number, (row, (model, real)) in enumerate(zip(replay.rows, cells, strict=True), start=1):
        if plan.shown and number == len(replay.rows) - plan.shown + 1:
            lines.append("    what shows it to a program:")
        mark = "" if row.difference is None else f" <- {row.difference.field}"
        for at, (left, right) in enumerate(zip(model, real, strict=True)):
            shown = f"{number:>2}  {row.op}" if not at else ""
            lines.append(f"{shown:{wide + 4}}{left:{half}} {right}{'' if at else mark}".rstrip())
    legend = ", ".join(f"{letter} {bit.replace('_', '-')}" for bit, letter in _LETTERS.items())
    blank = "\n       blank where it is not compared" if replay.ignored else ""
    return "\n".join([*lines, "", f"pgmap: {legend}{blank}", "", replay.verdict.line])


def _cells(seen: Seen, ignored: Collection[str]) -> list[str]:
    """What is seen after a call: a line, and of several pages one for each, with the flags of the
    VMA that begins there."""
    head = f"{seen.outcome:7} {seen.faults:>3}"
    if not isinstance(seen, SeenPages):
        return [f"{head} {_bits(seen.pagemap, ignored)} {_named(seen.vm_flags, ignored)}".rstrip()]
    starts = {vma.first: f"{vma.first}-{vma.last} {_named(vma.vm_flags, ignored)}"
              for vma in seen.vmas}
    pages = [f"{at:>9}   " + ("nothing" if page is None else
                             f"{_bits(page.pagemap, ignored)} {starts.get(at, '')}")
             for at, page in enumerate(seen.pages)]
    return [head, *pages]


def _bits(pagemap: Collection[str], ignored: Collection[str]) -> str:
    return "".join(" " if bit in ignored else letter if bit in pagemap else "-"
                   for bit, letter in _LETTERS.items())


def _named(vm_flags: Collection[str], ignored: Collection[str]) -> str:
    return " ".join(f for f in _FLAGS if f in vm_flags and f not in ignored)


def as_json(replay: Replay) -> str:
    """One object; the steps in the form of `model.simulate`."""
    plan, kernel, verdict = replay.plan, replay.kernel, replay.verdict
    found = verdict.difference
    return json.dumps({
        "tool": tool(),
        "kernel": {"name": kernel.name, "version": kernel.version, "sha256": kernel.sha256,
                   "release": replay.release, "edition": kernel.edition},
        "trace": {"kernel": plan.edition.name, "mapping": plan.mapping,
                  "property": plan.prop or None},
        "verdict": verdict.word, "line": verdict.line, "step": verdict.step,
        "difference": found and _difference(found),
        "beside": [{"step": step, **_difference(d)} for step, d in verdict.beside],
        "not_compared": sorted(replay.ignored),
        "steps": [{"op": row.op, "agrees": row.difference is None,
                   "shows": number > len(replay.rows) - plan.shown,
                   "model": row.model.as_json(row.op), "kernel": row.kernel.as_json(row.op)}
                  for number, row in enumerate(replay.rows, start=1)]}, indent=1)


def _difference(found: Difference) -> dict[str, str]:
    return {"field": found.field, "model": found.model, "kernel": found.kernel}


def as_ktap(replay: Replay) -> str:
    """A test point for each step (Documentation/dev-tools/ktap.rst)."""
    if not replay.rows:
        return _ktap_without_rows(replay.kernel.name, replay.verdict)
    points = [f"not ok {number} {row.op} # {row.difference}" if row.difference
              else f"ok {number} {row.op}" for number, row in enumerate(replay.rows, start=1)]
    return "\n".join(["KTAP version 1", f"1..{len(points)}", *points,
                      f"# {replay.verdict.line}"])


def _ktap_without_rows(kernel: str, verdict: Verdict) -> str:
    if verdict.code == SKIP:
        return f"KTAP version 1\n1..0 # SKIP {verdict.line.removeprefix('SKIP: ')}"
    return f"KTAP version 1\n1..1\nnot ok 1 {kernel}\n# {verdict.line}"


FORMATS = {"text": as_text, "json": as_json, "ktap": as_ktap}
