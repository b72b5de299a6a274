"""Following a page that has commands for its reader to the letter."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "model" / "kernel" / "PATCHING.md"
NEW_RELEASE = PAGE.with_name("NEW_RELEASE.md")
PROMISES = ROOT / "properties" / "PROMISES.md"
FILES = {"python": "mine.py", "diff": "new.diff"}
"""What the pages call what they have their reader write."""


@dataclass(frozen=True)
class Block:
    """A fenced block: `kind` is one of FILES, sh, or text (what the commands before it print)."""

    kind: str
    text: str


def blocks(page: Path = PAGE) -> list[Block]:
    """What a page has its reader do, in order."""
    return [Block(*found) for found in
            re.findall(r"^```(\w+)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)]


def follow(steps: list[Block], folder: Path, project: Path = ROOT) -> str:
    """Do what the blocks say in `folder`, by the commands of `project`; all that was printed. Every
    command must end as the page says, and the last before a text print its lines, in which "..."
    stands for anything."""
    printed, everything = "", ""
    for step in steps:
        if step.kind in FILES:
            (folder / FILES[step.kind]).write_text(step.text)
        elif step.kind == "text":
            for line in step.text.splitlines():
                shown = ".*".join(map(re.escape, line.split("...")))
                assert re.search(shown, printed), f"{line!r} is not in\n{printed}"
        for command in step.text.splitlines() if step.kind == "sh" else ():
            printed = run(command, folder, project)
            everything += printed
    return everything


def run(command: str, folder: Path, project: Path = ROOT) -> str:
    told = re.search(r"  # ends with (\d+)$", command)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": str(project), "PATH": path}, check=False)
    ends = int(told[1]) if told else 0
    assert done.returncode == ends, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout
