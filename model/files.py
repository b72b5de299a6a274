"""The one rule for files: written whole or not at all, and never through a name that another run
writes too."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from errno import EFBIG
from pathlib import Path


def write_whole(path: Path, content: str | bytes) -> None:
    """Write `content` (text as UTF-8) to `path`, making its folder. What stood there stays until
    all of it is written. Raises OSError."""
    data = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(name)
        if isinstance(error, OSError) and error.filename in (None, name):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


LARGEST = 64 << 20
"""In bytes: a thousand times what a patch file or a trace needs."""


def read_whole(path: str | Path, most: int = LARGEST) -> bytes:
    """What is in a file that a user names. Raises OSError, also for one of more than `most` bytes:
    some files have no end."""
    with open(path, "rb") as file:
        found = file.read(most + 1)
    if len(found) > most:
        raise OSError(EFBIG, f"larger than {most >> 20} MiB", str(path))
    return found
