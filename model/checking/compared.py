"""What lies between the promises of two editions: mended, broken, or broken by other calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model.checking.cells import CellResult
from model.checking.difference import FIX, GAINED, LOST, REGRESSION

OTHER_CALLS = "other calls"
KINDS = (REGRESSION, FIX, LOST, GAINED, OTHER_CALLS)
"""The worst first; those of `model.diff`, and a promise that both break, but not by the same
calls."""


@dataclass(frozen=True)
class Pair:
    """One promise on one mapping in both editions."""

    before: CellResult
    after: CellResult

    @property
    def kind(self) -> str:
        """One of KINDS; empty where the verdict is the same, by the same calls."""
        if self.before.verdict == self.after.verdict:
            same = self.before.trace == self.after.trace and not self.after.news
            return "" if same else OTHER_CALLS
        worse, better = ((LOST, GAINED) if self.after.role == "precision"
                         else (REGRESSION, FIX))
        return better if self.after.verdict == "proved" else worse


@dataclass(frozen=True)
class Compared:
    """Two editions, and what lies between them in words; `pairs` of what is settled in both, `open`
    of what is not."""

    before: str
    after: str
    by: str
    pairs: tuple[Pair, ...]
    open: int

    def of_kind(self, kind: str) -> list[Pair]:
        return [p for p in self.pairs if p.kind == kind]

    @property
    def shared(self) -> list[Pair]:
        """Broken in both by the same calls."""
        return [p for p in self.of_kind("") if p.after.verdict == "violated"]


def compared(results: Sequence[CellResult], before: str, after: str, by: str) -> Compared:
    """The promises that were put to both editions. What was not settled says nothing of what
    changed, nor that nothing did."""
    old, new = ({(r.scope, r.prop): r for r in results if r.kernel == k} for k in (before, after))
    both = [Pair(old[key], new[key]) for key in old if key in new]
    settled = tuple(p for p in both if p.before.settled and p.after.settled)
    return Compared(before, after, by, settled, len(both) - len(settled))
