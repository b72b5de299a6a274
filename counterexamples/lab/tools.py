"""Programs of the lab's own, built for this machine."""

from __future__ import annotations

import hashlib
from pathlib import Path

from model.machine import cache_folder, capture, kept, need


def static_program(source: Path, *options: str) -> Path:
    """The C program in `source`, a file or a folder, linked statically, built once for each
    content.

    Raises CannotRun when it does not compile.
    """
    need("gcc")
    files = sorted(source.glob("*.[ch]")) if source.is_dir() else [source]
    content = b"".join(file.read_bytes() for file in files) + " ".join(options).encode()
    return kept(cache_folder(), f"{source.stem}-{hashlib.sha256(content).hexdigest()[:16]}", "",
                lambda made: capture(["gcc", "-O2", "-Wall", *options, "-o", str(made),
                                      *(str(file) for file in files if file.suffix == ".c")]))
