"""Effects built once: an operation's terms, for every edition and every set of facts that is fixed.

The terms are built on a state of nothing but variables. Editions that answer alike all that
building them asks have the same ones; where some facts never change, their values are put in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import z3

from model.kernel.editions import Edition, Heard
from model.system.actions.operations import OPERATIONS
from model.system.state.state import State, flatten

Branch = tuple[z3.ExprRef, ...]
"""The next value of every variable, then the outcome and the faults."""


@dataclass(frozen=True)
class _Built:
    """The terms of one operation, what its building asked, and the answers that it got."""

    terms: Branch
    heard: Heard
    answers: Mapping[str, tuple[bool, bool]]
    fixed: dict[frozenset[tuple[str, bool]], Branch] = field(default_factory=dict)

    def suits(self, edition: Edition) -> bool:
        return (self.heard.functions.isdisjoint(edition.overrides)
                and all(_answer(edition, c) == told for c, told in self.answers.items()))


def _answer(edition: Edition, change: str) -> tuple[bool, bool]:
    return change in edition.undecided, change in edition.changes


class Library:
    """Keeps what is built of editions whose functions are the model's own."""

    def __init__(self) -> None:
        self._built: dict[tuple[object, ...], list[_Built]] = defaultdict(list)

    def branch(self, edition: Edition, op: str, state: State, fixed: Mapping[str, bool]) -> Branch:
        """The effect of an operation on `state`, whose leaves are variables; those named in `fixed`
        have that value before it and after it."""
        key = (op, state.vma.mapping, state.rest is None)
        built = next((b for b in self._built[key] if b.suits(edition)), None)
        if built is None:
            built = _build(edition, op, state)
            if built.heard.functions.isdisjoint(edition.overrides):
                self._built[key].append(built)
        facts = frozenset(fixed.items())
        if facts not in built.fixed:
            built.fixed[facts] = _with_facts(built.terms, flatten(state), fixed)
        return built.fixed[facts]


@cache
def library() -> Library:
    """The one of this process."""
    return Library()


def _build(edition: Edition, op: str, state: State) -> _Built:
    heard = Heard()
    effect = OPERATIONS[op].run(replace(edition, heard=heard), state)
    terms = (*flatten(effect.state), effect.outcome, effect.faults)
    return _Built(terms, heard, {c: _answer(edition, c) for c in heard.changes})


def _with_facts(terms: Branch, variables: Sequence[z3.ExprRef],
                fixed: Mapping[str, bool]) -> Branch:
    values = {str(v): z3.BoolVal(fixed[str(v)]) for v in variables if str(v) in fixed}
    pack = z3.Function("pack", *(t.sort() for t in terms), z3.BoolSort())
    packed = z3.substitute(pack(*terms), *((v, values[str(v)]) for v in variables
                                           if str(v) in values))
    done = z3.simplify(packed)
    return tuple(values.get(str(v), done.arg(i)) if v is not None else done.arg(i)
                 for i, v in enumerate((*variables, None, None)))
