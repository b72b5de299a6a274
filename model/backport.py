"""python -m model.backport EDITION: the minimal sets of known changes that mend a promise.

For each promise: how EDITION breaks it, every minimal set of changes that makes it hold, each
proved as an edition, what each member is there for, what it leans on and conflicts with, and what
it does to other promises. With --series: along editions in the order given, the last good and the
first bad one, and which of the changes between them did it.

Exit codes: 0 each promise asked for has an answer or holds already; 12 for one of them no set of
known changes is enough on some mapping; 30 undecided; 75 the model contradicts itself; 2 wrong
usage. A series ends with 0 or 30. With --bisect nothing is mended: 0 good, 1 bad (any of the
promises on any mapping in any of the editions), 125 cannot tell, 128 wrong usage.
"""

from __future__ import annotations

import argparse
import fnmatch
import sys
from collections.abc import Generator, Sequence
from enum import IntEnum

from model.checking.backport_report import (
    answers_json,
    answers_text,
    courses_json,
    courses_text,
)
from model.checking.backporting import COMMITS, Answer, Bench, answer
from model.checking.cells import Cell, bisect_code, plan, select_editions
from model.checking.run import default_jobs, run
from model.checking.series import UNKNOWN, Course, course
from model.checking.settle import Options
from model.cli import USAGE, WRONG_BISECT, Parser, cut_short, entry, fail, one_of, seconds
from model.engines.base import Limits
from model.kernel.changes import CHANGES
from model.kernel.editions import Edition, UsageError, find_change
from model.processes import Stopped, until_interrupted
from properties import PROPERTIES

PROG = "model.backport"


class Exit(IntEnum):
    """Exit codes, the worst last."""

    ANSWERED = 0
    UNDECIDED = 30
    NO_SET = 12
    CONTRADICTION = 75


