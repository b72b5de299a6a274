"""The lane sheet, picture of a trace: a row per bit, a column per step, changed cells ringed."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from counterexamples.trace import Trace, TraceStep, pte_state
from model.kernel import bits

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SET, CLEAR, ABSENT = "1", "0", "-"


@dataclass(frozen=True)
class Column:
    """One step's heading; `by` says whose step it was, `bad` that it breaks the promise."""

    op: str
    by: str
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
    """One bit over time. An `idle` lane has nothing to show, and pictures leave it out."""

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


def _word(name: str, mask: int) -> Callable[[TraceStep], str]:
    return lambda step: SET if step.values[name] & mask else CLEAR


def _pte(mask: int) -> Callable[[TraceStep], str]:
    bit = _word("pte", mask)
    return lambda s: bit(s) if pte_state(s.values["pte"]) in ("present", "protnone") else ABSENT


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
    ("pagemap", "soft-dirty", lambda step: SET if step.pagemap["soft_dirty"] else CLEAR),
    ("pagemap", "uffd-wp", lambda step: SET if step.pagemap["uffd_wp"] else CLEAR),
    ("history", "stored", _word("stored", True)),
    ("history", "protected", _word("protected", True)),
)


def lanes(trace: Trace, *, violating: bool = True) -> Sheet:
    """The sheet of a trace. Its last step is marked as bad unless `violating` is False."""
    columns = tuple(Column(s.op, s.by, s.outcome, s.faults, violating and s is trace.steps[-1])
                    for s in trace.steps)
    rows = tuple(_lane(trace, group, name, read) for group, name, read in _ROWS)
    return Sheet(f"{trace.kernel}/{trace.mapping}", columns, rows)


def _lane(trace: Trace, group: str, name: str, read: Callable[[TraceStep], str]) -> Lane:
    values = [read(step) for step in trace.steps]
    seen = [CLEAR if v == ABSENT else v for v in values]
    changed = [False, *(a != b for a, b in pairwise(seen))]
    cells = tuple(Cell(v, c) for v, c in zip(values, changed, strict=True))
    if (group, name) == ("vm_page_prot", "P"):
        return Lane(group, name, cells, idle=not any(changed))
    plain = [re.sub("[-_]", "", x.lower()) for x in (name, trace.prop)]
    spoken = name == "RW" or any(all(t in x for x in plain) for t in ("softdirty", "uffdwp"))
    return Lane(group, name, cells, idle=set(seen) == {CLEAR} and not spoken)


def _shown(*sheets: Sheet) -> list[int]:
    """The lanes that are not idle in every sheet, by index."""
    return [i for i in range(len(_ROWS)) if not all(s.lanes[i].idle for s in sheets)]


def _heading(op: str) -> tuple[str, str]:
    """The name of an operation on two lines of eight letters."""
    if len(op) <= 8:
        return op, ""
    if op.startswith("un"):
        return "un-", op[2:]
    cut = op.find(":") if ":" in op else op.find("_") + 1 or op.find("back")
    return op[:cut], op[cut:cut + 8]


def _who(column: Column) -> str:
    """Said of the kernel's own steps alone, which take no faults."""
    return "by kernel" if column.by == "kernel" else ""


# --- the terminal ------------------------------------------------------------------------------


def text(sheet: Sheet, colour: bool = False) -> str:
    """The sheet for a terminal or a mail: [1] has changed, a dot is 0, a dash has no entry.

    At most 72 columns wide for six operations. ANSI colours only if asked for.
    """
    head = [_heading(c.op) for c in sheet.columns]
    table = [("", [str(i) for i in range(len(head))]), ("", [h[0] for h in head]),
             ("", [h[1] for h in head]),
             *([("by", ["kernel" if _who(c) else "" for c in sheet.columns])]
               if any(map(_who, sheet.columns)) else []),
             ("outcome", [c.outcome for c in sheet.columns]),
             ("faults", [str(c.faults) if c.faults else "." for c in sheet.columns])]
    for group, members in groupby((sheet.lanes[i] for i in _shown(sheet)), lambda m: m.group):
        table += [(group, [""] * len(head)), *((f" {m.name}", _texts(m)) for m in members)]
    label = max(len(name) for name, _ in table)
    widths = [max(len(row[i]) for _, row in table) for i in range(len(head))]
    lines = [_line(sheet, name.ljust(label), row, widths, colour) for name, row in table
             if name or any(row)]
    if sheet.columns[-1].bad:
        caret = label + sum(w + 1 for w in widths[:-1]) + 2 + (widths[-1] - 1) // 2
        lines.append(_ansi("the promise breaks here ^".rjust(caret), "31", colour))
    return "\n".join(lines) + "\n"


