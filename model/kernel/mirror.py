"""How a function of this package says which kernel function it mirrors.

The mark does two more things: an edition may put another function in its place (a mutant in a test,
a user's patch), and the list of all marked functions is what reports and tests go by.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, Concatenate, ParamSpec, TypeVar

from model.kernel.editions import Edition

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Mirror:
    """A modelled kernel function: its name, the kernel file it stands in, and the model's code.

    `also` are the other places of what it stands for, as `path` (in other releases), `:name` (in
    the same file, under another name or a part of it) or `path:name`.
    """

    name: str
    path: str
    function: Callable[..., Any]
    also: tuple[str, ...] = ()


MIRRORS: dict[str, Mirror] = {}


def mirrors(path: str, *also: str) -> Callable[[Callable[Concatenate[Edition, P], R]],
                                               Callable[Concatenate[Edition, P], R]]:
    """Mark a function as the mirror of the kernel function of its name in the kernel's `path`;
    `also` as in Mirror."""

    def mark(
            function: Callable[Concatenate[Edition, P], R]) -> Callable[Concatenate[Edition, P], R]:
        name = function.__name__
        MIRRORS[name] = Mirror(name, path, function, also)

        def call(ed: Edition, /, *args: P.args, **kwargs: P.kwargs) -> R:
            if ed.heard is not None:
                ed.heard.functions.add(name)
            chosen: Callable[Concatenate[Edition, P], R] = ed.overrides.get(name, function)
            return chosen(ed, *args, **kwargs)

        update_wrapper(call, function)
        return call

    return mark
