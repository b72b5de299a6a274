"""The folder that a counterexample leaves: text, data, pictures, and the command that finds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import lru_cache
from pathlib import Path

from counterexamples import itf, pages
from counterexamples.reproducer.calls import CALLS
from counterexamples.reproducer.program import program
from counterexamples.trace import Trace, run_trace
from counterexamples.words.fixed import fixed_edition
from counterexamples.words.text import beside, trace_text
from counterexamples.words.visible import made_visible
from model.files import write_whole
from model.kernel.editions import Edition, find_edition
from model.system.relation.kernel import kernel_system
from model.system.relation.reach import TooManyStates
from model.system.state.mappings import MAPPINGS
from properties import PROPERTIES
from properties.base import Property

CERTIFICATE = "certificate.smt2"
EVIDENCE = frozenset((
    CERTIFICATE, itf.FILE, "trace.txt", "command.txt", "repro.c", "lanes.svg", "lanes.png",
    "graph.dot", "graph.graphml", "graph.svg", "graph.png"))
"""The files that a verdict may leave in its folder; what else is there is the user's."""
MOST_STATES = 10_000
"""Beyond so many reachable states graph.graphml has those of the path alone."""


class Pictures(IntEnum):
    """Which pictures and graphs to write: none, as SVG, or as PNG too; each has all of those before
    it."""

    NONE, SVG, PNG = range(3)

    @classmethod
    def asked(cls, no_pictures: bool, png: bool) -> Pictures:
        """By the options of the commands."""
        return cls.NONE if no_pictures else cls.PNG if png else cls.SVG


@dataclass(frozen=True)
class Where:
    """The cell of the matrix; `allow` are the operations beyond the core and the promise's own.
    `patched` is the edition, where it is one with a user's patch file, `own` the promise, where it
    is a user's."""

    kernel: str
    mapping: str
    prop: str
    allow: tuple[str, ...] = ()
    patched: Edition | None = None
    own: Property | None = None

    @property
    def edition(self) -> Edition:
        return self.patched or find_edition(self.kernel)

    @property
    def promise(self) -> Property:
        return self.own or PROPERTIES[self.prop]

    @property
    def path(self) -> Path:
        return Path(self.prop, self.kernel, "+".join((self.mapping, *self.allow)))

    @property
    def selectors(self) -> str:
        allow = f" --allow {' '.join(self.allow)}" if self.allow else ""
        return (f"--kernel {self.edition.argument} --mapping {self.mapping} {self.promise.argument}"
                f"{allow}")


@lru_cache(maxsize=8)
def with_fixed(where: Where, ops: tuple[str, ...]) -> tuple[Trace, Trace | None]:
    """A violation, and the same calls in the nearest edition that keeps the promise."""
    edition, kind = where.edition, MAPPINGS[where.mapping]
    promise = where.promise
    trace = run_trace(kernel_system(edition, kind, ops), ops, prop=where.prop, claim=promise.claim,
                      because=promise.reason(edition, kind, ops))
    if promise.own:
        trace = replace(trace, promise=promise.own.file, of_soft_dirty=promise.own.of_soft_dirty)
    near = fixed_edition(edition, kind, promise, ops)
    if near == edition.base != edition:  # the patch file did it, whatever else is known to
        trace = replace(trace, because="")
    if near is None:
        return trace, None
    return trace, run_trace(kernel_system(near, kind, ops), ops, prop=where.prop,
                            claim=promise.claim)


def write_counterexample(out: Path, where: Where, ops: tuple[str, ...], pictures: Pictures) -> None:
    """Write the folder. Raises OSError."""
    if ":" in where.mapping:
        _only(out / where.path, pages.files(where.edition, where.mapping, where.promise, ops,
                                            where.selectors))
        return
    trace, fixed = with_fixed(where, ops)
    _write(out / where.path, trace, fixed, trace_text(trace, fixed), where.selectors,
           where.edition.argument, pictures)


