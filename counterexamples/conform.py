"""python -m counterexamples.conform: does a real kernel do what the model says, run after run?

    python -m counterexamples.conform --kernel debian:6.1 --runs 10000 --seed 1

Random runs of all operations together; with --theme those of a theme, whose graph is small enough
for guided runs before: every transition of it, each followed by every list of --extra-states
operations and by what identifies the state it leads to (with --tour by nothing). Every field that a
program sees is compared. The first difference is shrunk before it is shown.
Ends with 0 for no divergence, 1 for one, 2 where not all could be recorded, 4 where the kernel
cannot be tried.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase

from counterexamples.lab import guest
from counterexamples.lab.campaign import Campaign
from counterexamples.lab.compare import Row, abilities, forced, rows
from counterexamples.lab.conform_report import FORMATS, Report, Result
from counterexamples.lab.errors import CannotRun, KernelFailed
from counterexamples.lab.kernels import Kernel, at_hand, named, without_edition
from counterexamples.lab.observe import System, mapping_name
from counterexamples.lab.records import Record
from counterexamples.lab.several import GUIDED, THEMES, themes_of
from model.cli import (
    USAGE,
    Parser,
    add_patch_argument,
    complain,
    entry,
    new_file,
    one_of,
    patched,
    seconds,
    tool,
    whole,
)
from model.kernel.editions import Edition, UsageError, find_edition
from model.system.actions.themes import ALL, themes_asked
from model.system.relation.kernel import KernelSystem
from model.system.relation.ranges import range_system
from model.system.state.mappings import MAPPINGS, find_memory, memory_name

PROG = "counterexamples.conform"
SAME, DIFFERENT, SKIP = 0, 1, 4


def parser() -> argparse.ArgumentParser:
    p = Parser(prog=f"python -m {PROG}", description=__doc__, allow_abbrev=False,
               formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--kernel", required=True, metavar="K", help="debian:6.1, debian:6.1.170, "
                   "bzimage:PATH[+FILE.ko...], tree:PATH[+PATCHFILE...] or host")
    p.add_argument("--edition", metavar="EDITION", help="the model; default: the kernel's own")
    add_patch_argument(p)
    p.add_argument("--mapping", action="append", metavar="MAPPING",
                   help="name or glob, or with a number of pages as shmem:4; repeatable; default: "
                   "all of one page")
    p.add_argument("--runs", type=whole(0), default=1000, metavar="N",
                   help="random runs for each mapping and theme, after guided ones; default: 1000")
    p.add_argument("--steps", type=whole(1, 1000), default=10, metavar="N",
                   help="operations in a random run; default: 10")
    p.add_argument("--seed", type=whole(0), default=1, metavar="S", help="default: 1")
    p.add_argument("--extra-states", type=whole(0, 9), metavar="N",
                   help="states beyond the model's that the guided runs look for; twenty times the "
                   "runs for each; default: 0")
    p.add_argument("--theme", action="append", metavar="THEME",
                   help="which operations beyond the core, by the names of --list in model.check; "
                   "name or glob, repeatable; core for none; all, the default, for random runs of "
                   f"all that can be asked for. 2 pages have {', '.join(THEMES)}")
    p.add_argument("--tour", action="store_true",
                   help="guided runs of a theme that take every transition, and no more")
    p.add_argument("--jobs", type=whole(1, 1024), default=os.cpu_count() or 1, metavar="N",
                   help="virtual machines at once")
    p.add_argument("--timeout", type=seconds, default=guest.ANSWER_SECONDS, metavar="SECONDS",
                   help=f"limit for each answer of the kernel; default: {guest.ANSWER_SECONDS:g}; "
                   f"for its boot, {guest.BOOTS} times that. What a busy machine makes it wait "
                   "does not count")
    p.add_argument("--format", type=one_of("format", list(FORMATS)), default="text",
                   help=", ".join(FORMATS))
    p.add_argument("--record", type=new_file, metavar="FILE", help="write each campaign down in a "
                   "record, beside those of other mappings and themes on this kernel")
    p.add_argument("-q", "--quiet", action="store_true", help="no progress")
    p.add_argument("-v", "--verbose", action="store_true",
                   help="name the branches that no list of calls can take")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    start = time.monotonic()
    kernel = named(args.kernel)
    campaigns = _campaigns(args, kernel)
    progress = _Progress(args.quiet)
    try:
        asked, kernel = kernel, at_hand(kernel, progress.line)
        if kernel.edition != asked.edition:
            campaigns = _campaigns(args, kernel)
        record = (Record(args.record, kernel, campaigns[0].model.edition) if args.record
                  else None)
        results, lost = _run_all(args, kernel, campaigns, progress, record)
    except CannotRun as error:
        return _ended(args, SKIP, f"SKIP: {error}")
    except KernelFailed as error:
        return _ended(args, DIFFERENT, f"{kernel.name} {error}")
    finally:
        progress.close()
    report = Report(kernel, args.seed, _again(args), results, time.monotonic() - start,
                    args.verbose)
    print(FORMATS[args.format](report))
    if lost:
        complain(PROG, f"not recorded: {lost}")
    return USAGE if lost else DIFFERENT if report.diverged else SAME


def _ended(args: argparse.Namespace, code: int, line: str) -> int:
    print(json.dumps({"tool": tool(), "kernel": {"name": args.kernel}, "line": line,
                      "verdict": "skip" if code == SKIP else "failed", "results": []}, indent=1)
          if args.format == "json" else line)
    return code


def _campaigns(args: argparse.Namespace, kernel: Kernel) -> list[Campaign]:
    name = args.edition or kernel.edition
    if name is None:
        raise without_edition(kernel)
    edition = patched(find_edition(name), args.patch)
    wanted = [m for pattern in args.mapping or ["*"] for m in _matching(pattern)]
    patterns = args.theme or ["*" if args.tour and all(":" in m for m in wanted) else ALL]
    if set(patterns) == {ALL} and (args.tour or args.extra_states is not None):
        raise UsageError(f"{'--tour' if args.tour else '--extra-states'} asks for guided runs, and "
                         "all operations together have too many states: name a theme with --theme "
                         "('*' for every one)")
    if ALL in patterns and not args.runs:
        raise UsageError("--runs 0 leaves nothing to do: of all operations together there are no "
                         "guided runs")
    extra = None if args.tour else args.extra_states or 0
    if args.record and any(":" in m for m in wanted):
        raise UsageError("--record keeps campaigns of one page: a mapping with several has none")
    campaigns = [Campaign(model, theme=theme, extra=extra, runs=args.runs, steps=args.steps,
                          seed=args.seed, chosen=chosen)
                 for m in dict.fromkeys(wanted)
                 for theme, model, chosen in _themes(edition, m, patterns)]
    if not campaigns:
        raise UsageError(f"{name} has none of these themes on {', '.join(wanted)}: "
                         f"{', '.join(patterns)}")
    return campaigns


def _matching(pattern: str) -> list[str]:
    return ([m for m in MAPPINGS if fnmatchcase(m, pattern)]
            or [memory_name(*find_memory(pattern))])


def _themes(edition: Edition, mapping: str, patterns: Sequence[str]
            ) -> Iterator[tuple[str, System, Sequence[str] | None]]:
    """Each theme that is asked for, with a model that has its operations, and which of those are
    made, if not all."""
    memory, pages = find_memory(mapping)
    if pages is not None:
        several = range_system(edition, memory, pages)
        for theme, chosen in themes_of(patterns, several).items():
            if theme != ALL and pages > GUIDED:
                raise UsageError(f"{mapping} has too many states for guided runs: themes are for "
                                 f"{GUIDED} pages at the most, for more --theme all")
            yield theme, several, chosen
        return
    for theme, actions in themes_asked(patterns, edition, memory).items():
        yield theme, KernelSystem(edition, memory, forced(edition, memory, actions)), None


def _run_all(args: argparse.Namespace, kernel: Kernel, campaigns: Sequence[Campaign],
             progress: _Progress, record: Record | None) -> tuple[list[Result], str]:
    """One virtual machine for each campaign, `jobs` at once. Z3 is not called from the threads:
    a campaign has explored its model before. Raises CannotRun where this kernel has none of the
    mappings; those that it lacks beside others have that for their result, and no record. Says too
    why not all could be recorded, if it could not."""
    results, lost = [], ""
    with ThreadPoolExecutor(args.jobs) as pool:
        try:
            for result in pool.map(lambda c: _run(c, kernel, args.timeout, progress), campaigns):
                results.append(result)
                if record is not None and not result.able.no_mapping:
                    try:
                        record.add(result)
                    except OSError as error:
                        lost = f"{error.filename}: {error.strerror}"
                    except CannotRun as error:
                        lost = str(error)
        finally:
            progress.stop.set()
    reasons = [result.able.no_mapping for result in results]
    if reasons[0] and all(reasons):
        raise CannotRun(reasons[0])
    return results, lost


def _run(campaign: Campaign, kernel: Kernel, limit: float, progress: _Progress) -> Result:
    model = campaign.model
    mapping = mapping_name(model)
    with kernel.start(limit=limit) as session:
        able = abilities(session, mapping)
        if able.no_mapping:
            return Result(campaign, able, [])
        tally = campaign.run(session, ignored=able.ignored, without=able.without,
                             tick=lambda: progress.tick(campaign))
        compared: list[Row] = []
        if tally.divergence is not None:
            ops = campaign.names(tally.divergence)
            compared = list(rows(model, ops, session.run(mapping, ops), able.ignored))
    return Result(campaign, able, compared)


class _Stopped(Exception):
    """Another thread has ended the campaign."""


class _Progress:
    """Lines on stderr: what is fetched, and once in a while how far each mapping is."""

    _EVERY = 2.0

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._live = sys.stderr.isatty() and not quiet
        self._next = time.monotonic() + self._EVERY
        self._lock = threading.Lock()
        self._shown: dict[str, str] = {}
        self.stop = threading.Event()

    def line(self, text: str) -> None:
        if not self._quiet:
            print(text, file=sys.stderr, flush=True)

    def tick(self, campaign: Campaign) -> None:
        if self.stop.is_set():
            raise _Stopped
        tally = campaign.tally
        total = tally.guided + campaign.runs
        with self._lock:
            self._shown = {campaign.label: (
                f"{campaign.label} {tally.runs}/{total} runs, "
                f"{tally.rate:,.0f} steps/s")}
            if time.monotonic() >= self._next and not self._quiet:
                self._next = time.monotonic() + (0.2 if self._live else 5 * self._EVERY)
                text = "; ".join(self._shown.values())
                print(f"\r\033[K{text}" if self._live else text, end="" if self._live else "\n",
                      file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._live:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def _again(args: argparse.Namespace) -> str:
    """The command that makes the same runs."""
    words = ["--kernel", args.kernel, *(["--edition", args.edition] if args.edition else []),
             *(["--patch", args.patch] if args.patch else [])]
    for mapping in args.mapping or []:
        words += ["--mapping", mapping]
    for theme in args.theme or []:
        words += ["--theme", theme]
    words += ["--runs", args.runs, "--steps", args.steps, "--seed", args.seed,
              *(["--tour"] if args.tour else []),
              *(["--extra-states", args.extra_states] if args.extra_states is not None else [])]
    return f"python -m {PROG} {shlex.join(map(str, words))}"


if __name__ == "__main__":
    entry(PROG, main)
