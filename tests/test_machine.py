"""What this machine has."""

from __future__ import annotations

from pathlib import Path

import pytest

from model import machine


def test_a_program_of_the_administrators_is_found_by_everybody(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Debian a user's PATH has not the folder that mke2fs is in."""
    for folder in ("bin", "sbin"):
        (tmp_path / folder).mkdir()
    made = tmp_path / "sbin" / "mke2fs"
    made.write_text("#!/bin/sh\n")
    made.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(machine, "_SBIN", str(tmp_path / "sbin"))
    machine.need("mke2fs")
    assert machine.where("mke2fs") == str(made)
    made.unlink()
    with pytest.raises(machine.CannotRun, match="apt-get install e2fsprogs"):
        machine.need("mke2fs")
