"""python -m counterexamples.gallery: find the counterexamples anew and run each on real kernels.

Every expected violation of the editions that have a real kernel gets PROPERTY/EDITION/MAPPING/ (for
one that an operation beyond the core makes, PROPERTY/EDITION/MAPPING+OPERATION/) with its trace,
its program, and kernels.txt: what each kernel did beside the model, step by step, and how the
program ended there. What a newer kernel does too, by the same calls and to the same effect, is kept
once, as that of the newest. Nothing in it depends on when it was made.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from counterexamples import itf
from counterexamples.folder import Pictures
from counterexamples.lab.errors import CannotRun, KernelFailed
from counterexamples.lab.kernels import Kernel, at_hand, named
from counterexamples.lab.progress import say
from counterexamples.lab.replay_report import as_text
from counterexamples.lab.replaying import SKIP, Replay, plan_of, replay
from counterexamples.lab.tools import static_program
from counterexamples.trace import SCANNING
from model.checking.cells import Cell
from model.checking.run import default_jobs, run
from model.checking.saved import Folder
from model.checking.settle import Options
from model.checking.telling import Progress
from model.cli import Parser, entry, folder, one_of, writable_folder
from model.files import write_whole
from model.kernel.editions import find_edition
from model.processes import temporary_folder
from model.system.actions.operations import CORE, with_needed
from model.system.actions.themes import modelled
from model.system.relation.kernel import kernel_system
from model.system.state.mappings import MAPPINGS
from properties import PROPERTIES
from properties.base import Property

PROG = "counterexamples.gallery"
HERE = Path(__file__).parent
KERNELS = {"v6.1.170": "debian:6.1.170", "v6.1": "debian:6.1.192", "v6.12.100": "debian:6.12.100",
           "v6.12": "debian:6.12.117", "v6.18": "debian:6.18.15", "v7.3": "debian:7.3.4"}
"""The editions and their kernels, oldest first."""
ALLOWED = ("dontneed", "register:missing", "mprotect:w", "mremap", "close", "open", "fork:child",
           "pageout", "migrate", "split", "ksm", "pin:write", "remove", "zeropage", "other:unwp",
           "guard", "alias:store", "truncate")
"""Operations beyond the core that a program can ask for, and that break a promise which the core
ones keep; each by itself, or with what it needs."""
TOGETHER = (("dontneed", "poison"), ("poison", "truncate"),
            ("close", "open:async", "poison", "scan:wp"), ("guard", "unguard"),
            ("close", "open:async", "guard", "scan:wp"), ("free", "pageout"),
            ("free", "pin", "pin:write"))
"""And those that do so together."""
KEPT = (itf.FILE, "trace.txt", "repro.c", "command.txt")
ENDINGS = {0: "0, the promise is kept", 1: "1, the promise is broken", 4: "4, not tried"}


def parser() -> argparse.ArgumentParser:
    p = Parser(prog=f"python -m {PROG}", description=__doc__, allow_abbrev=False,
               formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", type=folder, default=HERE, metavar="DIR", help="default: the gallery")
    p.add_argument("--property", action="append", metavar="NAME",
                   type=one_of("property", list(PROPERTIES)),
                   help="of these promises only; repeatable")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    out = writable_folder(args.out)
    try:
        kernels = [at_hand(named(name), say) for name in KERNELS.values()]
        with temporary_folder() as work:
            traces = found(work, args.property or list(PROPERTIES))
            for folder in sorted({f.relative_to(work).parts[0] for f in traces}):
                shutil.rmtree(out / folder, ignore_errors=True)
            entries = [_kept(trace, out / trace.relative_to(work)) for trace in traces]
        programs = {entry: static_program(entry / "repro.c", "-static") for entry in entries}
        columns: dict[Path, list[str]] = {entry: [] for entry in entries}
        for kernel in kernels:
            for entry, text in _on(kernel, programs).items():
                columns[entry].append(text)
    except (CannotRun, KernelFailed) as error:
        print(f"SKIP: {error}")
        return SKIP
    for entry, texts in columns.items():
        write_whole(entry / "kernels.txt", "\n\n".join(texts) + "\n")
    print(f"{len(entries)} counterexamples on {len(kernels)} kernels: {out}")
    return 0


def found(work: Path, properties: Sequence[str]) -> list[Path]:
    """The folders of all expected violations, as check writes them, but for those that are a newer
    kernel's too. Of a promise that the core operations break, only that."""
    say("looking for counterexamples")
    cells: list[Cell] = []
    for edition, mapping in product(map(find_edition, KERNELS), MAPPINGS.values()):
        known = set(modelled(edition, mapping))
        promises = [p for p in map(PROPERTIES.__getitem__, properties)
                    if p.concerns(edition, mapping)]
        broken: dict[tuple[str, ...], list[Property]] = {
            (): [p for p in promises if p.expected(edition, mapping) == "violated"]}
        for allow in (*map(with_needed, ALLOWED), *TOGETHER):
            if set(allow) <= known:
                broken[allow] = [
                    p for p in promises
                    if p.expected(edition, mapping, allow) == "violated"
                    and p.expected(edition, mapping, allow[:-1]) != "violated"
                    and not any(set(less) < set(allow) and p in found
                                for less, found in broken.items())]
        cells += [Cell(edition, mapping, p, allow) for allow, found in broken.items()
                  for p in found]
    options = Options(jobs=default_jobs())
    ran = run(cells, options, Progress(cells, True, None),
              Folder(work, options, Pictures.NONE, resume=False))
    if ran.interrupted:
        raise KeyboardInterrupt
    newest = {_told(trace, work): trace.parent for name in KERNELS
              for trace in work.glob(f"*/{name}/*/{itf.FILE}")}
    return sorted(newest.values())


def _told(trace: Path, work: Path) -> tuple[object, ...]:
    """The promise, the mapping, the calls, and what its program compares of each: PAGEMAP_SCAN,
    which 7.3 answers otherwise before anything has happened, only where it is called."""
    prop, edition, name, _ = trace.relative_to(work).parts
    ops = itf.calls(trace.read_text()).ops
    kernel = kernel_system(find_edition(edition), MAPPINGS[name.split("+")[0]], set(ops) - {*CORE})
    seen = [kernel.observe(step) for step in kernel.run(ops)]
    scanned = not SCANNING.isdisjoint(ops)
    return prop, name, ops, *(repr({k: v for k, v in step.items() if scanned or k != "scan"})
                              for step in seen)


def _kept(found: Path, entry: Path) -> Path:
    entry.mkdir(parents=True)
    for name in KEPT:
        write_whole(entry / name, (found / name).read_bytes())
    return entry


def _on(kernel: Kernel, programs: dict[Path, Path]) -> dict[Path, str]:
    """For each entry, the replay on this kernel and the end of its program."""
    say(f"running {len(programs)} on {kernel.name} ({kernel.version})")
    files = {f"repro{number}": program for number, program in enumerate(programs.values())}
    texts = {}
    with kernel.start(files=files) as session:
        for entry, name in zip(programs, files, strict=True):
            calls = itf.calls((entry / itf.FILE).read_text())
            done: Replay = replay(plan_of(calls), kernel, session)
            status = session.execute(f"/{name}")
            texts[entry] = f"{as_text(done)}\nrepro.c exits {ENDINGS.get(status, status)}"
    return texts


if __name__ == "__main__":
    entry(PROG, main)
