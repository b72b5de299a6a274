"""python -m counterexamples.differ DIR A B: every class of a diff on two real kernels.

    python -m model.diff v6.1 v6.12 --out apart
    python -m counterexamples.differ apart debian:6.1 debian:6.12

A is the kernel that stands for the first edition of the diff, B the one for the second. A class is
confirmed where each of them did as its own edition's model does, step by step, in all that a
program sees. Kernels are named as for counterexamples.replay, and each is booted once.

Ends with 0 where every class is confirmed, 1 where one is not, 4 where one cannot be tried.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from counterexamples.lab import guest
from counterexamples.lab.differing import FORMATS, Diff, Report, on_kernel, read
from counterexamples.lab.errors import CannotRun
from counterexamples.lab.kernels import Kernel, at_hand, named
from counterexamples.lab.progress import progress
from counterexamples.lab.replaying import SKIP, Plan, Replay, skipped
from model.cli import Parser, entry, folder, one_of, seconds
from model.kernel.editions import UsageError

PROG = "counterexamples.differ"


def parser() -> argparse.ArgumentParser:
    p = Parser(prog=f"python -m {PROG}", description=__doc__, allow_abbrev=False,
               formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=folder, metavar="DIR", help="what model.diff --out DIR has left")
    p.add_argument("a", metavar="A", help="the kernel of the diff's first edition")
    p.add_argument("b", metavar="B", help="the kernel of its second edition")
    p.add_argument("--format", type=one_of("format", list(FORMATS)), default="text",
                   help=", ".join(FORMATS))
    p.add_argument("--timeout", type=seconds, default=guest.ANSWER_SECONDS, metavar="SECONDS",
                   help=f"limit for each answer of a kernel; default: {guest.ANSWER_SECONDS:g}; "
                   f"for its boot, {guest.BOOTS} times that. What a busy machine makes it wait "
                   "does not count")
    p.add_argument("-q", "--quiet", action="store_true", help="no progress on stderr")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    diff = read(args.folder)
    if not diff.shown:
        raise UsageError(f"nothing to try: {diff.a.name} and {diff.b.name} do not differ in "
                         f"{str(args.folder)!r}")
    kernels = named(args.a), named(args.b)
    if [k.edition for k in kernels] == [diff.b.name, diff.a.name] != [diff.a.name, diff.b.name]:
        raise UsageError(f"{str(args.folder)!r} goes from {diff.a.name} to {diff.b.name}: name "
                         f"{args.b} first, then {args.a}")
    say = progress(args.quiet)
    try:
        a, b = (at_hand(kernel, say) for kernel in kernels)
    except CannotRun as error:
        print(_untried(diff, kernels, str(error)) if args.format == "json" else f"SKIP: {error}")
        return SKIP
    columns = []
    for kernel, edition in ((a, diff.a), (b, diff.b)):
        say(f"running {len(diff.shown)} on {kernel.name} ({kernel.version})")
        columns.append(on_kernel(kernel, edition, diff, args.timeout))
    report = Report(diff, (a, b), list(zip(*columns, strict=True)))
    print(FORMATS[args.format](report))
    return report.code


def _untried(diff: Diff, kernels: tuple[Kernel, Kernel], why: str) -> str:
    """The report of a diff of which nothing was tried, as JSON."""
    a, b = ([Replay(Plan(edition, s.mapping, s.kind, s.ops), kernel, None, (), skipped(why))
             for s in diff.shown]
            for edition, kernel in zip((diff.a, diff.b), kernels, strict=True))
    return FORMATS["json"](Report(diff, kernels, list(zip(a, b, strict=True))))


if __name__ == "__main__":
    entry(PROG, main)
