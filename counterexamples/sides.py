"""The folder of a difference: the same calls in two editions."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from counterexamples import itf
from counterexamples.trace import run_trace
from counterexamples.words.text import table, wrapped
from model.files import read_json, write_whole
from model.kernel.editions import Edition
from model.kernel.records import Mapping
from model.system.relation.kernel import kernel_system

REPORT = "diff.json"
DIFFERENCE = "difference"
"""What stands in the place of a promise."""
_TEXT = "trace.txt"


def clear(out: Path) -> None:
    """Take away what an earlier diff has left: its report first, then the sides that it names.
    Raises OSError."""
    try:
        report = read_json(out / REPORT)
        named = [out / trace for result in report["results"] for found in result["classes"]
                 for trace in found["trace"].values()]
    except FileNotFoundError:
        return
    except (ValueError, KeyError, TypeError, AttributeError):
        named = []  # nothing of ours
    (out / REPORT).unlink()
    for trace in named:
        if trace.name != itf.FILE or not trace.resolve().is_relative_to(out.resolve()):
            continue
        edition, name = trace.parent, trace.parent.parent
        trace.unlink(missing_ok=True)
        (name / _TEXT).unlink(missing_ok=True)
        for folder in (edition, name, name.parent):
            with suppress(OSError):  # something else is in there, or it is gone
                folder.rmdir()


def write_sides(folder: Path, editions: tuple[Edition, Edition], mapping: Mapping,
                ops: Sequence[str], told: str) -> tuple[Path, Path]:
    """Write EDITION/trace.itf.json for both and trace.txt, which begins with `told`; return the
    paths of the two traces. Raises OSError."""
    paths, lines = [], [*wrapped(f"{told}, on {mapping.name}")]
    for edition in editions:
        trace = run_trace(kernel_system(edition, mapping, ops), ops, prop=DIFFERENCE, claim=told)
        path = folder / edition.name / itf.FILE
        write_whole(path, itf.dumps(trace))
        paths.append(path)
        lines += ["", *wrapped(f"{edition.name} ({edition.title}):"), *table(trace)]
    write_whole(folder / _TEXT, "\n".join(lines) + "\n")
    return paths[0], paths[1]
