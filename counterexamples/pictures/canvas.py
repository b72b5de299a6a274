"""What a picture is made of: boxes, strokes, areas and words, in inches, y downward.

A canvas only keeps what is put on it, in order: later things cover earlier ones. `svg.py` and
`png.py` are the two ways to write it, so that both show the same.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import hypot
from typing import Literal

INK, QUIET, PALE, BLUE = "#1f2933", "#6b7785", "#e9edf2", "#0072b2"
RED, GREEN, BLUSH, WHITE = "#c8501a", "#00805e", "#fdf0ea", "#ffffff"
MARGIN = 0.3
INCH = 72
"""Points: sizes of type and widths of lines are given in them."""
LETTER = 0.602
"""Width of a letter of DejaVu Sans Mono, of its size."""
TITLE = 0.2
"""Height of a line of the title."""
_CENTRE = 0.35
"""Of the size: how far below the middle of small and capital letters their baseline is."""

Point = tuple[float, float]
Align = Literal["left", "centre", "right"]


@dataclass(frozen=True)
class Box:
    """A box with round corners, by its centre; without `fill` or `edge` where that is empty."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    edge: str
    thick: float


@dataclass(frozen=True)
class Stroke:
    """A straight line (two points), or a cubic Bezier curve (four)."""

    points: tuple[Point, ...]
    colour: str
    thick: float


@dataclass(frozen=True)
class Area:
    """A filled polygon."""

    points: tuple[Point, ...]
    colour: str


@dataclass(frozen=True)
class Words:
    """One line of text; `y` is its baseline, `x` where `align` says."""

    x: float
    y: float
    words: str
    size: float
    colour: str
    align: Align
    bold: bool
    mono: bool


Shape = Box | Stroke | Area | Words


def title_lines(title: str, width: float) -> list[str]:
    """A title as it fits a picture of that width: a promise may have a long name."""
    return textwrap.wrap(title, int((width - 2 * MARGIN) * 10), break_on_hyphens=False)


@dataclass
class Canvas:
    """A picture of `width` times `height` whose uppermost y is `top`."""

    title: str
    width: float
    height: float
    top: float = 0.0
    shapes: list[Shape] = field(default_factory=list)

    def put(self, x: float, y: float, words: str, size: float = 8, colour: str = INK,
            align: Align = "centre", *, bold: bool = False, mono: bool = False) -> None:
        """Text whose letters have their middle at `y`."""
        self.write(x, y + _CENTRE * size / INCH, words, size, colour, align, bold=bold, mono=mono)

    def write(self, x: float, y: float, words: str, size: float = 8, colour: str = INK,
              align: Align = "centre", *, bold: bool = False, mono: bool = False) -> None:
        """Text on the baseline `y`; nothing where there are no words."""
        if words:
            self.shapes.append(Words(x, y, words, size, colour, align, bold, mono))

    def box(self, x: float, y: float, width: float, height: float, *, fill: str = "",
            edge: str = "", thick: float = 1.2) -> None:
        self.shapes.append(Box(x, y, width, height, fill, edge, thick))

    def head(self, y: float) -> None:
        """The title, in the lines of `title_lines`, the first at `y`."""
        for i, line in enumerate(title_lines(self.title, self.width)):
            self.put(MARGIN, y + TITLE * i, line, 12, align="left", bold=True)

    def line(self, start: Point, end: Point, colour: str, thick: float) -> None:
        self.shapes.append(Stroke((start, end), colour, thick))

    def area(self, points: Sequence[Point], colour: str) -> None:
        self.shapes.append(Area(tuple(points), colour))

    def arrow(self, points: tuple[Point, Point, Point, Point], colour: str, thick: float) -> None:
        """A curve with a head at its end."""
        (x, y), (near_x, near_y) = points[3], points[2]
        away = hypot(x - near_x, y - near_y)
        along, across = (x - near_x) / away, (y - near_y) / away
        long, wide = 0.045 + 0.022 * thick, 0.022 + 0.008 * thick
        back = (x - along * long, y - across * long)
        # The line ends inside the head, whose point is sharper than the line is thin.
        end = (x - along * long / 2, y - across * long / 2)
        self.shapes.append(Stroke((*points[:3], end), colour, thick))
        self.area([(x, y), (back[0] - across * wide, back[1] + along * wide),
                   (back[0] + across * wide, back[1] - along * wide)], colour)
