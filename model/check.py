"""python -m model.check: which promises a kernel keeps at every depth, and what breaks the others.

With no arguments: the patch 931298e103c2, before and after, every mapping and every promise.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from model.checking import listing
from model.checking.cells import (
    MEANINGS,
    WORST_FIRST,
    Cell,
    Exit,
    bisect_code,
    exit_code,
    judged,
    plan,
    select_editions,
)
from model.checking.proofs import OFF, at_hand
from model.checking.run import Store, default_jobs, run
from model.checking.saved import Folder, where
from model.checking.settle import Options
from model.checking.telling import Progress, closing, cut_short, evidence, report
from model.cli import (
    USAGE,
    WRONG_BISECT,
    Parser,
    add_patch_argument,
    columns,
    complain,
    entry,
    fail,
    folder,
    one_of,
    seconds,
    tell,
    whole,
    with_patch,
    writable_folder,
)
from model.engines.registry import ENGINES
from model.kernel.editions import Edition, UsageError
from model.kernel.releases import NEWEST
from model.processes import CANNOT_TELL
from model.promises import add_promise_arguments, promises
from properties.base import Property

if TYPE_CHECKING:
    from counterexamples.folder import Pictures

PROG = "model.check"
DEFAULT_OUT = Path("ptecheck-out")
FORMATS = ("text", "json", "ktap", "junit")
LISTED = ("text", "json")
HEADLINE = ("softdirty-complete", "shmem")
"""The promise of the patch, and its mapping: the main job settles and tells it first."""
CODES = "ends with\n" + "\n".join(f"  {code:3}  {told}" for code, told in MEANINGS.items()) + f"""
of several the worst: {' '.join(str(int(code)) for code in WORST_FIRST)}.
With --bisect: 0 all proved, 1 a promise is broken, {CANNOT_TELL} cannot tell (as of a patch file
that does not load), {WRONG_BISECT} wrong usage, which ends the bisection."""


def parser(wrong: int = USAGE) -> argparse.ArgumentParser:
    p = Parser(prog=f"python -m {PROG}", description=__doc__, allow_abbrev=False, epilog=CODES,
               formatter_class=argparse.RawDescriptionHelpFormatter, wrong=wrong)
    pick = p.add_argument_group("what to check (names or globs, repeatable)")
    pick.add_argument("--kernel", action="append", metavar="EDITION",
                      help=f"default: before, after; with --patch, --promise, --never: {NEWEST}")
    pick.add_argument("--mapping", action="append", metavar="MAPPING", help="default: all")
    pick.add_argument("--property", action="append", metavar="PROPERTY",
                      help="default: those of your own, else all")
    pick.add_argument("--allow", action="extend", nargs="+", default=[], metavar="OP",
                      help="operations beyond the core that may happen too: names or globs")
    pick.add_argument("--each", action="store_true",
                      help="every allowed operation by itself; without --allow, every one there is")
    pick.add_argument("--with", action="append", default=[], dest="added", metavar="COMMIT",
                      help="add a change to every edition")
    pick.add_argument("--without", action="append", default=[], dest="dropped", metavar="COMMIT",
                      help="drop a change from every edition")
    add_patch_argument(pick)
    add_promise_arguments(pick)
    pick.add_argument("--claims", action="store_true",
                      help="decide what the messages of the patches claim, sentence by sentence")
    pick.add_argument("--list", nargs="?", const=listing.ALL, metavar="SECTION",
                      type=one_of("section", (listing.ALL, *listing.SECTIONS)),
                      help=f"say what there is, and end: {', '.join(listing.SECTIONS)} (the last "
                      "two are of --format json); default: all but these")
    how = p.add_argument_group("how")
    how.add_argument("--engine", type=one_of("engine", ["auto", *ENGINES]), default="auto",
                     help=", ".join(["auto", *ENGINES]))
    how.add_argument("--depth", type=whole(1), metavar="N", help="bound of the search, in calls")
    how.add_argument("--timeout", type=seconds, metavar="SECONDS", help="limit for each cell")
    how.add_argument("--jobs", type=whole(1, 1024), metavar="N",
                     help="processes at once; default: one for each CPU")
    how.add_argument("--no-cache", dest="cache", action="store_false",
                     help=f"prove anew what an earlier run has proved; ${OFF} says it too")
    how.add_argument("--causes", action=argparse.BooleanOptionalAction, default=True,
                     help="of each violation all causes: each is taken away, and the rest asked")
    say = p.add_argument_group("what to say")
    say.add_argument("--format", type=one_of("format", FORMATS), default="text",
                     help=", ".join(FORMATS))
    say.add_argument("--out", type=folder, metavar="DIR",
                     help=f"write counterexamples and certificates; default: {DEFAULT_OUT} for the "
                     "run without selectors, else nothing is written")
    say.add_argument("--resume", action="store_true",
                     help="take from --out DIR what an earlier run has settled")
    say.add_argument("--png", action="store_true", help="write the pictures as PNG too")
    say.add_argument("--no-pictures", action="store_true", help="write no pictures and graphs")
    say.add_argument("--strict", action="store_true", help="any violation is an error (exit 12)")
    say.add_argument("--bisect", action="store_true", help="exit 0 good, 1 bad, 125 cannot tell")
    say.add_argument("-q", "--quiet", action="store_true", help="print nothing but errors")
    say.add_argument("-v", "--verbose", action="count", default=0)
    return p


def main(argv: Sequence[str] | None = None) -> int:
    words = sys.argv[1:] if argv is None else argv
    wrong = WRONG_BISECT if "--bisect" in words else USAGE
    args = parser(wrong).parse_args(words)
    if args.list:
        return _listed(args, wrong)
    try:
        return _asked(args)
    except UsageError as error:
        if wrong == USAGE:
            raise
        fail(PROG, str(error), wrong)


def _listed(args: argparse.Namespace, wrong: int) -> int:
    if args.format not in LISTED:
        fail(PROG, f"--list has no format {args.format!r}; known: {', '.join(LISTED)}", wrong)
    tell(listing.as_json(args.list) if args.format == "json" else
         listing.listing(args.list, columns(sys.stdout)))
    return Exit.MET


def _asked(args: argparse.Namespace) -> int:
    """What does not depend on a patch file first: what is wrong there is wrong in every revision.
    Raises UsageError."""
    if args.claims:
        from model.claims import claims
        return claims(args, NEWEST)
    kernels = args.kernel or ([NEWEST] if args.patch or _own(args) else ["before", "after"])
    editions = select_editions(kernels, args.added, args.dropped)
    said = promises([], args.never)  # an expression is wrong in every revision
    _cells(args, editions, *(([], []) if args.promise else (args.property, said)))
    out: Path | None = args.out or (DEFAULT_OUT if _is_main_job(args) else None)
    if out is not None:
        writable_folder(out)
    if args.resume and out is None:
        raise UsageError("--resume needs --out DIR, where an earlier run has left its results")
    try:
        own = promises(args.promise, args.never, args.timeout)
        editions = with_patch(editions, args.patch, args.timeout)
        return _checked(args, _cells(args, editions, args.property, own), out)
    except (UsageError, OSError) as error:
        if not args.bisect:
            raise
        complain(PROG, str(error))
        return CANNOT_TELL


def _cells(args: argparse.Namespace, editions: Sequence[Edition],
           properties: Sequence[str] | None, own: Sequence[Property]) -> list[Cell]:
    return plan(editions, args.mapping or ["*"], properties or [],
                args.allow or (["*"] if args.each else []), each=args.each, own=own, several=True)


def _own(args: argparse.Namespace) -> bool:
    """Whether promises of the user's own are asked for."""
    return bool(args.promise or args.never)