def write_claim(out: Path, trace: Trace, other: Trace | None, verdict: str,
                pictures: Pictures) -> Path:
    """Write the folder of the calls that decide a claim (`trace.prop`), and beside them another
    edition's run; return the path of its ITF trace. Raises OSError."""
    text = trace_text(trace, None, verdict) + "\n".join([*(beside(other) if other else ()), ""])
    folder = out / trace.prop / trace.kernel / trace.mapping
    _write(folder, trace, other, text,
           f"--claims --kernel {trace.kernel} --mapping {trace.mapping}", trace.kernel, pictures)
    return folder / itf.FILE


def _write(folder: Path, trace: Trace, fixed: Trace | None, text: str, selectors: str,
           kernel: str, pictures: Pictures) -> None:
    """`selectors` and `kernel` are arguments of the commands that find and run the trace again."""
    files: dict[str, str | bytes] = {
        itf.FILE: itf.dumps(trace),
        "trace.txt": text,
        "command.txt": f"python -m model.check {selectors}\n"
                       f"python -m model.simulate --kernel {kernel} --mapping {trace.mapping} "
                       f"{' '.join(trace.ops)}\n"}
    if set(trace.ops) <= set(CALLS):
        files["repro.c"] = _reproducer(trace, fixed)
    if pictures:
        files |= _drawn(trace, fixed, pictures)
    _only(folder, files)


def _only(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Make these the evidence in `folder`. All else of an earlier verdict goes before anything is
    written: where a file cannot be, evidence is missing, but none is false."""
    contents = {name: c.encode() if isinstance(c, str) else c for name, c in files.items()}
    if contents:
        folder.mkdir(parents=True, exist_ok=True)
    there = {name for name, content in contents.items() if _holds(folder / name, content)}
    for name in sorted(EVIDENCE - there):
        (folder / name).unlink(missing_ok=True)
    for name, content in contents.items():
        if name not in there:
            write_whole(folder / name, content)


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


def forget(out: Path, where: Where) -> None:
    """Take away the evidence of an earlier verdict on `where`, for one that has none. Raises
    OSError."""
    _only(out / where.path, {})


def _reproducer(trace: Trace, fixed: Trace | None) -> str:
    """The C program, with the calls that show the violation to it."""
    mapping = MAPPINGS[trace.mapping]
    kernel = kernel_system(trace.edition, mapping, trace.ops)
    near = kernel_system(fixed.edition, mapping, trace.ops) if fixed else None
    shown = made_visible(kernel, near, trace.ops)
    whole = run_trace(kernel, trace.ops + shown, prop=trace.prop, claim=trace.claim)
    return program(replace(whole, of_soft_dirty=trace.of_soft_dirty), len(shown))


def _drawn(trace: Trace, fixed: Trace | None, pictures: Pictures) -> dict[str, str | bytes]:
    from counterexamples.pictures import graph, graph_picture, graphml, lane_picture, lanes, svg

    kernel = kernel_system(trace.edition, MAPPINGS[trace.mapping], trace.ops)
    title = f"{trace.prop} on {trace.mapping} in {trace.kernel}"
    path = graph.path_graph(trace, fixed)
    canvases = {
        "lanes": lane_picture.draw(lanes.lanes(trace), title, trace.claim,
                                   lanes.lanes(fixed) if fixed else None,
                                   f"the same calls in {fixed.kernel}" if fixed else ""),
        "graph": graph_picture.draw(path, title)}
    try:
        states = graphml.of_states(kernel, trace.ops, MOST_STATES)
    except TooManyStates:
        states = graphml.of_path(path)
    files: dict[str, str | bytes] = {"graph.dot": graph.dot(path), "graph.graphml": states}
    files |= {f"{name}.svg": svg.svg(canvas) for name, canvas in canvases.items()}
    if pictures == Pictures.PNG:
        from counterexamples.pictures.png import png
        files |= {f"{name}.png": png(canvas) for name, canvas in canvases.items()}
    return files


def write_certificate(out: Path, where: Where, text: str) -> None:
    """Write the certificate of a proof; a counterexample of an earlier verdict goes. Raises
    OSError."""
    _only(out / where.path, {CERTIFICATE: text})
