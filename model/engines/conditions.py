"""The exact condition under which something holds, as a minimal formula over named atoms.

An observation is the truth of every atom at once. `observations` enumerates those that a formula
allows; `minimal_dnf` finds the smallest disjunction that is true of some and false of others. What
was observed on neither side never happens, and is used to make the formula shorter.

Quine, McCluskey; the prime implicants as minimal hitting sets, each found by the solver and
blocked, the cover by its optimizer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import z3

from model.engines.base import Limits, OutOfTime, incremental_solver, says, solve

Observation = tuple[bool, ...]
Cube = tuple[tuple[int, bool], ...]
"""A conjunction: the number of an atom, and whether it holds. Empty where nothing is asked."""

_CUBE_COSTS = 1_000_000
_LITERAL_COSTS = 1_000


class NotTold(Exception):
    """The atoms cannot tell two observations apart that fall on different sides."""


def observations(atoms: Sequence[z3.BoolRef], formula: z3.BoolRef,
                 limits: Limits) -> frozenset[Observation]:
    """The truths of the atoms that `formula` allows, all of them. Raises OutOfTime."""
    solver = incremental_solver()
    names = [z3.Bool(f"atom@{i}") for i in range(len(atoms))]
    solver.add(formula, *(name == atom for name, atom in zip(names, atoms, strict=True)))
    found: set[Observation] = set()
    while solve(solver, limits):
        model = solver.model()
        seen = tuple(says(model, name) for name in names)
        found.add(seen)
        solver.add(z3.Or([z3.Not(_literal(name, value))
                          for name, value in zip(names, seen, strict=True)]))
    return frozenset(found)


def minimal_dnf(true: Collection[Observation], false: Collection[Observation],
                limits: Limits) -> tuple[Cube, ...]:
    """The fewest cubes, then literals, then the earliest atoms, that hold of all of `true` and of
    none of `false`. Raises NotTold, and OutOfTime."""
    both = sorted(set(true) & set(false))
    if both:
        raise NotTold(f"{len(both)} observation{'s'[:len(both) != 1]} on both sides")
    if not true:
        return ()
    primes = sorted(_primes(sorted(true), sorted(false), limits), key=_price)
    return tuple(sorted(_cover(primes, sorted(true), limits), key=_price))


def holds(dnf: Sequence[Cube], seen: Observation) -> bool:
    return any(_of(cube, seen) for cube in dnf)


def as_formula(dnf: Sequence[Cube], atoms: Sequence[z3.BoolRef]) -> z3.BoolRef:
    return z3.Or([z3.And([_literal(atoms[i], value) for i, value in cube]) for cube in dnf])


def _literal(name: z3.BoolRef, value: bool) -> z3.BoolRef:
    return name if value else z3.Not(name)


def _of(cube: Cube, seen: Observation) -> bool:
    return all(seen[i] == value for i, value in cube)


def _price(cube: Cube) -> tuple[int, Cube]:
    return len(cube), tuple((i, not value) for i, value in cube)


def _primes(true: Sequence[Observation], false: Sequence[Observation],
            limits: Limits) -> Iterator[Cube]:
    """The prime implicants that hold of some of `true`: smallest sets of literals of which every
    observation in `false` fails one."""
    width = len(true[0])
    literals = [(i, value) for i in range(width) for value in (True, False)]
    chosen = {literal: z3.Bool(f"literal@{literal[0]}{'+' if literal[1] else '-'}")
              for literal in literals}
    solver = incremental_solver()
    for seen in false:
        solver.add(z3.Or([chosen[i, not seen[i]] for i in range(width)]))
    picked = [z3.Bool(f"true@{n}") for n in range(len(true))]
    solver.add(z3.Or(picked))
    for pick, seen in zip(picked, true, strict=True):
        solver.add(*(z3.Implies(pick, z3.Not(chosen[i, not seen[i]])) for i in range(width)))
    while solve(solver, limits):
        model = solver.model()
        cube = tuple(lit for lit in literals if says(model, chosen[lit]))
        for literal in cube:
            fewer = tuple(lit for lit in cube if lit != literal)
            if not any(_of(fewer, seen) for seen in false):
                cube = fewer
        yield cube
        solver.add(z3.Not(z3.And([chosen[literal] for literal in cube])))


def _cover(primes: Sequence[Cube], true: Sequence[Observation], limits: Limits) -> list[Cube]:
    """The cheapest of `primes` that hold of all of `true` together."""
    optimizer = z3.Optimize()
    used = [z3.Bool(f"prime@{n}") for n in range(len(primes))]
    for seen in true:
        optimizer.add(z3.Or([use for use, cube in zip(used, primes, strict=True)
                             if _of(cube, seen)]))
    optimizer.minimize(z3.Sum([z3.If(use, _cost(cube), 0)
                               for use, cube in zip(used, primes, strict=True)]))
    left = limits.remaining()
    if left is not None:
        optimizer.set("timeout", max(1, int(left * 1000)))
    if optimizer.check() != z3.sat:
        limits.remaining()
        raise OutOfTime(f"the solver gave up: {optimizer.reason_unknown()}")
    model = optimizer.model()
    return [cube for use, cube in zip(used, primes, strict=True) if z3.is_true(model[use])]


def _cost(cube: Cube) -> int:
    """A literal costs more the later its atom is named, and a little more where it is negated."""
    return _CUBE_COSTS + sum(_LITERAL_COSTS + 2 * i + (not value) for i, value in cube)
