"""Traces and state spaces as networkx graphs: DOT, GraphML and a picture of the path."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import networkx as nx

from counterexamples.pictures.lanes import GREEN, INK, MARGIN, RED, box, picture, put
from counterexamples.trace import Trace, pte_state
from model.kernel import bits
from model.kernel.records import Outcome
from model.system.relation.kernel import KernelSystem
from model.system.relation.reach import StateGraph

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PTE_FLAGS = (
    (bits.PAGE_PRESENT, "P"), (bits.PAGE_RW, "RW"), (bits.PAGE_ACCESSED, "A"),
    # Before 6.6 the bit of SAVED_DIRTY is DEVMAP, which no modelled mapping sets.
    (bits.PAGE_DIRTY | bits.PAGE_SAVED_DIRTY, "D"), (bits.PAGE_SOFT_DIRTY, "SD"),
    (bits.PAGE_UFFD_WP, "WP"), (bits.PAGE_SPECIAL, "SPEC"))
_COLOURS = {"start": INK, "shared": INK, "violating": RED, "bad": RED, "fixed": GREEN}

Values = Mapping[str, int | bool]
Point = tuple[float, float]
Curve = tuple[Point, Point, Point, Point]


def label(values: Values) -> str:
    """A state in a few short lines: smaps letters, vm_page_prot, the entry, the history."""
    letters = sorted(s for bit, s in bits.VMFLAG_LETTERS.items() if values["vm_flags"] & bit)
    prot = values["vm_page_prot"]
    mode = "RW" if prot & bits.PAGE_RW else "RO" if prot & bits.PAGE_PRESENT else "NONE"
    pte = state = pte_state(values["pte"])
    if state in ("present", "protnone"):
        flags = [name for bit, name in _PTE_FLAGS if values["pte"] & bit]
        pte = " ".join(["protnone"] * (state == "protnone") + flags)
    history = " ".join(name for name in ("stored", "protected") if values[name])
    lines = [" ".join(letters), f"prot {mode}", f"pte {pte}", history]
    return "\n".join(line for line in lines if line)


def _attributes(values: Values) -> dict[str, str | bool]:
    """The state for GraphML, whose integers do not hold 64 unsigned bits."""
    return {name: v if isinstance(v, bool) else f"{v:#x}" for name, v in values.items()}


def path_graph(trace: Trace, beside: Trace | None) -> nx.MultiDiGraph:
    """The violating path, and beside it what the fixed edition does on the same calls.

    A node is a state, whichever run and step it is met in; `step` is the first one. `role` of a
    node is start, shared, violating, fixed or bad (where the violating step leads); an edge is
    shared where both runs take it at the same step, and bad where it breaks the promise.
    """
    runs = [("violating", trace), *([("fixed", beside)] if beside else [])]
    graph = nx.MultiDiGraph(property=trace.prop, mapping=trace.mapping,
                            **{role: run.kernel for role, run in runs})
    names: dict[tuple[int | bool, ...], str] = {}
    for role, run in runs:
        path = [names.setdefault(tuple(s.values.values()), f"s{len(names)}") for s in run.steps]
        for i, (name, step) in enumerate(zip(path, run.steps, strict=True)):
            if name not in graph:
                graph.add_node(name, label=label(step.values), role=role, step=i,
                               **_attributes(step.values))
            elif role == "fixed":
                graph.nodes[name]["role"] = "shared"
        for i, (u, v) in enumerate(pairwise(path), start=1):
            _add_call(graph, role, run, i, (u, v))
    graph.nodes[names[tuple(trace.steps[0].values.values())]]["role"] = "start"
    bad = names[tuple(trace.steps[-1].values.values())]
    graph.nodes[bad]["role"] = "bad"
    for _, _, data in graph.edges(data=True):
        if data["step"] == len(trace.ops) and data["role"] in ("violating", "shared"):
            data["role"] = "bad"
    return graph


def _add_call(graph: nx.MultiDiGraph, role: str, run: Trace, i: int, ends: tuple[str, str]) -> None:
    step = run.steps[i]
    call = {"step": i, "op": step.op, "outcome": step.outcome, "faults": step.faults,
            "by": step.by}
    for data in (graph.get_edge_data(*ends) or {}).values():
        if call.items() <= data.items():
            data["role"] = "shared"
            return
    notes = [step.outcome] * (step.outcome != "ok")
    notes += [f"{step.faults} fault{'s' * (step.faults > 1)}"] * (step.faults > 0)
    graph.add_edge(*ends, **call, role=role, label="\n".join([f"{i} {step.call}", *notes]))


def reachable_graph(kernel: KernelSystem, graph: StateGraph, ops: Sequence[str]) -> nx.MultiDiGraph:
    """All explored states and the calls between them, the path of `ops` marked.

    `path` of a node or edge says that the path takes it, `bad` that the path ends there. Raises
    ValueError for an operation that is not modelled, or a path that leaves the explored part.
    """
    actions = list(kernel.system.actions)
    taken: list[tuple[int, int]] = []
    state = 0
    for op in ops:
        if op not in actions or state >= len(graph.edges):
            raise ValueError(f"{op!r} after {len(taken)} operations leaves the explored states")
        taken.append((state, actions.index(op)))
        state = graph.edges[state][taken[-1][1]]
    whole = nx.MultiDiGraph(kernel=kernel.edition.name, mapping=kernel.mapping.name)
    on_path = {source for source, _ in taken} | {state}
    for i, values in enumerate(graph.states):
        named = dict(zip(kernel.names, values, strict=True))
        whole.add_node(f"s{i}", label=label(named), depth=graph.depth[i], path=i in on_path,
                       bad=i == state, **_attributes(named))
    for i, row in enumerate(graph.edges):
        for action, target in enumerate(row):
            _, (outcome, faults) = kernel.machine.step(graph.states[i], action)
            whole.add_edge(f"s{i}", f"s{target}", op=actions[action], label=actions[action],
                           outcome=Outcome(outcome).name, faults=int(faults),
                           path=(i, action) in taken, bad=bool(taken) and (i, action) == taken[-1])
    return whole


def write(path: nx.MultiDiGraph, whole: nx.MultiDiGraph | None, folder: Path) -> None:
    """Write graph.dot of the path, and graph.graphml of the whole graph or else of the path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "graph.dot").write_text(dot(path), encoding="utf-8")
    # The other writer of networkx is taken where lxml is there, and writes other bytes.
    nx.write_graphml_xml(path if whole is None else whole, folder / "graph.graphml")


