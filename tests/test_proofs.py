"""The cache of proofs: what is taken from it is said, and nothing false is believed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model.check import main
from model.checking.proofs import OFF, Proofs

CELL = ["--kernel", "after", "--mapping", "shmem", "--property", "softdirty-armed"]


@pytest.fixture
def proofs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a cache that is used, as a user's is."""
    monkeypatch.setenv("PTECHECK_CACHE", str(tmp_path))
    monkeypatch.delenv(OFF)
    return tmp_path / "proofs"


def asked(capsys: pytest.CaptureFixture[str], *more: str) -> bool:
    """Whether a proof was taken from the cache."""
    assert main([*CELL, "--jobs", "1", "--format", "json", *more]) == 0
    [result] = json.loads(capsys.readouterr().out)["results"]
    assert result["verdict"] == "proved"
    return bool(result["cached"])


def test_the_second_run_says_that_it_was_proved_before(
        proofs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not asked(capsys)
    assert asked(capsys)
    assert not asked(capsys, "--no-cache")
    main([*CELL, "--jobs", "1"])
    assert "proved (cached)" in capsys.readouterr().out


def test_what_is_damaged_is_asked_anew(proofs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked(capsys)
    text = proofs.read_text()
    proofs.write_text(text.replace("a", "b"))
    assert not asked(capsys)
    proofs.write_bytes(b"\xff\x00\n" + text.encode()[:-20])
    assert asked(capsys)
    proofs.unlink()
    proofs.mkdir()
    assert not asked(capsys)


def test_evidence_and_results_are_the_same_whoever_proved_it(
        proofs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trees = []
    for name in ("first", "second"):
        asked(capsys, "--out", str(tmp_path / name))
        trees.append({p.relative_to(tmp_path / name): p.read_bytes()
                      for p in (tmp_path / name).rglob("*") if p.is_file()})
    assert trees[0] == trees[1]


def test_a_run_does_not_take_from_itself(tmp_path: Path) -> None:
    """Else what is said to be cached would depend on who was first."""
    proofs = Proofs(tmp_path / "proofs")
    proofs.put("key", ("lemma",))
    assert proofs.get("key") is None
    assert Proofs(tmp_path / "proofs").get("key") == ("lemma",)
