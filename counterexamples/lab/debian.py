"""Debian's cloud kernels: one image out of its package, with the module that operations need."""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

from counterexamples.lab import guest
from counterexamples.lab.errors import CannotRun
from model.debian.index import AGAIN, DAY, Index, Package, fetched, known, numbers
from model.files import write_whole
from model.kernel.editions import UsageError
from model.machine import cache_folder, damaged, file_digest, locked, need
from model.processes import group, temporary_folder

Progress = Callable[[str], object]
_NAME = re.compile(r"linux-(?:image|binary)-(?:unsigned-)?(\d\S*-cloud-amd64)(?:-unsigned)?")
_PACKED_IMAGE = re.compile(r"\./(boot/vmlinuz-.+|usr/lib/modules/[^/]+/vmlinuz(\.unsigned)?)")
_PACKED_BRD = re.compile(r"\./(usr/)?lib/modules/[^/]+/kernel/drivers/block/brd\.ko(\.xz|\.zst)?")
"""RAM disks, for a swap area and a file system."""
_IMAGE, BRD, _NOTE = "vmlinuz", "brd.ko", "kernel.json"
"""The files of a kernel in the cache; the note has the package and the digests of the others."""
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
    if not re.fullmatch(r"\d+\.\d+(\.\d+|~rc\d+)?", wanted, re.ASCII):
        raise UsageError(f"{wanted!r} is no kernel version; debian:6.1 is the newest of its line, "
                         "debian:6.1.170 one release")
    return wanted


def fetch(wanted: str, progress: Progress) -> tuple[Package, Path, tuple[Path, ...]]:
    """The newest kernel of a line (6.1), or that of a release (6.1.170), with its image and
    modules; from the cache if there.

    Raises UsageError for a release that Debian does not offer, CannotRun where that cannot be told
    or the package not be had.
    """
    wanted = checked(wanted)
    index, chosen = _choose(wanted, progress)
    top = _folder()
    folder = top / f"{chosen.name}_{chosen.version}"
    found = _whole(folder)
    if found is None:
        with locked(top, lambda: progress("waiting for another fetch")):
            found = _whole(folder)
            if found is None:
                if folder.exists():
                    damaged(folder)
                progress(f"fetching {chosen.name} {chosen.version}")
                _unpack(chosen, index or known(progress), folder)
                found = _whole(folder)
    if found is None:
        raise CannotRun(f"{folder} cannot be kept")
    return chosen, *found.files


def _choose(wanted: str, progress: Progress) -> tuple[Index | None, Package]:
    """The kernel that is meant. One release, once fetched, needs no archive; what the archive did
    not have some minutes ago it is asked for anew."""
    cached = [c.package for c in in_cache() if c.is_whole()]
    newest = max((p for p in cached if p.release == wanted), key=_order, default=None)
    if newest:
        return None, newest
    for refresh in (DAY, AGAIN):
        try:
            index = known(progress, refresh=refresh)
        except CannotRun as error:
            if fits := _fitting(wanted, cached):
                progress(f"{error}; going by what was fetched before")
                return None, fits
            raise
        offered = [*images(index), *cached]
        if fits := _fitting(wanted, offered):
            return index, fits
    releases = sorted({p.release for p in offered}, key=numbers)
    line = [r for r in releases if numbers(r)[:2] == numbers(wanted)[:2]]
    raise UsageError(f"Debian offers no cloud image of Linux {wanted}; it offers "
                     f"{_listed(line) if line else 'the lines ' + _listed(_lines(releases))}; "
                     "python -m counterexamples.kernels lists them")


def _fitting(wanted: str, offered: Sequence[Package]) -> Package | None:
    """A release candidate fits its line where nothing else does."""
    def fitting(mark: str) -> list[Package]:
        return [p for p in offered if p.release == wanted or p.release.startswith(wanted + mark)]

    return max(fitting(".") or fitting("~"), key=_order, default=None)


def _order(package: Package) -> tuple[object, ...]:
    return package.order


def _lines(releases: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(".".join(map(str, numbers(r)[:2])) for r in releases))


def _listed(names: Sequence[str]) -> str:
    left = len(names) - _SHOWN
    return ", ".join(names[-_SHOWN:]) + (f" and {left} older" if left > 0 else "")


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
    folder = cache_folder() / "debian"
    folder.mkdir(exist_ok=True)
    return folder


def _noted(folder: Path) -> Cached | None:
    """What a folder of the cache says that it holds; None where it says nothing that can be
    read."""
    try:
        note = json.loads((folder / _NOTE).read_text())
        package = Package(**note["package"])
        digests = {_IMAGE: note["image_sha256"], BRD: note["brd_sha256"]}
        whole = {name: digest for name, digest in digests.items() if digest is not None}
        return (Cached(folder, package, whole)
                if _IMAGE in whole and all(map(str.isprintable, astuple(package))) else None)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _whole(folder: Path) -> Cached | None:
    noted = _noted(folder)
    return noted if noted and noted.is_whole() else None


def _unpack(package: Package, index: Index, folder: Path) -> None:
    """Download the package, and that of its modules, and keep what is needed; the note, which says
    that all is there, last."""
    need("dpkg")
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
    with subprocess.Popen(["dpkg", "--fsys-tarfile", str(deb)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, process_group=group()) as dpkg:
        try:
            with tarfile.open(fileobj=dpkg.stdout, mode="r|") as archive:
                for member in archive:
                    name = next((n for n in left if n.fullmatch(member.name)), None)
                    data = archive.extractfile(member) if name and member.isfile() else None
                    if name and data:
                        file = left.pop(name)
                        file.write_bytes(data.read())
                        file.write_bytes(guest.unpacked(file))
                    if not left:
                        break
        except (tarfile.TarError, EOFError) as error:
            raise CannotRun(f"{deb.name} cannot be unpacked: {error}") from error
        finally:
            dpkg.kill()
