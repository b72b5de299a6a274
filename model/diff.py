"""python -m model.diff A B: every way in which edition B behaves otherwise than A.

    python -m model.diff v6.1 v6.12
    python -m model.diff before after --mapping shmem
    python -m model.diff v6.12 v6.12 --patch mine.py

One shortest trace for each class of difference that user space can observe, on each mapping; or a
proof that there is none. Each trace ends at the first difference: what two kernels do after they
have shown themselves different is not compared.

A class is an operation that shows the difference, the fields that change with their direction, and
the promises that tell the editions apart. It is a fix or a regression where one of them can lose
what was stored (dirty-kept) or breaks a promise there, precision where only faults are fewer
(gained) or more (lost), else neutral. What can lose data comes first, then what loses records of
stores, then events. A call that one edition alone has, and the other refuses always, is one class,
and one more for what it breaks. What ends an obligation that both have broken before
mends nothing. Of each class the fewest changes are named that make A show it.

Ends with 0 where no difference is possible (proved), 1 where there are some, 30 where none was
found but the search was cut short, and where a signal cut the run short, 2 where what --out asks
for could not be written.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Generator, Sequence
from pathlib import Path

from model.checking.cells import plan
from model.checking.diff_report import Written, as_json, as_text, headline
from model.checking.difference import Comparison, compare
from model.cli import (
    USAGE,
    Parser,
    StatusLine,
    add_patch_argument,
    complain,
    cut_short,
    entry,
    folder,
    one_of,
    patched,
    seconds,
    wants_colour,
    whole,
    writable_folder,
)
from model.engines.base import Limits
from model.files import write_whole
from model.kernel.editions import Edition, UsageError, find_edition
from model.kernel.records import Mapping
from model.processes import Stopped, until_interrupted
from model.promises import add_promise_arguments, promises
from model.system.actions.operations import CORE
from model.system.actions.themes import modelled, themes_named
from model.system.state.mappings import MAPPINGS
from properties.base import Property

PROG = "model.diff"
SAME, DIFFERENT, UNDECIDED = 0, 1, 30
_LONGEST_NAME = 100

_Scope = tuple[Mapping, tuple[str, ...]]
"""A mapping, and the operations beyond the core."""


def parser() -> argparse.ArgumentParser:
    p = Parser(prog=f"python -m {PROG}", description=__doc__, allow_abbrev=False,
               formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("a", metavar="A", help="an edition, or one derived from it: v6.12-931298e103c2")
    p.add_argument("b", metavar="B", help="the edition that is held against it")
    add_patch_argument(p)
    add_promise_arguments(p)
    p.add_argument("--mapping", action="append", metavar="MAPPING",
                   help="name or glob, repeatable; default: all")
    p.add_argument("--allow", action="extend", nargs="+", default=[], metavar="OP",
                   help="operations beyond the core that may happen too: names or globs")
    p.add_argument("--each", action="store_true",
                   help="every allowed operation by itself; without --allow, every one there is")
    p.add_argument("--theme", action="append", default=[], metavar="THEME",
                   help="the operations of a theme (--list in model.check), each theme by itself; "
                   "name or glob, repeatable")
    p.add_argument("--depth", type=whole(1), metavar="N", help="bound of the search, in calls")
    p.add_argument("--timeout", type=seconds, metavar="SECONDS", help="limit for each mapping")
    p.add_argument("--format", type=one_of("format", ("text", "json")), default="text",
                   help="text, json")
    p.add_argument("--out", type=folder, metavar="DIR", help="write both sides of each trace "
                   "there, for counterexamples.replay and counterexamples.differ")
    p.add_argument("-q", "--quiet", action="store_true", help="no progress on stderr")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_intermixed_args(argv)
    a, b = find_edition(args.a), patched(find_edition(args.b), args.patch, args.timeout)
    scopes = _scopes(args, a, b)
    own = promises(args.promise, args.never, args.timeout)
    _told(own, a, b, scopes)
    if args.out is not None:
        writable_folder(args.out)

    def found(stopped: Stopped) -> Generator[Comparison, None, None]:
        for mapping, allow in scopes:
            limits = Limits(args.depth, args.timeout, stopped=stopped)
            yield compare(a, b, mapping, allow, limits, own)

    comparisons = until_interrupted(found, _Progress(len(scopes), args.quiet))
    paths: dict[tuple[int, int], Written] = {}
    missing = None if args.out is None else _write(args.out, a, b, comparisons, paths)
    print(as_json(a, b, comparisons, paths) if args.format == "json" else
          as_text(a, b, comparisons, asked=len(scopes), colour=wants_colour(sys.stdout)))
    whole_run = not cut_short(PROG, len(comparisons), len(scopes))
    if missing:
        complain(PROG, f"{args.out}: evidence is missing: {missing}")
        return USAGE
    if not whole_run:
        return UNDECIDED
    if any(c.classes for c in comparisons):
        return DIFFERENT
    return SAME if all(c.complete for c in comparisons) else UNDECIDED


def _told(own: Sequence[Property], a: Edition, b: Edition, scopes: Sequence[_Scope]) -> None:
    """Raises UsageError where one of the promises cannot be asked of anything that is compared."""
    for p in own:
        memories = [(m, allow) for m, allow in scopes if p.concerns(a, m) and p.concerns(b, m)]
        if not memories:
            raise UsageError(f"{p.name} says nothing of what is compared: "
                             + ", ".join(dict.fromkeys(m.name for m, _ in scopes)))
        if not any(set(p.about) <= set(allow) for _, allow in memories):
            raise UsageError(f"{p.name} is about {', '.join(p.about)}: give --allow "
                             f"{' '.join(p.about)}")


def _scopes(args: argparse.Namespace, edition: Edition, other: Edition) -> list[_Scope]:
    """What is compared: what is modelled of both. Raises UsageError."""
    if args.theme and (args.allow or args.each):
        raise UsageError("--theme says which operations are allowed: give no --allow or --each "
                         "beside it")
    cells = plan([edition], args.mapping or ["*"], [],
                 args.allow or (["*"] if args.each else []), each=args.each)
    found = list(dict.fromkeys((cell.mapping, cell.allow) for cell in cells))
    if args.theme:
        found = [(mapping, tuple(op for op in ops
                                 if op not in CORE and op in modelled(other, mapping)))
                 for mapping, _ in found
                 for ops in themes_named(args.theme, edition, mapping).values()]
    found = [(m, allow) for m, allow in found if set(allow) <= set(modelled(other, m))]
    if not found:
        raise UsageError("no mapping that was named models "
                         + (f"the themes {', '.join(args.theme)}" if args.theme
                            else f"all of {', '.join(args.allow)} together"))
    return found


def _write(out: Path, a: Edition, b: Edition, comparisons: Sequence[Comparison],
           paths: dict[tuple[int, int], Written]) -> str | None:
    """Both sides of each class, put into `paths`, and the report, which names them from DIR on, in
    place of what an earlier run has left. Why not all of it could be written, if it could not."""
    from counterexamples.sides import REPORT, clear, write_sides

    inside = {}
    try:
        clear(out)
        for number, c in enumerate(comparisons):
            scope = "+".join((c.mapping, *c.allow))
            if len(scope) > _LONGEST_NAME:
                scope = f"{c.mapping}+{number}"
            for place, found in enumerate(c.classes):
                name = f"{place + 1}-{found.kind.replace(' ', '-')}"
                sides = write_sides(out / scope / name, (a, b), MAPPINGS[c.mapping],
                                    found.operations, headline(c, found))
                paths[number, place] = Written(*map(str, sides))
                inside[number, place] = Written(*(str(s.relative_to(out)) for s in sides))
        write_whole(out / REPORT, as_json(a, b, comparisons, inside) + "\n")
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    return None


class _Progress:
    """What was compared last, on stderr."""

    def __init__(self, scopes: int, quiet: bool) -> None:
        self._done, self._scopes = 0, scopes
        self._tell = StatusLine(quiet)

    def __call__(self, last: Comparison) -> None:
        self._done += 1
        self._tell(f"{self._done} done, {self._scopes - self._done} left; {last.scope}: "
                   f"{last.pairs} pairs in {last.seconds:.1f} s", self._done == self._scopes)


if __name__ == "__main__":
    entry(PROG, main)
