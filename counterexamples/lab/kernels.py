"""Kernels by name: debian:6.1, bzimage:PATH+MODULE, tree:PATH+PATCH, host."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from counterexamples.lab import debian, guest, tree
from counterexamples.lab.errors import CannotRun
from counterexamples.lab.session import Session
from model.kernel.changes import ALIASES
from model.kernel.editions import EDITIONS, UsageError, unknown
from model.machine import cache_folder, file_digest

_IMAGE, _TREE = "bzimage:PATH[+FILE.ko...]", "tree:PATH[+PATCHFILE...]"
KINDS = ("debian:VERSION", _IMAGE, _TREE, "host")


@dataclass(frozen=True)
class Kernel:
    """A kernel that the user has named.

    `edition` models it, where that is known: what Debian ships, and its unchanged sources. Once it
    is at hand `version` says what it is, `image` (None for the host) has digest `sha256`, and
    `modules` are loaded in order.
    """

    name: str
    edition: str | None = None
    version: str = ""
    image: Path | None = None
    sha256: str | None = None
    modules: tuple[Path, ...] = ()

    def start(self, *, files: Mapping[str, Path] | None = None,
              limit: float = guest.ANSWER_SECONDS, cpus: int = 1) -> Session:
        """A session with this kernel, which is at hand; `limit` in seconds for each answer, and for
        the boot where that is longer than guest.BOOT_SECONDS.

        `files` lie at the root of the guest, which has `cpus`. Raises CannotRun.
        """
        try:
            if self.image is None:
                return guest.on_host(limit)
            return guest.boot(self.image, files=files, modules=self.modules, limit=limit,
                              boot_limit=max(limit, guest.BOOT_SECONDS), cpus=cpus)
        except OSError as error:
            raise _without(error) from error


def named(name: str) -> Kernel:
    """What can be told of a kernel before it is fetched or built. Raises UsageError."""
    kind, _, rest = name.partition(":")
    match kind:
        case "host" if not rest:
            return Kernel(name)
        case "debian" if rest:
            return Kernel(name, edition_of(debian.checked(rest)))
        case "bzimage" if rest:
            image, modules = _parts(rest, _IMAGE)
            for path, check in ((image, guest.check_image),
                                *((m, guest.check_module) for m in modules)):
                _usage(check, path)
            return Kernel(name)
        case "tree" if rest:
            source, patches = _parts(rest, _TREE)
            release = _usage(tree.version, source)
            return Kernel(name, None if patches else edition_of(release))
        case "host" | "debian" | "bzimage" | "tree":
            raise UsageError(f"{name!r} is not one of {', '.join(KINDS)}")
    raise unknown("kernel", name, list(KINDS))


def at_hand(kernel: Kernel, progress: Callable[[str], object]) -> Kernel:
    """The kernel, fetched or built where need be. Raises UsageError or CannotRun."""
    kind, _, rest = kernel.name.partition(":")
    try:
        match kind:
            case "host":
                return replace(kernel, version=f"Linux {platform.release()}, this machine's")
            case "debian":
                package, image, modules_kept = debian.fetch(rest, progress)
                version = f"{package.name} {package.version}"
                kernel = replace(kernel, modules=modules_kept)
            case "bzimage":
                image, modules = _parts(rest, _IMAGE)
                version = f"image {image.name}{_beside(modules)}"
                kernel = replace(kernel, modules=tuple(modules))
            case _:
                source, patches = _parts(rest, _TREE)
                image = tree.build(source, patches, cache_folder(), progress)
                version = f"Linux {tree.version(source)}{_beside(patches)}"
        return replace(kernel, version=version, image=image, sha256=file_digest(image))
    except OSError as error:
        raise _without(error) from error


def _without(error: OSError) -> CannotRun:
    """What the machine refuses: a full disk, a program that may not run."""
    return CannotRun(f"{error.filename or 'this machine'}: {error.strerror or error}")


def edition_of(release: str) -> str | None:
    """The edition that models an unchanged kernel of a release (6.1.170) or line (6.1)."""
    names = ("v" + release, "v" + ".".join(release.split(".")[:2]))
    return next((ALIASES.get(name, name) for name in names if name in EDITIONS or name in ALIASES),
                None)


def edition_said(release: str, version: str) -> str | None:
    """The edition of a kernel by what it says of itself (uname): Debian's release names none."""
    said = (re.search(r"\bDebian (\d+\.\d+\.\d+)", version)
            or re.match(r"(\d+\.\d+(?:\.\d+)?)", release))
    return edition_of(said[1]) if said else None


def _usage(check: Callable[[Path], str | None], path: Path) -> str:
    """What cannot be run because of what the user named is the user's to mend."""
    try:
        return check(path) or ""
    except CannotRun as error:
        raise UsageError(str(error)) from error


def _beside(files: Sequence[Path]) -> str:
    return f" with {', '.join(file.name for file in files)}" if files else ""


def _parts(rest: str, form: str) -> tuple[Path, list[Path]]:
    """PATH+FILE...; a path may have a + in its own name, as Debian's versions have.

    Raises UsageError for what is not there, with the `form` of such a name.
    """
    names = rest.split("+")
    paths = []
    while names:
        length = next((n for n in range(len(names), 0, -1) if Path("+".join(names[:n])).exists()),
                      1)
        paths.append(Path("+".join(names[:length])))
        names = names[length:]
        if not paths[-1].exists():
            raise UsageError(f"{str(paths[-1])!r} does not exist; "
                             f"{'a tree' if form == _TREE else 'an image'} is named {form}")
    return paths[0], paths[1:]
