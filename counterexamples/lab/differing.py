"""The traces of a diff, each on two kernels, and how that ended."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from counterexamples.lab.errors import CannotRun, KernelFailed, NotTried
from counterexamples.lab.kernels import Kernel
from counterexamples.lab.replaying import (
    CONFIRMED,
    FAILED,
    SKIP,
    Plan,
    Replay,
    failed,
    replay,
    skipped,
)
from counterexamples.sides import REPORT
from model.cli import tool
from model.files import read_json
from model.kernel.editions import Edition, UsageError, find_edition
from model.system.actions.operations import find_operation
from model.system.state.mappings import find_mapping


@dataclass(frozen=True)
class Shown:
    """One class of difference: where it was found, what it is, its calls, and what differs then:
    ``faults``, ``pagemap.soft_dirty``, ``vm_flags.uw``."""

    mapping: str
    kind: str
    ops: tuple[str, ...]
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Diff:
    """The editions that a diff has compared, and its classes."""

    a: Edition
    b: Edition
    shown: tuple[Shown, ...]


def read(folder: Path) -> Diff:
    """What `model.diff --out FOLDER` has left, each list of calls once. Raises UsageError for
    anything else."""
    path = folder / REPORT
    try:
        data = read_json(path)
        shown = [Shown(find_mapping(result["mapping"]).name, str(found["kind"]),
                       tuple(find_operation(op).name for op in found["operations"]),
                       tuple(map(str, found["fields"])))
                 for result in data["results"] for found in result["classes"]]
        return Diff(find_edition(data["a"]), find_edition(data["b"]), tuple(dict.fromkeys(shown)))
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error.strerror}; name a folder that "
                         "model.diff --out has written") from error
    except UsageError as error:
        raise UsageError(f"{str(path)!r}: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{str(path)!r} is not a report of model.diff; name a folder that "
                         "model.diff --out has written") from error


def on_kernel(kernel: Kernel, edition: Edition, diff: Diff, limit: float) -> list[Replay]:
    """Every class beside the model of `edition`, in one boot. A kernel that fails or cannot be
    tried has that for its answer to all that is left."""
    plans = [Plan(edition, s.mapping, s.kind, s.ops) for s in diff.shown]
    done: list[Replay] = []
    try:
        with kernel.start(limit=limit) as session:
            for plan, shown in zip(plans, diff.shown, strict=True):
                try:
                    done.append(_telling(replay(plan, kernel, session, claimed=True), shown))
                except NotTried:
                    raise
                except CannotRun as error:
                    done.append(Replay(plan, kernel, session.release, (), skipped(str(error))))
    except CannotRun as error:
        end = skipped(str(error))
    except KernelFailed as error:
        end = failed(f"{kernel.name} {error}")
    else:
        return done
    return [*done, *(Replay(plan, kernel, None, (), end) for plan in plans[len(done):])]


def _telling(done: Replay, shown: Shown) -> Replay:
    """The replay, unless this kernel shows nothing of what the class is."""
    if any(field.partition(".")[2] not in done.ignored for field in shown.fields):
        return done
    return replace(done, verdict=skipped(f"Linux {done.release} does not show "
                                         f"{', '.join(shown.fields)}"))


@dataclass(frozen=True)
class Report:
    """Each class on both kernels, in the order of `diff`."""

    diff: Diff
    kernels: tuple[Kernel, Kernel]
    replays: Sequence[tuple[Replay, Replay]]

    @property
    def code(self) -> int:
        """The worst of all answers."""
        codes = {_code(pair) for pair in self.replays}
        return next((code for code in (FAILED, SKIP) if code in codes), CONFIRMED)


def _code(pair: tuple[Replay, Replay]) -> int:
    codes = {r.verdict.code for r in pair}
    return next((code for code in (FAILED, SKIP) if code in codes), CONFIRMED)


_WORDS = {CONFIRMED: "confirmed", FAILED: "not confirmed", SKIP: "not tried"}


def as_text(report: Report) -> str:
    """A paragraph for each class, then the sum."""
    a, b = report.kernels
    editions = report.diff.a.name, report.diff.b.name
    lines = [f"{edition} beside {kernel.name} ({kernel.version})"
             for edition, kernel in zip(editions, (a, b), strict=True)]
    for shown, pair in zip(report.diff.shown, report.replays, strict=True):
        lines += ["", f"{shown.mapping}, {shown.kind}: {_WORDS[_code(pair)]}",
                  f"    {', '.join(shown.ops)}"]
        lines += [f"    {kernel.name}: {_told(shown, done)}"
                  for kernel, done in zip((a, b), pair, strict=True)]
    counts = Counter(_code(pair) for pair in report.replays)
    sums = ", ".join(f"{counts[code]} {word}" for code, word in _WORDS.items() if counts[code])
    return "\n".join([*lines, "", f"{len(report.replays)} classes on both kernels: {sums}"])


def _told(shown: Shown, done: Replay) -> str:
    """What the kernel showed in the fields that differ; else why not."""
    if done.verdict.code != CONFIRMED:
        return done.verdict.line
    last = done.rows[-1]
    seen = last.kernel.as_json(last.op)
    told = []
    for name in shown.fields:
        group, _, bit = name.partition(".")
        if bit in done.ignored:
            told.append(f"{name} not compared")
            continue
        value = seen[group] if not bit else (
            bit in seen[group] if group == "vm_flags" else seen[group].get(bit))
        told.append(f"{name} {str(value).lower() if isinstance(value, bool) else value}")
    return f"as {done.plan.edition.name}: {', '.join(told)}"


def as_json(report: Report) -> str:
    """One object: {"tool", "a", "b", "results"}; the steps in the form of `model.simulate`."""
    a, b = (_side(edition, kernel) for edition, kernel in
            zip((report.diff.a, report.diff.b), report.kernels, strict=True))
    return json.dumps({
        "tool": tool(), "a": a, "b": b,
        "results": [{"mapping": shown.mapping, "kind": shown.kind, "operations": list(shown.ops),
                     "verdict": _WORDS[_code(pair)], "a": _replayed(pair[0]),
                     "b": _replayed(pair[1])}
                    for shown, pair in zip(report.diff.shown, report.replays, strict=True)],
    }, indent=1)


def _side(edition: Edition, kernel: Kernel) -> dict[str, Any]:
    return {"edition": edition.name, "kernel": kernel.name, "version": kernel.version,
            "sha256": kernel.sha256}


def _replayed(done: Replay) -> dict[str, Any]:
    return {"verdict": done.verdict.word, "line": done.verdict.line, "step": done.verdict.step,
            "release": done.release,
            "steps": [row.kernel.as_json(row.op) for row in done.rows]}


FORMATS: dict[str, Callable[[Report], str]] = {"text": as_text, "json": as_json}