def _is_main_job(args: argparse.Namespace) -> bool:
    return not (args.kernel or args.mapping or args.property or args.added or args.dropped
                or args.allow or args.each or args.patch or _own(args))


def _checked(args: argparse.Namespace, cells: Sequence[Cell], out: Path | None) -> int:
    """Settle them, tell it, and what the run ends with."""
    start = time.monotonic()
    options = Options(args.engine, args.depth, args.timeout, args.jobs or default_jobs(),
                      at_hand() if args.cache else None,
                      args.causes and not args.bisect)
    store = Folder(out, options, _pictures(args), args.resume) if out else Store()
    first = _first if _is_main_job(args) else None
    progress = Progress(cells, args.quiet, first if args.format == "text" else None)
    ran = run(cells, options, progress, store, first)
    files = [evidence(out if i not in ran.unkept else None, *pair)
             for i, pair in enumerate(zip(cells, ran.results, strict=True))]
    if not args.quiet:
        tell(report(args, cells, ran.results, files))
        if args.format == "text":
            tell(closing(args, out, ran, time.monotonic() - start))
    if isinstance(store, Folder) and store.passed_over and not args.quiet:
        complain(PROG, f"{store.passed_over} damaged or foreign results under {out} passed over")
    if ran.interrupted:
        complain(PROG, cut_short(ran.results))
    for number, why in ran.unkept.items():
        complain(PROG, f"{out}/{where(cells[number]).path}: evidence is missing: {why}")
    about = judged(ran.results)
    return (bisect_code(about, interrupted=ran.interrupted) if args.bisect else
            exit_code(about, args.strict, interrupted=ran.interrupted, missing=bool(ran.unkept)))


def _first(cell: Cell) -> bool:
    return (cell.prop.name, cell.mapping.name) == HEADLINE


def _pictures(args: argparse.Namespace) -> Pictures:
    from counterexamples.folder import Pictures

    return Pictures.asked(args.no_pictures, args.png)


if __name__ == "__main__":
    entry(PROG, main)
