"""python -m model.simulate: what a list of operations does, and what a program could observe.

    python -m model.simulate --kernel v6.1 --mapping shmem store clear_refs store
    python -m model.simulate --batch RUNS     one run a line: ID EDITION MAPPING OP OP ...
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from counterexamples.trace import run_trace
from counterexamples.words.text import table
from model.cli import Parser, add_patch_argument, entry, one_of, patched
from model.kernel.editions import Edition, UsageError, find_edition
from model.system.actions.operations import find_operation
from model.system.actions.themes import allowing
from model.system.relation.kernel import KernelSystem, whole_system
from model.system.state.mappings import find_mapping

PROG = "model.simulate"


def parser() -> argparse.ArgumentParser:
    p = Parser(prog=f"python -m {PROG}", description=__doc__, allow_abbrev=False,
               formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--kernel", default="after", metavar="EDITION", help="default: after")
    add_patch_argument(p)
    p.add_argument("--mapping", default="shmem", metavar="MAPPING", help="default: shmem")
    p.add_argument("--format", type=one_of("format", ("text", "json")), default="text",
                   help="text, json")
    p.add_argument("--batch", metavar="FILE", help="runs to make, '-' for standard input; prints "
                   "one JSON object a line")
    p.add_argument("ops", nargs="*", metavar="OP", help="operations, in order")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_intermixed_args(argv)
    if args.batch is not None:
        if args.ops:
            raise UsageError("--batch takes its operations from the file: give no OP beside it")
        batch(args.batch, args.patch)
        return 0
    if not args.ops:
        raise UsageError("no operation given: name some, as in 'store clear_refs store'")
    edition = patched(find_edition(args.kernel), args.patch)
    kernel = whole_system(edition, find_mapping(args.mapping))
    ops = _modelled(kernel, args.ops)
    if args.format == "json":
        print(json.dumps(observed(kernel, ops), indent=1))
    else:
        print("\n".join(table(run_trace(kernel, ops, prop="", claim=""))))
    return 0


def observed(kernel: KernelSystem, ops: Sequence[str]) -> list[dict[str, Any]]:
    """One object a step, as the contract has it."""
    return [kernel.observe(step) for step in kernel.run(ops)]


def batch(name: str, patch: str | None = None) -> None:
    """Run every line of a file, with the functions of `patch` in every edition. A line that cannot
    be run is a UsageError with its number; the runs before it have been printed by then."""
    edition = cache(lambda name: patched(find_edition(name), patch))
    try:
        if name == "-":
            _run_lines(sys.stdin, edition)
        else:
            with Path(name).open(encoding="utf-8") as lines:
                _run_lines(lines, edition)
    except UnicodeDecodeError as error:
        raise UsageError(f"{name!r} is not text: {error.reason}") from error
    except OSError as error:
        raise UsageError(f"cannot read {name!r}: {error.strerror}") from error


def _run_lines(lines: Iterable[str], find: Callable[[str], Edition]) -> None:
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words:
            continue
        try:
            run, steps = _run_line(words, find)
        except UsageError as error:
            sys.stdout.flush()
            raise UsageError(f"line {number}: {error}") from error
        sys.stdout.write(json.dumps({"id": run, "steps": steps}) + "\n")


def _run_line(words: list[str],
              find: Callable[[str], Edition]) -> tuple[str, list[dict[str, Any]]]:
    if len(words) < 4:
        raise UsageError(f"{' '.join(words)!r} is not 'ID EDITION MAPPING OP OP ...'")
    run, edition, mapping, *ops = words
    kernel = whole_system(find(edition), find_mapping(mapping))
    return run, observed(kernel, _modelled(kernel, ops))


def _modelled(kernel: KernelSystem, ops: Sequence[str]) -> list[str]:
    """The operations. Raises UsageError for one that there is not, or not there."""
    names = [find_operation(op).name for op in ops]
    allowing(kernel.edition, kernel.mapping, names)
    return names


if __name__ == "__main__":
    entry(PROG, main)
