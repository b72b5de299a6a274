"""What the README says is what happens."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from model.engines.registry import ENGINES
from model.system.state.mappings import MAPPINGS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^python -m ((?:model|counterexamples)\..+?)(?:\s+#.*)?$", README,
                      re.MULTILINE)
NOT_ZERO = {"--strict": 12, "model.diff before after": 1}


def needs_lab(command: str) -> bool:
    """Or settles many cells, which takes seconds."""
    one = "--property" in command and "--kernel 'v" not in command and "--each" not in command
    return (command.startswith("counterexamples.") or "linux-source" in command
            or ("model.check --" in command and "--kernel" in command and not one))


@pytest.mark.parametrize("command", [
    pytest.param(c, marks=pytest.mark.lab) if needs_lab(c) else c for c in COMMANDS])
def test_every_documented_command_runs(command: str, tmp_path: Path) -> None:
    (tmp_path / "counterexamples").symlink_to(ROOT / "counterexamples")
    done = subprocess.run([sys.executable, "-m", *shlex.split(command)], cwd=tmp_path,
                          env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True,
                          text=True, check=False)
    assert done.returncode == next((c for flag, c in NOT_ZERO.items() if flag in command), 0)


def test_there_are_documented_commands() -> None:
    assert len(COMMANDS) >= 9


def test_ci_runs_the_readme_line() -> None:
    """.ci/run takes the first line of the README with "-m pytest" in it: the tests' own line."""
    line = next(line for line in README.splitlines() if "-m pytest" in line)
    assert "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && " in line
    assert "grep -m1 -F -- '-m pytest' README.md" in (ROOT / ".ci" / "run").read_text()


def test_the_readme_knows_the_engines_and_mappings() -> None:
    assert all(name in README for name in (*ENGINES, *MAPPINGS))
