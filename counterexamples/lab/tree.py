"""A kernel built from a source tree and patches.

All that is built from one tree shares a work copy and a build folder in the cache, so that a second
patch compiles only what it touches. The tree itself is never written to.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from counterexamples.lab import workcopy
from counterexamples.lab.errors import CannotRun
from model.files import read_json, write_whole
from model.machine import damaged, kept, locked, whole
from model.processes import group, temporary_folder

Progress = Callable[[str], object]
FRAGMENT = Path(__file__).with_name("kernel.config")

_TOOLS = ("make", "gcc", "flex", "bison", "bc", "patch")
_INSTALL = f"apt-get install {' '.join(_TOOLS)} libc6-dev libelf-dev"
_PROGRESS_SECONDS = 5.0
_SUFFIX = ".bzImage"
# What tells why make failed, most telling first; the first line of the first kind is shown.
_REASONS = [re.compile(r) for r in (r"error: |undefined reference", r"\*\*\* ", r"\S")]


@dataclass(frozen=True)
class _Folder:
    """One tree's folder in the cache."""

    home: Path
    release: str

    @property
    def copy(self) -> Path:
        return self.home / "copy"

    @property
    def output(self) -> Path:
        return self.home / "build"

    @property
    def images(self) -> Path:
        return self.home / "images"

    def locked(self, progress: Progress) -> AbstractContextManager[int]:
        """Holds the folder against other processes; gives the lock's file descriptor."""
        return locked(self.home, lambda: progress(
            f"waiting for another build of linux {self.release}"))


def version(tree: Path) -> str:
    """The release of a source folder or archive, as `make kernelversion` says it: 6.1.192.

    Raises CannotRun when it is no kernel source.
    """
    if _is_archive(tree):
        text = _archived_makefile(tree)
    else:
        whole = all((tree / part).exists() for part in ("Makefile", "Kconfig", "Kbuild", "mm"))
        text = (tree / "Makefile").read_text(errors="replace") if whole else ""
    parts = dict(re.findall(r"^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION) *= *(\S*)$", text,
                            re.MULTILINE))
    if len(parts) != 4:
        raise CannotRun(f"{str(tree)!r} is not a kernel source tree: name a folder that holds the "
                        "kernel's Makefile, Kconfig and mm, or a linux-source .tar.xz")
    return "{VERSION}.{PATCHLEVEL}.{SUBLEVEL}{EXTRAVERSION}".format(**parts)


def build(tree: Path, patches: Sequence[Path], cache: Path, progress: Progress) -> Path:
    """The bzImage of `tree` with `patches`, in the cache; built unless it is there.

    `tree` is a kernel source folder or the .tar.xz of a linux-source package. `progress` gets a
    short line now and then. Raises CannotRun, in one line, for what is not a kernel tree, a missing
    tool, a patch that does not apply, an option that the kernel lacks, and a failed compile.
    """
    try:
        folder = _folder(tree, cache)
        source = _unpacked(tree, folder, progress) if _is_archive(tree) else tree
        stem = _stem(folder, workcopy.listing(source), patches)
        image = whole(folder.images, stem, _SUFFIX)
        if image is None:
            with folder.locked(progress) as lock:
                files = workcopy.listing(source)  # what it is now that nobody else builds
                stem = _stem(folder, files, patches)

                def make(made: Path) -> None:
                    _need_tools()
                    _fill(folder, source, files, patches, progress)
                    _compile(folder, made, folder.images / f"{stem}.log", lock, progress)

                image = kept(folder.images, stem, _SUFFIX, make)
    except OSError as error:
        raise CannotRun(f"cannot build {str(tree)!r}: {error}") from error
    return image


def _folder(tree: Path, cache: Path) -> _Folder:
    """Its own folder for each tree, release and content of an archive."""
    release, name = version(tree), tree.resolve()
    key = str(name)
    if _is_archive(tree):
        stat = name.stat()
        key += f" {stat.st_mtime_ns} {stat.st_size}"
    elif cache.resolve().is_relative_to(name):
        raise CannotRun(f"the cache {str(cache)!r} lies inside the tree {str(tree)!r}: "
                        "set PTECHECK_CACHE to a folder outside")
    home = cache / "trees" / f"linux-{release}-{_digest(key)}"
    home.mkdir(parents=True, exist_ok=True)
    return _Folder(home.resolve(), release)


def _stem(folder: _Folder, files: Mapping[str, str], patches: Sequence[Path]) -> str:
    """What an image is named by: all that it is built from."""
    contents = _digest(json.dumps(sorted(files.items())), FRAGMENT.read_text(),
                       *(patch.read_bytes().hex() for patch in patches))
    return f"linux-{folder.release}-{contents}"


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode(errors="surrogateescape")).hexdigest()[:16]


def _is_archive(tree: Path) -> bool:
    return tree.name.endswith(".tar.xz") and tree.is_file()


