"""The picture of a lane sheet: changed cells ringed, the fixed edition's run beside it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from counterexamples.pictures.canvas import (
    BLUE,
    BLUSH,
    GREEN,
    INK,
    MARGIN,
    PALE,
    QUIET,
    RED,
    TITLE,
    WHITE,
    Canvas,
    title_lines,
)
from counterexamples.pictures.lanes import ABSENT, CLEAR, SET, Cell, Sheet, heading, shown, who

_PITCH, _ROW, _GAP, _LABELS, _HEAD = 0.72, 0.265, 0.08, 1.95, 0.94
"""In inches: a column, a row, the gap between groups, the labels' column, a panel's heading."""
_NAMES, _OUTCOMES, _FAULTS, _BY = (0.34, 0.49), 0.68, 0.83, 0.98
"""Baselines in the heading; the last is there where a step is the kernel's own."""


def draw(sheet: Sheet, title: str, subtitle: str, beside: Sheet | None,
         beside_title: str) -> Canvas:
    """The sheet; the run of the fixed edition stands to the right, or below where both are long."""
    both = [(sheet, sheet.name), *([(beside, beside_title)] if beside else [])]
    columns, places = len(sheet.columns), _places(sheet, shown(*(each for each, _ in both)))
    below = len(both) * columns > 16
    panel = (_PITCH * columns + 0.3, places[-1][1] + 0.5)
    width = max(6.9, 2 * MARGIN + _LABELS + panel[0] * (1 if below else len(both)))
    told = textwrap.wrap(subtitle, int((width - 2 * MARGIN) * 13.5))
    more = TITLE * (len(title_lines(title, width)) - 1)
    top = 0.92 + more + 0.17 * max(0, len(told) - 1)
    foot = top + panel[1] * (len(both) if below else 1)
    canvas = Canvas(title, width, foot + 0.36)
    canvas.head(0.34)
    for i, line in enumerate(told):
        canvas.write(MARGIN, 0.64 + more + 0.17 * i, line, 8.5, QUIET, "left")
    for i, (each, name) in enumerate(both):
        corner = (MARGIN + _LABELS + panel[0] * i * (not below), top + panel[1] * i * below)
        if below or i == 0:
            _labels(canvas, sheet, places, corner)
        _panel(canvas, each, sheet, name, places, corner)
    _legend(canvas, foot + 0.06, len(both) > 1)
    return canvas


def _places(sheet: Sheet, lanes: Sequence[int]) -> list[tuple[int, float, str]]:
    """Each lane with the height of its centre, and the name of the group that it opens."""
    places, y, last = [], _HEAD + (_BY - _FAULTS) * _mixed(sheet), ""
    for lane in lanes:
        group = sheet.lanes[lane].group
        y += _ROW + _GAP * (group != last)
        places.append((lane, y - _ROW / 2, group if group != last else ""))
        last = group
    return places


def _mixed(sheet: Sheet) -> bool:
    """Some steps are the kernel's own."""
    return any(map(who, sheet.columns))


def _labels(canvas: Canvas, sheet: Sheet, places: Sequence[tuple[int, float, str]],
            corner: tuple[float, float]) -> None:
    left, top = corner
    for y, words in ((_OUTCOMES, "outcome"), (_FAULTS, "minor faults"),
                     (_BY, "by" if _mixed(sheet) else "")):
        canvas.write(left - 0.12, top + y, words, 8, QUIET, "right")
    for lane, y, group in places:
        canvas.put(MARGIN, top + y, group, 8, QUIET, "left")
        canvas.put(left - 0.12, top + y, sheet.lanes[lane].name, 8, align="right", mono=True)


def _panel(canvas: Canvas, sheet: Sheet, other: Sheet, name: str,
           places: Sequence[tuple[int, float, str]], corner: tuple[float, float]) -> None:
    left, top = corner
    main, foot = sheet is other, top + places[-1][1] + _ROW / 2 + 0.06
    canvas.put(left + 0.06, top + 0.04, name, 9, RED if main else GREEN, "left", bold=True)
    for i, column in enumerate(sheet.columns):
        x = left + (i + 0.5) * _PITCH
        if column.bad and main:
            canvas.box(x, (top + 0.18 + foot) / 2, _PITCH, foot - top - 0.18, fill=BLUSH, edge=RED)
            canvas.put(x, foot + 0.1, "promise broken", 7, RED)
        first, second = heading(column.op)
        canvas.write(x, top + _NAMES[0], first if second else "")
        canvas.write(x, top + _NAMES[1], second or first)
        canvas.write(x, top + _OUTCOMES, column.outcome, colour=QUIET)
        canvas.write(x, top + _FAULTS, str(column.faults or ""), colour=QUIET)
        canvas.write(x, top + _BY, who(column), colour=QUIET)
        for lane, y, _ in places:
            cell = sheet.lanes[lane].cells[i]
            _cell(canvas, cell, x, top + y, differs=cell.value != other.lanes[lane].cells[i].value)


def _cell(canvas: Canvas, cell: Cell, x: float, y: float, differs: bool = False) -> None:
    width, height, on = _PITCH - 0.14, _ROW - 0.095, cell.value == SET
    if cell.value != ABSENT:
        canvas.box(x, y, width, height, fill=BLUE if on else PALE)
    if cell.changed:
        canvas.box(x, y, width + 0.055, height + 0.055, edge=INK)
    word = cell.value not in (SET, CLEAR, ABSENT)
    canvas.put(x, y, cell.value, 7 if word else 7.5, WHITE if on else INK if word else QUIET)
    if differs:
        tip, base, half = x + width / 2 - 0.1, x + width / 2 - 0.035, 0.035
        canvas.area([(tip, y), (base, y - half), (base, y + half)], WHITE if on else GREEN)


def _legend(canvas: Canvas, y: float, beside: bool) -> None:
    samples = [(SET, False, "set"), (CLEAR, False, "clear"), (ABSENT, False, "no such bit"),
               (CLEAR, True, "changed by this call"), (SET, False, "differs from the other run")]
    x = MARGIN + _PITCH / 2 - 0.07
    for i, (value, changed, words) in enumerate(samples if beside else samples[:-1]):
        _cell(canvas, Cell(value, changed), x, y, differs=i == len(samples) - 1)
        x += 0.16 if value == ABSENT else 0.38
        canvas.put(x, y, words, 7.5, QUIET, "left")
        x += 0.5 + 0.065 * len(words)
