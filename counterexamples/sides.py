"""The folder of a difference: the same calls in two editions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from counterexamples import itf
from counterexamples.trace import run_trace
from counterexamples.words.text import table, wrapped
from model.files import write_whole
from model.kernel.editions import Edition
from model.kernel.records import Mapping
from model.system.relation.kernel import kernel_system

REPORT = "diff.json"


def write_sides(folder: Path, editions: tuple[Edition, Edition], mapping: Mapping,
                ops: Sequence[str], told: str) -> tuple[Path, Path]:
    """Write EDITION/trace.itf.json for both and trace.txt, which begins with `told`; return the
    paths of the two traces. Raises OSError."""
    paths, lines = [], [*wrapped(f"{told}, on {mapping.name}")]
    for edition in editions:
        trace = run_trace(kernel_system(edition, mapping, ops), ops, prop="difference", claim=told)
        path = folder / edition.name / itf.FILE
        write_whole(path, itf.dumps(trace))
        paths.append(path)
        lines += ["", *wrapped(f"{edition.name} ({edition.title}):"), *table(trace)]
    write_whole(folder / "trace.txt", "\n".join(lines) + "\n")
    return paths[0], paths[1]
