"""python -m counterexamples.kernels: which kernels can be named, here and now.

    python -m counterexamples.kernels                # the newest of each line that Debian offers
    python -m counterexamples.kernels 6.12 --all     # every release of a line

For each release: the edition that models it, whether it is in the cache already, and the suites of
Debian's archive that have it. The archive is asked once a day, by an apt with folders of its own.
Ends with 0; 2 for a version that nobody offers, 4 where the archive cannot be asked.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from counterexamples.lab import debian
from counterexamples.lab.errors import CannotRun
from counterexamples.lab.offered import Listing, Offer, Source, kernels, modelled_as
from counterexamples.lab.progress import progress
from model.cli import Parser, entry, one_of, tool

PROG = "counterexamples.kernels"
LISTED, SKIP = 0, 4
FORMATS = ("text", "json")


def parser() -> argparse.ArgumentParser:
    p = Parser(prog=f"python -m {PROG}", description=__doc__, allow_abbrev=False,
               formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("version", nargs="?", metavar="VERSION",
                   help="of these alone: a line (6.12) or release (6.12.95)")
    p.add_argument("--all", action="store_true", help="every release, not the newest of each line")
    p.add_argument("--refresh", action="store_true", help="ask the archive anew, whatever it said "
                   "today")
    p.add_argument("--format", type=one_of("format", FORMATS), default="text",
                   help=", ".join(FORMATS))
    p.add_argument("-q", "--quiet", action="store_true", help="no progress on stderr")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    wanted = args.version and debian.checked(args.version.removeprefix("debian:"))
    try:
        listing = kernels(wanted, progress(args.quiet), every=args.all, refresh=args.refresh)
    except CannotRun as error:
        listing = Listing(None, (), (), (), str(error))
    if not listing.kernels:
        line = f"SKIP: {listing.trouble or 'there are no kernels'}"
        skip = {"tool": tool(), "verdict": "skip", "line": line, "asked": listing.asked,
                "notes": list(listing.notes), "kernels": [], "sources": []}
        print(json.dumps(skip, indent=1) if args.format == "json" else line)
        return SKIP
    print(_as_json(listing) if args.format == "json" else _as_text(listing))
    return SKIP if listing.trouble else LISTED


def _as_text(listing: Listing) -> str:
    rows = [("kernel", "edition", "", "suites")]
    rows += [(f"debian:{o.package.release}", modelled_as(o), "cached" if o.cached else "",
              ", ".join(o.suites) + ("" if o.suites else "no longer offered")
              + ("" if o.modules else "; without modules: no swap, no mapping file"))
             for o in listing.kernels]
    rows += [(f"tree:{s.package.name}", s.package.release, "here" if s.at_hand else "",
              ", ".join(s.suites)) for s in listing.sources]
    widths = [max(len(row[n]) for row in rows) for n in range(3)]
    lines = ["  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)),
                        row[3]]).rstrip() for row in rows]
    if listing.asked is not None:
        lines += ["", f"as Debian's archive said {_ago(listing.asked)}"]
    return "\n".join([*lines, *listing.notes])


def _ago(asked: float) -> str:
    minutes = max(0, time.time() - asked) / 60
    return f"{minutes:.0f} minutes ago" if minutes < 100 else f"{minutes / 60:.0f} hours ago"


def _as_json(listing: Listing) -> str:
    asked = listing.asked and datetime.fromtimestamp(listing.asked, UTC).isoformat(
        timespec="seconds")
    return json.dumps({"tool": tool(), "asked": asked, "notes": list(listing.notes),
                       "kernels": [_kernel(o) for o in listing.kernels],
                       "sources": [_source(s) for s in listing.sources]}, indent=1)


def _kernel(offer: Offer) -> dict[str, Any]:
    package = offer.package
    return {"name": f"debian:{package.release}", "release": package.release, "line": offer.line,
            "package": package.name, "version": package.version, "suites": list(offer.suites),
            "modules": offer.modules, "cached": offer.cached, "edition": offer.edition,
            "nearest": offer.near, "hint": offer.hint}


def _source(source: Source) -> dict[str, Any]:
    package = source.package
    return {"name": f"tree:{package.name}", "release": package.release, "package": package.name,
            "version": package.version, "suites": list(source.suites), "at_hand": source.at_hand}


if __name__ == "__main__":
    entry(PROG, main)
