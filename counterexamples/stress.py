"""python -m counterexamples.stress: how often a race is lost on a real kernel.

One thread migrates pages between two NUMA nodes while another takes their write permission away
by clear_refs, UFFDIO_WRITEPROTECT or mprotect; a store after that must be recorded, be an event, or
be refused. What is not is counted (counterexamples/gallery/races/stress.c). The guest has two CPUs,
and how often it happens depends on the machine: a count of 0 proves nothing.

exit codes: 0 no store was lost, 1 some were, 2 wrong usage, 4 it cannot be tried
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from counterexamples.lab.errors import CannotRun, KernelFailed
from counterexamples.lab.kernels import at_hand, named
from counterexamples.lab.progress import say
from counterexamples.lab.tools import static_program
from model.cli import Parser, entry, whole

PROG = "counterexamples.stress"
SOURCE = Path(__file__).parent / "gallery" / "races" / "stress.c"
CPUS = 2
SKIP = 4
MOST = {"seconds": 86_400, "pages": 1024}
"""Of a case; and of what the guest's file system and its second node have room for."""
ANSWER_SECONDS = 150.0
"""One round can take ten seconds where the machine is busy."""


def parser() -> argparse.ArgumentParser:
    p = Parser(prog=f"python -m {PROG}", description=__doc__, allow_abbrev=False,
               formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--kernel", default="debian:6.12", metavar="KERNEL",
                   help="as for replay; default: debian:6.12")
    p.add_argument("--seconds", type=whole(1, MOST["seconds"]), default=10, metavar="N",
                   help="of each case, up to a day; default: 10")
    p.add_argument("--pages", type=whole(1, MOST["pages"]), default=128, metavar="N",
                   help="that migrate together, up to 1024; default: 128")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    kernel = named(args.kernel)
    try:
        program = static_program(SOURCE, "-static", "-pthread", f"-DSECONDS={args.seconds}",
                                 f"-DPAGES={args.pages}")
        kernel = at_hand(kernel, say)
        say(f"{kernel.version}: {args.seconds} s for each case")
        with kernel.start(files={"stress": program}, limit=ANSWER_SECONDS, cpus=CPUS) as session:
            return session.execute(str(program) if kernel.image is None else "/stress", _tell)
    except (CannotRun, KernelFailed) as error:
        print(f"SKIP: {error}")
        return SKIP


def _tell(line: str) -> None:
    """The program's results are results; how far it is, progress."""
    if line.startswith("# "):
        say(line.removeprefix("# "))
    else:
        print(line, flush=True)


if __name__ == "__main__":
    entry(PROG, main)
