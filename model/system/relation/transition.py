"""The transition system: the one step relation, and the questions that are asked of it.

This is all that an engine sees. The system is deterministic in its action: `next` is a function of
the variables and the action, and there is one initial state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import z3

from model.kernel.terms import substituted


@dataclass(frozen=True, eq=False)
class TransitionSystem:
    """`variables` are Z3 constants; `initial` their values; `actions` names each action.

    `branches[i]` gives the next value of every variable under action i, then the `outputs`, which
    are constants too: what the caller of the action sees.
    """

    name: str
    variables: tuple[z3.ExprRef, ...]
    initial: tuple[z3.ExprRef, ...]
    actions: tuple[str, ...]
    branches: Sequence[tuple[z3.ExprRef, ...]]
    outputs: tuple[z3.ExprRef, ...] = ()

    @cached_property
    def primed(self) -> tuple[z3.ExprRef, ...]:
        """The variables after the step, as constants."""
        return tuple(_constant(f"{v.decl().name()}'", v.sort()) for v in self.variables)

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
    def _step(self) -> tuple[z3.ExprRef, ...]:
        merged = list(self.branches[-1])
        for i in reversed(range(len(self.branches) - 1)):
            chosen = self.choose(i)
            merged = [t if t.eq(m) else z3.If(chosen, t, m)
                      for t, m in zip(self.branches[i], merged, strict=True)]
        return tuple(merged)

    @cached_property
    def next(self) -> tuple[z3.ExprRef, ...]:
        """The value of every variable after the step, as a term over variables and action."""
        return self._step[:len(self.variables)]

    def after(self, formula: z3.BoolRef) -> z3.BoolRef:
        """`formula` (over the variables) said of the state after the step."""
        return substitute(formula, self.variables, self.next)

    def resolve(self, formula: z3.BoolRef) -> z3.BoolRef:
        """A step formula (which speaks of `primed` and `outputs` too) over variables and action."""
        return substitute(formula, (*self.primed, *self.outputs), self._step)

    def at_init(self, formula: z3.BoolRef) -> bool:
        """The truth of `formula` (over the variables) in the initial state."""
        return self.all_at_init([formula])[0]

    def all_at_init(self, formulas: Sequence[z3.BoolRef]) -> list[bool]:
        """The truth of each formula in the initial state."""
        values = substitute(packed(formulas), self.variables, self.initial)
        return [decided(value) for value in z3.simplify(values).children()]


@lru_cache(maxsize=10_000)
def _constant(name: str, sort: z3.SortRef) -> z3.ExprRef:
    return z3.Const(name, sort)


@dataclass(frozen=True, eq=False)
class Question:
    """A promise, put to a transition system.

    `safe` (over the variables) must hold in every reachable state, and `allowed` of every step
    taken from one. `witness` must be true of some reachable step, or the promise is empty. Both
    are step formulas: over variables, action, primed variables and outputs.
    """

    name: str
    system: TransitionSystem
    safe: z3.BoolRef
    allowed: z3.BoolRef
    witness: z3.BoolRef

    @cached_property
    def good_step(self) -> z3.BoolRef:
        """`allowed`, over variables and action."""
        return self.system.resolve(self.allowed)

    @cached_property
    def allowed_of(self) -> tuple[z3.BoolRef, ...]:
        """`allowed` of each action by itself, simplified: over variables, primed variables and
        outputs."""
        action = self.system.action
        return tuple(z3.simplify(substitute(self.allowed, (action,),
                                            (z3.BitVecVal(i, action.size()),)))
                     for i in range(len(self.system.actions)))

    @cached_property
    def good(self) -> z3.BoolRef:
        """`safe` and `allowed`, over variables and action."""
        return z3.And(self.safe, self.good_step)


@dataclass(frozen=True, eq=False)
class Lemma:
    """A stated invariant, over the variables: true or not is for the engines to find."""

    name: str
    formula: z3.BoolRef


def decided(value: z3.ExprRef) -> bool:
    """The truth value that Z3 made of a formula without variables. It leaves one as it is where
    Ctrl-C stops it: raises KeyboardInterrupt."""
    if not (z3.is_true(value) or z3.is_false(value)):
        raise KeyboardInterrupt
    return bool(z3.is_true(value))


def plain(value: z3.ExprRef) -> int | bool:
    """The number or truth value that Z3 made of a term without variables. Raises as `decided`."""
    return value.as_long() if isinstance(value, z3.BitVecNumRef) else decided(value)


def packed(terms: Sequence[z3.ExprRef]) -> z3.BoolRef:
    """One term whose children are `terms`: what is done to all of them is done once to what they
    share."""
    pack: z3.BoolRef = z3.Function("pack", *(t.sort() for t in terms), z3.BoolSort())(*terms)
    return pack


def substitute(formula: z3.BoolRef, old: Sequence[z3.ExprRef],
               new: Sequence[z3.ExprRef]) -> z3.BoolRef:
    """`formula` with each of `old` replaced by the term of `new` at its place."""
    return substituted(formula, old, new)
