"""The lane sheet, the picture of a trace: a row per bit, a column per step, changed cells ringed."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from counterexamples.trace import Trace, TraceStep
from model.kernel import bits

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SET, CLEAR, ABSENT = "1", "0", "-"
_TOPICS = ("softdirty", "uffdwp")


@dataclass(frozen=True)
class Column:
    """One step's heading; `bad` is the step that breaks the promise."""

    op: str
    outcome: str
    faults: int
    bad: bool


@dataclass(frozen=True)
class Cell:
    """`value` is "1", "0", "-" (the entry is not present) or a word. `changed` says that it differs
    from the column before, where "-" counts as "0": that an entry came or went, the state shows."""

    value: str
    changed: bool


@dataclass(frozen=True)
class Lane:
    """One bit over time. An `idle` lane has nothing to show, and the pictures leave it out."""

    group: str
    name: str
    cells: tuple[Cell, ...]
    idle: bool


@dataclass(frozen=True)
class Sheet:
    """A trace as a table. Every sheet has the same lanes in the same order, idle ones included;
    lanes of one group stand together. `name` is edition/mapping."""

    name: str
    columns: tuple[Column, ...]
    lanes: tuple[Lane, ...]


def pte_state(pte: int) -> str:
    """What an entry is: none, present, protnone, marker or swap."""
    if not pte & ~bits.PTE_KNL_ERRATUM:
        return "none"
    if pte & bits.PAGE_PRESENT:
        return "present"
    if pte & bits.PAGE_PROTNONE:
        return "protnone"
    kind = (pte & bits.SWP_TYPE_MASK) >> bits.SWP_TYPE_SHIFT
    return "marker" if kind in (bits.SWP_PTE_MARKER_6_1, bits.SWP_PTE_MARKER) else "swap"


def _word(name: str, mask: int) -> Callable[[TraceStep], str]:
    return lambda step: SET if step.values[name] & mask else CLEAR


def _pte(mask: int) -> Callable[[TraceStep], str]:
    def value(step: TraceStep) -> str:
        here = pte_state(step.values["pte"]) in ("present", "protnone")
        return (SET if step.values["pte"] & mask else CLEAR) if here else ABSENT

    return value


def _pagemap(name: str) -> Callable[[TraceStep], str]:
    return lambda step: SET if step.pagemap[name] else CLEAR


_ROWS: tuple[tuple[str, str, Callable[[TraceStep], str]], ...] = (
    ("VMA", "VM_READ", _word("vm_flags", bits.VM_READ)),
    ("VMA", "VM_WRITE", _word("vm_flags", bits.VM_WRITE)),
    ("VMA", "VM_SOFTDIRTY", _word("vm_flags", bits.VM_SOFTDIRTY)),
    ("VMA", "VM_UFFD_WP", _word("vm_flags", bits.VM_UFFD_WP)),
    ("vm_page_prot", "P", _word("vm_page_prot", bits.PAGE_PRESENT)),
    ("vm_page_prot", "RW", _word("vm_page_prot", bits.PAGE_RW)),
    ("PTE", "state", lambda step: pte_state(step.values["pte"])),
    ("PTE", "P", _pte(bits.PAGE_PRESENT)),
    ("PTE", "RW", _pte(bits.PAGE_RW)),
    # Before 6.6 the bit of SAVED_DIRTY is DEVMAP, which no modelled mapping sets.
    ("PTE", "D", _pte(bits.PAGE_DIRTY | bits.PAGE_SAVED_DIRTY)),
    ("PTE", "SOFT_DIRTY", _pte(bits.PAGE_SOFT_DIRTY)),
    ("PTE", "UFFD_WP", _pte(bits.PAGE_UFFD_WP)),
    ("pagemap", "soft-dirty", _pagemap("soft_dirty")),
    ("pagemap", "uffd-wp", _pagemap("uffd_wp")),
    ("history", "stored", _word("stored", True)),
    ("history", "protected", _word("protected", True)),
)


def lanes(trace: Trace, *, violating: bool = True) -> Sheet:
    """The sheet of a trace. Its last step is marked as bad unless `violating` is False."""
    last = len(trace.steps) - 1
    columns = tuple(Column(s.op, s.outcome, s.faults, violating and i == last)
                    for i, s in enumerate(trace.steps))
    rows = tuple(_lane(trace, group, name, read) for group, name, read in _ROWS)
    return Sheet(f"{trace.kernel}/{trace.mapping}", columns, rows)


