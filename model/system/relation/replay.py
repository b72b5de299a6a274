"""Running a list of operations against a promise, with no solver."""

from __future__ import annotations

from collections.abc import Sequence

from model.system.relation.compiled import Machine
from model.system.relation.transition import Question


def violates(machine: Machine, question: Question, ops: Sequence[str]) -> bool:
    """Whether `ops` keep the promise up to the last step and break it there.

    Raises ValueError for an operation that is not modelled.
    """
    safe = machine.predicate(question.safe)
    allowed = machine.step_predicate(question.allowed)
    state = machine.initial
    good = [safe(state)]
    for op in ops:
        index = machine.system.actions.index(op)
        after, _ = machine.step(state, index)
        good.append(allowed(state, index) and safe(after))
        state = after
    return not good[-1] and all(good[:-1])
