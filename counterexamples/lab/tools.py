"""The programs the lab needs from the machine, and the folder where it keeps what it fetched."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from counterexamples.lab.errors import CannotRun
from model.processes import group, temporary_folder

PACKAGES = {"qemu-system-x86_64": "qemu-system-x86", "cpio": "cpio", "gcc": "gcc",
            "apt-get": "apt", "apt-cache": "apt", "dpkg": "dpkg", "mke2fs": "e2fsprogs"}


def cache_folder() -> Path:
    """$PTECHECK_CACHE, or ptecheck under the user's cache folder (XDG base directories)."""
    named = os.environ.get("PTECHECK_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(named) if named else Path(base) / "ptecheck"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def need(*programs: str) -> None:
    """Raises CannotRun, with the line that installs it, for a program that is not there."""
    for program in programs:
        if shutil.which(program) is None:
            raise CannotRun(f"{program} is not installed: "
                            f"apt-get install {PACKAGES.get(program, program)}")


def capture(command: Sequence[str], cwd: Path | None = None) -> str:
    """What a command prints. Raises CannotRun with its last line when it fails."""
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False, errors="replace", process_group=group())
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise CannotRun(f"'{' '.join(command[:3])} ...' failed: {said[-1] if said else 'silently'}")
    return done.stdout


def static_program(source: Path, *options: str) -> Path:
    """The C program in `source`, a file or a folder, linked statically, built once for each
    content.

    Raises CannotRun when it does not compile.
    """
    need("gcc")
    files = sorted(source.glob("*.[ch]")) if source.is_dir() else [source]
    content = b"".join(file.read_bytes() for file in files) + " ".join(options).encode()
    digest = hashlib.sha256(content).hexdigest()[:16]
    program = cache_folder() / f"{source.stem}-{digest}"
    if not program.exists():
        with temporary_folder(cache_folder()) as work:
            built = work / "built"
            capture(["gcc", "-O2", "-Wall", *options, "-o", str(built),
                     *(str(file) for file in files if file.suffix == ".c")])
            built.rename(program)
    return program


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()