def _lane(trace: Trace, group: str, name: str, read: Callable[[TraceStep], str]) -> Lane:
    values = [read(step) for step in trace.steps]
    seen = [CLEAR if v == ABSENT else v for v in values]
    changed = [False, *(a != b for a, b in zip(seen, seen[1:], strict=False))]
    cells = tuple(Cell(v, c) for v, c in zip(values, changed, strict=True))
    if (group, name) == ("vm_page_prot", "P"):
        return Lane(group, name, cells, idle=not any(changed))
    spoken = name == "RW" or any(t in _plain(name) and t in _plain(trace.prop) for t in _TOPICS)
    return Lane(group, name, cells, idle=set(seen) == {CLEAR} and not spoken)


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _shown(*sheets: Sheet) -> list[int]:
    """The lanes that are not idle in every sheet, by index."""
    return [i for i in range(len(_ROWS)) if not all(s.lanes[i].idle for s in sheets)]


def _heading(op: str) -> tuple[str, str]:
    """The name of an operation on two lines of eight letters where it can be had."""
    if len(op) <= 8:
        return op, ""
    if ":" in op:
        return op[:op.index(":")], op[op.index(":"):]
    if "_" in op:
        return op[:op.index("_") + 1], op[op.index("_") + 1:]
    return ("un-", op[2:]) if op.startswith("un") else (op, "")


# --- the terminal ------------------------------------------------------------------------------


def text(sheet: Sheet, colour: bool = False) -> str:
    """The sheet for a terminal or a mail: [1] has changed, a dot is 0, a dash has no entry.

    At most 72 columns wide for six operations. ANSI colours only if asked for.
    """
    head = [_heading(c.op) for c in sheet.columns]
    table: list[tuple[str, list[str]]] = [
        ("", [str(i) for i in range(len(head))]),
        ("", [h[0] for h in head]),
        ("", [h[1] for h in head]),
        ("outcome", [c.outcome for c in sheet.columns]),
        ("faults", [str(c.faults) if c.faults else "." for c in sheet.columns]),
    ]
    if not any(h[1] for h in head):
        del table[2]
    shown = [sheet.lanes[i] for i in _shown(sheet)]
    for group, members in groupby(shown, key=lambda lane: lane.group):
        table.append((group, []))
        table += [(" " + lane.name, [_plain_cell(c) for c in lane.cells]) for lane in members]
    label = max(len(name) for name, _ in table)
    widths = [max(len(row[i]) for _, row in table if row) for i in range(len(head))]
    lines = [_line(sheet, name.ljust(label), row, widths, colour) for name, row in table]
    if sheet.columns[-1].bad:
        caret = label + sum(w + 1 for w in widths[:-1]) + 1 + (widths[-1] - 1) // 2
        lines.append(_ansi("the promise breaks here ^".rjust(caret + 1), "31", colour))
    return "\n".join(lines) + "\n"


def _plain_cell(cell: Cell) -> str:
    value = "." if cell.value == CLEAR else cell.value[:4]
    return f"[{value}]" if cell.changed else value


def _line(sheet: Sheet, label: str, row: Sequence[str], widths: Sequence[int],
          colour: bool) -> str:
    cells = []
    for column, value, width in zip(sheet.columns, row, widths, strict=False):
        codes = [c for c, on in (("1", value.startswith("[")), ("31", column.bad)) if on]
        cells.append(_ansi(_centre(value, width), ";".join(codes), colour))
    return " ".join([_ansi(label, "" if row else "2", colour), *cells]).rstrip()


def _centre(value: str, width: int) -> str:
    """`str.center` puts the odd space now left, now right; a column wants one side."""
    left = (width - len(value)) // 2
    return (" " * left + value).ljust(width)


def _ansi(value: str, codes: str, colour: bool) -> str:
    return f"\x1b[{codes}m{value}\x1b[0m" if colour and codes and value.strip() else value


# --- the picture -------------------------------------------------------------------------------

INK, QUIET, PALE, BLUE, RED, GREEN = "#1f2933", "#6b7785", "#e9edf2", "#0072b2", "#c8501a", "#00805e"
_PITCH, _ROW, _GAP, _LABELS, _HEAD, _MARGIN = 0.72, 0.245, 0.1, 2.02, 0.66, 0.3


