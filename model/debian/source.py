"""Debian's kernel sources by the name of their package: linux-source-7.3, installed or not."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from model.debian.index import (
    AGAIN,
    DAY,
    Index,
    Package,
    Progress,
    fetched,
    is_version,
    known,
    members,
)
from model.kernel.editions import UsageError
from model.machine import CannotRun, cache_folder, kept, whole

INSTALLED = Path("/usr/src")
_SUFFIX = ".tar.xz"


def is_source(name: str) -> bool:
    """Whether a package of kernel sources is called so."""
    return re.fullmatch(r"linux-source-\d+\.\d+", name, re.ASCII) is not None


def installed(name: str) -> Path | None:
    """The archive of a package that is installed; None where there is none."""
    archive = INSTALLED / f"{name}{_SUFFIX}"
    return archive if archive.is_file() else None


def here(name: str) -> Path | None:
    """The archive of an installed package, else the newest of those that were fetched; no network
    is asked."""
    if archive := installed(name):
        return archive
    folder = _folder()
    versions = {match[1] for file in folder.glob(f"{name}_*{_SUFFIX}")
                if (match := re.fullmatch(r"(.+)-[0-9a-f]{16}\.tar\.xz", file.name))
                and is_version(match[1].removeprefix(f"{name}_"))}
    stems = sorted(versions,
                   key=lambda stem: Package(name, stem.removeprefix(f"{name}_"), "").order)
    return next((found for stem in reversed(stems) if (found := whole(folder, stem, _SUFFIX))),
                None)


def archive_of(name: str, progress: Progress) -> Path:
    """The .tar.xz of a package of kernel sources: of an installed one, else of the newest that
    Debian's archive has, from the cache if it is there.

    Raises UsageError for a package that is not there, CannotRun where it cannot be had.
    """
    if archive := installed(name):
        return archive
    try:
        index, package = _newest(name, progress)
    except CannotRun as error:
        if found := here(name):
            progress(f"{error}; going by what was fetched before")
            return found
        raise

    def make(made: Path) -> None:
        progress(f"fetching {name} {package.version}")
        fetched(package, index, lambda deb: _take(deb, name, made))

    return kept(_folder(), f"{name}_{package.version}", _SUFFIX, make)


def _folder() -> Path:
    return cache_folder() / "sources"


def _newest(name: str, progress: Progress) -> tuple[Index, Package]:
    for refresh in (DAY, AGAIN):
        index = known(progress, refresh=refresh)
        sources = [p for p in index.packages() if is_source(p.name)]
        if fits := [p for p in sources if p.name == name]:
            return index, fits[-1]
    listed = ", ".join(dict.fromkeys(p.name for p in sources)) or "none"
    raise UsageError(f"Debian has no package {name!r}; it has {listed}")


def _take(deb: Path, name: str, into: Path) -> None:
    """The archive in a package; it is large, and of the package all that counts."""
    wanted = f"usr/src/{name}{_SUFFIX}"
    for member, data in members(deb):
        if member == wanted:
            with into.open("wb") as file:
                shutil.copyfileobj(data, file)
            return
    raise CannotRun(f"{deb.name} holds no {wanted}")
