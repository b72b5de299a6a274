"""Whole commands against bare Z3 in the same run: python tests/benchmarks/speed.py [RUNS]

Prints the median wall time of each command, interpreter start included, and its ratio to the
baseline. Quote the ratios: single times depend on the machine and on what else it does.
"""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHECK = [sys.executable, "-m", "model.check", "-q"]
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


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with tempfile.TemporaryDirectory() as folder:
        batch = batch_file(Path(folder), 10_000, 10)
        commands = {
            "bare Z3, six bits": [sys.executable, str(ROOT / "tests/benchmarks/bare_z3.py")],
            "one cell, violated": [*CHECK, "--kernel", "before", *CELL],
            "one cell, proved": [*CHECK, "--kernel", "after", *CELL],
            "default matrix, no files": [*CHECK, "--kernel", "before", "--kernel", "after"],
            "simulate, 10,000 runs of ten": [sys.executable, "-m", "model.simulate", "--batch",
                                             str(batch)],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(runs):
            for name, command in commands.items():
                times[name].append(seconds(command))
    base = statistics.median(times["bare Z3, six bits"])
    for name, taken in times.items():
        middle = statistics.median(taken)
        print(f"{name:30} {middle:6.2f} s  (min {min(taken):.2f}, max {max(taken):.2f})  "
              f"{middle / base:6.1f} x")


if __name__ == "__main__":
    main()