@contextmanager
def picture(width: float, height: float, stem: Path) -> Iterator[Axes]:
    """A canvas in inches, y downward, that is written to stem.svg and stem.png when left.

    The bytes depend on what is drawn alone: no date, and no settings of the user's.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "ptecheck", "svg.fonttype": "none",
                                "font.family": "DejaVu Sans", "text.usetex": False}):
        figure = Figure(figsize=(width, height), facecolor="white")
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
        axes.set_axis_off()
        yield axes
        stem.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(stem.with_name(stem.name + ".svg"), metadata={"Date": None, "Creator": None})
        figure.savefig(stem.with_name(stem.name + ".png"), metadata={"Software": None}, dpi=160)


def put(axes: Axes, x: float, y: float, words: str, size: float = 8, colour: str = INK,
        **more: str) -> None:
    """Text with its centre (or `ha`, `va`) at a place; `$` is a letter like any other."""
    axes.text(x, y, words, fontsize=size, color=colour, parse_math=False,
              **({"ha": "center", "va": "center"} | more))  # type: ignore[arg-type]


def box(axes: Axes, x: float, y: float, width: float, height: float, *, fill: str = "none",
        edge: str = "none", line: float = 0, order: float = 1) -> None:
    """A box with round corners, by its centre."""
    from matplotlib.patches import FancyBboxPatch

    axes.add_patch(FancyBboxPatch(
        (x - width / 2, y - height / 2), width, height, facecolor=fill, edgecolor=edge,
        linewidth=line, zorder=order, boxstyle="round,pad=0,rounding_size=0.05"))


def heading(axes: Axes, width: float, title: str, subtitle: str) -> None:
    """The title, and below it the subtitle on as many lines as it needs."""
    put(axes, _MARGIN, 0.36, title, 12, ha="left", weight="bold")
    put(axes, _MARGIN, 0.54, fold(subtitle, width), 8.5, QUIET, ha="left", va="top",
        linespacing="1.4")


def fold(words: str, width: float) -> str:
    """The subtitle on lines that fit a picture of `width` inches."""
    return textwrap.fill(words, int((width - 2 * _MARGIN) * 14.5))


def draw(sheet: Sheet, title: str, subtitle: str, beside: Sheet | None, beside_title: str,
         stem: Path) -> None:
    """Write stem.svg and stem.png; the run of the fixed edition stands to the right, or below."""
    shown = _shown(*(s for s in (sheet, beside) if s))
    groups = len({sheet.lanes[i].group for i in shown})
    tall = _HEAD + 0.3 + len(shown) * _ROW + groups * _GAP + 0.35
    wide = _LABELS + _PITCH * len(sheet.columns)
    below = beside is not None and len(sheet.columns) > 8
    width = max(6.9, 2 * _MARGIN + wide + (wide - _LABELS + 0.35 if beside and not below else 0))
    top = 0.72 + 0.17 * len(fold(subtitle, width).splitlines())
    with picture(width, top + tall * (1 + below) + 0.35, stem) as axes:
        heading(axes, width, title, subtitle)
        _labels(axes, sheet, shown, top)
        _panel(axes, sheet, None, shown, sheet.name, (_MARGIN + _LABELS, top))
        if beside:
            x, y = (_MARGIN + _LABELS, top + tall) if below else (_MARGIN + wide + 0.35, top)
            if below:
                _labels(axes, beside, shown, y)
            _panel(axes, beside, sheet, shown, beside_title, (x, y))
        _legend(axes, top + tall * (1 + below) + 0.02, beside is not None)


def _places(sheet: Sheet, shown: Sequence[int], top: float) -> Iterator[tuple[Lane, float, bool]]:
    """Each lane with the height of its centre, and whether it opens its group."""
    y, group = top + _HEAD + 0.3, ""
    for lane in (sheet.lanes[i] for i in shown):
        y += _GAP if lane.group != group else 0
        yield lane, y + _ROW / 2, lane.group != group
        y, group = y + _ROW, lane.group


def _labels(axes: Axes, sheet: Sheet, shown: Sequence[int], top: float) -> None:
    for lane, y, first in _places(sheet, shown, top):
        if first:
            put(axes, _MARGIN, y, lane.group, 8, QUIET, ha="left")
        put(axes, _MARGIN + _LABELS - 0.1, y, lane.name, 8, ha="right", family="DejaVu Sans Mono")


def _panel(axes: Axes, sheet: Sheet, other: Sheet | None, shown: Sequence[int], name: str,
           corner: tuple[float, float]) -> None:
    left, top = corner
    put(axes, left + 0.06, top + 0.08, name, 9, GREEN if other else RED, ha="left", weight="bold")
    places = list(_places(sheet, shown, top))
    bottom = places[-1][1] + _ROW / 2 + 0.05
    for i, column in enumerate(sheet.columns):
        x = left + (i + 0.5) * _PITCH
        if column.bad and not other:
            box(axes, x, (top + 0.22 + bottom) / 2, _PITCH - 0.01, bottom - top - 0.22,
                fill="#fdf0ea", edge=RED, line=1.3, order=0)
            put(axes, x, bottom + 0.1, "promise broken", 7, RED)
        _column(axes, column, x, top)
        for lane, y, _ in places:
            _cell(axes, lane.cells[i], x, y)
    for lane, y, _ in places if other else ():
        twin = next(t for t in other.lanes if (t.group, t.name) == (lane.group, lane.name))
