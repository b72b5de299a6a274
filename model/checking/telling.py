"""What `check` says while it runs and in the end: progress, the headline, the report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from model.checking.cells import Cell, CellResult
from model.checking.formats import Files, as_json, as_junit, as_ktap, passes
from model.checking.run import Ran
from model.checking.saved import where
from model.cli import StatusLine, columns, tell, wants_colour


class Progress:
    """Cells done and left and the slowest so far, on stderr; and on stdout the headline as soon as
    it is known, if there is one: the results of those cells that are `first`."""

    def __init__(self, cells: Sequence[Cell], quiet: bool,
                 first: Callable[[Cell], bool] | None) -> None:
        self._cells = len(cells)
        self._headline: dict[tuple[str, str, str], CellResult | None] = {
            (c.prop.name, c.mapping.name, c.edition.name): None
            for c in cells if first and first(c) and not quiet}
        self._done = 0
        self._slowest: CellResult | None = None
        self._tell = StatusLine(quiet)

    def __call__(self, result: CellResult) -> None:
        self._done += 1
        if (key := (result.prop, result.mapping, result.kernel)) in self._headline:
            self._headline[key] = result
            found = [r for r in self._headline.values() if r]
            if len(found) == len(self._headline):
                self._tell.clear()
                from model.checking.report import headline  # slow, where nothing is said

                tell(f"{headline(found, columns(sys.stdout))}\n")
        if self._slowest is None or result.seconds > self._slowest.seconds:
            self._slowest = result
        self._tell(f"{self._done} done, {self._cells - self._done} left; slowest "
                   f"{self._slowest.prop} on {self._slowest.kernel}/{self._slowest.scope}, "
                   f"{self._slowest.seconds:.1f} s", self._done == self._cells)


def evidence(out: Path | None, cell: Cell, result: CellResult) -> Files:
    """Where the evidence of a result is."""
    if out is None:
        return Files()
    from counterexamples import itf
    from counterexamples.folder import CERTIFICATE

    folder = out / where(cell).path
    return Files(str(folder / itf.FILE) if result.verdict == "violated" else None,
                 str(folder / CERTIFICATE) if result.certificate is not None else None)


def report(args: argparse.Namespace, cells: Sequence[Cell], results: Sequence[CellResult],
            files: Sequence[Files]) -> str:
    match args.format:
        case "json":
            return as_json(results, files)
        case "ktap":
            return as_ktap(results, args.strict)
        case "junit":
            return as_junit(results, args.strict)
    colour = wants_colour(sys.stdout)
    from model.checking.report import TextReport

    text = str(TextReport(results, columns(sys.stdout), colour=colour, strict=args.strict,
                          verbose=args.verbose))
    if len(cells) == 1 or args.verbose or (args.patch and len(cells) == 2):
        text += "".join(_trace(c, r, args.verbose, colour)
                        for c, r in zip(cells, results, strict=True) if r.trace is not None)
    return text


def _trace(cell: Cell, result: CellResult, verbose: int, colour: bool) -> str:
    """The counterexample in full; with -v its lane sheet too."""
    if cell.pages is not None:
        from counterexamples.pages import text

        return "\n\n" + text(cell.edition, cell.memory, cell.prop, result.trace or ()).rstrip()
    from counterexamples.folder import with_fixed
    from counterexamples.words.text import trace_text

    trace, fixed = with_fixed(where(cell), result.trace or ())
    told = "\n\n" + trace_text(trace, fixed).rstrip()
    if verbose:
        from counterexamples.pictures import lanes
        told += "\n\n" + lanes.text(lanes.lanes(trace), colour).rstrip()
    return told


def closing(args: argparse.Namespace, out: Path | None, ran: Ran, took: float) -> str:
    results = ran.results
    told = f"{sum(r.settled for r in results)} of {len(results)} settled, "
    own = [r for r in results if r.expected is None]
    if args.strict:
        told += f"{sum(passes(r, strict=True) for r in results)} as --strict wants, "
    elif len(own) < len(results):
        told += f"{sum(r.met for r in results if r not in own)} as expected, "
    if own and not args.strict:
        told += f"{sum(r.met for r in own)} of your own kept, "
    told += f"in {took:.1f} s" + ", interrupted" * ran.interrupted
    if out is not None:
        told += f"\ntraces, pictures and certificates: {out}/PROPERTY/EDITION/MAPPING/"
    return f"\n{told}"


def cut_short(results: Sequence[CellResult]) -> str:
    """One line, however many are open."""
    left = [r for r in results if r.cut_short]
    bounds = [r.depth for r in left if r.depth]
    told = f"interrupted, {len(left)} of {len(results)} left open"
    if not bounds:
        return told
    least = min(bounds)
    return (f"{told}; {len(bounds)} of these safe up to {least} call{'s' * (least > 1)}"
            + " or more" * (len(bounds) > 1))
