"""What every engine takes and gives.

To add an engine: a function with the signature of `Engine`, and a row in model/engines/registry.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import z3

from model.system.relation.transition import (
    Lemma,
    Question,
    TransitionSystem,
    packed,
    plain,
    substitute,
)

PROVED, BOUNDED, VIOLATED, UNKNOWN = "proved", "bounded", "violated", "unknown"


@dataclass(frozen=True, eq=False)
class Proof:
    """Why a promise holds at every depth.

    The conjunction of `invariant` holds initially and is kept by every step; and no state that
    satisfies it is bad, when the `k` steps before were good (0: the invariant alone suffices).
    """

    invariant: tuple[Lemma, ...]
    k: int = 0


@dataclass(frozen=True, eq=False)
class Verdict:
    """An engine's answer.

    `depth` is the number of steps of the violation, or the bound up to which there is none; None
    for a proof. `trace` are the actions that lead to the violation, the plainest of the shortest.
    `reason` says why an answer is `unknown`.
    """

    status: str
    engine: str
    depth: int | None = None
    trace: tuple[str, ...] | None = None
    proof: Proof | None = None
    reason: str = ""


def _ignore(_: int) -> None:
    return None


def _never() -> bool:
    return False


@dataclass
class Limits:
    """How far an engine may go: `depth` steps (None: the engine's own), seconds from now on.

    `safe_bound` is told every bound that was found safe, while the engine runs; `stopped` says that
    the user wants an end.
    """

    depth: int | None = None
    seconds: float | None = None
    safe_bound: Callable[[int], None] = _ignore
    stopped: Callable[[], bool] = _never
    _start: float = field(default_factory=time.monotonic)

    def remaining(self) -> float | None:
        """Seconds left, None without a limit. Raises OutOfTime when there are none, and
        KeyboardInterrupt once stopped."""
        if self.stopped():
            raise KeyboardInterrupt
        if self.seconds is None:
            return None
        left = self._start + self.seconds - time.monotonic()
        if left <= 0:
            raise OutOfTime(f"the time limit of {self.seconds:g} s was reached")
        return left

    def within(self, depth: int | None = None, seconds: float | None = None) -> Limits:
        """The same limits, narrowed."""
        left = self.remaining()
        times = [t for t in (left, seconds) if t is not None]
        return Limits(depth if depth is not None else self.depth, min(times, default=None),
                      self.safe_bound, self.stopped)


class OutOfTime(Exception):
    """The time limit was reached, or the solver gave up; the message says which."""


class Engine(Protocol):
    """`lemmas` are candidates: an engine may use those it proves, and must not trust the others."""

    def __call__(self, question: Question, limits: Limits,
                 lemmas: Sequence[Lemma] = ()) -> Verdict: ...


def solve(solver: z3.Solver, limits: Limits, *assumptions: z3.BoolRef) -> bool:
    """Whether the solver's assertions are satisfiable.

    Raises OutOfTime when it cannot tell, KeyboardInterrupt when Ctrl-C stopped it.
    """
    left = limits.remaining()
    if left is not None:
        solver.set("timeout", max(1, int(left * 1000)))
    result = solver.check(*assumptions)
    if result == z3.unknown:
        why = solver.reason_unknown()
        if "interrupted" in why:
            raise KeyboardInterrupt
        limits.remaining()
        raise OutOfTime(f"the solver gave up: {why}")
    return bool(result == z3.sat)


def says(model: z3.ModelRef, formula: z3.BoolRef) -> bool:
    """What a model says of a formula. Raises KeyboardInterrupt where Ctrl-C stopped Z3 before it
    had said it."""
    return bool(value_in(model, formula))


def value_in(model: z3.ModelRef, term: z3.ExprRef) -> int | bool:
    """The value of a term in a model. Raises as `says`."""
    try:
        return plain(model.eval(term, model_completion=True))
    except z3.Z3Exception as error:
        if "canceled" in str(error):
            raise KeyboardInterrupt from error
        raise


def incremental_solver(context: z3.Context | None = None) -> z3.Solver:
    """For many related queries: bit-blasting with one incremental SAT solver beneath."""
    return z3.SolverFor("QF_FD", ctx=context)


def checking_solver(context: z3.Context) -> z3.Solver:
    """For a single query: bit-blasting, then the SMT core as a SAT solver."""
    return z3.Then("simplify", "bit-blast", "smt", ctx=context).solver()


def search_solver() -> z3.Solver:
    """For a few deep queries."""
    return z3.SolverFor("QF_BV")


class Unrolling:
    """A path through a system in a solver: the state and action at every position."""

    def __init__(self, system: TransitionSystem, solver: z3.Solver,
                 start: Sequence[z3.ExprRef] | None = None) -> None:
        self.system = system
        self.solver = solver
        self.states = [tuple(start) if start is not None else self._fresh(0)]
        self.actions: list[z3.BitVecRef] = []

    def _fresh(self, position: int) -> tuple[z3.ExprRef, ...]:
        return tuple(z3.Const(f"{v}@{position}", v.sort()) for v in self.system.variables)

    def extend(self) -> None:
        """Assert one more step."""
        action = z3.BitVec(f"action@{len(self.actions)}", self.system.action.size())
        self.actions.append(action)
        self.solver.add(self.at(self.system.legal_action, len(self.actions) - 1))
        after = self._fresh(len(self.states))
        names = (*self.system.variables, self.system.action)
        values = (*self.states[-1], action)
        terms = substitute(packed(self.system.next), names, values).children()
        self.solver.add([var == term for var, term in zip(after, terms, strict=True)])
        self.states.append(after)

    def at(self, formula: z3.BoolRef, position: int) -> z3.BoolRef:
        """`formula` (over variables, and the action where there is one) at a position."""
        names, values = list(self.system.variables), list(self.states[position])
        if position < len(self.actions):
            names.append(self.system.action)
            values.append(self.actions[position])
        return substitute(formula, names, values)
