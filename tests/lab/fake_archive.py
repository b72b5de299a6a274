"""An archive of Debian's form in a folder, and a machine whose apt knows it as its own."""

from __future__ import annotations

import hashlib
import lzma
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from model.debian import source

IMAGE = bytes(0x1fe) + b"\x55\xaa\0\0HdrS" + bytes(999)
MODULE = b"\x7fELF" + b"module"
_CONFIGURATION = """
Dir::Etc::sourcelist "{top}/machine.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State "{top}/machine";
Dir::State::status "/dev/null";
Dir::Cache "{top}/machine";
APT::Architecture "amd64";
"""


@dataclass
class Archive:
    """`suites` have the records of their packages; `said` are the lines of progress."""

    top: Path
    suites: dict[str, list[str]] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def progress(self, line: str) -> None:
        self.said.append(line)

    def count(self, start: str) -> int:
        return sum(line.startswith(start) for line in self.said)

    def put(self, suite: str, name: str, version: str, files: Mapping[str, bytes] | None = None,
            depends: str = "") -> Path:
        """A package of `files` in a suite, which is made with its index."""
        packed = self.top / "packed" / name
        (packed / "DEBIAN").mkdir(parents=True, exist_ok=True)
        record = f"Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: M\n" \
            f"Depends: {depends or 'x'}\nDescription: D\n"
        (packed / "DEBIAN/control").write_text(record)
        for path, content in (files or {}).items():
            (packed / path).parent.mkdir(parents=True, exist_ok=True)
            (packed / path).write_bytes(content)
        deb = self.top / "archive/pool" / f"{name}_{version}_amd64.deb"
        deb.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["dpkg-deb", "-Znone", "--build", packed, deb], check=True,
                       capture_output=True)
        digest = hashlib.sha256(deb.read_bytes()).hexdigest()
        self.suites.setdefault(suite, []).append(
            f"{record}Filename: pool/{deb.name}\nSize: {deb.stat().st_size}\nSHA256: {digest}\n")
        self.publish(suite)
        return deb

    def publish(self, suite: str, until: timedelta = timedelta(days=7)) -> None:
        folder = self.top / "archive/dists" / suite
        index = folder / "main/binary-amd64/Packages.xz"
        index.parent.mkdir(parents=True, exist_ok=True)
        index.write_bytes(lzma.compress("\n".join(self.suites[suite]).encode()))
        data = index.read_bytes()
        plain = "\n".join(self.suites[suite]).encode()
        now = datetime.now(UTC)
        lines = "".join(f"\n {hashlib.sha256(d).hexdigest()} {len(d)} main/binary-amd64/{n}"
                        for n, d in (("Packages", plain), ("Packages.xz", data)))
        (folder / "Release").write_text(
            f"Origin: Debian\nSuite: {suite}\nCodename: {suite}\nArchitectures: amd64\n"
            f"Components: main\nDate: {format_datetime(now - timedelta(days=30), usegmt=True)}\n"
            f"Valid-Until: {format_datetime(now + until, usegmt=True)}\nSHA256:{lines}\n")


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """With nothing in it. The machine knows bookworm alone; no sources are installed on it."""
    top = tmp_path / "debian"
    (top / "archive").mkdir(parents=True)
    (top / "machine/lists/partial").mkdir(parents=True)
    (top / "machine.list").write_text(f"deb [trusted=yes] file:{top}/archive bookworm main\n")
    (top / "apt.conf").write_text(_CONFIGURATION.format(top=top))
    monkeypatch.setenv("APT_CONFIG", str(top / "apt.conf"))
    monkeypatch.setenv("PTECHECK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(source, "INSTALLED", tmp_path / "none")
    return Archive(top)
