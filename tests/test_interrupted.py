"""Commands that are cut short: what they have is told and kept, and is no answer but what was
settled."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from model.checking.cells import plan, select_editions
from model.checking.run import run
from model.checking.settle import Options
from model.cli import with_patch
from tests.test_processes import SIGNALS, first_line, started

HARD = """
import z3
def hard(n=11):
    '''A check that takes for ever: more pigeons than holes.'''
    solver = z3.Solver()
    at = [[z3.Bool(f"{p}@{h}") for h in range(n)] for p in range(n + 1)]
    solver.add([z3.Or(row) for row in at])
    solver.add([z3.Or(z3.Not(at[p][h]), z3.Not(at[q][h])) for h in range(n)
                for p in range(n + 1) for q in range(p)])
    print("hard", flush=True)
    return solver.check()
"""
UNTIL = HARD + """
from model import processes
def found(stopped):
    yield "before"
    yield str(hard())
processes.end_on_signals("mine")
print(processes.until_interrupted(found))
"""
SLOW = """
import os, time
from model.kernel.mprotect import can_change_pte_writable as own

_LOADED = os.getpid()


def can_change_pte_writable(ed, vma, entry):
    if os.getpid() != _LOADED:
        {then}
    return own(ed, vma, entry)
"""


@pytest.mark.parametrize("number", SIGNALS, ids=lambda s: s.name)
def test_an_interrupted_query_is_no_answer(number: signal.Signals) -> None:
    with started("-c", UNTIL) as process:
        assert first_line(process) == "hard"
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "['before']\n", "")


TELLING = """
import sys, time
from model import processes
def found(stopped):
    yield "before"
    print("searching", flush=True)
    while not stopped():
        time.sleep(0.01)
    yield "after"
processes.end_on_signals("mine")
found = processes.until_interrupted(found)
print("report", flush=True)
sys.stdin.readline()
print(found)
"""


def test_what_is_being_told_is_told_to_the_end() -> None:
    """One more signal is of a user who could not see that the first was heeded."""
    with started("-c", TELLING) as process:
        assert first_line(process) == "searching"
        process.send_signal(signal.SIGINT)
        assert first_line(process) == "report"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate("\n", timeout=60)
    assert (process.returncode, out, err) == (0, "['before']\n", "")


def test_a_report_that_is_cut_says_so() -> None:
    with started("-c", TELLING) as process:
        assert first_line(process) == "searching"
        process.send_signal(signal.SIGINT)
        assert first_line(process) == "report"
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            time.sleep(0.05)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (
        30, "", "mine: interrupted again, and what it had to say is cut\n")


COMMANDS = {
    "diff": ("before after --mapping anon --mapping shmem --quiet", "compare",
             "anon: 1 class of difference", "interrupted, 1 of 2 left open"),
    "backport": ("before --property unprotect-precise --property softdirty-complete "
                 "--mapping anon", "answer",
                 "unprotect-precise", "interrupted, 1 of 2 left open"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_what_was_found_is_told(command: str) -> None:
    """The second of two questions is the hard one."""
    args, asks, told, left = COMMANDS[command]
    program = HARD + f"""
import sys
from model import {command} as it
from model.cli import entry
real, asked = it.{asks}, []
def ask(*args):
    asked.append(args)
    return real(*args) if len(asked) == 1 else hard()
it.{asks} = ask
sys.argv = ["it", *{args.split()!r}]
entry(it.PROG, it.main)
"""
    with started("-c", program) as process:
        assert first_line(process) == "hard"
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (30, f"model.{command}: {left}\n")
    assert told in " ".join(out.split())
    assert "these are all" not in out


def patched(tmp_path: Path, then: str) -> str:
    (tmp_path / "mine.py").write_text(SLOW.format(then=then))
    return str(tmp_path / "mine.py")


@pytest.mark.parametrize("number", [*SIGNALS, signal.SIGKILL], ids=lambda s: s.name)
def test_workers_end_with_check(tmp_path: Path, number: signal.Signals) -> None:
    """One of them never comes back. What the other has settled is told, and kept."""
    file = patched(tmp_path, "os.write(2, b'in a worker\\n'); time.sleep(1e6)")
    asked = ["--kernel", "v6.12", "--mapping", "shmem", "--property", "mmap-marks-new",
             "--no-pictures", "--patch", file, "--out", str(tmp_path / "out")]
    with started("-m", "model.check", *asked, "--jobs", "1") as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "in a worker\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert len(list((tmp_path / "out" / ".settled").iterdir())) == 1
    assert list((tmp_path / "out" / "mmap-marks-new" / "v6.12+mine").rglob("*")) == []
    if number is signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
        return
    assert process.returncode == 30
    assert "interrupted" in err
    assert "Traceback" not in err
    assert "1 of 2 settled" in out


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_worker_that_dies_is_noticed(tmp_path: Path, jobs: int) -> None:
    """As where memory runs out. What it had to settle is unknown; the rest is settled by
    another."""
    file = patched(tmp_path, "os.kill(os.getpid(), 9)")
    editions = with_patch(select_editions(["v6.12"], [], []), file)
    cells = plan(editions[::-1], ["shmem"], ["mmap-marks-new", "writable-allowed"])
    ran = run(cells, Options(jobs=jobs), lambda result: None)
    assert [r.verdict for r in ran.results] == ["unknown"] * 2 + ["proved"] * 2
    assert {r.reason for r in ran.results[:2]} == {
        "the process that had to settle it was killed by SIGKILL"}
    assert (ran.interrupted, ran.unkept) == (False, {})
