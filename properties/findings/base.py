"""What a row of properties/findings/ says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Broken:
    """Promises that a cause breaks: on each of the mappings (names, with spaces between), with the
    core operations and those of `allow`. `behind` are remedies of other causes, without which this
    one does not show there alone, or those would show with its remedy."""

    promises: str
    mappings: str
    allow: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shown:
    """The editions in which `calls` break `promise` on `mapping` for this cause: `kernels` has the
    first and last of each row of them ("v6.1.170 to v6.1, v6.3 on": the newest has it)."""

    kernels: str
    promise: str
    mapping: str
    calls: str

    @property
    def ops(self) -> tuple[str, ...]:
        return tuple(self.calls.split())


@dataclass(frozen=True)
class Finding:
    """One cause, and one remedy for it.

    `broken` is what it breaks in the last edition that has it, `shown` which have it, and how.
    `function` is the kernel function at fault, in the kernel's `path`; `change` says in a sentence
    what would make the promises hold, `remedy` names the file that does it in the model and `cost`
    what it asks of the kernel or of programs. `gives_up` are promises that cannot stand beside it.
    """

    cause: str
    broken: tuple[Broken, ...]
    shown: tuple[Shown, ...]
    function: str
    path: str
    change: str
    remedy: str
    cost: str = ""
    gives_up: tuple[str, ...] = ()
