"""Small wrong edits of the kernel functions, and who catches each.

A mutant replaces `old` by `new` in the source of one function. It is tried on one edition and
mapping, and `caught_by` names what shows it to be wrong there:

* ``property:<name>``: the verdict on that promise is not the expected one;
* ``oracle``: a program observes something else than the oracle (oracle.py) says;
* ``oracle:bits``: it observes the same, but the state has other bits;
* ``law:<test>``: a law of test_pgtable.py or test_functions.py, about a state that no modelled run
  reaches.

SURVIVORS are edits that change nothing that is modelled; `note` says why.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from model.kernel.editions import Edition, find_edition
from model.kernel.mirror import MIRRORS


@dataclass(frozen=True)
class Mutant:
    module: str
    function: str
    old: str
    new: str
    note: str
    edition: str
    mapping: str
    caught_by: str = ""


def original(mutant: Mutant) -> Callable[..., Any]:
    """The function to be edited, without its mark."""
    if mutant.function in MIRRORS:
        return MIRRORS[mutant.function].function
    module = importlib.import_module(f"model.kernel.{mutant.module}")
    function: Callable[..., Any] = getattr(module, mutant.function)
    return function


def mutate(mutant: Mutant) -> Callable[..., Any]:
    """The wrong function. The edit must fit in one place, or the mutant is out of date."""
    function = original(mutant)
    source = inspect.getsource(function)
    assert source.count(mutant.old) == 1, f"{mutant.old!r} in {mutant.function}"
    source = source[source.index("def "):].replace(mutant.old, mutant.new)
    module = importlib.import_module(f"model.kernel.{mutant.module}")
    assert function.__module__ == module.__name__
    scope = dict(vars(module))
    exec(compile(source, f"<mutant of {mutant.function}>", "exec"), scope)
    wrong: Callable[..., Any] = scope[mutant.function]
    return wrong


@contextmanager
def applied(mutant: Mutant) -> Iterator[Edition]:
    """The mutant's edition with the wrong function in it.

    A marked function is overridden in the edition. A helper without a mark is replaced in the
    modules of the kernel and in the operations while the context lasts; the questions that
    properties ask (model.system.view) keep the right one.
    """
    edition, wrong = find_edition(mutant.edition), mutate(mutant)
    if mutant.function in MIRRORS:
        yield replace(edition, overrides={mutant.function: wrong})
        return
    right = original(mutant)
    users = [module for name, module in sys.modules.items()
             if name.startswith(("model.kernel.", "model.system.operations"))
             and vars(module).get(mutant.function) is right]
    for module in users:
        setattr(module, mutant.function, wrong)
    try:
        yield edition
    finally:
        for module in users:
            setattr(module, mutant.function, right)
