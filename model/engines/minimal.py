"""All minimal sets of choices that a judge accepts: counterexample-guided search.

A judge that refuses a set gives the reason as a formula over the choices, true of every set that
the same evidence speaks against. So one trial rules out many sets, and when the solver has none
left to offer, none is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import z3

from model.engines.base import Limits, says, solve

Judge = Callable[[frozenset[str]], z3.BoolRef | None]
"""None where the set is accepted, else what speaks against it: a formula that is true of it."""


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
