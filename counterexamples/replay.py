"""python -m counterexamples.replay: a trace on a real kernel, step by step beside the model.

    python -m counterexamples.replay trace.itf.json --kernel debian:6.1
    python -m counterexamples.replay --kernel debian:6.12 --mapping shmem store clear_refs store

Kernels: debian:7.3 (newest of its line), debian:6.1.170, bzimage:PATH[+FILE.ko...],
tree:PATH[+PATCHFILE...], tree:linux-source-7.3[+PATCHFILE...], host; counterexamples.kernels lists
Debian's. Ends with 0 where the kernel did as the model, 1 where it did not, 4 where it cannot be
tried.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from counterexamples import itf
from counterexamples.lab import guest
from counterexamples.lab.errors import CannotRun, KernelFailed
from counterexamples.lab.kernels import Kernel, at_hand, named, without_edition
from counterexamples.lab.progress import progress
from counterexamples.lab.replay_report import FORMATS
from counterexamples.lab.replaying import Plan, Replay, failed, plan_of, replay, skipped
from model.cli import Parser, add_patch_argument, entry, one_of, patched, seconds
from model.kernel.editions import UsageError, find_edition, shortened
from model.promises import add_promise_argument, promises
from model.system.actions.spans import find_span
from model.system.state.mappings import find_memory, memory_name

PROG = "counterexamples.replay"
_MOST = 20_000_000
"""Characters of a trace: a thousand calls have three million."""


def parser() -> argparse.ArgumentParser:
    p = Parser(prog=f"python -m {PROG}", description=__doc__, allow_abbrev=False,
               formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("what", nargs="+", metavar="TRACE|OP",
                   help="an ITF trace of this tool, or operations in order")
    p.add_argument("--kernel", required=True, metavar="K", help="the real kernel")
    p.add_argument("--edition", metavar="EDITION", help="the model beside it; default: that of the "
                   "trace, else the kernel's own. Says what a tree, an image or the host is")
    add_patch_argument(p)
    add_promise_argument(p)
    p.add_argument("--mapping", metavar="MAPPING", help="for operations; default: shmem")
    p.add_argument("--format", type=one_of("format", list(FORMATS)), default="text",
                   help=", ".join(FORMATS))
    p.add_argument("--timeout", type=seconds, default=guest.ANSWER_SECONDS, metavar="SECONDS",
                   help=f"limit for each answer of the kernel; default: {guest.ANSWER_SECONDS:g}; "
                   f"for its boot, {guest.BOOTS} times that. What a busy machine makes it wait "
                   "does not count")
    p.add_argument("-q", "--quiet", action="store_true", help="no progress on stderr")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_intermixed_args(argv)
    kernel = named(args.kernel)
    plan = _plan(args, kernel)
    try:
        asked, kernel = kernel, at_hand(kernel, progress(args.quiet))
        if kernel.edition != asked.edition:
            plan = _plan(args, kernel)
        with kernel.start(limit=args.timeout) as session:
            done = replay(plan, kernel, session, claimed=bool(args.edition or args.patch))
    except CannotRun as error:
        done = Replay(plan, kernel, None, (), skipped(str(error)))
    except KernelFailed as error:
        done = Replay(plan, kernel, None, (), failed(f"{kernel.name} {error}"))
    print(FORMATS[args.format](done))
    return done.verdict.code


def _plan(args: argparse.Namespace, kernel: Kernel) -> Plan:
    """The trace or the operations of the command line. Raises UsageError."""
    chosen = find_edition(args.edition) if args.edition else None
    if files := [word for word in args.what if "/" in word or word.endswith(".json")
                 or Path(word).is_file()]:
        if len(args.what) > 1:
            raise UsageError(f"{shortened(files[0])!r} is a file: give one trace, or operations")
        if args.mapping:
            raise UsageError("a trace says its mapping: --mapping is for operations")
        return plan_of(itf.calls(_read(files[0])), chosen, args.patch, promises(args.promise))
    if args.promise:
        raise UsageError("--promise says which promise a trace breaks, and here are calls without "
                         "one")
    mapping, ops = _asked(args.mapping or "shmem", args.what)
    if chosen is None and kernel.edition is None:
        raise without_edition(kernel)
    return Plan(patched(chosen or find_edition(kernel.edition or ""), args.patch),
                mapping, "", ops)


def _asked(mapping: str, ops: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The mapping and the operations by name. Raises UsageError."""
    memory, pages = find_memory(mapping)
    if pages is None:
        return memory.name, itf.checked(ops)
    itf.check_number(ops)
    return memory_name(memory, pages), tuple(find_span(op, pages).name for op in ops)


def _read(name: str) -> str:
    try:
        with Path(name).open(encoding="utf-8") as file:
            text = file.read(_MOST + 1)
    except IsADirectoryError as error:
        raise UsageError(f"{name!r} is a folder: name the {itf.FILE} in it") from error
    except OSError as error:
        raise UsageError(f"cannot read {name!r}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{name!r} is not text: {error.reason}") from error
    except ValueError as error:
        raise UsageError(f"{name!r} names no file: {error}") from error
    if len(text) > _MOST:
        raise UsageError(f"{name!r} has more than {_MOST:,} characters: no trace of this tool has")
    return text


if __name__ == "__main__":
    entry(PROG, main)
