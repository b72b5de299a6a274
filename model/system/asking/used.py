"""Which kernel functions an operation is made of, and what pagemap and the promises ask.

Found by watching the functions of model.kernel being called while the terms are built, as coverage
tools for programs do; what the mapping or the edition rules out is not called.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from model.kernel.editions import Edition
from model.kernel.records import Mapping
from model.kernel.task_mmu import pagemap_read
from model.system.actions.operations import OPERATIONS
from model.system.relation.kernel import KernelSystem

_PACKAGE = "model.kernel."


@contextmanager
def called() -> Iterator[set[str]]:
    """Collects the names of the functions of model.kernel that are called while entered."""
    found: set[str] = set()

    def event(frame: FrameType, kind: str, _value: Any) -> None:
        if kind == "call" and frame.f_globals.get("__name__", "").startswith(_PACKAGE):
            found.add(frame.f_code.co_name)

    before = sys.getprofile()
    sys.setprofile(event)
    try:
        yield found
    finally:
        sys.setprofile(before)


def functions_used(edition: Edition, mapping: Mapping,
                   operations: Collection[str]) -> dict[str, frozenset[str]]:
    """For each of the operations, which are modelled there, the kernel functions that its effect
    calls; under the empty name, those that make a fresh mapping and read pagemap."""
    found = {}
    with called() as common:
        kernel = KernelSystem(edition, mapping, tuple(operations))
        pagemap_read(edition, kernel.before.vma, kernel.before.entry)
    found[""] = frozenset(common)
    for name in operations:
        with called() as own:
            OPERATIONS[name].run(edition, kernel.before)
        found[name] = frozenset(own)
    return found
