"""A canvas as PNG, by matplotlib, which is slow to import: only who wants a PNG imports this."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path

from counterexamples.pictures.canvas import WHITE, Area, Box, Canvas, Shape, Stroke, Words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DPI = 160
_ALIGN = {"left": "left", "centre": "center", "right": "right"}
_CODES = {2: [Path.MOVETO, Path.LINETO], 4: [Path.MOVETO, *[Path.CURVE4] * 3]}


def png(canvas: Canvas) -> bytes:
    """The picture; its bytes depend on what was put on the canvas and the release of matplotlib:
    there is no date in it, and no settings of the user's."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        figure = Figure(figsize=(canvas.width, canvas.height), facecolor=WHITE)
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, canvas.width),
                               ylim=(canvas.top + canvas.height, canvas.top))
        axes.set_axis_off()
        for order, shape in enumerate(canvas.shapes):
            _draw(axes, shape, order)
        written = BytesIO()
        figure.savefig(written, format="png", metadata={"Software": None}, dpi=_DPI)
    return written.getvalue()


def _draw(axes: Axes, shape: Shape, order: int) -> None:
    match shape:
        case Box():
            corner = (shape.x - shape.width / 2, shape.y - shape.height / 2)
            axes.add_patch(FancyBboxPatch(
                corner, shape.width, shape.height, boxstyle="round,pad=0,rounding_size=0.05",
                fc=shape.fill or "none", ec=shape.edge or "none", lw=shape.thick, zorder=order))
        case Stroke():
            path = Path(shape.points, _CODES[len(shape.points)])
            axes.add_patch(PathPatch(path, fc="none", ec=shape.colour, lw=shape.thick,
                                     zorder=order))
        case Area():
            axes.add_patch(Polygon(shape.points, fc=shape.colour, ec="none", zorder=order))
        case Words():
            # Without parse_math a dollar is a letter like any other.
            axes.text(shape.x, shape.y, shape.words, fontsize=shape.size, color=shape.colour,
                      ha=_ALIGN[shape.align], va="baseline", parse_math=False, zorder=order,
                      weight="bold" if shape.bold else "normal",
                      family="DejaVu Sans Mono" if shape.mono else "DejaVu Sans")
