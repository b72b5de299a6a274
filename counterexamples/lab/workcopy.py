"""A copy of a kernel tree that patches may change, and that make may build from.

From one content to the next, only files that differ are touched, and get the time of now: make then
compiles just what they reach. The tree itself is only read; the copy is hard links where it can be.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from counterexamples.lab.errors import CannotRun
from model.files import read_json, write_whole
from model.processes import group

# What a build in the tree leaves there; "make mrproper" in the copy finds the rest.
_PRODUCT = re.compile(r"(.*/)?(\.[^/]*|[^/]*(~|\.(o|a|ko|cmd|mod|mod\.c|order)))"
                      r"|(arch/[^/]*/)?include/(config|generated)")
_BUILT_IN = (".config", "include/config")
# What a patch says of files, as patch -p1 reads it: up to the first slashes is not of the name.
_NAMES = re.compile(r"^--- ([^\t\n]+).*\n\+\+\+ ([^\t\n]+)|^Index: (.+)"
                    r"|^(?:rename|copy) (?:from|to) (.+)", re.MULTILINE)
_LINK = re.compile(r"^(?:new file mode|new mode|deleted file mode|old mode|index \S+) 120000$",
                   re.MULTILINE)


def listing(tree: Path) -> dict[str, str]:
    """Every source file below `tree`, with a stamp that tells whether it has changed."""
    found, folders = {}, [""]
    while folders:
        folder = folders.pop()
        entries = list(os.scandir(tree / folder))
        if folder and any(entry.name == ".config" for entry in entries):
            continue  # somebody's build folder
        for entry in entries:
            path = folder + entry.name
            if _PRODUCT.fullmatch(path):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(path + "/")
            else:
                stat = entry.stat(follow_symlinks=False)
                found[path] = f"{stat.st_mtime_ns} {stat.st_size}"
    return found


def apply_patches(patches: Sequence[Path], source: Path, patched: Path) -> dict[str, str | None]:
    """Leaves in the folder `patched` the files that `patches` touch, as they make them.

    Returns their stamps, None for a file that is removed. Raises CannotRun for a patch that does
    not apply with `patch -p1` and no fuzz, that names a file outside the tree, and that makes a
    symbolic link or goes through one; nothing but `patched` is ever written to.
    """
    touched: set[str] = set()
    for patch in patches:
        for path in _named(patch):
            if path not in touched:
                touched.add(path)
                if link := next(filter(Path.is_symlink, _way(source, path)), None):
                    raise _refused(patch, f"it goes through the symbolic link "
                                   f"{str(link.relative_to(source))!r}")
                if (source / path).is_file():
                    (patched / path).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(source / path, patched / path)
        # --unified: patch would run what it takes for a script of ed.
        done = subprocess.run(
            ["patch", "-p1", "--unified", "--fuzz=0", "--forward", "--batch",
             "--no-backup-if-mismatch", "--reject-file=-", "-d", patched, "-i", patch.resolve()],
            stdin=subprocess.DEVNULL, process_group=group(),
            env={**os.environ, "LC_ALL": "C"}, capture_output=True, check=False, text=True,
            errors="replace")
        if done.returncode or not done.stdout.strip():
            raise CannotRun(f"{patch.name} does not apply to this tree with patch -p1 and no fuzz: "
                            + _refusal(done.stdout + done.stderr))
        made = list(patched.rglob("*"))
        if any(path.is_symlink() for path in made):
            raise _refused(patch, "it makes a symbolic link")
        touched |= {str(p.relative_to(patched)) for p in made if p.is_file()}
    return {path: hashlib.sha256((patched / path).read_bytes()).hexdigest()
            if (patched / path).is_file() else None for path in touched}


def _named(patch: Path) -> list[str]:
    """The files that a patch names, below the tree. Raises CannotRun for one that is not there,
    and for a symbolic link: what comes later could be written through it."""
    text = patch.read_text(errors="replace")
    if _LINK.search(text):
        raise _refused(patch, "it makes or changes a symbolic link")
    found = []
    for match in _NAMES.finditer(text):
        old, new, index, other = match.groups()
        for name in filter(None, (old, new, index)):
            if name.startswith('"'):
                raise _refused(patch, f"the name {name} is in quotes")
            if "/" in name and name != os.devnull:
                found.append(re.sub(r"^[^/]*/+", "", name))
        found += [other] if other else []
    for name in found:
        if name.startswith(("/", '"')) or ".." in name.split("/"):
            raise _refused(patch, f"{name!r} is not below the tree")
    return list(dict.fromkeys(found))


def _way(top: Path, path: str) -> list[Path]:
    """The file and the folders on the way to it."""
    parts = Path(path).parts
    return [top.joinpath(*parts[:n]) for n in range(1, len(parts) + 1)]


def _refused(patch: Path, reason: str) -> CannotRun:
    return CannotRun(f"{patch.name} is not applied: {reason}; a patch may only change files of "
                     "the tree")


def _refusal(said: str) -> str:
    """The first file and hunk that patch could not apply; else the last thing it said."""
    failed = re.search(r"^Hunk (#\d+) FAILED at (\d+)", said, re.MULTILINE)
    names = re.findall(r"^patching file (.+)$", said[:failed.start()] if failed else said,
                       re.MULTILINE)
    if failed:
        return f"{names[-1]}, hunk {failed[1]} at line {failed[2]}"
    lines = [line for line in said.splitlines() if line and "ignored" not in line]
    return ": ".join([*names[-1:], lines[-1].strip() if lines else "it holds no change"])


def sync(source: Path, patched: Path, files: Mapping[str, str], copy: Path, built: Path) -> None:
    """Make `copy` hold `files` (stamps as of `listing` and `apply_patches`), each from `patched`
    or else from `source`.

    `copy`.json keeps the stamps of what it holds. Without it the copy is made anew, of links with
    the tree's own times, and the folder `built`, which was built from it, is emptied.
    """
    state = copy.with_suffix(".json")
    have = _read(state)
    new = not have
    for folder in (copy, built):
        if new:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(exist_ok=True)
    stale = {path for path in {*have, *files} if have.get(path) != files.get(path)}
    if not new:  # should this be interrupted, these are in doubt
        write_whole(state, json.dumps(have | dict.fromkeys(stale, "")))
    for path in sorted(stale):  # a link before what is to lie below it in its place
        (copy / path).unlink(missing_ok=True)
        if path not in files:
            with suppress(OSError):  # a folder left empty; a file may come in its place
                os.removedirs((copy / path).parent)
    for path in stale & files.keys():
        target = copy / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if (patched / path).exists():
            shutil.copy(patched / path, target)
        elif new:
            _link(source / path, target)
        else:
            shutil.copy(source / path, target, follow_symlinks=False)
    if stale and any((source / product).exists() for product in _BUILT_IN):
        subprocess.run(["make", "-C", copy, "mrproper"], check=False, capture_output=True,
                       stdin=subprocess.DEVNULL, process_group=group())
    write_whole(state, json.dumps(files))


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another file system, or somebody else's file (fs.protected_hardlinks)
        shutil.copy2(source, target, follow_symlinks=False)


def _read(state: Path) -> dict[str, str]:
    """The stamps that were kept; none where they are missing or damaged."""
    try:
        kept = read_json(state)
    except (FileNotFoundError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}
