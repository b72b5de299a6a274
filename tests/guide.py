"""Following model/kernel/PATCHING.md to the letter."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "model" / "kernel" / "PATCHING.md"


@dataclass(frozen=True)
class Block:
    """A fenced block: `kind` is python, sh, or text (what the command before it prints)."""

    kind: str
    text: str


def blocks() -> list[Block]:
    """What the guide has its reader do, in order."""
    return [Block(*found) for found in
            re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)]



def follow(steps: list[Block], folder: Path) -> str:
    """Do what the blocks say in `folder`; all that was printed. Every command must end as the guide
    says, and print the lines that the guide shows."""
    printed, everything = "", ""
    for step in steps:
        if step.kind == "python":
            (folder / "mine.py").write_text(step.text)
        elif step.kind == "text":
            for line in step.text.splitlines():
                assert line in printed, f"{line!r} is not in\n{printed}"
        for command in step.text.splitlines() if step.kind == "sh" else ():
            printed = run(command, folder)
            everything += printed
    return everything


def run(command: str, folder: Path) -> str:
    told = re.search(r"  # ends with (\d+)$", command)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": str(ROOT), "PATH": path}, check=False)
    ends = int(told[1]) if told else 0
    assert done.returncode == ends, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout
