"""How a user writes a kernel function, and names of functions which cannot be replaced."""

from __future__ import annotations

import difflib
import inspect
import sys
from collections.abc import Callable
from types import FunctionType
from typing import Any

from model.kernel.mirror import MIRRORS

_SHOWN = 5


def parameters(function: Callable[..., Any]) -> inspect.Signature:
    """What a function takes, without types. A ``_`` before a name says that the function makes no
    use of it, which is nobody else's affair."""
    given = inspect.signature(function).parameters
    bare = [name.lstrip("_") or name for name in given]
    names = bare if len(set(bare)) == len(bare) else given
    return inspect.Signature([p.replace(name=name, annotation=p.empty)
                              for name, p in zip(names, given.values(), strict=True)])


def not_mirrored(name: str) -> str:
    """Why a function of this name replaces nothing, and what would."""
    helpers = {n: f for module, content in list(sys.modules.items())
               if module.startswith("model.kernel.") and "+" not in module
               for n, f in vars(content).items() if isinstance(f, FunctionType)
               and f.__module__ == module and n not in MIRRORS}
    if name in helpers:
        users = _users(name, helpers)
        more = f" and {len(users) - _SHOWN} more" if len(users) > _SHOWN else ""
        return (f"{name} is a helper of the model, which cannot be replaced; replace what calls "
                f"it: {', '.join(users[:_SHOWN])}{more}")
    near = difflib.get_close_matches(name, MIRRORS, n=1, cutoff=0.5)
    return f"no kernel function {name!r} is modelled" + (
        f", did you mean {near[0]!r}?" if near else "")


def _users(name: str, helpers: dict[str, FunctionType]) -> list[str]:
    """The mirrored functions that call a helper, themselves or through other helpers."""
    wanted = {name}
    while True:
        more = {n for n, f in helpers.items() if n not in wanted
                and wanted & set(f.__code__.co_names)}
        if not more:
            return sorted(n for n, m in MIRRORS.items()
                          if wanted & set(m.function.__code__.co_names))
        wanted |= more
