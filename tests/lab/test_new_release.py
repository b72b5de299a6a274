"""The page for a new release to the end, as though the newest were not modelled yet."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from model.kernel.releases import NEWEST
from tests.guide import NEW_RELEASE, ROOT, blocks, follow

PARTS = ("model", "properties", "counterexamples")
"""What the commands are made of."""


def without_the_newest(folder: Path) -> None:
    """Copy the project into `folder`, and take the page's own edit back there."""
    for part in PARTS:
        shutil.copytree(ROOT / part, folder / part,
                        ignore=shutil.ignore_patterns("__pycache__", "gallery"))
    edit = next(block.text for block in blocks(NEW_RELEASE) if block.kind == "diff")
    subprocess.run(["patch", "-R", "-p1", "--quiet"], cwd=folder, input=edit, text=True, check=True)


def test_it_leads_from_the_name_of_a_release_to_an_edition_that_conforms(tmp_path: Path) -> None:
    """The example is the newest release: when there is a newer, the page is of that one."""
    assert f'Release("{NEWEST}"' in NEW_RELEASE.read_text()
    without_the_newest(tmp_path)
    follow(blocks(NEW_RELEASE), tmp_path, tmp_path)
    for part in ("changes.py", "releases.py", "userfaultfd.py"):
        made, own = ((top / "model" / "kernel" / part).read_text() for top in (tmp_path, ROOT))
        assert sorted(made.splitlines()) == sorted(own.splitlines())
