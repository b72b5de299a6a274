"""What ends a command, whatever it is, and what is left then: nothing that runs, no temporary
folder."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
WITH_CHILDREN = """
import subprocess, sys, time
from model import processes
processes.end_on_signals("mine")
with processes.temporary_folder() as folder:
    (folder / "inside").touch()
    subprocess.Popen(["sh", "-c", "sleep 1000 & sleep 1000"], process_group=processes.group())
    print(folder, flush=True)
    sys.stdin.read()
"""


@contextmanager
def started(*command: str, path: Path = ROOT, **more: str) -> Iterator[subprocess.Popen[str]]:
    """A command that is ended in any case."""
    env = os.environ | {"PYTHONPATH": f"{path}{os.pathsep}{ROOT}"} | more
    with subprocess.Popen([sys.executable, *command], cwd=ROOT, env=env, text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


@pytest.mark.parametrize("number", [*SIGNALS, signal.SIGKILL], ids=lambda s: s.name)
def test_children_and_folders_end_with_a_command(number: signal.Signals) -> None:
    """The pipes are those of the children too, and of the guard that ends them: they end with the
    last of them."""
    with started("-c", WITH_CHILDREN) as process:
        folder = Path(first_line(process))
        assert (folder / "inside").is_file()
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (out, folder.exists()) == ("", False)
    killed = number is signal.SIGKILL
    assert (process.returncode, err) == ((-9, "") if killed else (30, "mine: interrupted\n"))


def test_a_command_that_ends_leaves_nothing() -> None:
    with started("-c", WITH_CHILDREN) as process:
        folder = Path(first_line(process))
        assert process.communicate(timeout=60) == ("", "")
    assert (process.returncode, folder.exists()) == (0, False)


def test_what_the_caller_has_ignored_stays_ignored() -> None:
    """nohup(1) does so."""
    program = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)" + WITH_CHILDREN
    with started("-c", program) as process:
        first_line(process)
        process.send_signal(signal.SIGHUP)
        assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 0


@pytest.mark.parametrize(("command", "code"), [
    (["model.check"], 30), (["model.check", "--bisect"], 125), (["counterexamples.replay"], 30)])
def test_a_signal_in_the_first_second_is_a_line(tmp_path: Path, command: list[str],
                                                code: int) -> None:
    """While what is slow to import is imported; a revision that was not judged is not bad."""
    (tmp_path / "z3.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(1e6)")
    with started("-m", *command, path=tmp_path) as process:
        assert first_line(process) == "importing"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (code, "", f"{command[0]}: interrupted\n")


def test_every_child_belongs_to_the_group_that_ends_with_its_command() -> None:
    """And no folder is temporary by another rule."""
    for path in [p for top in ("model", "counterexamples") for p in (ROOT / top).rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                name = ast.unparse(node.func)
                assert name not in ("tempfile.TemporaryDirectory", "tempfile.mkdtemp"), path
                if name in ("subprocess.run", "subprocess.Popen"):
                    assert "process_group" in {k.arg for k in node.keywords}, path
