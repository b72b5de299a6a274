"""A kernel's source: a folder, or the archive of a linux-source package."""

from __future__ import annotations

import lzma
import os
import re
import subprocess
import tarfile
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from model.debian.source import installed
from model.kernel.editions import Edition, UsageError, find_edition, shortened
from model.processes import group, temporary_folder
from model.source.archive import Unordered, files_of

SEARCHED = ("mm/**/*.[ch]", "fs/*.c", "fs/proc/*.c", "kernel/*.c", "include/linux/*.h",
            "include/asm-generic/*.h", "arch/x86/mm/*.c", "arch/x86/include/asm/*.h")
"""Where a function may have gone."""


@dataclass(frozen=True)
class Tree:
    """`name` is what the user called it, `version` what its Makefile says, as "6.1.192"."""

    name: str
    version: str
    read: Callable[[str], str | None]
    """The text of a file by its path in the tree; None where there is none."""
    folder: Path | None = None

    def edition(self, name: str | None) -> Edition:
        """The edition `name`, or that of the version. Raises UsageError."""
        if name is not None:
            return find_edition(name)
        release = ".".join(self.version.split(".")[:2])
        said = ""
        for wanted in (f"v{self.version}", f"v{release}"):
            try:
                return find_edition(wanted)
            except UsageError as error:
                said = str(error).partition("; ")[2]
        raise UsageError(f"{self.name!r} is Linux {self.version}, of which there is no edition: "
                         f"{said}; --edition says which to compare with")

    def homes(self, names: Collection[str]) -> dict[str, str]:
        """By name, a file of memory management that defines it, of a folder; an archive is not
        searched."""
        if self.folder is None or not names:
            return {}
        head = re.compile(rf"^(?:[a-z][\w *]*[ *])?({'|'.join(map(re.escape, sorted(names)))})"
                          r"\([^;{]*\)\s*\{", re.MULTILINE)
        found: dict[str, str] = {}
        for place in SEARCHED:
            for file in sorted(self.folder.glob(place)):
                path = file.relative_to(self.folder).as_posix()
                for name in head.findall(self.read(path) or ""):
                    found.setdefault(name, path)
        return found

    def history(self, version: str) -> Callable[[str], str | None] | None:
        """The files of release `version`, where the tree is a git checkout that has its tag."""
        if self.folder is None or not (self.folder / ".git").exists():
            return None
        folder, tag = self.folder, f"v{version}"

        def git(*words: str) -> str | None:
            try:
                done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True,
                                      check=False, stdin=subprocess.DEVNULL,
                                      process_group=group())
            except OSError:
                return None
            return done.stdout.decode(errors="replace") if done.returncode == 0 else None

        if git("rev-parse", "--verify", "--quiet", f"refs/tags/{tag}") is None:
            return None
        return lambda path: git("show", f"{tag}:{path}")


def open_tree(name: str, wanted: Collection[str],
              find: Callable[[str], Path | None] = installed) -> Tree:
    """The tree of a folder, a .tar.xz, or a linux-source package, whose archive `find` knows; of an
    archive only the files `wanted` are read. Raises UsageError, in one line, for what is none of
    these."""
    if not name:
        raise UsageError("an empty name is no kernel tree; '.' is the current folder")
    path = Path(name)
    try:
        path.stat()
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"no kernel tree {shortened(name)!r}: {said}") from error
    if not path.exists() and "/" not in name and not name.endswith(".tar.xz"):
        path = find(name) or path
    if path.is_dir():
        return _tree(name, _of_folder(path), path)
    if not path.is_file():
        raise UsageError(f"no kernel tree {name!r}: give a folder of kernel source, a "
                         "linux-source-*.tar.xz, or a package such as linux-source-6.1")
    if not path.name.endswith((".tar.xz", ".tar")):
        raise UsageError(f"{name!r} is no folder and no .tar.xz of kernel source")
    return _tree(name, _of_archive(path, {*wanted, "Makefile"}).get, None)


def _tree(name: str, read: Callable[[str], str | None], folder: Path | None) -> Tree:
    found = {}
    for word in ("VERSION", "PATCHLEVEL", "SUBLEVEL"):
        match = re.search(rf"^{word} *= *(\d+)$", read("Makefile") or "", re.MULTILINE)
        if match is None:
            raise UsageError(f"{name!r} is no kernel tree: its Makefile gives no {word}")
        found[word] = match[1]
    return Tree(name, ".".join(found.values()), read, folder)


def _of_folder(folder: Path) -> Callable[[str], str | None]:
    def read(path: str) -> str | None:
        file = folder / path
        try:
            return file.read_text(errors="replace") if file.is_file() else None
        except OSError as error:
            raise UsageError(f"cannot read {str(file)!r}: {error.strerror}") from error

    return read


def _of_archive(archive: Path, wanted: Collection[str]) -> dict[str, str]:
    """The files of an archive that are wanted, by their path below its one folder. What cannot be
    looked up in it, tar unpacks; what is wrong with it, tar says."""
    with suppress(Unordered, OSError, ValueError, lzma.LZMAError, tarfile.TarError):
        return {path: content.decode(errors="replace")
                for path, content in files_of(archive, wanted).items()}
    with temporary_folder() as folder:
        try:
            done = subprocess.run(
                ["tar", "-xf", archive, "-C", folder, "--strip-components=1", "--force-local",
                 "--wildcards", "--no-wildcards-match-slash",
                 *(f"*/{path}" for path in sorted(wanted))],
                capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                process_group=group(), env={**os.environ, "LC_ALL": "C", "XZ_DEFAULTS": "-T0"})
        except OSError as error:
            raise UsageError(f"{str(archive)!r} cannot be unpacked: {error}") from error
        # that a file of another release is not there makes tar fail too
        wrong = [line for line in done.stderr.splitlines()
                 if not line.endswith(("Not found in archive", "due to previous errors"))]
        if wrong:
            raise UsageError(f"{str(archive)!r} cannot be unpacked: {wrong[0]}")
        return {path: text for path in wanted
                if (text := _of_folder(folder)(path)) is not None}
