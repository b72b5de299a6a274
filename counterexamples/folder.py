"""The folder that a counterexample leaves: text, data, pictures, and the command that finds it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from counterexamples import itf
from counterexamples.reproducer.calls import CALLS
from counterexamples.reproducer.program import program
from counterexamples.trace import Trace, run_trace
from counterexamples.words.fixed import fixed_edition
from counterexamples.words.text import beside, trace_text
from counterexamples.words.visible import made_visible
from model.files import write_whole
from model.kernel.editions import Edition, find_edition
from model.system.relation.kernel import kernel_system
from model.system.relation.reach import explore
from model.system.state.mappings import MAPPINGS
from properties import PROPERTIES

CERTIFICATE = "certificate.smt2"
EVIDENCE = frozenset((
    CERTIFICATE, itf.FILE, "trace.txt", "command.txt", "repro.c", "lanes.svg", "lanes.png",
    "graph.dot", "graph.graphml", "graph.svg", "graph.png"))
"""The files that a verdict may leave in its folder; what else is there is the user's."""


@dataclass(frozen=True)
class Where:
    """The cell of the matrix; `allow` are the operations beyond the core and the promise's own.
    `patched` is the edition, where it is one with a user's patch file."""

    kernel: str
    mapping: str
    prop: str
    allow: tuple[str, ...] = ()
    patched: Edition | None = None

    @property
    def edition(self) -> Edition:
        return self.patched or find_edition(self.kernel)

    @property
    def path(self) -> Path:
        return Path(self.prop, self.kernel, "+".join((self.mapping, *self.allow)))

    @property
    def selectors(self) -> str:
        allow = f" --allow {' '.join(self.allow)}" if self.allow else ""
        return (f"--kernel {self.edition.argument} --mapping {self.mapping} --property {self.prop}"
                f"{allow}")


def with_fixed(where: Where, ops: tuple[str, ...]) -> tuple[Trace, Trace | None]:
    """A violation, and the same calls in the nearest edition that keeps the promise."""
    edition, kind = where.edition, MAPPINGS[where.mapping]
    promise = PROPERTIES[where.prop]
    trace = run_trace(kernel_system(edition, kind, ops), ops, prop=where.prop, claim=promise.claim,
                      because=promise.reason(edition, kind, ops))
    near = fixed_edition(edition, kind, promise, ops)
    if near == edition.base != edition:  # the patch file did it, whatever else is known to
        trace = replace(trace, because="")
    if near is None:
        return trace, None
    return trace, run_trace(kernel_system(near, kind, ops), ops, prop=where.prop,
                            claim=promise.claim)


def write_counterexample(out: Path, where: Where, ops: tuple[str, ...], pictures: bool) -> None:
    """Write the folder. Raises OSError."""
    trace, fixed = with_fixed(where, ops)
    forget(out, where)
    _write(out / where.path, trace, fixed, trace_text(trace, fixed), where.selectors,
           where.edition.argument, pictures)


def write_claim(out: Path, trace: Trace, other: Trace | None, verdict: str,
                pictures: bool) -> Path:
    """Write the folder of the calls that decide a claim (`trace.prop`), and beside them another
    edition's run; return the path of its ITF trace. Raises OSError."""
    text = trace_text(trace, None, verdict) + "\n".join([*(beside(other) if other else ()), ""])
    folder = out / trace.prop / trace.kernel / trace.mapping
    _write(folder, trace, other, text,
           f"--claims --kernel {trace.kernel} --mapping {trace.mapping}", trace.kernel, pictures)
    return folder / itf.FILE


def _write(folder: Path, trace: Trace, fixed: Trace | None, text: str, selectors: str,
           kernel: str, pictures: bool) -> None:
    """`selectors` and `kernel` are arguments of the commands that find and run the trace again."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / itf.FILE, itf.dumps(trace))
    write_whole(folder / "trace.txt", text)
    write_whole(folder / "command.txt",
        f"python -m model.check {selectors}\n"
        f"python -m model.simulate --kernel {kernel} --mapping {trace.mapping} "
        f"{' '.join(trace.ops)}\n")
    if set(trace.ops) <= set(CALLS):
        write_whole(folder / "repro.c", _reproducer(trace, fixed))
    if pictures:
        _draw(folder, trace, fixed)


def _reproducer(trace: Trace, fixed: Trace | None) -> str:
    """The C program, with the calls that show the violation to it."""
    mapping = MAPPINGS[trace.mapping]
    kernel = kernel_system(trace.edition, mapping, trace.ops)
    near = kernel_system(fixed.edition, mapping, trace.ops) if fixed else None
    shown = made_visible(kernel, near, trace.ops)
    return program(run_trace(kernel, trace.ops + shown, prop=trace.prop, claim=trace.claim),
                   len(shown))


def _draw(folder: Path, trace: Trace, fixed: Trace | None) -> None:
    from counterexamples.pictures import graph, lanes  # networkx and matplotlib are slow to import

    kernel = kernel_system(trace.edition, MAPPINGS[trace.mapping], trace.ops)
    title = f"{trace.prop} on {trace.mapping} in {trace.kernel}"
    lanes.draw(lanes.lanes(trace), title, trace.claim,
               lanes.lanes(fixed) if fixed else None,
               f"the same calls in {fixed.kernel}" if fixed else "", folder / "lanes")
    path = graph.path_graph(trace, fixed)
    graph.write(path, graph.reachable_graph(kernel, explore(kernel.machine), trace.ops), folder)
    graph.draw(path, title, folder / "graph")


def write_certificate(out: Path, where: Where, text: str) -> None:
    """Write the certificate of a proof. Raises OSError."""
    forget(out, where)
    folder = out / where.path
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / CERTIFICATE, text)


def forget(out: Path, where: Where) -> None:
    """Take away the evidence of an earlier verdict on `where`. Raises OSError."""
    for name in EVIDENCE:
        (out / where.path / name).unlink(missing_ok=True)
