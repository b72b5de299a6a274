"""The promises that only several pages can break tried against a mutant, by a search for a
violation with it and without."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from model.engines.base import VIOLATED, Limits
from model.engines.explicit import search
from model.kernel.editions import Edition, find_edition
from model.mutation.mutant import Mutant, applied
from model.system.actions.operations import CORE
from model.system.actions.spans import modelled_of_several
from model.system.relation.ranges import RangeSystem
from model.system.state.mappings import find_memory
from properties import PROPERTIES
from properties.base import Property

MAX_STATES = 3_000

Trace = tuple[str, ...]


@dataclass(frozen=True)
class Told:
    """A promise whose verdict a mutant changes on a mapping: it is broken by `trace`, or, where
    that is None, holds although it is broken without the mutant."""

    promise: str
    mapping: str
    trace: Trace | None


def told(mutant: Mutant) -> list[Told]:
    """The promises that tell the mutant from the right function on its mapping."""
    right, (memory, pages) = find_edition(mutant.edition), find_memory(mutant.mapping)
    found = []
    with applied(mutant) as wrong:
        for name, promise in PROPERTIES.items():
            if promise.among and promise.concerns(right, memory, pages):
                trace = _trace(wrong, mutant.mapping, promise, mutant.allow)
                if (trace is None) != (_right(right, mutant.mapping, name, mutant.allow) is None):
                    found.append(Told(name, mutant.mapping, trace))
    return found


@cache
def _right(edition: Edition, mapping: str, name: str, allow: str) -> Trace | None:
    return _trace(edition, mapping, PROPERTIES[name], allow)


def _trace(edition: Edition, mapping: str, promise: Property, allow: str) -> Trace | None:
    """What breaks the promise among so many states."""
    memory, pages = find_memory(mapping)
    assert pages is not None
    assert promise.among is not None
    ops = [op for op in modelled_of_several(edition, memory)
           if op in (*CORE, *promise.about, *allow.split())]
    system = RangeSystem(edition, memory, pages, ops, promise.among.follows)
    verdict = search(promise.question(system), Limits(), MAX_STATES)
    return verdict.trace if verdict.status == VIOLATED else None
