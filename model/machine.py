"""What the project needs from the machine: programs, and the folder where it keeps what it made."""

from __future__ import annotations

import fcntl
import glob
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from model.cli import one_line
from model.files import cache_folder as user_cache
from model.processes import group, temporary_folder

PACKAGES = {"qemu-system-x86_64": "qemu-system-x86", "cpio": "cpio", "gcc": "gcc",
            "apt-get": "apt", "dpkg": "dpkg", "mke2fs": "e2fsprogs"}
_SBIN, _IN_SBIN = "/usr/sbin:/sbin", {"mke2fs"}


class CannotRun(Exception):
    """It cannot be tried here: a tool, an image or a feature is missing. A SKIP."""

    def __init__(self, reason: str) -> None:
        super().__init__(one_line(reason))


def cache_folder(name: str = "") -> Path:
    """The folder of model.files, or one of that name in it, made. Raises CannotRun where it cannot
    be."""
    folder = user_cache() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise no_place(folder, error) from error
    return folder


def no_place(folder: Path, error: OSError) -> CannotRun:
    """That a folder of the cache cannot be written."""
    return CannotRun(f"cannot keep anything in {str(folder)!r}: {error.strerror}; set "
                     "PTECHECK_CACHE to a folder that can be written")


def need(*programs: str) -> None:
    """Raises CannotRun, with the line that installs it, for a program that is not there."""
    for program in programs:
        if where(program) is None:
            raise CannotRun(f"{program} is not installed: "
                            f"apt-get install {PACKAGES.get(program, program)}")


def where(program: str) -> str | None:
    """The path of a program: also of one of the administrator's, whose folders are not on the PATH
    of everybody."""
    return shutil.which(program) or (shutil.which(program, path=_SBIN) if program in _IN_SBIN
                                     else None)


def capture(command: Sequence[str], cwd: Path | None = None) -> str:
    """What a command prints. Raises CannotRun with its last line when it fails."""
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False, errors="replace", process_group=group(),
                          env={**os.environ, "LC_ALL": "C.UTF-8"})
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise CannotRun(f"'{' '.join(command[:3])} ...' failed: {said[-1] if said else 'silently'}")
    return done.stdout


def kept(folder: Path, stem: str, suffix: str, make: Callable[[Path], object]) -> Path:
    """The file of `folder` for `stem`, made by `make(path)` where there is none that is whole.

    Its name, STEM-DIGEST+SUFFIX, ends with the digest of its content: what is damaged is said on
    stderr and made anew. Raises CannotRun where it cannot be written, and what `make` raises.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            if found := whole(folder, stem, suffix):
                return found
            for file in _candidates(folder, stem, suffix):
                damaged(file)
                file.unlink()
            with temporary_folder(folder) as work:
                made = work / "made"
                make(made)
                return made.rename(folder / f"{stem}-{_short_digest(made)}{suffix}")
    except OSError as error:
        raise CannotRun(f"cannot keep {stem}{suffix} in {str(folder)!r}: {error.strerror}"
                        ) from error


def whole(folder: Path, stem: str, suffix: str) -> Path | None:
    """The file that `kept` has made before and that has stayed whole, if any."""
    return next((file for file in _candidates(folder, stem, suffix)
                 if file.name == f"{stem}-{_short_digest(file)}{suffix}"), None)


def _candidates(folder: Path, stem: str, suffix: str) -> list[Path]:
    return sorted(folder.glob(f"{glob.escape(stem)}-*{suffix}"))


@contextmanager
def locked(folder: Path, waiting: Callable[[], object] = lambda: None) -> Iterator[int]:
    """Holds `folder` against other processes; gives the lock's file descriptor. `waiting` is
    called where another one holds it. Raises CannotRun where nothing can be kept there."""
    try:
        file = (folder / "lock").open("w")
    except OSError as error:
        raise no_place(folder, error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def damaged(path: Path) -> None:
    """Say that a file of the cache is passed over and had anew."""
    print(f"{path} is not whole: it is made or fetched anew", file=sys.stderr, flush=True)


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def _short_digest(path: Path) -> str:
    return file_digest(path)[:16]
