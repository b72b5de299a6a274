"""What a mutant is, and an edition with one in it."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType, ModuleType
from typing import Any

from model.kernel.editions import Edition, find_edition
from model.kernel.mirror import MIRRORS
from model.kernel.task_mmu import do_pagemap_scan, pagemap_read

_ASKED = (pagemap_read.__name__, do_pagemap_scan.__name__)


@dataclass(frozen=True)
class Mutant:
    """A function of `module` (of model.kernel) in whose source `new` stands in place of `old`.

    `note` says in a few words what is wrong with it. It is tried on `edition`, with the core
    operations and those of `allow` (names, with spaces between). `untold` is the reason why no
    promise tells it from the right one; `shown` then names what else does: ``law:<test>`` (of the
    tests of single functions), ``oracle`` or ``recorded`` (runs of real kernels) on `mapping`;
    empty where no program can.
    """

    module: str
    function: str
    old: str
    new: str
    note: str
    edition: str = "v6.12"
    allow: str = ""
    untold: str = ""
    shown: str = ""
    mapping: str = "shmem"

    @property
    def name(self) -> str:
        return f"{self.function}: {self.note}"


def original(mutant: Mutant) -> Callable[..., Any]:
    """The function to be edited, without its mark."""
    module = importlib.import_module(f"model.kernel.{mutant.module}")
    if mutant.function in MIRRORS:
        return MIRRORS[mutant.function].function
    function: Callable[..., Any] = getattr(module, mutant.function)
    return function


def mutate(mutant: Mutant) -> Callable[..., Any]:
    """The wrong function. Raises ValueError unless the edit fits in one place."""
    function = original(mutant)
    source = inspect.getsource(function)
    if source.count(mutant.old) != 1:
        raise ValueError(f"{mutant.name}: {mutant.old!r} stands in {mutant.function} "
                         f"{source.count(mutant.old)} times")
    source = source[source.index("def "):].replace(mutant.old, mutant.new)
    scope = dict(vars(sys.modules[function.__module__]))
    exec(compile(source, f"<mutant of {mutant.function}>", "exec"), scope)
    wrong: Callable[..., Any] = scope[mutant.function]
    return wrong


@contextmanager
def applied(mutant: Mutant) -> Iterator[Edition]:
    """The mutant's edition with the wrong function in it.

    A marked function is overridden in the edition. A helper without a mark is replaced in the
    modules of the kernel and in the operations while the context lasts, and whenever that edition's
    pagemap is read or scanned; the other questions that promises ask keep the right one.
    """
    edition, wrong = find_edition(mutant.edition), mutate(mutant)
    if mutant.function in MIRRORS:
        yield replace(edition, overrides=MappingProxyType({mutant.function: wrong}))
        return
    right = original(mutant)
    users = [module for name, module in sys.modules.items()
             if name.startswith(("model.kernel.", "model.system.actions."))
             and vars(module).get(mutant.function) is right]

    def asking(name: str) -> Callable[..., Any]:
        def asked(*args: Any) -> Any:
            with _standing_in(users, right, wrong):
                return MIRRORS[name].function(*args)
        return asked

    with _standing_in(users, right, wrong):
        yield replace(edition, overrides=MappingProxyType({n: asking(n) for n in _ASKED}))


@contextmanager
def _standing_in(users: list[ModuleType], right: Callable[..., Any],
                 wrong: Callable[..., Any]) -> Iterator[None]:
    """`wrong` in place of `right` in these modules; what was there before comes back."""
    name = right.__name__
    before = [vars(module)[name] for module in users]
    for module in users:
        setattr(module, name, wrong)
    try:
        yield
    finally:
        for module, function in zip(users, before, strict=True):
            setattr(module, name, function)
