"""Commands that execute a patch file do it in a process apart: what the file does to that process,
in whatever edition and mapping, is told, and never taken for a report."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from model.checking.cells import plan, select_editions
from model.checking.run import run
from model.checking.settle import Options
from model.cli import with_patch
from tests.test_processes import ROOT, started

LATE = """
import os
from model.kernel.mprotect import can_change_pte_writable as original
def can_change_pte_writable(ed, vma, entry):
    if vma.mapping.shared:
        {then}
    return original(ed, vma, entry)
"""
LOOP, GONE = "while True: pass", "os._exit(0)"
SHMEM = ["--mapping", "shmem"]
TWO = ["--mapping", "anon", *SHMEM]
COMMANDS = {
    "model.check": ["--claims", "--kernel", "v6.12", *SHMEM],
    "model.simulate": [*SHMEM, "store"],
    "model.diff": ["v6.12", "v6.12", *TWO],
    "counterexamples.conform": ["--kernel", "host", "--edition", "v6.12", "--theme", "core", *TWO],
}


def patched(folder: Path, then: str) -> str:
    (folder / "mine.py").write_text(LATE.format(then=then))
    return "--patch=mine.py"


def python(folder: Path, *words: str) -> tuple[int, str, str]:
    done = subprocess.run([sys.executable, "-m", *words], cwd=folder, capture_output=True,
                          env=os.environ | {"PYTHONPATH": str(ROOT)}, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_ends_without_a_report_is_no_success(command: str, tmp_path: Path) -> None:
    asked = [command, *COMMANDS[command], patched(tmp_path, GONE)]
    assert python(tmp_path, *asked) == (2, "", (
        f"{command}: mine.py: the process that executed it ended with exit code 0, without a "
        "report; a patch file only defines functions\n"))


def test_git_bisect_passes_such_a_revision_over(tmp_path: Path) -> None:
    code, _, _ = python(tmp_path, "model.check", "--bisect", *SHMEM, patched(tmp_path, GONE),
                        "--property=softdirty-complete")
    assert code == 125


@pytest.mark.parametrize(("then", "reason"), [
    (LOOP, "mine.py:6: not done after 1 s: is there an endless loop?"),
    ("sum(iter(int, 1))", "mine.py:6: not done after 1 s: is there an endless loop?"),
    (GONE, "the process that had to settle it ended with 0")])
def test_check_settles_all_other_cells(then: str, reason: str, tmp_path: Path) -> None:
    """Whatever the loop is in: Python hears no signal in a function of its own."""
    patched(tmp_path, then)
    editions = with_patch(select_editions(["v6.12"], [], []), str(tmp_path / "mine.py"), 1)
    cells = plan(editions, ["anon", "shmem"], ["mmap-marks-new"])
    results = run(cells, Options(), lambda result: None).results
    assert [(r.kernel, r.mapping, r.verdict) for r in results] == [
        ("v6.12", "anon", "proved"), ("v6.12", "shmem", "proved"),
        ("v6.12+mine", "anon", "proved"), ("v6.12+mine", "shmem", "unknown")]
    assert results[-1].reason == reason.replace("mine.py", str(tmp_path / "mine.py"))


def test_a_loop_elsewhere_is_one_line(tmp_path: Path) -> None:
    asked = ["model.diff", *COMMANDS["model.diff"], "--timeout=1", patched(tmp_path, LOOP)]
    assert python(tmp_path, *asked) == (
        2, "", "model.diff: mine.py:6: not done after 1 s: is there an endless loop?\n")


def test_what_was_told_before_stays_told(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a v6.12 anon store\nb v6.12 shmem store\n")
    code, told, _ = python(tmp_path, "model.simulate", "--batch=runs", patched(tmp_path, GONE))
    assert (code, [json.loads(line)["id"] for line in told.splitlines()]) == (2, ["a"])


@pytest.mark.parametrize("to_all", [False, True], ids=["process", "terminal"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_a_signal_reaches_it_and_is_told_once(number: signal.Signals, to_all: bool,
                                              tmp_path: Path) -> None:
    file = patched(tmp_path, "import time; os.write(1, b'in it\\n')\n"
                   "        while True: time.sleep(0.01)  # what comes between two calls is heard")
    with started("-c", f"import os, runpy, sys; os.setpgid(0, 0); os.chdir({str(tmp_path)!r}); "
                 f"sys.argv = ['it', '--mapping', 'shmem', {file!r}, 'store']; "
                 "runpy.run_module('model.simulate', run_name='__main__')") as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "in it\n"
        (os.killpg if to_all else os.kill)(process.pid, number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (30, "", "model.simulate: interrupted\n")


def test_what_it_prints_is_no_part_of_a_report(tmp_path: Path) -> None:
    """When it is executed and when it is called, in whatever process, by whatever means."""
    by = "print('printed'); os.write(1, b'written\\n'); os.system('echo echoed')"
    file = patched(tmp_path, by)
    (tmp_path / "mine.py").write_text(f"{(tmp_path / 'mine.py').read_text()}\n{by}\n")
    code, out, err = python(tmp_path, "model.check", "--kernel=v6.12", *SHMEM, "--format=json",
                            "--property=mmap-marks-new", file)
    assert (code, len(json.loads(out)["results"])) == (0, 2)
    assert set(err.split()) == {"printed", "written", "echoed"}


def test_a_thread_that_it_leaves_running_holds_nothing_up(tmp_path: Path) -> None:
    file = patched(tmp_path, "pass")
    (tmp_path / "mine.py").write_text(
        (tmp_path / "mine.py").read_text() + "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(1e6,)).start()\n")
    code, out, err = python(tmp_path, "model.simulate", "--mapping=shmem", "store", file)
    assert (code, out.count("\n"), err) == (0, 3, "")
