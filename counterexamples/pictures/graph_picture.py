"""The picture of a path among states: the run that breaks the promise, and beside it the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import networkx as nx

from counterexamples.pictures.canvas import (
    BLUSH,
    INCH,
    INK,
    LETTER,
    MARGIN,
    TITLE,
    WHITE,
    Canvas,
    Point,
    title_lines,
)
from counterexamples.pictures.graph import COLOURS

Curve = tuple[Point, Point, Point, Point]

_SIZE, _LINE = 7.5, 0.148
_LETTER = LETTER * _SIZE / INCH
"""Type size in points; height of a line and width of a letter, in inches."""


@dataclass(frozen=True)
class _Arrow:
    """A Bezier curve from box to box; its label's lines go down from `top`, centred at `x`."""

    points: Curve
    x: float
    top: float
    words: str
    role: str


def draw(path: nx.MultiDiGraph, title: str) -> Canvas:
    """States in columns by step, the run that breaks the promise above what both do, the fixed
    edition's run below. An arrow is a call, with its step."""
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
    width = max(6.0, max(x for x, _ in place.values()) + wide / 2 + MARGIN)
    more = TITLE * (len(title_lines(title, width)) - 1)
    low = min([y - tall / 2 for _, y in place.values()] + [a.top for a in arrows]) - 0.95 - more
    high = max([y + tall / 2 for _, y in place.values()]
               + [a.top + _LINE * len(a.words.split("\n")) for a in arrows]) + MARGIN
    canvas = Canvas(title, width, high - low, low)
    canvas.head(low + 0.34)
    _legend(canvas, path, low + 0.62 + more, split)
    for arrow in arrows:
        canvas.arrow(arrow.points, COLOURS[arrow.role], 2 if arrow.role == "bad" else 1.2)
    for name, data in nodes.items():
        (x, y), role, count = place[name], data["role"], len(data["label"].split("\n"))
        canvas.box(x, y, wide, tall, fill=BLUSH if role == "bad" else WHITE, edge=COLOURS[role],
                   thick=2 if role == "bad" else 1.1)
        _lines(canvas, x, y - _LINE * count / 2, data["label"], INK)
    for arrow in arrows:
        lines = arrow.words.split("\n")
        canvas.box(arrow.x, arrow.top + _LINE * len(lines) / 2,
                   _LETTER * max(map(len, lines)) + 0.06, _LINE * len(lines), fill=WHITE)
        _lines(canvas, arrow.x, arrow.top, arrow.words, COLOURS[arrow.role])
    return canvas


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


def _lines(canvas: Canvas, x: float, top: float, words: str, colour: str) -> None:
    for i, line in enumerate(words.split("\n")):
        canvas.write(x, top + _LINE * (i + 0.74), line, _SIZE, colour, mono=True)


def _legend(canvas: Canvas, path: nx.MultiDiGraph, y: float, split: bool) -> None:
    runs = [("shared", "both")] * split + [("violating", f"{path.graph['violating']} breaks it")]
    if "fixed" in path.graph:
        runs.append(("fixed", f"{path.graph['fixed']} keeps it"))
    x = MARGIN
    for role, words in runs:
        canvas.line((x, y), (x + 0.22, y), COLOURS[role], 2)
        canvas.put(x + 0.3, y, words, 8.5, COLOURS[role], "left")
        x += 0.6 + 0.07 * len(words)
