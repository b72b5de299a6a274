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
from model.processes import group

# What a build in the tree leaves there; "make mrproper" in the copy finds the rest.
_PRODUCT = re.compile(r"(.*/)?(\.[^/]*|[^/]*(~|\.(o|a|ko|cmd|mod|mod\.c|order)))"
                      r"|(arch/[^/]*/)?include/(config|generated)")
_BUILT_IN = (".config", "include/config")
_NAMES = re.compile(r"^(?:---|\+\+\+) [^/\n]+/([^\t\n]+)|^(?:rename|copy) from (.+)", re.MULTILINE)


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
    not apply with `patch -p1` and no fuzz; nothing but `patched` is ever written to.
    """
    touched: set[str] = set()
    for patch in patches:
        for match in _NAMES.finditer(patch.read_text(errors="replace")):
            path = match[1] or match[2]
            if path not in touched and ".." not in path.split("/"):
                touched.add(path)
                if (source / path).is_file():
                    (patched / path).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(source / path, patched / path)
        done = subprocess.run(
            ["patch", "-p1", "--fuzz=0", "--forward", "--batch", "--no-backup-if-mismatch",
             "--reject-file=-", "-d", patched, "-i", patch.resolve()],
            stdin=subprocess.DEVNULL, process_group=group(),
            env={**os.environ, "LC_ALL": "C"}, capture_output=True, check=False, text=True,
            errors="replace")
        if done.returncode or not done.stdout.strip():
            raise CannotRun(f"{patch.name} does not apply to this tree with patch -p1 and no fuzz: "
                            + _refusal(done.stdout + done.stderr))
        touched |= {str(p.relative_to(patched)) for p in patched.rglob("*") if p.is_file()}
    return {path: hashlib.sha256((patched / path).read_bytes()).hexdigest()
            if (patched / path).is_file() else None for path in touched}


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
    new = not state.exists()
    for folder in (copy, built):
        if new:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(exist_ok=True)
    have = {} if new else json.loads(state.read_text())
    stale = {path for path in {*have, *files} if have.get(path) != files.get(path)}
    if not new:  # should this be interrupted, these are in doubt
        _write(state, have | dict.fromkeys(stale, ""))
    for path in stale:
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
    _write(state, files)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another file system, or somebody else's file (fs.protected_hardlinks)
        shutil.copy2(source, target, follow_symlinks=False)


def _write(state: Path, files: Mapping[str, str]) -> None:
    half = state.with_suffix(".half")
    half.write_text(json.dumps(files))
    half.rename(state)
