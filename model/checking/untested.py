"""What would put a promise to the test that nothing does: an operation that is not allowed."""

from __future__ import annotations

from collections.abc import Iterator

from model.checking.cells import Cell
from model.engines.base import Limits, OutOfTime
from model.engines.explicit import reaches
from model.system.actions.operations import CORE, with_needed
from model.system.actions.themes import allowing, modelled
from model.system.relation.kernel import KernelSystem
from model.system.relation.library import library
from model.system.relation.reach import TooManyStates, explore

_DEEP = 3
"""How many calls are tried, beyond those that the operation needs before it."""
_MOST = 20_000
_NAMED = 3


def makes_true(cell: Cell, words: str, limits: Limits) -> str:
    """The plainest operations beyond those allowed, each after those it needs, with one of which
    the part of the promise that these words are can be true after few calls: "OP or OP OP"; empty
    where none was found, or no time is left to look."""
    found: list[str] = []
    try:
        for op in _by(cell, words, limits):
            found.append(op)
            if len(found) == _NAMED:
                break
    except OutOfTime:
        pass
    return " or ".join(found)


def _by(cell: Cell, words: str, limits: Limits) -> Iterator[str]:
    known = modelled(cell.edition, cell.mapping)
    enough: list[set[str]] = []
    for op in known:
        wanted = tuple(o for o in with_needed(op) if o not in (*CORE, *cell.operations))
        if (op not in wanted or not set(wanted) <= set(known)
                or any(some <= set(wanted) for some in enough)):
            continue
        limits.remaining()
        kernel = KernelSystem(cell.edition, cell.mapping, allowing(
            cell.edition, cell.mapping, (*cell.operations, *wanted)), library(), cell.prop.follows)
        try:
            graph = explore(kernel.machine, _DEEP + len(wanted), max_states=_MOST,
                            tick=limits.remaining)
        except TooManyStates:
            continue
        test = dict(cell.prop.tests(kernel)).get(words)
        if test is not None and reaches(kernel.machine, graph, test):
            enough.append(set(wanted))
            yield " ".join(wanted)