def dot(path: nx.MultiDiGraph) -> str:
    """The path graph in the DOT language, coloured by role."""
    lines = ["digraph counterexample {", "  rankdir=LR;",
             '  node [shape=box, style=rounded, fontname="DejaVu Sans Mono", fontsize=10];',
             '  edge [fontname="DejaVu Sans", fontsize=10];']
    for name, data in path.nodes(data=True):
        lines.append(f"  {_quote(name)} [{_dot_attributes(data)}];")
    for u, v, data in path.edges(data=True):
        lines.append(f"  {_quote(u)} -> {_quote(v)} [{_dot_attributes(data)}];")
    return "\n".join([*lines, "}"]) + "\n"


def _dot_attributes(data: Mapping[str, Any]) -> str:
    colour = _COLOURS[data["role"]]
    pairs = {"label": data["label"], "class": data["role"], "color": colour, "fontcolor": colour,
             "penwidth": "2.5" if data["role"] == "bad" else "1.2"}
    return ", ".join(f"{name}={_quote(value)}" for name, value in pairs.items())


def _quote(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


# --- the picture -------------------------------------------------------------------------------

_SIZE, _LETTER, _LINE = 7.5, 0.602 * 7.5 / 72, 0.148
"""Type size in points; width of a letter of DejaVu Sans Mono and height of a line, in inches."""


@dataclass(frozen=True)
class _Arrow:
    """A Bezier curve from box to box; its label's lines go down from `top`, centred at `x`."""

    points: Curve
    x: float
    top: float
    words: str
    role: str


def draw(path: nx.MultiDiGraph, title: str, stem: Path) -> None:
    """Write stem.svg and stem.png: states in columns by step, the run that breaks the promise
    above what both do, the fixed edition's run below. An arrow is a call, with its step."""
    nodes = path.nodes
    wide = _LETTER * max(len(x) for d in nodes.values() for x in d["label"].split("\n")) + 0.22
    tall = _LINE * max(len(d["label"].split("\n")) for d in nodes.values()) + 0.2
    calls = [d for *_, d in path.edges(data=True)]
    gap = _LETTER * max((len(x) for d in calls for x in d["label"].split("\n")), default=0) + 0.35
    split = any(d["role"] == "fixed" for d in calls)
    rows = {"violating": -split, "bad": -split, "fixed": 1}
    # A column for a step that leads to no new state would stay empty.
    columns = {step: i for i, step in enumerate(sorted({d["step"] for d in nodes.values()}))}
    place = {name: (MARGIN + wide / 2 + (wide + gap) * columns[data["step"]],
                    (tall + 0.7) * rows.get(data["role"], 0)) for name, data in nodes.items()}
    arrows = list(_arrows(path, place, (wide, tall), wide + gap))
    low = min([y - tall / 2 for _, y in place.values()] + [a.top for a in arrows]) - 0.95
    high = max([y + tall / 2 for _, y in place.values()]
               + [a.top + _LINE * len(a.words.split("\n")) for a in arrows]) + MARGIN
    width = max(6.0, max(x for x, _ in place.values()) + wide / 2 + MARGIN)
    with picture(width, high - low, stem) as axes:
        axes.set_ylim(high, low)
        put(axes, MARGIN, low + 0.34, title, 12, ha="left", weight="bold")
        _legend(axes, path, low + 0.62, split)
        for arrow in arrows:
            _draw_arrow(axes, arrow)
        for name, data in nodes.items():
            (x, y), role, lines = place[name], data["role"], len(data["label"].split("\n"))
            box(axes, x, y, wide, tall, fc="#fdf0ea" if role == "bad" else "white",
                ec=_COLOURS[role], lw=2 if role == "bad" else 1.1, zorder=3)
            _lines(axes, x, y - _LINE * lines / 2, data["label"], INK)


def _arrows(path: nx.MultiDiGraph, place: Mapping[str, Point], size: Point,
            pitch: float) -> Iterator[_Arrow]:
    """The arrows; calls of one run that go the same way share one."""
    bundles: dict[tuple[str, str, str], list[str]] = {}
    for u, v, data in path.edges(data=True):
        bundles.setdefault((u, v, data["role"]), []).append(data["label"])
    taken: Counter[tuple[str, str, int]] = Counter()
    for (u, v, role), labels in bundles.items():
        words, lines = "\n".join(labels), sum(len(x.split("\n")) for x in labels)
        near, side = 0 < place[v][0] - place[u][0] < 1.5 * pitch, 1 if role == "fixed" else -1
        crowded = any((u, v, s) in taken for s in (-1, 1))
        points, (x, y), at = _route(place[u], place[v], size, side, near, crowded)
        # Labels on one side of the same two states are stacked.
        y += at * _LINE * taken[u, v, side]
        taken[u, v, side] += lines
        yield _Arrow(points, x, y - _LINE * lines * (1 - at) / 2, words, role)


def _route(source: Point, target: Point, size: Point, side: int, near: bool,
           crowded: bool) -> tuple[Curve, Point, int]:
    """The curve, a place for the label, and whether that goes above (-1), on (0) or below (1) it.

    A call to the next column leaves at the side. All others, and calls that change nothing, leave
    at the top or bottom: at `side` (-1 is up), or towards the other row.
    """
    (x0, y0), (x1, y1), (wide, tall) = source, target, size
    left, right, mid = x0 + wide / 2, x1 - wide / 2, (x0 + x1) / 2
    if near and y0 != y1:
        return ((left, y0), (mid, y0), (mid, y1), (right, y1)), (mid, (y0 + y1) / 2), 0
    if near and not (crowded and side < 0):
        y = y0 + 0.1 * crowded
        return ((left, y), (mid, y), (mid, y), (right, y)), (mid, y + 0.05 * side), side
    if y0 == y1:
        reach = wide * (0.12 if x0 == x1 else 0.38 if x0 > x1 else -0.22)
        rise = 0.95 if x0 < x1 else 0.45
        edge, far = y0 + side * tall / 2, y0 + side * (tall / 2 + rise)
        return (((x0 - reach, edge), (x0 - reach, far), (x1 + reach, far), (x1 + reach, edge)),
                (mid, y0 + side * (tall / 2 + 0.75 * rise + 0.05)), side)
    turn = tall / 2 if y1 > y0 else -tall / 2
    if x0 < x1:
        x = x0 - 0.3 * wide
        return ((x, y0 + turn), (x, y1), (x, y1), (right, y1)), ((x + right) / 2, y1), 0
    x, y, start = x1 + 0.32 * wide, y0 - turn / 2, x0 - wide / 2
    return ((start, y), (x, y), (x, y), (x, y1 - turn)), ((start + x) / 2, y), 0


def _draw_arrow(axes: Axes, arrow: _Arrow) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path as Outline

    bezier = Outline(arrow.points, [Outline.MOVETO, *[Outline.CURVE4] * 3])
    axes.add_patch(FancyArrowPatch(
        path=bezier, arrowstyle="-|>", mutation_scale=9, color=_COLOURS[arrow.role],
        lw=2 if arrow.role == "bad" else 1.2, shrinkA=0, shrinkB=0, zorder=1))
    _lines(axes, arrow.x, arrow.top, arrow.words, _COLOURS[arrow.role])


def _lines(axes: Axes, x: float, top: float, words: str, colour: str) -> None:
    """Lines at even distances, which a text of several lines does not keep."""
    for i, line in enumerate(words.split("\n")):
        put(axes, x, top + _LINE * (i + 0.74), line, _SIZE, colour, va="baseline", zorder=4,
            family="DejaVu Sans Mono", bbox={"fc": "white", "ec": "none", "pad": 1.6}
            if colour != INK else None)


def _legend(axes: Axes, path: nx.MultiDiGraph, y: float, split: bool) -> None:
    runs = [("shared", "both")] * split + [("violating", f"{path.graph['violating']} breaks it")]
    if "fixed" in path.graph:
        runs.append(("fixed", f"{path.graph['fixed']} keeps it"))
    x = MARGIN
    for role, words in runs:
        axes.plot([x, x + 0.22], [y, y], color=_COLOURS[role], lw=2)
        put(axes, x + 0.3, y, words, 8.5, _COLOURS[role], ha="left")
        x += 0.6 + 0.07 * len(words)
