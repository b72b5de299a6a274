"""What Debian's archive has of kernels: one small file in the cache, with its age."""

from __future__ import annotations

import json
import math
import re
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import IO

from model.debian import apt
from model.files import read_json, write_whole
from model.machine import CannotRun, cache_folder, damaged, file_digest, locked, need, no_place
from model.processes import group, temporary_folder

_now = time.time
Progress = Callable[[str], object]
DAY = 24 * 3600.0
AGAIN = 600.0
"""Seconds after which the archive is asked anew for what it did not have."""
_NAME = (r"linux-(?:image|binary|binary-unsigned|modules)-\d\S*-cloud-amd64(?:-unsigned)?"
         r"|linux-source-\d+\.\d+")
_RECORD = re.compile(rf"^Package: (?P<name>{_NAME})\n(?:.+\n?)*", re.MULTILINE)
_VERSION = re.compile(r"\d{1,9}\.\d{1,9}(?:[-+.~][-+.~\w]{,99})?", re.ASCII)
_EMPTY = re.compile(r"linux-(?:image|binary)-\d")
"""What an image package depends on that has no image of its own."""


@dataclass(frozen=True)
class Package:
    """A package: `version` is Debian's, as 6.1.192-2; `sha256` that of the .deb. Raises ValueError
    for what is none."""

    name: str
    version: str
    sha256: str

    def __post_init__(self) -> None:
        if not (all(map(str.isprintable, astuple(self))) and is_version(self.version)):
            raise ValueError(f"no package of a kernel: {self!r}")

    @property
    def release(self) -> str:
        """The kernel's own version: 6.1.192."""
        return self.version.partition("-")[0]

    @property
    def order(self) -> tuple[tuple[int, ...], list[tuple[int, str]], str]:
        return numbers(self.release), _order(self.version), self.name


@dataclass(frozen=True)
class Suite:
    """A suite and what it has; `source` is a source of apt with this suite alone. `note` says what
    is wrong with it, if anything."""

    name: str
    source: str
    packages: tuple[Package, ...]
    note: str = ""


@dataclass(frozen=True)
class Index:
    """All suites as they were `asked` (seconds since 1970)."""

    asked: float
    suites: tuple[Suite, ...]

    def younger(self, seconds: float) -> bool:
        """An answer of the future is of a clock that was wrong."""
        return 0 <= _now() - self.asked < seconds

    def packages(self) -> list[Package]:
        """Each once, oldest first."""
        return sorted({p for s in self.suites for p in s.packages}, key=lambda p: p.order)

    def suites_of(self, package: Package) -> list[str]:
        return [s.name for s in self.suites if package in s.packages]


def numbers(release: str) -> tuple[int, ...]:
    """A kernel's version, to sort by: 7.3~rc7, a candidate, comes before 7.3.1."""
    return tuple(map(int, re.findall(r"\d+", release.partition("~")[0])))


def line_of(release: str) -> str:
    """The line that a release or candidate is of: 6.1."""
    return ".".join(map(str, numbers(release)[:2]))


def _order(version: str) -> list[tuple[int, str]]:
    """As deb-version(7) sorts: numbers by value, and ~ before the end."""
    return [*((int(number or 0), text.replace("~", "\0"))
              for text, number in re.findall(r"(\D+)|(\d+)", version)), (0, "\1")]


def is_version(text: str) -> bool:
    """Whether it is a version of Debian's kernel packages, and of a length that one has."""
    return _VERSION.fullmatch(text) is not None


