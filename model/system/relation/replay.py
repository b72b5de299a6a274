"""Running a list of operations against a promise, with no solver."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model.system.relation.compiled import Machine
from model.system.relation.transition import Question


def violates(machine: Machine, question: Question, ops: Sequence[str]) -> bool:
    """Whether `ops` keep the promise up to the last step and break it there.

    Raises ValueError for an operation that is not modelled.
    """
    *before, last = _kept(machine, question, ops)
    return not last and all(before)


def keeps(machine: Machine, question: Question, ops: Sequence[str]) -> bool:
    """Whether no step of `ops` breaks the promise. Raises ValueError as `violates` does."""
    return all(_kept(machine, question, ops))


def _kept(machine: Machine, question: Question, ops: Sequence[str]) -> Iterator[bool]:
    """Whether the promise is kept: by the initial state, then step by step."""
    safe = machine.predicate(question.safe)
    allowed = machine.step_predicate(question.allowed)
    state = machine.initial
    yield safe(state)
    for op in ops:
        index = machine.system.actions.index(op)
        after, _ = machine.step(state, index)
        yield allowed(state, index) and safe(after)
        state = after
