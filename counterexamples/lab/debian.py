"""Debian's cloud kernels: what apt offers, and one image out of its package."""

from __future__ import annotations

import json
import lzma
import os
import re
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

from counterexamples.lab.errors import CannotRun
from counterexamples.lab.tools import (
    cache_folder,
    capture,
    damaged,
    file_digest,
    locked,
    need,
)
from model.files import write_whole
from model.kernel.editions import UsageError
from model.processes import group, temporary_folder

_PACKAGE = r"^linux-image-[0-9].*-cloud-amd64(-unsigned)?$"
_PACKED_IMAGE = re.compile(r"\./boot/vmlinuz-.+")
_PACKED_BRD = re.compile(r"\./lib/modules/[^/]+/kernel/drivers/block/brd\.ko(\.xz)?")
"""RAM disks, for a swap area and a file system."""
_IMAGE, BRD, _NOTE = "vmlinuz", "brd.ko", "kernel.json"
"""The files of a kernel in the cache; the note has the package and the digests of the others."""


@dataclass(frozen=True)
class Package:
    """A kernel package: `version` is Debian's, as 6.1.192-2; `sha256` that of the .deb."""

    name: str
    version: str
    sha256: str

    @property
    def release(self) -> str:
        """The kernel's own version: 6.1.192."""
        return self.version.partition("-")[0]

    @property
    def order(self) -> tuple[tuple[int, ...], str, str]:
        return _numbers(self.release), self.version, self.name


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split(".") if part.isdigit())


def checked(wanted: str) -> str:
    """A release (6.1.170) or line (6.1). Raises UsageError for other text."""
    if not re.fullmatch(r"\d+\.\d+(\.\d+)?", wanted):
        raise UsageError(f"{wanted!r} is no kernel version; debian:6.1 is the newest of its line, "
                         "debian:6.1.170 one release")
    return wanted


def fetch(wanted: str, progress: Callable[[str], object]) -> tuple[Package, Path]:
    """The newest image of a line (6.1), or that of a release (6.1.170); from the cache if there.

    Raises UsageError for a release that apt does not offer, CannotRun where apt cannot be asked.
    """
    wanted = checked(wanted)
    offered = _offered(progress)
    fits = [p for p in offered if p.release == wanted or p.release.startswith(wanted + ".")]
    if not fits:
        known = sorted({p.release for p in offered}, key=_numbers)
        same_line = [r for r in known if r.startswith(".".join(wanted.split(".")[:2]) + ".")]
        raise UsageError(f"apt offers no cloud image of Linux {wanted}; it offers "
                         + (", ".join(same_line or known) or "none"))
    chosen = max(fits, key=lambda p: p.order)
    top = _folder()
    folder = top / f"{chosen.name}_{chosen.version}"
    if not _is_whole(folder):
        with locked(top, lambda: progress("waiting for another fetch")):
            if not _is_whole(folder):
                if folder.exists():
                    damaged(folder)
                progress(f"fetching {chosen.name} {chosen.version}")
                _unpack(chosen, folder)
    return chosen, folder / _IMAGE


def _folder() -> Path:
    folder = cache_folder() / "debian"
    folder.mkdir(exist_ok=True)
    return folder


def _noted(folder: Path) -> tuple[Package, dict[str, str]] | None:
    """What a folder of the cache says that it holds, with the digest of each file; None where it
    says nothing that can be read."""
    try:
        note = json.loads((folder / _NOTE).read_text())
        package = Package(**note["package"])
        digests = {_IMAGE: note["image_sha256"], BRD: note["brd_sha256"]}
        return (package, digests) if all(map(str.isprintable, astuple(package))) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_whole(folder: Path) -> bool:
    noted = _noted(folder)
    try:
        return noted is not None and all(
            file_digest(folder / name) == digest for name, digest in noted[1].items())
    except OSError:
        return False


def _offered(progress: Callable[[str], object]) -> list[Package]:
    """What apt offers, and what the cache has of earlier, and has whole."""
    need("apt-cache")
    cached = [noted[0] for note in sorted(_folder().glob(f"*/{_NOTE}"))
              if (noted := _noted(note.parent)) and _is_whole(note.parent)]
    offered = _from_apt()
    if not offered and not cached and os.geteuid() == 0:
        with locked(_folder()):
            offered = _from_apt()
            if not offered:
                progress("asking apt for its lists")
                capture(["apt-get", "update", "-q"])
                offered = _from_apt()
    if not offered and not cached:
        raise CannotRun("apt knows no linux-image-*-cloud-amd64: run apt-get update")
    return sorted({*offered, *cached}, key=lambda p: p.order)


def _from_apt() -> list[Package]:
    names = [line.split(" ")[0]
             for line in capture(["apt-cache", "search", "--names-only", _PACKAGE]).splitlines()]
    if not names:
        return []
    found = []
    for record in capture(["apt-cache", "show", "--no-all-versions", *names]).split("\n\n"):
        fields = dict(re.findall(r"^(Package|Version|SHA256): (.+)$", record, re.MULTILINE))
        if len(fields) == 3:
            found.append(Package(fields["Package"], fields["Version"], fields["SHA256"]))
    return found


def _unpack(package: Package, folder: Path) -> None:
    """Download the package, check it against apt's digest, and keep its image; the note, which says
    that all is there, last."""
    need("apt-get", "dpkg")
    with temporary_folder(folder.parent) as work:
        capture(["apt-get", "download", "-q", f"{package.name}={package.version}"], work)
        deb = next(work.glob("*.deb"))
        if file_digest(deb) != package.sha256:
            raise CannotRun(f"{package.name} {package.version} does not have apt's SHA-256")
        taken = work / "taken"
        taken.mkdir()
        _take(deb, taken)
        folder.mkdir(exist_ok=True)
        note = {"package": asdict(package), "image_sha256": file_digest(taken / _IMAGE),
                "brd_sha256": file_digest(taken / BRD)}
        for name in (_IMAGE, BRD):
            (taken / name).replace(folder / name)
        write_whole(folder / _NOTE, json.dumps(note, indent=1))


def _take(deb: Path, folder: Path) -> None:
    """The kernel image and its module for RAM disks."""
    image, brd = folder / _IMAGE, folder / BRD
    with subprocess.Popen(["dpkg", "--fsys-tarfile", str(deb)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, process_group=group()) as dpkg:
        with tarfile.open(fileobj=dpkg.stdout, mode="r|") as archive:
            for member in archive:
                data = archive.extractfile(member) if member.isfile() else None
                if data is not None and _PACKED_IMAGE.fullmatch(member.name):
                    image.write_bytes(data.read())
                elif data is not None and _PACKED_BRD.fullmatch(member.name):
                    packed = member.name.endswith(".xz")
                    brd.write_bytes(lzma.decompress(data.read()) if packed else data.read())
                if image.exists() and brd.exists():
                    break
        dpkg.kill()
    for file, wanted in ((image, "boot/vmlinuz"), (brd, BRD)):
        if not file.exists():
            raise CannotRun(f"{deb.name} holds no {wanted}")
