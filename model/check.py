"""python -m model.check: which promises a kernel keeps at every depth, and what breaks the others.

With no arguments: the patch 931298e103c2, before and after, every mapping and every promise.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from model.checking.cells import (
    Cell,
    CellResult,
    Exit,
    bisect_code,
    exit_code,
    judged,
    listing,
    plan,
    select_editions,
)
from model.checking.report import Files, TextReport, as_json, as_junit, as_ktap
from model.checking.run import Store, default_jobs, run
from model.checking.saved import Saved
from model.checking.settle import Options
from model.cli import (
    Parser,
    StatusLine,
    add_patch_argument,
    entry,
    one_of,
    seconds,
    wants_colour,
    whole,
    with_patch,
    writable_folder,
)
from model.engines.registry import ENGINES
from model.kernel.editions import UsageError

if TYPE_CHECKING:
    from counterexamples.folder import Where

PROG = "model.check"
PATCHED = "v6.12"
"""The edition that a patch file is for, where none is named."""
DEFAULT_OUT = Path("ptecheck-out")
FORMATS = ("text", "json", "ktap", "junit")


def parser() -> argparse.ArgumentParser:
    p = Parser(prog=f"python -m {PROG}", description=__doc__, allow_abbrev=False,
               formatter_class=argparse.RawDescriptionHelpFormatter)
    pick = p.add_argument_group("what to check (names or globs, repeatable)")
    pick.add_argument("--kernel", action="append", metavar="EDITION",
                      help=f"default: before, after; with --patch: {PATCHED}")
    pick.add_argument("--mapping", action="append", metavar="MAPPING", help="default: all")
    pick.add_argument("--property", action="append", metavar="PROPERTY", help="default: all")
    pick.add_argument("--allow", action="extend", nargs="+", default=[], metavar="OP",
                      help="operations beyond the core that may happen too: names or globs")
    pick.add_argument("--each", action="store_true",
                      help="every allowed operation by itself; without --allow, every one there is")
    pick.add_argument("--with", action="append", default=[], dest="added", metavar="COMMIT",
                      help="add a change to every edition")
    pick.add_argument("--without", action="append", default=[], dest="dropped", metavar="COMMIT",
                      help="drop a change from every edition")
    add_patch_argument(pick)
    pick.add_argument("--claims", action="store_true",
                      help="decide what the messages of the patches claim, sentence by sentence")
    pick.add_argument("--list", action="store_true", help="say what there is, and end")
    how = p.add_argument_group("how")
    how.add_argument("--engine", type=one_of("engine", ["auto", *ENGINES]), default="auto",
                     help=", ".join(["auto", *ENGINES]))
    how.add_argument("--depth", type=whole(1), metavar="N", help="bound of the search, in calls")
    how.add_argument("--timeout", type=seconds, metavar="SECONDS", help="limit for each cell")
    how.add_argument("--jobs", type=whole(1, 1024), metavar="N",
                     help="processes at once; default: one for each CPU")
    say = p.add_argument_group("what to say")
    say.add_argument("--format", type=one_of("format", FORMATS), default="text",
                     help=", ".join(FORMATS))
    say.add_argument("--out", type=Path, metavar="DIR",
                     help=f"write counterexamples and certificates; default: {DEFAULT_OUT} for the "
                     "run without selectors, else nothing is written")
    say.add_argument("--resume", action="store_true",
                     help="keep what is settled under --out DIR, and take from there what an "
                     "earlier run has settled")
    say.add_argument("--no-pictures", action="store_true", help="write no pictures and graphs")
    say.add_argument("--strict", action="store_true", help="any violation is an error (exit 12)")
    say.add_argument("--bisect", action="store_true", help="exit 0 good, 1 bad, 125 cannot tell")
    say.add_argument("-q", "--quiet", action="store_true", help="print nothing but errors")
    say.add_argument("-v", "--verbose", action="count", default=0)
    return p


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    if args.list:
        print(listing())
        return Exit.MET
    if args.claims:
        from model.claims import claims
        return claims(args)
    kernels = args.kernel or ([PATCHED] if args.patch else ["before", "after"])
    cells = plan(with_patch(select_editions(kernels, args.added, args.dropped), args.patch),
                 args.mapping or ["*"], args.property or ["*"],
                 args.allow or (["*"] if args.each else []), each=args.each)
    main_job = not (args.kernel or args.mapping or args.property or args.added or args.dropped
                    or args.allow or args.each or args.patch)
    out: Path | None = args.out or (DEFAULT_OUT if main_job else None)
    if out is not None:
        writable_folder(out)
    if args.resume and out is None:
        raise UsageError("--resume needs --out DIR, where an earlier run has left its results")
    start = time.monotonic()
    options = Options(args.engine, args.depth, args.timeout, args.jobs or default_jobs())
    store = _Folder(out, not args.no_pictures,
                    Saved(out / ".settled", options) if args.resume else None) if out else Store()
    results, interrupted = run(cells, options, _Progress(len(cells), args.quiet), store)
    files = [_files(out, c, r) for c, r in zip(cells, results, strict=True)]
    if not args.quiet:
        print(_report(args, cells, results, files))
        if args.format == "text":
            _closing(out, results, interrupted, time.monotonic() - start)
    if interrupted:
        _deepest_bounds(results)
    about = judged(results)
    return bisect_code(about) if args.bisect else exit_code(about, args.strict)


@dataclass(frozen=True)
class _Folder(Store):
    """--out: the evidence of each cell, and with --resume the results that are settled."""

    out: Path
    pictures: bool
    saved: Saved | None

    def known(self, cell: Cell) -> CellResult | None:
        return self.saved.get(cell) if self.saved else None

    def keep(self, cell: Cell, result: CellResult, fresh: bool) -> None:
        from counterexamples.folder import write_certificate, write_counterexample

        files = _files(self.out, cell, result)
        if files.trace is not None:
            write_counterexample(self.out, _where(cell), result.trace or (), self.pictures)
        if files.certificate is not None:
            write_certificate(self.out, _where(cell), result.certificate or "")
        if self.saved and fresh:
            self.saved.put(cell, result)


def _files(out: Path | None, cell: Cell, result: CellResult) -> Files:
    """Where the evidence of a result is."""
    if out is None:
        return Files()
    from counterexamples import itf
    from counterexamples.folder import CERTIFICATE

    folder = out / _where(cell).path
    return Files(str(folder / itf.FILE) if result.verdict == "violated" else None,
                 str(folder / CERTIFICATE) if result.certificate is not None else None)


class _Progress:
    """Cells done and left and the slowest so far, on stderr."""

    def __init__(self, cells: int, quiet: bool) -> None:
        self._cells = cells
        self._done = 0
        self._slowest: CellResult | None = None
        self._tell = StatusLine(quiet)

    def __call__(self, result: CellResult) -> None:
        self._done += 1
        if self._slowest is None or result.seconds > self._slowest.seconds:
            self._slowest = result
        self._tell(f"{self._done} done, {self._cells - self._done} left; slowest "
                   f"{self._slowest.prop} on {self._slowest.kernel}/{self._slowest.scope}, "
                   f"{self._slowest.seconds:.1f} s", self._done == self._cells)


def _report(args: argparse.Namespace, cells: Sequence[Cell], results: Sequence[CellResult],
            files: Sequence[Files]) -> str:
    match args.format:
        case "json":
            return as_json(results, files)
        case "ktap":
            return as_ktap(results, args.strict)
        case "junit":
            return as_junit(results, args.strict)
    colour = wants_colour(sys.stdout)
    text = str(TextReport(results, colour=colour, strict=args.strict, verbose=args.verbose))
    if len(cells) == 1 or args.verbose or (args.patch and len(cells) == 2):
        text += "".join(_trace(c, r, args.verbose, colour)
                        for c, r in zip(cells, results, strict=True) if r.trace is not None)
    return text


def _where(cell: Cell) -> Where:
    from counterexamples.folder import Where

    return Where(cell.edition.name, cell.mapping.name, cell.prop.name, cell.allow,
                 cell.edition if cell.edition.patch else None)


def _trace(cell: Cell, result: CellResult, verbose: int, colour: bool) -> str:
    """The counterexample in full; with -v its lane sheet too."""
    from counterexamples.folder import with_fixed
    from counterexamples.words.text import trace_text

    trace, fixed = with_fixed(_where(cell), result.trace or ())
    told = "\n\n" + trace_text(trace, fixed).rstrip()
    if verbose:
        from counterexamples.pictures import lanes
        told += "\n\n" + lanes.text(lanes.lanes(trace), colour).rstrip()
    return told


def _closing(out: Path | None, results: Sequence[CellResult], interrupted: bool,
             took: float) -> None:
    settled = sum(r.verdict in ("proved", "violated") for r in results)
    print(f"\n{settled} of {len(results)} settled, {sum(r.met for r in results)} as expected, "
          f"in {took:.1f} s" + (", interrupted" if interrupted else ""))
    if out is not None:
        print(f"traces, pictures and certificates: {out}/PROPERTY/EDITION/MAPPING/")


def _deepest_bounds(results: Sequence[CellResult]) -> None:
    print(f"{PROG}: interrupted", file=sys.stderr)
    for r in results:
        if r.reason == "interrupted":
            told = f"safe up to {r.depth} calls" if r.depth else "no bound reached"
            print(f"  {r.prop} on {r.scope} in {r.kernel}: {told}", file=sys.stderr)


if __name__ == "__main__":
    entry(PROG, main)
