"""All minimal sets of choices that a judge accepts, by counterexample-guided search; or one.

A judge that refuses a set gives the reason as a formula over the choices, true of every set that
the same evidence speaks against. So one trial rules out many sets, and when the solver has none
left to offer, none is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

import z3

from model.engines.base import Limits, says, solve

Judge = Callable[[frozenset[str]], z3.BoolRef | None]
"""None where the set is accepted, else what speaks against it: a formula that is true of it."""


def fewest(choices: Sequence[str], accepted: Callable[[tuple[str, ...]], bool]) -> tuple[str, ...]:
    """Of `choices`, which are accepted all together, some of which none can be left out; those at
    the end go first. Where more choices never make worse what fewer made good, each that stays is
    asked about in as many trials as it takes to halve them all."""
    taken = tuple(choices)
    asked = cache(accepted)

    def without(some: tuple[str, ...]) -> None:
        nonlocal taken
        fewer = tuple(c for c in taken if c not in some)
        if asked(fewer):
            taken = fewer
        elif len(some) > 1:
            half = len(some) // 2
            without(some[half:])
            without(some[:half])

    before: tuple[str, ...] | None = None
    while taken and taken != before:  # what one makes needful may go with it
        before = taken
        without(taken)
    return taken


def minimal_sets(choices: Mapping[str, z3.BoolRef], rules: Sequence[z3.BoolRef], judge: Judge,
                 limits: Limits) -> Iterator[frozenset[str]]:
    """The sets of `choices` that keep `rules` and that `judge` accepts, and of which no proper
    subset is such a set; small ones first. Nothing is asked of the judge but that he is truthful:
    more choices may make worse what fewer made good.

    Raises OutOfTime, KeyboardInterrupt where Ctrl-C stopped Z3, and ValueError for a judge whose
    reason is not true of the set.
    """
    solver = z3.Solver()
    solver.add(*rules)
    size = 0
    while solve(solver, limits):
        small = z3.PbLe([(term, 1) for term in choices.values()], size) if choices else z3.BoolVal(
            True)
        if not solve(solver, limits, small):
            size += 1
            continue
        model = solver.model()
        chosen = frozenset(name for name, term in choices.items() if says(model, term))
        against = judge(chosen)
        if against is None:
            yield chosen
            solver.add(z3.Not(z3.And([choices[name] for name in chosen])))
        elif not says(model, against):
            raise ValueError(f"the reason against {sorted(chosen)} does not speak of that set")
        else:
            solver.add(z3.Not(against))
