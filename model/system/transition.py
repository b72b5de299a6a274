"""The transition system: the one step relation, and the questions that are asked of it.

This is all that an engine sees. The system is deterministic in its action: `next` is a function of
the variables and the action, and there is one initial state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import z3


@dataclass(frozen=True, eq=False)
class TransitionSystem:
    """`variables` are Z3 constants; `initial` their values; `actions` names each action.

    `branches[i]` gives the next value of every variable under action i, and then any outputs.
    `outputs` names what a branch gives beyond the variables.
    """

    name: str
    variables: tuple[z3.ExprRef, ...]
    initial: tuple[z3.ExprRef, ...]
    actions: tuple[str, ...]
    branches: tuple[tuple[z3.ExprRef, ...], ...]
    outputs: tuple[str, ...] = ()

    @cached_property
    def action(self) -> z3.BitVecRef:
        """The action variable: the index into `actions`, as a bit vector."""
        return z3.BitVec("action", max(1, (len(self.actions) - 1).bit_length()))

    def choose(self, index: int) -> z3.BoolRef:
        return self.action == z3.BitVecVal(index, self.action.size())

    @cached_property
    def legal_action(self) -> z3.BoolRef:
        return z3.ULE(self.action, z3.BitVecVal(len(self.actions) - 1, self.action.size()))

    @cached_property
    def step(self) -> tuple[z3.ExprRef, ...]:
        """Next value of every variable, then the outputs, as terms over variables and action."""
        merged = list(self.branches[-1])
        for i in reversed(range(len(self.branches) - 1)):
            chosen = self.choose(i)
            merged = [t if t.eq(m) else z3.If(chosen, t, m)
                      for t, m in zip(self.branches[i], merged, strict=True)]
        return tuple(merged)

    @cached_property
    def next(self) -> tuple[z3.ExprRef, ...]:
        return self.step[:len(self.variables)]

    def after(self, formula: z3.BoolRef) -> z3.BoolRef:
        """`formula` (over the variables) said of the state after the step."""
        return substitute(formula, self.variables, self.next)

    def at_init(self, formula: z3.BoolRef) -> bool:
        """The truth of `formula` (over the variables) in the initial state."""
        value = z3.simplify(substitute(formula, self.variables, self.initial))
        return bool(z3.is_true(value))


@dataclass(frozen=True, eq=False)
class Question:
    """A promise, put to a transition system.

    `safe` (over the variables) must hold in every reachable state, and `allowed` (over variables
    and action) of every step taken from one. `witness` (over variables and action) must be true of
    some reachable step, or the promise is empty.
    """

    name: str
    system: TransitionSystem
    safe: z3.BoolRef
    allowed: z3.BoolRef
    witness: z3.BoolRef


@dataclass(frozen=True, eq=False)
class Lemma:
    """A stated invariant, over the variables: true or not is for the engines to find."""

    name: str
    formula: z3.BoolRef


def substitute(formula: z3.BoolRef, old: Sequence[z3.ExprRef],
               new: Sequence[z3.ExprRef]) -> z3.BoolRef:
    result = z3.substitute(formula, *zip(old, new, strict=True))
    assert isinstance(result, z3.BoolRef)
    return result
