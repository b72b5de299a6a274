"""Whole commands against bare Z3, in CPU time: python tests/benchmarks/speed.py [RUNS]

Prints the median CPU seconds of each command, its interpreter and all of its processes included,
and the ratio to `import z3; z3.Solver().check()` in the same run; beside it the ratio that it is
meant to stay under. Single times depend on the machine and on what else it does; ratios do not.
"""

from __future__ import annotations

import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {name: value for name, value in os.environ.items()
               if name != "PYTHONDONTWRITEBYTECODE"}
"""Modules are compiled once, as Z3's were when it was installed."""
BARE = [sys.executable, "-c", "import z3; z3.Solver().check()"]
CHECK = [sys.executable, "-m", "model.check", "-q", "--no-cache"]
CELL = ["--mapping", "shmem", "--property", "softdirty-complete"]
OPERATIONS = ("store", "load", "clear_refs", "register", "unregister", "wp", "unwp",
              "mprotect:none", "mprotect:r", "mprotect:rw")


def batch_file(folder: Path, runs: int, length: int) -> Path:
    """Random runs, the same every time."""
    draw = random.Random(1)
    lines = (f"{i} {draw.choice(('v6.1', 'v6.12'))} {draw.choice(('anon', 'shmem'))} "
             + " ".join(draw.choices(OPERATIONS, k=length)) for i in range(runs))
    path = folder / "runs"
    path.write_text("\n".join(lines) + "\n")
    return path


def cpu(command: list[str]) -> float:
    """User and system seconds of a command and of what it waited for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, check=False, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def headline_seconds() -> float:
    """From the start of the main job to its first line, on the clock."""
    with tempfile.TemporaryDirectory() as out:
        start = time.perf_counter()
        with subprocess.Popen([sys.executable, "-m", "model.check", "--no-cache", "--out", out],
                              cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as job:
            assert job.stdout is not None
            job.stdout.readline()
            said = time.perf_counter() - start
            job.terminate()
        return said


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        batch, kept = batch_file(folder, 10_000, 10), folder / "kept"
        cpu([*CHECK, "--out", str(kept)])
        commands: dict[str, tuple[int | None, list[str]]] = {
            "one cell, violated": (5, [*CHECK, "--kernel", "before", *CELL]),
            "one cell, proved": (7, [*CHECK, "--kernel", "after", *CELL]),
            "the main job, all evidence": (400, [*CHECK, "--out", str(folder / "all")]),
            "the main job, no pictures": (380, [*CHECK, "--no-pictures", "--out",
                                                str(folder / "plain")]),
            "the main job again, --resume": (40, [*CHECK, "--out", str(kept), "--resume"]),
            "diff v6.1 v6.12": (40, [sys.executable, "-m", "model.diff", "v6.1", "v6.12"]),
            "backport v6.1": (15, [sys.executable, "-m", "model.backport", "v6.1", "--property",
                                   "softdirty-complete", "--mapping", "shmem"]),
            "simulate, 10,000 runs of ten": (None, [sys.executable, "-m", "model.simulate",
                                                    "--batch", str(batch)]),
        }
        base: list[float] = []
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(runs):
            for name, (_, command) in commands.items():
                base.append(cpu(BARE))
                times[name].append(cpu(command))
        bare = statistics.median(base)
        print(f"{'bare Z3':30} {bare:7.3f} s")
        for name, (most, _) in commands.items():
            middle = statistics.median(times[name])
            limit = f"  at most {most}" if most else ""
            print(f"{name:30} {middle:7.3f} s  (min {min(times[name]):.3f}, "
                  f"max {max(times[name]):.3f})  {middle / bare:6.1f} x{limit}")
    said = statistics.median(headline_seconds() for _ in range(runs))
    print(f"{'the headline, on the clock':30} {said:7.3f} s  at most 3 s")


if __name__ == "__main__":
    main()
