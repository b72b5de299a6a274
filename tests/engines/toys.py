"""Small transition systems whose answers are known by thought."""

from __future__ import annotations

import z3

from model.system.relation.transition import Question, TransitionSystem

N = z3.BitVec("n", 4)
ODD = z3.Bool("odd")
ALWAYS = z3.BoolVal(True)


def number(value: int) -> z3.BitVecRef:
    return z3.BitVecVal(value, 4)


def counter() -> TransitionSystem:
    """Counts 0 .. 9 by `one` or `two`, stopping at 9 or above; `reset` goes back to 0. `odd` is the
    parity of n. Output `carry` says that the step did not move."""
    stuck = z3.UGE(N, number(9))

    def add(k: int) -> tuple[z3.ExprRef, ...]:
        return (z3.If(stuck, N, N + number(k)),
                z3.If(stuck, ODD, z3.Xor(ODD, z3.BoolVal(k % 2 == 1))), stuck)

    return TransitionSystem(
        name="counter", variables=(N, ODD), initial=(number(0), z3.BoolVal(False)),
        actions=("one", "two", "reset"),
        branches=(add(1), add(2), (number(0), z3.BoolVal(False), z3.BoolVal(False))),
        outputs=(z3.Bool("carry"),))


def ask(safe: z3.BoolRef = ALWAYS, allowed: z3.BoolRef = ALWAYS,
        witness: z3.BoolRef = ALWAYS) -> Question:
    return Question("toy", counter(), safe, allowed, witness)


def two_step() -> Question:
    """A register that shifts: a goes to b goes to c. "c is false" needs no lemma at k = 3, but is
    not inductive before: nothing says that a and b are false in an arbitrary state."""
    a, b, c = z3.Bools("a b c")
    system = TransitionSystem(
        name="shift", variables=(a, b, c), initial=(z3.BoolVal(False),) * 3, actions=("shift",),
        branches=((z3.BoolVal(False), a, b),))
    return Question("c-false", system, z3.Not(c), ALWAYS, ALWAYS)
