"""Standard output that is closed, full, or read by nobody: told in a line, and never a success."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = [
    ["model.check", "--list"],
    ["model.check", "--kernel", "before", "--mapping", "shmem", "--property", "softdirty-complete",
     "--format", "json"],
    ["model.diff", "before", "after", "--mapping", "shmem"],
    ["model.backport", "--help"],
    ["model.findings", "--format", "markdown"],
    ["model.simulate", "--format", "json", "store"],
    ["model.simulate", "--batch", "RUNS"],
    ["counterexamples.conform", "--help"],
]


def run(command: list[str], folder: Path, redirected: str,
        **env: str) -> subprocess.CompletedProcess[str]:
    """The command in a shell, with what the shell is to do with its streams."""
    runs = folder / "runs"
    if not runs.exists():
        runs.write_text("".join(f"{n} v6.1 shmem store clear_refs store\n" for n in range(500)))
    words = [str(runs) if word == "RUNS" else word for word in command]
    return subprocess.run(["bash", "-c", f'"$@" {redirected}', "bash", sys.executable, "-m",
                           *words], env=os.environ | {"PYTHONPATH": str(ROOT)} | env,
                          capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(("redirected", "why"), [
    (">&-", "Bad file descriptor"), (">/dev/full", "No space left on device")])
def test_a_report_that_cannot_be_written_is_told(command: list[str], redirected: str, why: str,
                                                 tmp_path: Path) -> None:
    done = run(command, tmp_path, redirected)
    assert (done.returncode, done.stderr) == (
        2, f"{command[0]}: cannot write to standard output: {why}\n")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("reader", ["head -1", "true"])
def test_a_reader_that_has_enough_ends_a_command_quietly(reader: str, unbuffered: str,
                                                         tmp_path: Path) -> None:
    for command in (["model.check", "--list"], ["model.simulate", "--batch", "RUNS"]):
        done = run(command, tmp_path, f"| {reader}; exit ${{PIPESTATUS[0]}}",
                   PYTHONUNBUFFERED=unbuffered)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_wrong_option_ends_with_its_own_code_wherever_errors_go(tmp_path: Path) -> None:
    """1 would be "bad" to git bisect."""
    for redirected in ("2>&-", "2>/dev/full", "2>&1 >&- | true; exit ${PIPESTATUS[0]}"):
        done = run(["model.check", "--kernel", "v61"], tmp_path, redirected)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


def test_what_needs_no_stream_needs_none(tmp_path: Path) -> None:
    """Progress and errors never land in the output; -q prints nothing, so nothing is lost."""
    told = run(COMMANDS[5], tmp_path, "2>&- <&-")
    assert (told.returncode, told.stdout[:1]) == (0, "[")
    quiet = run([*COMMANDS[1][:-2], "-q"], tmp_path, ">&- <&-")
    assert (quiet.returncode, quiet.stderr) == (0, "")


def test_what_the_encoding_lacks_is_escaped(tmp_path: Path) -> None:
    """A name of the user's must not end the report."""
    done = run(["model.simulate", "--mapping", "größe→", "store"], tmp_path, "",
               PYTHONIOENCODING="ascii")
    assert (done.returncode, "'gr\\xf6\\xdfe\\u2192'" in done.stderr) == (2, True)


def test_git_bisect_ends_where_the_report_cannot_be_written(tmp_path: Path) -> None:
    """What it would take for "bad" is any code from 1 to 127 but 125."""
    for command in (["model.check"], ["model.backport", "v6.1"]):
        asked = ["--kernel", "v6.1"] if command == ["model.check"] else []
        done = run([*command, *asked, "--bisect", "--property", "softdirty-complete", "--mapping",
                    "anon"], tmp_path, ">/dev/full")
        assert (done.returncode, done.stderr.count("\n")) == (128, 1)
