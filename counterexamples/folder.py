"""The folder that a counterexample leaves: text, data, pictures, and the command that finds it."""

from __future__ import annotations

from pathlib import Path

from counterexamples import itf
from counterexamples.fixed import fixed_edition
from counterexamples.reproducer.program import program
from counterexamples.text import trace_text
from counterexamples.trace import Trace, run_trace
from counterexamples.visible import made_visible
from model.kernel.editions import find_edition
from model.system.kernel import kernel_system
from model.system.mappings import MAPPINGS
from model.system.reach import explore
from properties import PROPERTIES


def folder_of(out: Path, prop: str, kernel: str, mapping: str) -> Path:
    return out / prop / kernel / mapping


def with_fixed(kernel: str, mapping: str, prop: str,
               ops: tuple[str, ...]) -> tuple[Trace, Trace | None]:
    """A violation, and the same calls in the nearest edition that keeps the promise."""
    edition, kind, promise = find_edition(kernel), MAPPINGS[mapping], PROPERTIES[prop]
    trace = run_trace(kernel_system(edition, kind), ops, prop=prop, claim=promise.claim,
                      because=promise.reason(edition, kind))
    near = fixed_edition(edition, kind, promise, ops)
    if near is None:
        return trace, None
    return trace, run_trace(kernel_system(near, kind), ops, prop=prop, claim=promise.claim)


def write_counterexample(out: Path, kernel: str, mapping: str, prop: str, ops: tuple[str, ...],
                         pictures: bool) -> Path:
    """Write the folder; return the path of its ITF trace. Raises OSError."""
    trace, fixed = with_fixed(kernel, mapping, prop, ops)
    folder = folder_of(out, prop, kernel, mapping)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trace.itf.json").write_text(itf.dumps(trace))
    (folder / "trace.txt").write_text(trace_text(trace, fixed))
    (folder / "command.txt").write_text(
        f"python -m model.check --kernel {kernel} --mapping {mapping} --property {prop}\n"
        f"python -m model.simulate --kernel {kernel} --mapping {mapping} {' '.join(ops)}\n")
    (folder / "repro.c").write_text(_reproducer(trace, fixed))
    if pictures:
        _draw(folder, trace, fixed)
    return folder / "trace.itf.json"


def _reproducer(trace: Trace, fixed: Trace | None) -> str:
    """The C program, with the calls that show the violation to it."""
    mapping = MAPPINGS[trace.mapping]
    kernel = kernel_system(find_edition(trace.kernel), mapping)
    near = kernel_system(find_edition(fixed.kernel), mapping) if fixed else None
    shown = made_visible(kernel, near, trace.ops)
    return program(run_trace(kernel, trace.ops + shown, prop=trace.prop, claim=trace.claim),
                   len(shown))


def _draw(folder: Path, trace: Trace, fixed: Trace | None) -> None:
    from counterexamples import graph, lanes  # networkx and matplotlib are slow to import

    kernel = kernel_system(find_edition(trace.kernel), MAPPINGS[trace.mapping])
    title = f"{trace.prop} on {trace.mapping} in {trace.kernel}"
    lanes.draw(lanes.lanes(trace), title, trace.claim,
               lanes.lanes(fixed) if fixed else None,
               f"the same calls in {fixed.kernel}" if fixed else "", folder / "lanes")
    path = graph.path_graph(trace, fixed)
    graph.write(path, graph.reachable_graph(kernel, explore(kernel.machine), trace.ops), folder)
    graph.draw(path, title, folder / "graph")


def write_certificate(out: Path, kernel: str, mapping: str, prop: str, text: str) -> Path:
    """Write the certificate of a proof; return its path. Raises OSError."""
    folder = folder_of(out, prop, kernel, mapping)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "certificate.smt2"
    path.write_text(text)
    return path
