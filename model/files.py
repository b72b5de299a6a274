"""The one rule for files: written whole or not at all, and never through a name that another run
writes too."""

from __future__ import annotations

import errno
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any


def cache_folder() -> Path:
    """$PTECHECK_CACHE, or ptecheck under the user's cache folder (XDG base directories); it may not
    be there yet."""
    named = os.environ.get("PTECHECK_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(named) if named else Path(base) / "ptecheck"


def write_whole(path: Path, content: str | bytes) -> None:
    """Write `content` (text as UTF-8, names of files in it byte by byte) to `path`, making its
    folder. What stood there stays until all of it is written. Raises OSError."""
    data = content.encode(errors="surrogateescape") if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.parent / f".{path.name}.{os.urandom(6).hex()}"
    try:
        _write(half, data)
        os.replace(half, path)
    except BaseException as error:
        with suppress(OSError):
            half.unlink()
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def _write(half: Path, data: bytes) -> None:
    """A file without a name until it is whole: one whose writer is killed is gone by itself.
    (open(2), O_TMPFILE; not every file system has it.)"""
    try:
        handle = os.open(half.parent, os.O_TMPFILE | os.O_WRONLY, 0o666)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT):
            raise
        half.write_bytes(data)
        return
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        folder = os.open(half.parent, os.O_PATH)
        try:  # dst_dir_fd makes it linkat(2), which follows /proc's link as asked
            os.link(f"/proc/self/fd/{handle}", half.name, dst_dir_fd=folder, follow_symlinks=True)
        finally:
            os.close(folder)


LARGEST = 64 << 20
"""In bytes: a thousand times what a patch file or a trace needs."""


def read_whole(path: str | Path, most: int = LARGEST) -> bytes:
    """What is in a file that a user names. Raises OSError, also for one of more than `most` bytes:
    some files have no end."""
    with open(path, "rb") as file:
        found = file.read(most + 1)
    if len(found) > most:
        raise OSError(errno.EFBIG, f"larger than {most >> 20} MiB", str(path))
    return found


def read_json(path: Path) -> Any:
    """What a JSON file says. Raises OSError, and ValueError for anything else, such as brackets in
    brackets without end."""
    try:
        return json.loads(read_whole(path))
    except RecursionError as error:
        raise ValueError(f"{path} is nested too deep") from error