def known(progress: Progress, *, refresh: float = DAY) -> Index:
    """What the archive has, asked anew where the answer is older than `refresh` seconds.

    Without a network what was kept is used, of whatever age. Raises CannotRun where nothing was.
    """
    file = _file()
    kept = _read(file, lambda _: None)
    if kept is not None and kept.younger(refresh):  # also where nothing can be written
        return kept
    with locked(file.parent, lambda: progress("waiting for another answer of Debian's archive")):
        kept = _read(file, damaged)
        if kept is not None and kept.younger(refresh):
            return kept
        progress("asking Debian's archive which kernels it has (once a day; the first time, some "
                 "50 MB)")
        try:
            index = Index(_now(), tuple(_suites()))
            write_whole(file, json.dumps(asdict(index), indent=1))
        except (CannotRun, OSError) as error:
            wrong = error if isinstance(error, CannotRun) else no_place(file.parent, error)
            if kept is None:
                raise wrong from error
            hours = max(0, _now() - kept.asked) / 3600
            progress(f"{wrong}; going by what it said {hours:.0f} hours ago")
            return kept
        return index


def _file() -> Path:
    return cache_folder("apt") / "index.json"


def _read(file: Path, say: Callable[[Path], object]) -> Index | None:
    try:
        data = read_json(file)
        suites = tuple(Suite(s["name"], s["source"], tuple(Package(**p) for p in s["packages"]),
                             s["note"]) for s in data["suites"])
        asked = float(data["asked"])
        if not math.isfinite(asked) or not all(t.isprintable() for s in suites
                                               for t in (s.name, s.note)):
            raise ValueError(file)
        return Index(asked, suites)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        say(file)
        return None


def _suites() -> Iterator[Suite]:
    """What the archive answers. An index of apt's that is damaged stays so as long as its suite
    does: then all are had anew, once."""
    listed = apt.ask()
    try:
        texts = _texts(listed)
    except CannotRun:
        apt.forget()
        listed = apt.ask()
        texts = _texts(listed)
    for found, text in zip(listed, texts, strict=True):
        note = found.wrong or (f"signed as fresh until {found.expired}, and used all the same"
                               if found.expired else "")
        yield Suite(found.suite, found.repository.stanza([found.suite]),
                    tuple(parsed(text)), note)


def _texts(listed: list[apt.Listed]) -> list[str]:
    return ["" if found.packages is None else apt.text_of(found.packages) for found in listed]


def parsed(text: str) -> Iterator[Package]:
    """The packages of a Packages file (deb822) that have a kernel's image, modules or source."""
    for record in _RECORD.finditer(text):
        fields = dict(re.findall(r"^(Version|SHA256|Depends): (.+)$", record[0], re.MULTILINE))
        image = record["name"].startswith(("linux-image-", "linux-binary-"))
        if {"Version", "SHA256"} <= fields.keys() and not (
                image and _EMPTY.search(fields.get("Depends", ""))):
            with suppress(ValueError):
                yield Package(record["name"], fields["Version"], fields["SHA256"])


def members(deb: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """The files of a package, by name, each to be read before the next. Raises CannotRun for a
    damaged one."""
    need("dpkg")
    with subprocess.Popen(["dpkg", "--fsys-tarfile", str(deb)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, process_group=group()) as dpkg:
        try:
            with tarfile.open(fileobj=dpkg.stdout, mode="r|") as archive:
                for member in archive:
                    data = archive.extractfile(member) if member.isfile() else None
                    if data is not None:
                        yield member.name.removeprefix("./"), data
        except (tarfile.TarError, EOFError) as error:
            raise CannotRun(f"{deb.name} cannot be unpacked: {error}") from error
        finally:
            dpkg.kill()


def fetched(package: Package, index: Index, take: Callable[[Path], object]) -> None:
    """Download a package of the index, and have `take(deb)` take from it what is needed. Raises
    CannotRun."""
    source = next((s.source for s in index.suites if package in s.packages), None)
    if source is None:
        raise CannotRun(f"Debian's archive no longer has {package.name} {package.version}")
    with temporary_folder(_file().parent) as work:
        deb = apt.download(package.name, package.version, source, work)
        if file_digest(deb) != package.sha256:
            raise CannotRun(f"{package.name} {package.version} does not have the SHA-256 of "
                            "Debian's index")
        take(deb)