def parser(wrong: int = USAGE) -> argparse.ArgumentParser:
    p = Parser(prog=f"python -m {PROG}", description=__doc__, allow_abbrev=False, wrong=wrong,
               formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("editions", nargs="*", metavar="EDITION",
                   help="one; with --series two or more, oldest first (names or globs)")
    p.add_argument("--series", action="store_true", help="where the promise is lost and kept again")
    pick = p.add_argument_group("what to ask (names or globs, repeatable)")
    pick.add_argument("--property", action="append", metavar="PROPERTY",
                      help="default: every one that is broken")
    pick.add_argument("--mapping", action="append", metavar="MAPPING",
                      help="default: all where it is broken")
    pick.add_argument("--allow", action="extend", nargs="+", default=[], metavar="OP",
                      help="operations beyond the core that may happen too: names or globs")
    offer = p.add_argument_group("which changes are offered")
    offer.add_argument("--offer", action="extend", nargs="+", metavar="CHANGE",
                       help="these alone, the readings as-described and no-try among them; "
                       "default: every commit that the edition lacks")
    offer.add_argument("--may-drop", action="extend", nargs="*", metavar="CHANGE",
                       help="changes that the edition may lose too; none named: any of its own")
    offer.add_argument("--keep", action="store_true",
                       help="take no set that breaks a promise which the edition keeps there")
    p.add_argument("--timeout", type=seconds, metavar="SECONDS", help="limit for each promise")
    p.add_argument("--format", type=one_of("format", ("text", "json")), default="text",
                   help="text, json")
    p.add_argument("--bisect", action="store_true", help="exit 0 good, 1 bad, 125 cannot tell")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    words = sys.argv[1:] if argv is None else argv
    wrong = WRONG_BISECT if "--bisect" in words else USAGE
    args = parser(wrong).parse_intermixed_args(words)
    try:
        return _asked(args)
    except UsageError as error:
        if wrong == USAGE:
            raise
        fail(PROG, str(error), wrong)


def _asked(args: argparse.Namespace) -> int:
    """Raises UsageError."""
    if not args.editions:
        raise UsageError("which edition? for example: python -m model.backport v6.1; "
                         "python -m model.check --list has them all")
    editions = select_editions(args.editions, [], [])
    if args.series and len(editions) < 2:
        raise UsageError("--series needs two editions or more, oldest first")
    if not args.series and len(editions) > 1:
        raise UsageError(f"one edition at a time, not {len(editions)}; "
                         "--series takes several, oldest first")
    cells = plan(editions, args.mapping or ["*"], args.property or ["*"], args.allow)
    silent = [name for name in PROPERTIES if all(c.prop.name != name for c in cells)
              and any(fnmatch.fnmatchcase(name, pattern) for pattern in args.property or ())]
    if silent or not cells:
        raise UsageError(f"{', '.join(silent) or 'no promise'} says nothing of "
                         f"{', '.join(args.mapping or ['any mapping'])} in "
                         f"{', '.join(e.name for e in editions)} with these operations")
    if args.bisect:
        return _bisect(cells, args.timeout)
    if args.series:
        return _series(args, editions, cells)
    return _backport(args, editions[0], cells)


def _backport(args: argparse.Namespace, base: Edition, cells: Sequence[Cell]) -> int:
    changes, may_change = _offered(base, args.offer, args.may_drop)
    bench = Bench(base, changes, cells[0].allow)
    props = list(dict.fromkeys(c.prop for c in cells))

    def found(stopped: Stopped) -> Generator[Answer, None, None]:
        for prop in props:
            mappings = [c.mapping for c in cells if c.prop is prop]
            _say(f"{prop.name} on {len(mappings)} mapping{'s' if len(mappings) > 1 else ''} ...")
            yield answer(bench, prop, mappings, may_change,
                         Limits(seconds=args.timeout, stopped=stopped), args.keep)

    taken = until_interrupted(found)
    answers = [a for a in taken if args.property or a.broken or a.reason]
    if args.format == "json":
        print(answers_json(answers))
    else:
        asked = "asked for" if len(taken) == len(props) else "that was tried before the signal"
        print(answers_text(answers) or f"every promise {asked} holds in {base.name}")
    if cut_short(PROG, len(taken), len(props)):
        return Exit.UNDECIDED
    return max((_code(a) for a in answers), key=list(Exit).index, default=Exit.ANSWERED)


def _offered(base: Edition, offer: Sequence[str] | None,
             may_drop: Sequence[str] | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The changes that the search knows of, and those that it may add or drop."""
    added = {find_change(c).id for c in offer or COMMITS}
    added |= {r for c in added for r in CHANGES[c].requires}
    dropped = {find_change(c).id for c in may_drop or (base.changes if may_drop is not None
                                                       else ())}
    for change in (find_change(c).id for c in may_drop or ()):
        if change not in base.changes:
            raise UsageError(f"{base.name} lacks {change}: there is nothing to drop")
    dropped |= {c.id for c in CHANGES.values() if dropped & set(c.requires)} & base.changes
    if offer and added <= base.changes:
        raise UsageError(f"{base.name} has {', '.join(offer)} already: nothing is offered")
    known = tuple(c for c in CHANGES if c in COMMITS or c in added | dropped)
    return known, tuple(c for c in CHANGES if c in (added - base.changes) | dropped)


def _code(a: Answer) -> Exit:
    if any(f.contradicted for f in a.sets):
        return Exit.CONTRADICTION
    if a.hopeless or (a.together and not a.sets and not a.reason):
        return Exit.NO_SET
    return Exit.UNDECIDED if a.reason or not all(f.proved for f in a.sets) else Exit.ANSWERED


def _series(args: argparse.Namespace, editions: Sequence[Edition], cells: Sequence[Cell]) -> int:
    pairs = list(dict.fromkeys((c.prop, c.mapping) for c in cells))

    def found(stopped: Stopped) -> Generator[Course, None, None]:
        for prop, mapping in pairs:
            _say(f"{prop.name} on {mapping.name} ...")
            yield course(editions, prop, mapping, cells[0].allow,
                         Limits(seconds=args.timeout, stopped=stopped))

    taken = until_interrupted(found)
    courses = [c for c in taken if args.property or c.turns]
    if args.format == "json":
        print(courses_json(courses))
    else:
        asked = "asked for" if len(taken) == len(pairs) else "that was tried before the signal"
        print(courses_text(courses) or f"every promise {asked} is the same in all of them")
    if cut_short(PROG, len(taken), len(pairs)):
        return Exit.UNDECIDED
    undecided = any(s.verdict == UNKNOWN for c in courses for s in c.stops)
    return Exit.UNDECIDED if undecided else Exit.ANSWERED


def _bisect(cells: Sequence[Cell], timeout: float | None) -> int:
    ran = run(cells, Options(timeout=timeout, jobs=default_jobs()), lambda _: None)
    for r in ran.results:
        print(f"{r.prop} on {r.scope} in {r.kernel}: {r.verdict}")
    return bisect_code(ran.results, interrupted=ran.interrupted)


def _say(line: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{line}", end="\r\033[K", file=sys.stderr, flush=True)


if __name__ == "__main__":
    entry(PROG, main)
