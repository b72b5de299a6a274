"""All verdicts side by side, rows alike in one line, as wide as there is room."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from model.checking.cells import CellResult

_COLUMNS = 5
_GAP = 2
_LABEL, _HEAD = 32, 16  # columns; longer labels and heads are wrapped

Passes = Callable[[CellResult], bool]
Paint = Callable[[str, CellResult], str]
_Row = tuple[str, Sequence[CellResult | None]]


@dataclass(frozen=True)
class Table:
    """The results, with what marks one that is not as it should be and what colours it; a table
    for each mapping, or where there are many editions for each promise."""

    results: Sequence[CellResult]
    passes: Passes
    paint: Paint
    width: int

    @property
    def many(self) -> bool:
        return len({r.kernel for r in self.results}) > _COLUMNS

    def __str__(self) -> str:
        parts = ([self._matrix(p) for p in dict.fromkeys(r.prop for r in self.results)]
                 if self.many else
                 [self._mapping(m) for m in dict.fromkeys(r.scope for r in self.results)])
        return "\n\n".join("\n".join(lines) for lines in parts if lines)

    def _mapping(self, scope: str) -> list[str]:
        """Promises by editions; those that are alike, and as they should be, share a line."""
        found = {(r.prop, r.kernel): r for r in self.results if r.scope == scope}
        kernels = list(dict.fromkeys(r.kernel for r in self.results))
        rows = [(prop, [found.get((prop, k)) for k in kernels])
                for prop in dict.fromkeys(p for p, _ in found)]
        rows = [(prop, cells) for prop, cells in rows
                if not all(r is None or (r.cut_short and r.verdict == "unknown") for r in cells)]
        alike: dict[str, list[str]] = {}
        for prop, cells in rows:
            if phrase := self._phrase(cells):
                alike.setdefault(phrase, []).append(prop)
        apart = [(prop, cells) for prop, cells in rows if not self._phrase(cells)]
        if not rows:
            return []
        lines = list(self._grid(scope, kernels, apart)) if apart else self._wrapped(scope, "", "  ")
        for phrase, props in alike.items():
            lines += self._wrapped(f"{phrase}: {', '.join(props)}", "  ", "    ")
        return lines

    def _phrase(self, cells: Sequence[CellResult | None]) -> str:
        """What is said of a row of proofs; empty for any other."""
        there = [r for r in cells if r is not None]
        if len(there) < len(cells) or not all(r.verdict == "proved" and self.passes(r)
                                              for r in there):
            return ""
        if len({r.word for r in there}) > 1:
            return ", ".join(f"{r.word} in {r.kernel}" for r in there)
        word = there[0].word
        return f"{word} in {_all_of([r.kernel for r in there])}"

    def _matrix(self, prop: str) -> list[str]:
        """Editions by mappings; neighbours that are alike share a row."""
        found = {(r.kernel, r.scope): r for r in self.results if r.prop == prop}
        scopes = list(dict.fromkeys(scope for _, scope in found))
        kernels = list(dict.fromkeys(kernel for kernel, _ in found))
        rows: list[tuple[list[str], list[CellResult | None]]] = []
        for kernel in kernels:
            cells = [found.get((kernel, scope)) for scope in scopes]
            if rows and self._words(rows[-1][1]) == self._words(cells):
                rows[-1][0].append(kernel)
            else:
                rows.append(([kernel], cells))
        if len(rows) == 1 and (phrase := self._phrase(rows[0][1])):
            told = phrase.partition(" in ")[0]
            return self._wrapped(f"{prop}: {told} in {_all_of(kernels)} on {', '.join(scopes)}",
                                 "", "  ")
        return list(self._grid(prop, scopes, [(", ".join(names), row) for names, row in rows]))

    def _words(self, cells: Sequence[CellResult | None]) -> list[str]:
        return [self._word(r) for r in cells]

    def _word(self, r: CellResult | None) -> str:
        """One cell; `-` where the promise does not speak of the mapping."""
        if r is None:
            return "-"
        word = f"{r.word}@{r.depth}" if r.verdict in ("violated", "bounded") else r.word
        if self.many and r.verdict == "violated":
            word = f"@{r.depth}"
        return word if self.passes(r) else f"{word} !"

    def _grid(self, title: str, heads: Sequence[str], rows: Sequence[_Row]) -> Iterator[str]:
        """As many columns side by side as there is room for, at least one, then the others."""
        limit = max(8, min(_LABEL, self.width // 2 - 4))
        labels = [_fitted(label, limit) for label, _ in rows]
        first = 2 + max(len(part) for label in labels for part in label) + _GAP
        if len(title) + _GAP > first and len(title) <= limit:
            first = len(title) + _GAP
        tops = [_fitted(head, _HEAD) for head in heads]
        widths = [max(*map(len, top), *(len(self._word(row[n])) for _, row in rows))
                  for n, top in enumerate(tops)]
        start = 0
        while start < len(heads):
            end, used = start + 1, first + widths[start]
            while end < len(heads) and used + _GAP + widths[end] <= self.width:
                used += _GAP + widths[end]
                end += 1
            corner = title if not start else ""
            if len(corner) + _GAP > first:
                yield corner
                corner = ""
            shown = range(start, end)
            for line in range(max(len(tops[n]) for n in shown)):
                yield (corner.ljust(first) + self._joined(
                    [("".join(tops[n][line:line + 1]), None) for n in shown],
                    [widths[n] for n in shown])).rstrip()
                corner = ""
            for label, (_, row) in zip(labels, rows, strict=True):
                yield f"  {label[0]}".ljust(first) + self._joined(
                    [(self._word(row[n]), row[n]) for n in shown], [widths[n] for n in shown])
                yield from (f"  {part}" for part in label[1:])
            start = end

    def _joined(self, cells: Sequence[tuple[str, CellResult | None]],
                widths: Sequence[int]) -> str:
        told = [(self.paint(word, r) if r else word) + " " * (width - len(word))
                for (word, r), width in zip(cells, widths, strict=True)]
        return (" " * _GAP).join(told).rstrip()

    def _wrapped(self, text: str, first: str, others: str) -> list[str]:
        return textwrap.wrap(text, max(self.width, 30), initial_indent=first,
                             subsequent_indent=others, break_on_hyphens=False,
                             break_long_words=False)


def _fitted(label: str, limit: int) -> list[str]:
    return textwrap.wrap(label, limit, break_on_hyphens=False, break_long_words=False) or [""]


def _all_of(names: Sequence[str]) -> str:
    if len(names) > 2:
        return f"all {len(names)}"
    return "both" if len(names) == 2 else names[0]
