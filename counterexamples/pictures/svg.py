"""A canvas as SVG."""

from __future__ import annotations

from html import escape

from counterexamples.pictures.canvas import (
    INCH,
    WHITE,
    Area,
    Box,
    Canvas,
    Point,
    Shape,
    Stroke,
    Words,
)

_RADIUS = 0.05
_SANS, _MONO = "DejaVu Sans, Verdana, sans-serif", "DejaVu Sans Mono, Menlo, monospace"
_ANCHOR = {"left": "", "centre": ' text-anchor="middle"', "right": ' text-anchor="end"'}


def svg(canvas: Canvas) -> str:
    """The picture; its bytes depend on what was put on the canvas alone."""
    width, height = _n(canvas.width), _n(canvas.height)
    frame = f"0 {_n(canvas.top)} {width} {height}"
    title = escape(canvas.title)
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}pt" height="{height}pt" '
             f'viewBox="{frame}" font-family="{_SANS}" role="img">', f"<title>{title}</title>",
             f'<rect y="{_n(canvas.top)}" width="{width}" height="{height}" fill="{WHITE}"/>']
    return "\n".join([*lines, *map(_shape, canvas.shapes), "</svg>"]) + "\n"


def _n(inches: float) -> str:
    """A length in points, with no more digits than can be seen."""
    return f"{round(inches * INCH, 2) + 0.0:g}"


def _p(point: Point) -> str:
    return f"{_n(point[0])},{_n(point[1])}"


def _shape(shape: Shape) -> str:
    match shape:
        case Box():
            edge = f' stroke="{shape.edge}" stroke-width="{shape.thick:g}"' if shape.edge else ""
            x, y = shape.x - shape.width / 2, shape.y - shape.height / 2
            return (f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(shape.width)}" '
                    f'height="{_n(shape.height)}" rx="{_n(_RADIUS)}" '
                    f'fill="{shape.fill or "none"}"{edge}/>')
        case Stroke():
            start, *rest = map(_p, shape.points)
            return (f'<path d="M{start} {"CL"[len(rest) == 1]}{" ".join(rest)}" fill="none"'
                    f' stroke="{shape.colour}" stroke-width="{shape.thick:g}"/>')
        case Area():
            return f'<polygon points="{" ".join(map(_p, shape.points))}" fill="{shape.colour}"/>'
        case Words():
            style = ' font-weight="bold"' * shape.bold + f' font-family="{_MONO}"' * shape.mono
            return (f'<text x="{_n(shape.x)}" y="{_n(shape.y)}" font-size="{shape.size:g}"'
                    f' fill="{shape.colour}"{_ANCHOR[shape.align]}{style}>'
                    f'{escape(shape.words, quote=False)}</text>')
