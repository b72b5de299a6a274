"""Bounded model checking: the shortest violation, or the bound up to which there is none.

Biere, Cimatti, Clarke, Zhu: Symbolic Model Checking without BDDs (TACAS 1999); one incremental
solver, one frame a depth.
"""

from __future__ import annotations

from collections.abc import Sequence

import z3

from model.engines.base import (
    BOUNDED,
    UNKNOWN,
    VIOLATED,
    Limits,
    OutOfTime,
    Unrolling,
    Verdict,
    search_solver,
    solve,
)
from model.system.relation.transition import Lemma, Question

NAME = "bmc"
DEFAULT_DEPTH = 8


def bmc(question: Question, limits: Limits, lemmas: Sequence[Lemma] = ()) -> Verdict:
    """Search depth by depth. `violated`, or `bounded`; `unknown` only before the first bound."""
    deepest = DEFAULT_DEPTH if limits.depth is None else limits.depth
    if not question.system.at_init(question.safe):
        return Verdict(VIOLATED, NAME, 0, ())
    path = Unrolling(question.system, search_solver(), question.system.initial)
    bound = 0
    limits.safe_bound(0)
    try:
        while bound < deepest:
            path.extend()
            bad = z3.Not(z3.And(path.at(question.good_step, bound),
                                path.at(question.safe, bound + 1)))
            path.solver.push()
            path.solver.add(bad)
            if solve(path.solver, limits):
                return Verdict(VIOLATED, NAME, bound + 1, _plainest(path, limits))
            path.solver.pop()
            bound += 1
            limits.safe_bound(bound)
    except OutOfTime as stop:
        if bound == 0:
            return Verdict(UNKNOWN, NAME, None, reason=str(stop))
        return Verdict(BOUNDED, NAME, bound, reason=str(stop))
    return Verdict(BOUNDED, NAME, bound)


def _plainest(path: Unrolling, limits: Limits) -> tuple[str, ...]:
    """Of all violations of this length, the first in the order of the system's actions.

    The solver's last answer was "satisfiable".
    """
    chosen: list[int] = []
    model = path.solver.model()
    for action in path.actions:
        found = model.eval(action, model_completion=True).as_long()
        for index in range(found):
            if solve(path.solver, limits, action == index):
                model, found = path.solver.model(), index
                break
        path.solver.add(action == found)
        chosen.append(found)
    return tuple(path.system.actions[index] for index in chosen)
