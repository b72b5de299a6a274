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
from model.debian.source import archive_of, here, is_source
from model.kernel.editions import EDITIONS, UsageError, nearest, unknown
from model.kernel.releases import ALIASES
from model.machine import cache_folder, file_digest

_IMAGE = "bzimage:PATH[+FILE.ko...]"
_TREE = "tree:PATH[+PATCHFILE...]"
KINDS = ("debian:VERSION", _IMAGE, _TREE, "host")


@dataclass(frozen=True)
class Kernel:
    """A kernel that the user has named.

    `edition` models it, where that is known: what Debian ships, and its unchanged sources; else
    `hint` says which comes near. Of a line it is the line's, until the kernel is at hand: the
    newest of the line may have one of its own. Then `version` says what it is, `image` (None for
    the host) has digest `sha256`, and `modules` are loaded in order.
    """

    name: str
    edition: str | None = None
    hint: str = ""
    version: str = ""
    image: Path | None = None
    sha256: str | None = None
    modules: tuple[Path, ...] = ()

    def start(self, *, files: Mapping[str, Path] | None = None,
              limit: float = guest.ANSWER_SECONDS, cpus: int = 1) -> Session:
        """A session with this kernel, which is at hand; `limit` in seconds for each answer, and
        guest.BOOTS times that for the boot.

        `files` lie at the root of the guest, which has `cpus`. Raises CannotRun.
        """
        try:
            if self.image is None:
                return guest.on_host(limit)
            return guest.boot(self.image, files=files, modules=self.modules, limit=limit,
                              cpus=cpus)
        except OSError as error:
            raise _without(error) from error


def named(name: str) -> Kernel:
    """What can be told of a kernel before it is fetched or built. Raises UsageError."""
    kind, _, rest = name.partition(":")
    match kind:
        case "host" if not rest:
            return Kernel(name)
        case "debian" if rest:
            return _of_release(name, debian.checked(rest))
        case "bzimage" if rest:
            image, modules = _parts(rest, _IMAGE)
            for path, check in ((image, guest.check_image),
                                *((m, guest.check_module) for m in modules)):
                _usage(check, path)
            return Kernel(name)
        case "tree" if rest:
            tree_or_package, patches = _parts(rest, _TREE)
            source = _source(tree_or_package)
            release = (_usage(tree.version, source) if source
                       else tree_or_package.name.removeprefix("linux-source-"))
            return Kernel(name) if patches else _of_release(name, release)
        case "host" | "debian" | "bzimage" | "tree":
            raise UsageError(f"{name!r} is not one of {', '.join(KINDS)}")
    raise unknown("kernel", name, list(KINDS))


def _of_release(name: str, release: str) -> Kernel:
    edition = edition_of(release)
    return Kernel(name, edition, "" if edition else f"; {nearest(release)[1]}")


def without_edition(kernel: Kernel) -> UsageError:
    """The error where the model to hold beside a kernel is not known."""
    return UsageError(f"which edition models {kernel.name} is not known: name one with "
                      f"--edition{kernel.hint}")


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
                kernel = replace(_of_release(kernel.name, package.release), modules=modules_kept)
            case "bzimage":
                image, modules = _parts(rest, _IMAGE)
                version = f"image {image.name}{_beside(modules)}"
                kernel = replace(kernel, modules=tuple(modules))
            case _:
                source, patches = _parts(rest, _TREE)
                source = _source(source) or archive_of(source.name, progress)
                image = tree.build(source, patches, cache_folder(), progress)
                version = f"Linux {tree.version(source)}{_beside(patches)}"
        return replace(kernel, version=version, image=image, sha256=file_digest(image))
    except OSError as error:
        raise _without(error) from error


def _without(error: OSError) -> CannotRun:
    """What the machine refuses: a full disk, a program that may not run."""
    return CannotRun(f"{error.filename or 'this machine'}: {error.strerror or error}")


def edition_of(release: str) -> str | None:
    """The edition that models an unchanged kernel of a line (6.1), or of a release (6.1.170): its
    own, else the nearest before it in its line."""
    line = "v" + ".".join(release.split(".")[:2])
    if release == line[1:]:
        return ALIASES.get(line, line) if line in EDITIONS or line in ALIASES else None
    found, _ = nearest(release)
    return found if found and (found + ".").startswith(line + ".") else None


def models(release: str) -> bool:
    """Whether there is an edition of this very release."""
    return f"v{release}" in EDITIONS or f"v{release}" in ALIASES


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


def _source(path: Path) -> Path | None:
    """The tree or archive that is named, or that of a package; None for one to be fetched."""
    return path if path.exists() else here(path.name)


def _exists(name: str) -> bool:
    """No name is that of no file, though pathlib has it for the current folder."""
    return name != "" and Path(name).exists()


def _beside(files: Sequence[Path]) -> str:
    return f" with {', '.join(file.name for file in files)}" if files else ""


def _parts(rest: str, form: str) -> tuple[Path, list[Path]]:
    """PATH+FILE...; a path may have a + in its own name, as Debian's versions have. A tree may be
    the name of a package.

    Raises UsageError for what is not there, with the `form` of such a name.
    """
    names = rest.split("+")
    paths = []
    while names:
        length = next((n for n in range(len(names), 0, -1) if _exists("+".join(names[:n]))), 1)
        name = "+".join(names[:length])
        paths.append(Path(name))
        names = names[length:]
        package = form == _TREE and len(paths) == 1 and is_source(name)
        if not _exists(name) and not package:
            raise UsageError(f"{name!r} does not exist; "
                             f"{'a tree' if form == _TREE else 'an image'} is named {form}")
    return paths[0], paths[1:]