def _archived_makefile(archive: Path) -> str:
    try:
        with tarfile.open(archive, "r|xz") as members:
            for member in members:
                if re.fullmatch(r"(\./)?[^/]+/Makefile", member.name):
                    data = members.extractfile(member)
                    return data.read().decode(errors="replace") if data else ""
    except (tarfile.TarError, EOFError) as error:
        raise CannotRun(f"{str(archive)!r} cannot be unpacked: {error}") from error
    return ""


def _unpacked(archive: Path, folder: _Folder, progress: Progress) -> Path:
    source, note = folder.home / "source", folder.home / "source.json"
    with folder.locked(progress):
        if source.exists() and _note(note) == workcopy.listing(source):
            return source
        if source.exists():
            damaged(source)
            shutil.rmtree(source)
        progress(f"unpacking {archive.name}")
        with temporary_folder(folder.home) as work:
            half = work / "source"
            half.mkdir()
            done = subprocess.run(["tar", "-xJf", archive, "-C", half, "--strip-components=1"],
                                  capture_output=True, text=True, check=False,
                                  stdin=subprocess.DEVNULL, process_group=group())
            if done.returncode:
                said = done.stderr.splitlines() or ["tar failed"]
                raise CannotRun(f"{str(archive)!r} cannot be unpacked: {said[0]}")
            write_whole(note, json.dumps(workcopy.listing(half)))
            half.rename(source)
    return source


def _note(file: Path) -> object:
    """What the unpacked tree held when it was new, if that is known."""
    try:
        found: object = read_json(file)
    except (FileNotFoundError, ValueError):
        return None
    return found


def _need_tools() -> None:
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if not missing:  # objtool, part of every x86-64 build, reads ELF files
        headers = subprocess.run(["gcc", "-E", "-"], input="#include <stdio.h>\n#include <gelf.h>",
                                 capture_output=True, text=True, check=False,
                                 process_group=group())
        missing = re.findall(r"fatal error: (\S+):", headers.stderr)
    if missing:
        raise CannotRun(f"no {', '.join(missing)} to build a kernel with: {_INSTALL}")


def _fill(folder: _Folder, source: Path, files: dict[str, str], patches: Sequence[Path],
          progress: Progress) -> None:
    """Bring the work copy to `files` with `patches`."""
    with temporary_folder(folder.home) as patched:
        stamps = workcopy.apply_patches(patches, source, patched)
        wanted = {path: stamp for path, stamp in {**files, **stamps}.items() if stamp}
        progress(f"preparing linux {folder.release}")
        workcopy.sync(source, patched, wanted, folder.copy, folder.output)


def _compile(folder: _Folder, image: Path, log: Path, lock: int, progress: Progress) -> None:
    log.unlink(missing_ok=True)
    _make(folder, log, lock, progress, f"KCONFIG_ALLCONFIG={FRAGMENT}", "allnoconfig")
    _check_config(folder)
    _make(folder, log, lock, progress, f"-j{os.cpu_count() or 1}", "bzImage")
    shutil.copyfile(folder.output / "arch/x86/boot/bzImage", image)


def _check_config(folder: _Folder) -> None:
    """Raises CannotRun when the configuration lacks an option of the fragment."""
    wanted = [line for line in FRAGMENT.read_text().splitlines() if line.startswith("CONFIG_")]
    got = set((folder.output / ".config").read_text().splitlines())
    if lacking := [line for line in wanted if line not in got]:
        raise CannotRun(f"linux {folder.release} cannot have {', '.join(lacking)}: the lab needs a "
                        "kernel that offers these options on x86-64")


def _make(folder: _Folder, log: Path, lock: int, progress: Progress, *arguments: str) -> None:
    """Run make on the copy, its words appended to `log`. Raises CannotRun when it fails.

    make inherits the lock: should this process be killed, the folder is held until make ends.
    """
    lines, objects, due = [], 0, 0.0
    command = ["make", "-C", str(folder.copy), f"O={folder.output}", "ARCH=x86_64", *arguments]
    with log.open("a") as kept, subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", env=_environment(), pass_fds=(lock,),
            process_group=group()) as make:
        for line in make.stdout or ():
            kept.write(line)
            lines.append(line)
            objects += line.startswith(("  CC ", "  AS "))
            if objects and time.monotonic() >= due:
                progress(f"building linux {folder.release}: {objects} objects")
                due = time.monotonic() + _PROGRESS_SECONDS
    if make.returncode:
        reason = next(line for kind in _REASONS for line in [*lines, "make said nothing"]
                      if kind.search(line)).strip().replace(f"{folder.copy}/", "")
        raise CannotRun(f"linux {folder.release} does not build: {reason}; log: {log}")


def _environment() -> dict[str, str]:
    """Of the user's environment, where things are; the rest of what a build writes into its image
    is fixed, so that the same sources make the same image."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return {**kept, "LC_ALL": "C", "KBUILD_BUILD_USER": "ptecheck", "KBUILD_BUILD_HOST": "lab",
            "KBUILD_BUILD_VERSION": "1", "KBUILD_BUILD_TIMESTAMP": "1970-01-01"}
