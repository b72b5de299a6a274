"""A piece of the C that a reproducer is put together from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """What a program needs for a call, beside what every program has; `start` stands in main()."""

    headers: tuple[str, ...] = ()
    text: str = ""
    start: str = ""
