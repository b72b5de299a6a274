"""k-induction: no violation in the first k steps, and none after any k good steps.

Sheeran, Singh, Stalmarck: Checking Safety Properties Using Induction and a SAT-Solver (FMCAD 2000),
strengthened by the lemmas that are inductive.
"""

from __future__ import annotations

from collections.abc import Sequence

import z3

from model.engines.base import (
    BOUNDED,
    PROVED,
    UNKNOWN,
    VIOLATED,
    Limits,
    OutOfTime,
    Proof,
    Unrolling,
    Verdict,
    search_solver,
    solve,
)
from model.engines.bmc import bmc
from model.engines.induction import Kept, houdini
from model.system.relation.transition import Lemma, Question

NAME = "k-induction"
DEFAULT_DEPTH = 5


def kinduction(question: Question, limits: Limits, lemmas: Sequence[Lemma] = (),
               kept: Kept | None = None) -> Verdict:
    """Raise k until the induction step holds, a violation appears, or the depth is reached; `kept`
    may be shared between promises."""
    deepest = DEFAULT_DEPTH if limits.depth is None else limits.depth
    base = bmc(question, limits.within(depth=deepest))
    if base.status in (VIOLATED, UNKNOWN):
        return Verdict(base.status, NAME, base.depth, base.trace, reason=base.reason)
    safe_to = base.depth or 0
    try:
        invariant = houdini(question.system, lemmas, limits, kept)
        path = Unrolling(question.system, search_solver())
        path.solver.add(path.at(z3.And([lemma.formula for lemma in invariant]), 0))
        for k in range(safe_to + 1):
            path.extend()
            path.solver.push()
            path.solver.add(z3.Not(path.at(question.good, k)))
            if not solve(path.solver, limits):
                return Verdict(PROVED, NAME, proof=Proof(invariant, k))
            path.solver.pop()
            path.solver.add(path.at(question.good, k))
    except OutOfTime as stop:
        return Verdict(BOUNDED, NAME, safe_to, reason=str(stop))
    return Verdict(BOUNDED, NAME, safe_to, reason=f"not k-inductive for k up to {safe_to}")
