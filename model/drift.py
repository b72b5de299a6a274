"""python -m model.drift TREE: what has changed in a kernel tree since the model was read from it.

TREE is a folder of kernel source, a linux-source-*.tar.xz, or a package of Debian's by name. Every
function that the model mirrors is compared by a digest of its code: it is the same, or moved to
another file, renamed, split into others, changed, gone, or compiled out where the configuration
builds no more than a stub of it. The leaf functions are proved equal to the model's for all inputs,
or shown with the input on which they differ. Exit codes: 0 nothing has changed but places and
names, and all leaf functions are equal; 1 something has; 2 usage.
"""

from __future__ import annotations

import argparse
import fnmatch
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from model.cli import Parser, entry, one_of, tool, wants_colour
from model.debian.source import archive_of, is_source
from model.kernel.editions import Edition, UsageError, unknown
from model.machine import CannotRun
from model.source.compare import compare, with_properties
from model.source.digests import Item, Source, editions, items, save, wanted_files
from model.source.report import as_json, as_text
from model.source.tree import open_tree
from model.system.actions.themes import allowing
from model.system.asking.used import functions_used
from model.system.state.mappings import MAPPINGS
from properties import PROPERTIES

PROG = "model.drift"
FORMATS = ("text", "json")


def find_package(name: str) -> Path | None:
    """By the name of a source package, its archive; None for what is none, UsageError for one that
    cannot be had."""
    try:
        return archive_of(name, _progress) if is_source(name) else None
    except CannotRun as error:
        raise UsageError(str(error)) from error


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def parser() -> argparse.ArgumentParser:
    p = Parser(prog=f"python -m {PROG}", description=__doc__, allow_abbrev=False,
               formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("tree", metavar="TREE")
    p.add_argument("--edition", metavar="EDITION",
                   help="compare with this one; default: that of the tree's version")
    p.add_argument("--against", metavar="OLDTREE",
                   help="show what has changed since this tree; without it, a git checkout's own "
                   "history is used where it has the release")
    p.add_argument("--function", action="append", metavar="NAME",
                   help="these alone: names or globs, repeatable")
    p.add_argument("--digests", action="store_true", help="compare digests alone, prove nothing")
    p.add_argument("--record", action="store_true",
                   help="for who edits the model: keep the tree's digests as what it was read from")
    p.add_argument("--format", type=one_of("format", FORMATS), default="text",
                   help=", ".join(FORMATS))
    p.add_argument("-v", "--verbose", action="count", default=0,
                   help="say what the proofs trust, and what each compares")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    chosen = _select(args.function)
    wanted = wanted_files(chosen, proofs=not args.digests)
    tree = open_tree(args.tree, wanted, find_package)
    edition = tree.edition(args.edition)
    if args.record:
        if args.function or args.against is not None:
            raise UsageError("--record keeps the digests of all functions: give it no --function "
                             "and no --against")
        count = save(tree.version, edition, Source(tree.read))
        print(f"recorded {count} definitions of Linux {tree.version} for {edition.name}")
        return 0
    against = (None if args.against is None
               else open_tree(args.against, wanted, find_package))
    comparison = compare(tree, edition, chosen, against, proofs=not args.digests)
    if comparison.idle:
        known = ", ".join(editions())
        raise UsageError(f"nothing to compare: no digests are recorded for {edition.name}, only "
                         f"for {known}, and no leaf function is to be proved")
    comparison = with_properties(comparison, lambda functions: resting(edition, functions))
    print(as_json(comparison, tool()) if args.format == "json" else
          as_text(comparison, colour=wants_colour(sys.stdout), verbose=args.verbose))
    return int(comparison.drifted)


def _select(patterns: Sequence[str] | None) -> list[Item]:
    known = {item.name: item for item in items()}
    chosen: dict[str, Item] = {}
    for pattern in patterns or ["*"]:
        found = fnmatch.filter(known, pattern)
        if not found:
            raise unknown("function", pattern, list(known))
        chosen |= {name: known[name] for name in found}
    return list(chosen.values())


def resting(edition: Edition, functions: Collection[str]) -> dict[str, list[str]]:
    """For each of these functions of the model, the promises that rest on it: it is called by an
    operation of the core or one that the promise speaks of, in a mapping that it speaks of, or by
    what makes a mapping and reads pagemap."""
    found: dict[str, set[str]] = {name: set() for name in functions}
    for mapping in MAPPINGS.values():
        asked = [p for p in PROPERTIES.values() if p.concerns(edition, mapping)]
        core = allowing(edition, mapping, ())
        used = functions_used(edition, mapping,
                              allowing(edition, mapping, {op for p in asked for op in p.about}))
        for prop in asked:
            there = used[""].union(*(used[op] for op in (*core, *prop.about)))
            for name in there & found.keys():
                found[name].add(prop.name)
    return {name: sorted(props) for name, props in found.items()}


if __name__ == "__main__":
    entry(PROG, main)
