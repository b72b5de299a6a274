"""What a verdict leaves in its folder: the evidence of that verdict, whole, and nothing else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from counterexamples import folder
from counterexamples.folder import (
    CERTIFICATE,
    EVIDENCE,
    Pictures,
    Where,
    forget,
    write_certificate,
    write_counterexample,
)
from model import check, files

WHERE = Where("before", "shmem", "softdirty-complete")
LOSS = ("store", "clear_refs", "register", "unregister", "store")
CELL = ["--kernel", "before", "--mapping", "shmem", "--property", "softdirty-complete", "-q"]
TEXTS = {"trace.itf.json", "trace.txt", "command.txt", "repro.c"}
PICTURES = {"lanes.svg", "graph.svg", "graph.dot", "graph.graphml"}
PNG = {"lanes.png", "graph.png"}


def there(out: Path) -> set[str]:
    return {file.name for file in (out / WHERE.path).iterdir()}


@pytest.mark.parametrize(("options", "written"), [
    ([], TEXTS | PICTURES), (["--png"], TEXTS | PICTURES | PNG), (["--no-pictures"], TEXTS)])
def test_pictures_are_written_as_asked_for(options: list[str], written: set[str],
                                           tmp_path: Path) -> None:
    assert check.main([*CELL, "--jobs", "1", "--out", str(tmp_path), *options]) == 0
    assert there(tmp_path) == written
    assert written <= EVIDENCE


def test_only_the_last_verdict_has_evidence(tmp_path: Path) -> None:
    """Violated, mended, and broken again under one --out: each run finds the folder of the other.
    What the user has put there stays."""
    write_counterexample(tmp_path, WHERE, LOSS, Pictures.PNG)
    (tmp_path / WHERE.path / "notes.txt").write_text("mine")
    write_certificate(tmp_path, WHERE, "unsat")
    assert there(tmp_path) == {CERTIFICATE, "notes.txt"}
    write_counterexample(tmp_path, WHERE, LOSS, Pictures.NONE)
    assert there(tmp_path) == TEXTS | {"notes.txt"}
    write_counterexample(tmp_path, WHERE, LOSS[:2], Pictures.SVG)
    assert "2 calls" in (tmp_path / WHERE.path / "trace.txt").read_text()
    forget(tmp_path, WHERE)
    assert there(tmp_path) == {"notes.txt"}
    forget(tmp_path / "nowhere", WHERE)


def test_what_is_there_already_is_not_written_again(tmp_path: Path) -> None:
    write_counterexample(tmp_path, WHERE, LOSS, Pictures.SVG)
    before = {f.name: f.stat().st_ino for f in (tmp_path / WHERE.path).iterdir()}
    write_counterexample(tmp_path, WHERE, LOSS, Pictures.SVG)
    assert {f.name: f.stat().st_ino for f in (tmp_path / WHERE.path).iterdir()} == before


def test_a_disk_that_fills_leaves_no_false_evidence(tmp_path: Path,
                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the old trace nothing is left beside what could be written of the new one."""
    write_counterexample(tmp_path, WHERE, LOSS, Pictures.SVG)
    old = {file.name: file.read_bytes() for file in (tmp_path / WHERE.path).iterdir()}
    whole = files.write_whole

    def full(path: Path, content: str | bytes) -> None:
        if path.name == "graph.graphml":
            raise OSError(28, "No space left on device", str(path))
        whole(path, content)

    monkeypatch.setattr(folder, "write_whole", full)
    with pytest.raises(OSError, match="No space left"):
        write_counterexample(tmp_path, WHERE, LOSS[:2], Pictures.SVG)
    left = {file.name: file.read_bytes() for file in (tmp_path / WHERE.path).iterdir()}
    assert not left.items() & old.items()


def test_the_same_question_leaves_the_same_bytes(tmp_path: Path) -> None:
    """With one worker and with several, in another order, in one process and in others."""
    question = ["--kernel", "before", "--kernel", "after", "--mapping", "shmem", "--property",
                "softdirty-*", "--property", "unprotect-precise", "-q"]
    for jobs in ("1", "2"):
        check.main([*question, "--jobs", jobs, "--out", str(tmp_path / jobs)])
    one, two = ({str(f.relative_to(tmp_path / jobs)): f.read_bytes()
                   for f in (tmp_path / jobs).glob("*/*/*/*") if f.name != CERTIFICATE}
                  for jobs in ("1", "2"))
    assert one == two
    assert sum(name.endswith("lanes.svg") for name in one) == 3