def _texts(lane: Lane) -> list[str]:
    short = ["." if cell.value == CLEAR else cell.value[:4] for cell in lane.cells]
    return [f"[{v}]" if c.changed else v for v, c in zip(short, lane.cells, strict=True)]


def _line(sheet: Sheet, label: str, row: list[str], widths: list[int], colour: bool) -> str:
    cells = []
    for column, value, width in zip(sheet.columns, row, widths, strict=True):
        # str.center puts the odd space now left, now right; a column wants one side.
        placed = (" " * ((width - len(value)) // 2) + value).ljust(width)
        codes = ["1"] * value.startswith("[") + ["31"] * column.bad
        cells.append(_ansi(placed, ";".join(codes), colour))
    return " ".join([label, *cells]).rstrip()


def _ansi(value: str, codes: str, colour: bool) -> str:
    return f"\x1b[{codes}m{value}\x1b[0m" if colour and codes and value.strip() else value


# --- the picture -------------------------------------------------------------------------------

INK, QUIET, PALE, BLUE = "#1f2933", "#6b7785", "#e9edf2", "#0072b2"
RED, GREEN = "#c8501a", "#00805e"
MARGIN, _PITCH, _ROW, _GAP, _LABELS, _HEAD = 0.3, 0.72, 0.265, 0.08, 1.95, 0.94


@contextmanager
def picture(width: float, height: float, stem: Path) -> Iterator[Axes]:
    """A canvas in inches, y downward, that is written to stem.svg and stem.png when left.

    The bytes depend on what is drawn alone: no date, and no settings of the user's.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({"svg.hashsalt": "ptecheck", "svg.fonttype": "none",
                                    "font.family": "DejaVu Sans"})
        figure = Figure(figsize=(width, height), facecolor="white")
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
        axes.set_axis_off()
        yield axes
        stem.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(stem.with_name(stem.name + ".svg"), metadata={"Date": None, "Creator": None})
        figure.savefig(stem.with_name(stem.name + ".png"), metadata={"Software": None}, dpi=160)


def put(axes: Axes, x: float, y: float, words: str, size: float = 8, colour: str = INK,
        **more: Any) -> None:
    """Text by its centre, unless `ha` or `va` say otherwise; `$` is a letter like any other."""
    axes.text(x, y, words, fontsize=size, color=colour, parse_math=False,
              **({"ha": "center", "va": "center"} | more))


def box(axes: Axes, x: float, y: float, width: float, height: float, **style: Any) -> None:
    """A box with round corners, by its centre."""
    from matplotlib.patches import FancyBboxPatch

    axes.add_patch(FancyBboxPatch((x - width / 2, y - height / 2), width, height, **(
        {"boxstyle": "round,pad=0,rounding_size=0.05", "fc": "none", "ec": "none"} | style)))


def draw(sheet: Sheet, title: str, subtitle: str, beside: Sheet | None, beside_title: str,
         stem: Path) -> None:
    """Write stem.svg and stem.png; the run of the fixed edition stands to the right, or below."""
    both = [(sheet, sheet.name), *([(beside, beside_title)] if beside else [])]
    columns, places = len(sheet.columns), _places(_shown(*(each for each, _ in both)))
    below = len(both) * columns > 16
    panel = (_PITCH * columns + 0.3, places[-1][1] + 0.5)
    width = max(6.9, 2 * MARGIN + _LABELS + panel[0] * (1 if below else len(both)))
    subtitle = textwrap.fill(subtitle, int((width - 2 * MARGIN) * 13.5))
    top = 0.92 + 0.17 * subtitle.count("\n")
    foot = top + panel[1] * (len(both) if below else 1)
    with picture(width, foot + 0.36, stem) as axes:
        put(axes, MARGIN, 0.34, title, 12, ha="left", weight="bold")
        put(axes, MARGIN, 0.54, subtitle, 8.5, QUIET, ha="left", va="top", linespacing=1.4)
        for i, (each, name) in enumerate(both):
            left = MARGIN + _LABELS + panel[0] * i * (not below)
            _panel(axes, each, sheet, name, places, (left, top + panel[1] * i * below))
        _legend(axes, foot + 0.06, len(both) > 1)


def _places(shown: Sequence[int]) -> list[tuple[int, float, str]]:
    """Each lane with the height of its centre, and the name of the group that it opens."""
    places, y, last = [], _HEAD, ""
    for lane in shown:
        group = _ROWS[lane][0]
        y += _ROW + _GAP * (group != last)
        places.append((lane, y - _ROW / 2, group if group != last else ""))
        last = group
    return places


def _panel(axes: Axes, sheet: Sheet, other: Sheet, name: str,
           places: Sequence[tuple[int, float, str]], corner: tuple[float, float]) -> None:
    left, top = corner
    main, foot = sheet is other, top + places[-1][1] + _ROW / 2 + 0.06
    put(axes, left + 0.06, top + 0.04, name, 9, RED if main else GREEN, ha="left", weight="bold")
    for lane, y, group in places if left == MARGIN + _LABELS else ():
        put(axes, MARGIN, top + y, group, 8, QUIET, ha="left")
        put(axes, left - 0.12, top + y, _ROWS[lane][1], 8, ha="right", family="DejaVu Sans Mono")
    for i, column in enumerate(sheet.columns):
        x = left + (i + 0.5) * _PITCH
        if column.bad and main:
            box(axes, x, (top + 0.18 + foot) / 2, _PITCH, foot - top - 0.18, fc="#fdf0ea", ec=RED,
                lw=1.2, zorder=0)
            put(axes, x, foot + 0.1, "promise broken", 7, RED)
        first, second = _heading(column.op)
        faults = f"{column.faults} fault{'s' * (column.faults > 1)}" if column.faults else ""
        for y, words, colour in ((0.34, first if second else "", INK), (0.49, second or first, INK),
                                 (0.68, column.outcome, QUIET),
                                 (0.83, faults or _who(column), QUIET)):
            put(axes, x, top + y, words, 8, colour, va="baseline")
        for lane, y, _ in places:
            cell = sheet.lanes[lane].cells[i]
            _cell(axes, cell, x, top + y, differs=cell.value != other.lanes[lane].cells[i].value)


def _cell(axes: Axes, cell: Cell, x: float, y: float, differs: bool = False) -> None:
    width, height, on = _PITCH - 0.14, _ROW - 0.095, cell.value == SET
    if cell.value != ABSENT:
        box(axes, x, y, width, height, fc=BLUE if on else PALE)
    if cell.changed:
        box(axes, x, y, width + 0.055, height + 0.055, ec=INK, lw=1.2)
    word = cell.value not in (SET, CLEAR, ABSENT)
    put(axes, x, y, cell.value, 7 if word else 7.5, "white" if on else INK if word else QUIET)
    if differs:
        axes.plot([x + width / 2 - 0.07], [y], "<", color="white" if on else GREEN, markersize=4)


def _legend(axes: Axes, y: float, beside: bool) -> None:
    samples = [(SET, False, "set"), (CLEAR, False, "clear"), (ABSENT, False, "no entry"),
               (CLEAR, True, "changed by this call"), (SET, False, "differs from the other run")]
    x = MARGIN + _PITCH / 2 - 0.07
    for i, (value, changed, words) in enumerate(samples if beside else samples[:-1]):
        _cell(axes, Cell(value, changed), x, y, differs=i == len(samples) - 1)
        x += 0.16 if value == ABSENT else 0.38
        put(axes, x, y, words, 7.5, QUIET, ha="left")
        x += 0.5 + 0.065 * len(words)
