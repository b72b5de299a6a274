"""Debian's cloud kernels: one image out of its package, with the module that operations need."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from counterexamples.lab import guest
from counterexamples.lab.errors import CannotRun
from model.debian.apt import Gone
from model.debian.index import (
    AGAIN,
    DAY,
    Index,
    Package,
    fetched,
    known,
    line_of,
    members,
    numbers,
)
from model.files import read_json, write_whole
from model.kernel.editions import UsageError, shortened
from model.machine import cache_folder, damaged, file_digest, locked
from model.processes import temporary_folder

Progress = Callable[[str], object]
_NAME = re.compile(r"linux-(?:image|binary)-(?:unsigned-)?(\d\S*-cloud-amd64)(?:-unsigned)?")
_PACKED_IMAGE = re.compile(r"(boot/vmlinuz-.+|usr/lib/modules/[^/]+/vmlinuz(\.unsigned)?)")
_PACKED_BRD = re.compile(r"(usr/)?lib/modules/[^/]+/kernel/drivers/block/brd\.ko(\.xz|\.zst)?")
"""RAM disks, for a swap area and a file system."""
_IMAGE, BRD, _NOTE = "vmlinuz", "brd.ko", "kernel.json"
"""The files of a kernel in the cache; the note has the package and the digests of the others."""
_ASKED = re.compile(r"(?<![.\d])\d{1,9}\.\d{1,9}(?:\.\d{1,9}|~rc\d{1,9})?(?!\d)", re.ASCII)
_SHOWN = 12
"""Releases that one line names."""


@dataclass(frozen=True)
class Cached:
    """A kernel in the cache, not looked into: `digests` are those of its files by name."""

    folder: Path
    package: Package
    digests: dict[str, str]

    @property
    def files(self) -> tuple[Path, tuple[Path, ...]]:
        """The image, and its modules: none where the archive had none."""
        return self.folder / _IMAGE, tuple(self.folder / m for m in (BRD,) if m in self.digests)

    def is_whole(self) -> bool:
        try:
            return all(file_digest(self.folder / name) == digest
                       for name, digest in self.digests.items())
        except OSError:
            return False


def checked(wanted: str) -> str:
    """A release (6.1.170) or line (6.1). Raises UsageError for other text."""
    if not _ASKED.fullmatch(wanted):
        near = _ASKED.search(wanted)
        raise UsageError(f"{shortened(wanted)!r} is no kernel version; " + (
            f"did you mean {near[0]!r}?" if near else
            "debian:6.1 is the newest of its line, debian:6.1.170 one release"))
    return wanted


def fetch(wanted: str, progress: Progress) -> tuple[Package, Path, tuple[Path, ...]]:
    """The newest kernel of a line (6.1), or that of a release (6.1.170), with its image and
    modules; from the cache if there.

    Raises UsageError for a release that Debian does not offer, CannotRun where that cannot be told
    or the package not be had.
    """
    index, fitting = _fitting(checked(wanted), progress)
    gone = ""
    for chosen in fitting:
        try:
            found = _at_hand(chosen, index, progress)
        except Gone as error:
            gone = gone or str(error)
            progress(f"{error}")
        else:
            return chosen, *found.files
    raise CannotRun(gone)


def _at_hand(package: Package, index: Index | None, progress: Progress) -> Cached:
    top = _folder()
    folder = top / f"{package.name}_{package.version}"
    found = _whole(folder)
    if found is None:
        with locked(top, lambda: progress("waiting for another fetch")):
            found = _whole(folder)
            if found is None:
                if folder.exists():
                    damaged(folder)
                progress(f"fetching {package.name} {package.version}")
                _unpack(package, index or known(progress), folder)
                found = _whole(folder)
    if found is None:
        raise CannotRun(f"what was fetched into {str(folder)!r} is not whole")
    return found


def _fitting(wanted: str, progress: Progress) -> tuple[Index | None, list[Package]]:
    """The kernels that are meant, best first. A release that has been fetched needs no archive;
    what the archive did not have some minutes ago it is asked for anew. Raises UsageError where
    there are none, CannotRun."""
    cached = [c.package for c in in_cache() if c.is_whole()]
    if fits := best_first(wanted, [p for p in cached if p.release == wanted], cached):
        return None, fits
    for refresh in (DAY, AGAIN):
        try:
            index = known(progress, refresh=refresh)
        except CannotRun as error:
            if fits := best_first(wanted, cached, cached):
                progress(f"{error}; going by what was fetched before")
                return None, fits
            raise
        offered = [*images(index), *cached]
        if fits := best_first(wanted, offered, cached):
            return index, fits
    raise UsageError(not_offered(wanted, {p.release for p in offered}))


def not_offered(wanted: str, known_releases: Collection[str]) -> str:
    """That nobody offers a version, and what is."""
    releases = sorted(known_releases, key=numbers)
    line = [r for r in releases if line_of(r) == line_of(wanted)]
    return (f"Debian offers no cloud image of Linux {wanted}; it offers "
            f"{_listed(line) if line else 'the lines ' + _listed(_lines(releases))}; "
            "python -m counterexamples.kernels --all lists them")


def best_first(wanted: str, offered: Sequence[Package],
               cached: Sequence[Package]) -> list[Package]:
    """Those of a release or line: the newest release first, and of one release what is there
    already. A candidate of a release fits its line where nothing else does."""
    for mark in (".", "~"):
        fits = {p for p in offered if p.release == wanted or p.release.startswith(wanted + mark)}
        if fits:
            return sorted(fits, reverse=True,
                          key=lambda p: (numbers(p.release), p in cached, p.order))
    return []


def _lines(releases: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(map(line_of, releases)))


def _listed(names: Sequence[str]) -> str:
    left = len(names) - _SHOWN
    return (", ".join(names[-_SHOWN:]) or "none") + (f" and {left} older" if left > 0 else "")


def images(index: Index) -> list[Package]:
    """The packages that hold an image, oldest first."""
    return [p for p in index.packages() if _NAME.fullmatch(p.name)]


def modules_of(image: Package, index: Index) -> Package | None:
    """The package with the modules of an image, where they have one of their own."""
    match = _NAME.fullmatch(image.name)
    assert match
    name = f"linux-modules-{match[1]}"
    return next((p for p in index.packages() if (p.name, p.version) == (name, image.version)),
                None)


def in_cache() -> list[Cached]:
    """Every kernel that has been fetched, oldest first, whole or not."""
    found = [_noted(note.parent) for note in _folder().glob(f"*/{_NOTE}")]
    return sorted((c for c in found if c), key=lambda c: c.package.order)


def _folder() -> Path:
    return cache_folder("debian")


def _noted(folder: Path) -> Cached | None:
    """What a folder of the cache says that it holds; None where it says nothing that can be
    read."""
    try:
        note = read_json(folder / _NOTE)
        package = Package(**note["package"])
        digests = {_IMAGE: note["image_sha256"], BRD: note["brd_sha256"]}
        whole = {name: digest for name, digest in digests.items() if digest is not None}
        return Cached(folder, package, whole) if _IMAGE in whole else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _whole(folder: Path) -> Cached | None:
    noted = _noted(folder)
    return noted if noted and noted.is_whole() else None


def _unpack(package: Package, index: Index, folder: Path) -> None:
    """Download the package, and that of its modules, and keep what is needed; the note, which says
    that all is there, last."""
    with temporary_folder(folder.parent) as work:
        image, brd = work / _IMAGE, work / BRD
        fetched(package, index, lambda deb: _take(deb, {_PACKED_IMAGE: image, _PACKED_BRD: brd}))
        if not image.exists():
            raise CannotRun(f"{package.name} {package.version} holds no vmlinuz")
        modules = modules_of(package, index)
        if not brd.exists() and modules is not None:
            fetched(modules, index, lambda deb: _take(deb, {_PACKED_BRD: brd}))
        guest.check_image(image)
        folder.mkdir(exist_ok=True)
        note = {"package": asdict(package), "image_sha256": file_digest(image),
                "brd_sha256": file_digest(brd) if brd.exists() else None}
        for file in (image, brd):
            if file.exists():
                file.replace(folder / file.name)
        write_whole(folder / _NOTE, json.dumps(note, indent=1))


def _take(deb: Path, wanted: dict[re.Pattern[str], Path]) -> None:
    """The files of these names, and no more of the package than need be; modules as the kernel
    loads them. Raises CannotRun for a damaged package."""
    left = dict(wanted)
    for member, data in members(deb):
        name = next((n for n in left if n.fullmatch(member)), None)
        if name:
            file = left.pop(name)
            file.write_bytes(data.read())
            file.write_bytes(guest.unpacked(file))
        if not left:
            break
