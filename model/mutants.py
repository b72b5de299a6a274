"""python -m model.mutants: which promises would notice a wrong kernel function.

A mutant is a small wrong edit of one function. Each promise is tried against it by the exhausted
state graph, on the edition and mapping that it is for. The answers are a table,
model/mutation/table.txt; what has changed since it was written, a function, a mutant or a promise,
is asked anew.

exit codes: 0 each mutant is told, or has its reason; 1 one is not, or has a reason no more, or
--check finds that something has changed; 2 wrong usage
"""

from __future__ import annotations

import argparse
import fnmatch
from collections.abc import Sequence
from dataclasses import replace

from model.cli import Parser, StatusLine, entry
from model.kernel.editions import unknown
from model.mutation.mutant import Mutant
from model.mutation.rows import MUTANTS
from model.mutation.table import Row, asked, load, save, stale

PROG = "model.mutants"


def parser() -> argparse.ArgumentParser:
    p = Parser(prog=f"python -m {PROG}", description=__doc__, allow_abbrev=False,
               formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--all", action="store_true",
                   help="ask everything anew: a row's digests leave out what other functions do")
    p.add_argument("--everywhere", action="store_true",
                   help="ask those that no promise tells on the other mappings too")
    p.add_argument("--check", action="store_true", help="name what has changed, and ask nothing")
    p.add_argument("--function", action="append", metavar="NAME", default=[],
                   help="ask the mutants of these alone: names or globs, repeatable")
    p.add_argument("-q", "--quiet", action="store_true", help="no progress")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    chosen, rows = _chosen(args.function), load()
    changed = {m.name: stale(m, rows.get(m.name)) for m in chosen}
    for mutant in chosen:
        untold = args.everywhere and mutant.name in rows and not rows[mutant.name].promises
        if args.all or untold:
            changed[mutant.name] = "you ask"
    due = [m for m in chosen if changed[m.name]]
    if args.check:
        for mutant in due:
            print(f"{mutant.name}: {changed[mutant.name]}")
        print(f"{len(due)} of {len(chosen)} mutants have to be asked anew")
        return int(bool(due))
    progress = StatusLine(args.quiet)
    for number, mutant in enumerate(sorted(due, key=_world), start=1):
        progress(f"{number} of {len(due)}: {mutant.name}", number == len(due))
        rows[mutant.name] = asked(mutant, args.everywhere)
        print(rows[mutant.name], flush=True)
        _keep(rows)  # a signal may end this at any time
    if not due:
        _keep(rows)  # without those that are no more
    wrong = [line for m in chosen if (line := complaint(m, rows[m.name]))]
    print(*wrong, _sum(chosen, rows), sep="\n")
    return int(bool(wrong))


def _keep(rows: dict[str, Row]) -> None:
    save(replace(rows[m.name], reason=m.untold) for m in MUTANTS if m.name in rows)


def complaint(mutant: Mutant, row: Row) -> str:
    """What is wrong with a row; empty where nothing is."""
    where = row.where.split()[1]
    if row.promises and where != mutant.mapping:
        return f"{mutant.name}: a promise tells it on {where}, which is to be its mapping"
    if row.promises and mutant.untold:
        return f"{mutant.name}: a promise tells it, so that it needs no reason why none does"
    if not row.promises and not mutant.untold:
        return f"{mutant.name}: no promise tells it, and no reason says why"
    return ""


def _world(mutant: Mutant) -> tuple[str, str, str]:
    """What is built once for all mutants that have it in common."""
    return mutant.edition, mutant.mapping, mutant.allow


def _sum(chosen: Sequence[Mutant], rows: dict[str, Row]) -> str:
    told = sum(bool(rows[m.name].promises) for m in chosen)
    return (f"{len(chosen)} mutants of {len({m.function for m in chosen})} functions: {told} told "
            f"by promises, {len(chosen) - told} by none, each with its reason")


def _chosen(patterns: Sequence[str]) -> list[Mutant]:
    functions = list(dict.fromkeys(m.function for m in MUTANTS))
    for pattern in patterns:
        if not fnmatch.filter(functions, pattern):
            raise unknown("function", pattern, functions)
    return [m for m in MUTANTS
            if not patterns or any(fnmatch.fnmatchcase(m.function, p) for p in patterns)]


if __name__ == "__main__":
    entry(PROG, main)
