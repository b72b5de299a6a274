"""python -m model.simulate: what a list of operations does, and what a program could observe.

    python -m model.simulate --kernel v6.1 --mapping shmem store clear_refs store
    python -m model.simulate --kernel v7.3 --mapping shmem:4 store@2 register@1-2 wp@0-3
    python -m model.simulate --batch RUNS     one run a line: ID EDITION MAPPING OP OP ...

JSON is as python -m model.check --list simulate-schema says.

In RUNS empty lines and lines that begin with # are passed over; a line has at most a million bytes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache, lru_cache
from itertools import count
from typing import Any, BinaryIO

from counterexamples.trace import run_trace
from counterexamples.words.pages import pages_table
from counterexamples.words.text import table
from model.cli import Parser, add_patch_argument, entry, one_of, patched
from model.kernel.editions import Edition, UsageError, find_edition, shortened
from model.system.actions.operations import find_operation
from model.system.actions.spans import MUNMAP, find_span, plain_op
from model.system.actions.themes import allowing
from model.system.relation.kernel import KernelSystem, Step, whole_system
from model.system.relation.ranges import RangeSystem, system_of_calls
from model.system.state.mappings import find_memory

PROG = "model.simulate"
LONGEST_LINE = 1_000_000
"""In bytes: some hundred thousand operations, which take as many kilobytes while they run."""
_STEPS_KEPT = 50_000
_FORM = "'ID EDITION MAPPING OP OP ...'"


def parser() -> argparse.ArgumentParser:
    p = Parser(prog=f"python -m {PROG}", description=__doc__, allow_abbrev=False,
               formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--kernel", metavar="EDITION", help="default: after")
    add_patch_argument(p)
    p.add_argument("--mapping", metavar="MAPPING", help="default: shmem")
    p.add_argument("--format", type=one_of("format", ("text", "json")),
                   help="text, json; default: text, of --batch json")
    p.add_argument("--batch", metavar="FILE", help="runs to make, '-' for standard input; prints "
                   "one JSON object a line")
    p.add_argument("ops", nargs="*", metavar="OP", help="operations, in order")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_intermixed_args(argv)
    if args.batch is not None:
        if args.ops or args.kernel or args.mapping or args.format == "text":
            raise UsageError("--batch takes editions, mappings and operations from the file and "
                             "prints JSON: give no --kernel, --mapping, OP or text beside it")
        batch(args.batch, args.patch)
        return 0
    if not args.ops:
        raise UsageError("no operation given: name some, as in 'store clear_refs store'")
    edition = patched(find_edition(args.kernel or "after"), args.patch)
    kernel = _system(edition, args.mapping or "shmem", args.ops)
    ops = _modelled(kernel, args.ops)
    if args.format == "json":
        print(json.dumps(observed(kernel, ops), indent=1))
    elif isinstance(kernel, RangeSystem):
        print("\n".join(pages_table(kernel, ops)))
    else:
        print("\n".join(table(run_trace(kernel, ops, prop="", claim=""))))
    return 0


def _system(edition: Edition, mapping: str, ops: Sequence[str]) -> KernelSystem | RangeSystem:
    """The system of that mapping with every operation that these need. Raises UsageError."""
    memory, pages = find_memory(mapping)
    return (whole_system(edition, memory) if pages is None else
            system_of_calls(edition, memory, pages, ops))


def observed(kernel: KernelSystem | RangeSystem, ops: Sequence[str]) -> list[dict[str, Any]]:
    """One object a step, as the contract has it."""
    return [kernel.observe(step) for step in kernel.run(ops)]


def batch(name: str, patch: str | None = None) -> None:
    """Run every line of a file, with the functions of `patch` in every edition. A line that cannot
    be run is a UsageError with its number; the runs before it have been printed by then."""
    find = cache(lambda name: patched(find_edition(name), patch))
    done = 0
    with _opened(name) as file:
        for number, line in _lines(name, file):
            try:
                done += _run_line(line, find)
            except UsageError as error:
                sys.stdout.flush()
                raise UsageError(f"line {number}: {error}") from error
    if not done:
        raise UsageError(f"no run in {name!r}: one a line, {_FORM}")


def _opened(name: str) -> AbstractContextManager[BinaryIO]:
    """The file, or standard input. Raises UsageError."""
    if name == "-":
        if sys.stdin is None:
            raise UsageError("cannot read '-': standard input is closed")
        return nullcontext(sys.stdin.buffer)
    with _reading(name):
        return open(name, "rb")


@contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"cannot read {name!r}: {said}") from error


def _lines(name: str, file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The lines by number. Raises UsageError where one is too long to be a run."""
    for number in count(1):
        with _reading(name):
            line = file.readline(LONGEST_LINE + 1)
        if not line:
            return
        if len(line) > LONGEST_LINE:
            sys.stdout.flush()
            raise UsageError(f"line {number}: longer than {LONGEST_LINE} bytes: a run has at most "
                             "so many")
        yield number, line


def _run_line(line: bytes, find: Callable[[str], Edition]) -> bool:
    """Whether the line has a run, which is then printed. Raises UsageError."""
    try:
        words = line.decode("utf-8-sig").split()
    except UnicodeDecodeError as error:
        raise UsageError(f"not UTF-8 text: {error.reason}") from error
    if not words or words[0].startswith("#"):
        return False
    if len(words) < 4:
        raise UsageError(f"{shortened(' '.join(words))!r} is not {_FORM}")
    run, edition, mapping, *ops = words
    kernel = _system(find(edition), mapping, ops)
    steps = ", ".join(_told(kernel, step) for step in kernel.run(_modelled(kernel, ops)))
    sys.stdout.write(f'{{"id": {json.dumps(run)}, "steps": [{steps}]}}\n')
    return True


@lru_cache(_STEPS_KEPT)
def _told(kernel: KernelSystem | RangeSystem, step: Step) -> str:
    """A step as JSON; most of them come again."""
    return json.dumps(kernel.observe(step))


def _modelled(kernel: KernelSystem | RangeSystem, ops: Sequence[str]) -> list[str]:
    """The operations. Raises UsageError for one that there is not, or not there."""
    if isinstance(kernel, RangeSystem):
        return [find_span(op, kernel.pages).name for op in ops]
    for op in ops:
        if op == MUNMAP:
            raise UsageError("munmap is for a mapping with several pages, as shmem:4; of one page "
                             "mmap unmaps it and maps it anew")
        if "@" in op:
            find_operation(plain_op(op))
            raise UsageError(f"{shortened(op)!r}: a mapping has several pages where their number "
                             "is named, as shmem:4")
    names = [find_operation(op).name for op in ops]
    allowing(kernel.edition, kernel.mapping, names)
    return names


if __name__ == "__main__":
    entry(PROG, main)
