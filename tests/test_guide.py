"""The newcomer's guide, as far as it needs no kernel; the rest is in tests/lab/test_guide.py."""

from __future__ import annotations

from pathlib import Path

from model.kernel.releases import NEWEST
from tests.guide import NEW_RELEASE, PAGE, PROMISES, ROOT, Block, blocks, follow


def test_it_installs_as_the_readme_does() -> None:
    """CI runs that line on a fresh clone; the environment it makes is the one the guide enters."""
    install = blocks()[0].text.splitlines()
    assert install == ["python3 -m venv .venv && .venv/bin/pip install -q -e .",
                       ". .venv/bin/activate"]
    readme = (ROOT / "README.md").read_text()
    assert f"\n{install[0]} && .venv/bin/python -m model.check\n" in readme


def test_it_is_one_page() -> None:
    lines = PAGE.read_text().splitlines()
    assert len(lines) <= 105
    assert [b.kind for b in blocks()] == ["sh", "python", "sh", "text", "sh", "sh", "text", "sh",
                                         "text"]


def test_a_change_gets_its_verdict_and_its_reproducer(tmp_path: Path) -> None:
    end = next(n for n, block in enumerate(blocks()) if "/usr/src/" in block.text)
    told = follow(blocks()[1:end], tmp_path)
    assert f"In {NEWEST} the same calls part at call 4, unregister" in " ".join(told.split())
    assert (tmp_path / "repro").stat().st_mode & 0o100
    folder = tmp_path / "out" / "softdirty-complete" / f"{NEWEST}+mine" / "anon"
    command = (folder / "command.txt").read_text()
    assert f"--kernel {NEWEST} --patch mine.py --mapping anon" in command


def test_the_page_on_promises_of_ones_own_is_true(tmp_path: Path) -> None:
    """As far as it needs no kernel: the last command is in tests/lab/test_guide.py."""
    page = blocks(PROMISES)
    assert len(PROMISES.read_text().splitlines()) <= 120
    compiling, replaying = page[-2].text.splitlines()
    assert "counterexamples.replay" in replaying
    follow([*page[:-2], Block("sh", compiling)], tmp_path)
    assert (tmp_path / "repro").stat().st_mode & 0o100


def test_the_page_for_a_new_release_shows_what_the_model_has() -> None:
    """The edit of the newest release, line by line; tests/lab/test_new_release.py follows it."""
    edit = next(block.text for block in blocks(NEW_RELEASE) if block.kind == "diff")
    for part in edit.split("\n--- "):
        path = part.splitlines()[1].removeprefix("+++ b/")
        has = (ROOT / path).read_text().splitlines()
        shown = [line[1:] for line in part.splitlines()[2:] if line.startswith("+")]
        assert shown
        assert [line for line in shown if line not in has] == []
