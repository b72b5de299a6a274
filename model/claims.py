"""What `check --claims` does: the messages of the two patches, sentence by sentence."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

from model.checking.cells import select, select_editions
from model.checking.claims import Answer, Judged, judge
from model.checking.claims_report import TextReport, Traces, as_json, exit_code
from model.cli import cut_short, wants_colour, with_patch, writable_folder
from model.kernel.editions import Edition, UsageError
from model.kernel.releases import NEWEST
from model.processes import Stopped, interrupted_code, until_interrupted
from model.system.state.mappings import MAPPINGS
from properties.claims import CLAIMS

PROG = "model.check"

if TYPE_CHECKING:
    from counterexamples.folder import Pictures
KERNELS = ("before", "after", "v6.1", "v6.12", NEWEST, "v6.3-as-described", "v6.3-no-try")
FORMATS = ("text", "json")
_NOT_WITH = ("property", "promise", "never", "allow", "each", "depth", "jobs", "resume", "bisect")


def claims(args: argparse.Namespace, patched: str) -> int:
    """Decide them, print the verdicts, write the calls under --out; `patched` is the edition that a
    patch file is for, where none is named. Raises UsageError."""
    _refuse(args)
    editions = with_patch(
        select_editions(args.kernel or ([patched] if args.patch else list(KERNELS)), args.added,
                        args.dropped), args.patch, args.timeout)
    mappings = [MAPPINGS[m] for m in select("mapping", args.mapping or ["*"], list(MAPPINGS))]
    out = None if args.out is None else writable_folder(args.out)
    start, traces = time.monotonic(), Traces()
    live = not args.quiet and sys.stderr.isatty()

    def found(stopped: Stopped) -> Generator[Judged, None, None]:
        for number, edition in enumerate(editions):
            if live:
                print(f"\r\033[K{edition.name}, {len(editions) - number} left", end="",
                      file=sys.stderr, flush=True)
            yield from judge(list(CLAIMS.values()), edition, mappings, args.timeout, stopped)

    def write(judged: Judged) -> None:
        if out is not None:
            edition = next(e for e in editions if e.name == judged.kernel)
            traces.update(_written(out, judged, edition, args))

    results = until_interrupted(found, write)
    if live:
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    if not results:
        raise UsageError("no claim speaks of any of these editions and mappings: a userfaultfd "
                         "does not write-protect them; name a mapping such as 'shmem'")
    if not args.quiet:
        print(_report(args, results, traces))
        if args.format == "text":
            _closing(results, out, time.monotonic() - start)
    asked = sum(any(claim.speaks_of(e, m) for m in mappings)
                for e in editions for claim in CLAIMS.values())
    if cut_short(PROG, len(results), asked):
        return interrupted_code()
    return exit_code(results, args.strict)


def _refuse(args: argparse.Namespace) -> None:
    for name in _NOT_WITH:
        if getattr(args, name):
            raise UsageError(f"--{name} is not for --claims, which takes --kernel, --mapping, "
                             "--with, --without, --patch, --timeout, --format, --out and --strict")
    if args.engine != "auto":
        raise UsageError("--engine is not for --claims: each claim says how it is decided")
    if args.format not in FORMATS:
        raise UsageError(f"--claims has no format {args.format!r}; known: {', '.join(FORMATS)}")


def _report(args: argparse.Namespace, results: list[Judged], traces: Traces) -> str:
    if args.format == "json":
        return as_json(results, traces)
    return str(TextReport(results, colour=wants_colour(sys.stdout), strict=args.strict))


def _written(out: Path, judged: Judged, edition: Edition, args: argparse.Namespace) -> Traces:
    from counterexamples.folder import Pictures

    pictures = Pictures.asked(args.no_pictures, args.png)
    return {(judged.claim.name, judged.kernel, a.mapping): _write(out, judged, edition, a, pictures)
            for a in judged.answers if a.ops is not None}


def _write(out: Path, judged: Judged, edition: Edition, answer: Answer, pictures: Pictures) -> str:
    from counterexamples.folder import write_claim
    from counterexamples.trace import run_trace
    from model.system.relation.kernel import kernel_system

    mapping = MAPPINGS[answer.mapping]
    trace, *others = (
        run_trace(kernel_system(edition.sibling(name), mapping), answer.ops or (),
                  prop=judged.claim.name, claim=judged.claim.fact, because=answer.because)
        for name in (answer.kernel, answer.beside) if name)
    return str(write_claim(out, trace, others[0] if others else None, answer.verdict, pictures))


def _closing(results: list[Judged], out: Path | None, took: float) -> None:
    decided = sum(j.verdict in ("true", "false", "true except") for j in results)
    print(f"\n{decided} of {len(results)} claims decided, {sum(j.met for j in results)} as "
          f"expected, in {took:.1f} s")
    if out is not None:
        print(f"traces: {out}/CLAIM/EDITION/MAPPING/")
