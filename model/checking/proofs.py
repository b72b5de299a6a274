"""The cache of proofs: which queries this version of the solver has answered `unsat` before.

A query is known by a digest of its text, whose order depends on its terms alone. Nothing else is
kept: an answer that is taken from here is said to be (`proved (cached)`).
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote

from model.files import cache_folder

FILE = "proofs"
LARGEST = 32 << 20
"""In bytes; a file that has grown beyond is begun anew."""
OFF = "PTECHECK_NO_CACHE"
"""The environment variable that does what --no-cache does."""


class Proofs:
    """What `file` had when this was made. What is put there is for later runs: within one run it
    does not matter who has found a proof first. A line that is damaged counts for nothing."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[str, tuple[str, ...]] = {}
        with suppress(OSError):
            for line in file.read_text("utf-8", "replace").splitlines():
                key, _, rest = line.partition(" ")
                lemmas, _, check = rest.rpartition(" ")
                if check == _check(key, lemmas):
                    self._known[key] = tuple(map(unquote, lemmas.split()))

    def get(self, key: str) -> tuple[str, ...] | None:
        """The lemmas that the answer takes, or None where the query is not known."""
        return self._known.get(key)

    def put(self, key: str, lemmas: tuple[str, ...]) -> None:
        """Keep an answer, where the file can be written."""
        told = " ".join(map(quote, lemmas))  # a user's promise has blanks in its name
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            new = os.O_TRUNC if self._file.exists() and self._file.stat().st_size > LARGEST else 0
            handle = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | new, 0o666)
            try:  # one write: lines of processes that run side by side do not mix
                os.write(handle, f"{key} {told} {_check(key, told)}\n".encode())
            finally:
                os.close(handle)


def _check(key: str, lemmas: str) -> str:
    return hashlib.sha256(f"{key} {lemmas}".encode()).hexdigest()[:16]


def at_hand() -> Proofs | None:
    """The user's; None where the environment says so."""
    return None if os.environ.get(OFF) else Proofs(cache_folder() / FILE)
