"""Two machines side by side, on systems whose differences are known by thought."""

from __future__ import annotations

from dataclasses import replace

import pytest
import z3

from model.engines.base import Limits
from model.engines.product import Asked, Product, Side, broken_alone, product
from model.system.relation.compiled import Machine
from model.system.relation.transition import TransitionSystem
from tests.engines.toys import ALWAYS, ODD, N, ask, counter, number

ONE, TWO, RESET = range(3)


def carries(system: TransitionSystem) -> Side:
    """Only the output of a counter is observed, not where it stands."""
    return Side(Machine(system), lambda _, outputs: outputs)


def changed(action: int, *values: z3.ExprRef) -> TransitionSystem:
    """The counter with another effect of one action."""
    system = counter()
    branches = list(system.branches)
    branches[action] = values
    return replace(system, branches=tuple(branches))


def stuck_at_6() -> TransitionSystem:
    n, odd, carry = counter().branches[TWO]
    at_6 = number(6) == N
    return changed(TWO, z3.If(at_6, N, n), odd, z3.Or(at_6, carry))


def resets_to_1() -> TransitionSystem:
    return changed(RESET, number(1), z3.BoolVal(True), z3.BoolVal(False))


def compared(a: TransitionSystem, b: TransitionSystem, limits: Limits | None = None,
             max_pairs: int = 1000) -> Product:
    return product(carries(a), carries(b), limits or Limits(), max_pairs)


def test_a_machine_does_not_differ_from_itself() -> None:
    """The counter stands at 0 .. 10, and two twos less than five lead to 10."""
    found = compared(counter(), counter())
    assert (found.graph.complete, found.differences, found.reason) == (True, [], "")
    assert (len(found.graph.states), found.graph.diameter) == (11, 5)


def test_other_states_that_show_alike_are_no_difference() -> None:
    """A ring of three and a number below 3, where only the return to the start is seen."""
    a, b, c = z3.Bools("a b c")
    ring = TransitionSystem("ring", (a, b, c), (z3.BoolVal(True),) + (z3.BoolVal(False),) * 2,
                            ("turn",), ((c, a, b),))
    count = TransitionSystem("count", (N,), (number(0),), ("turn",),
                             ((z3.If(number(2) == N, number(0), N + number(1)),),))
    found = product(Side(Machine(ring), lambda s, _: s[0]),
                    Side(Machine(count), lambda s, _: s[0] == 0), Limits())
    assert (found.graph.complete, found.differences) == (True, [])
    assert (len(found.graph.states), found.graph.diameter) == (3, 2)


def test_the_one_difference_is_found_by_its_shortest_path() -> None:
    """At 6 one of them does not move, and says so: two, two, two lead there."""
    found = compared(counter(), stuck_at_6())
    assert found.graph.complete
    assert [found.path(d) for d in found.differences] == [(TWO, TWO, TWO, TWO)]
    difference = found.differences[0]
    assert difference.outputs == ((False,), (True,))
    assert [state[0] for state in difference.after] == [8, 6]
    assert [state[0] for state in found.pair(difference.before)] == [6, 6]


def test_what_does_not_show_is_followed_until_it_does() -> None:
    """One that resets to 1 is at 9 after four twos, where the other is at 8; the next step shows
    it, and one is the plainest step that does."""
    found = compared(counter(), resets_to_1())
    assert found.graph.complete
    first, second = found.differences[:2]
    assert found.path(first) == (RESET, TWO, TWO, TWO, TWO, ONE)
    assert found.path(second) == (RESET, TWO, TWO, TWO, TWO, TWO)
    paths = [found.path(d) for d in found.differences]
    assert paths == sorted(paths, key=lambda path: (len(path), path))


def test_nothing_is_explored_beyond_a_difference() -> None:
    """Where every step differs the pair of initial states is all there is."""
    loud = changed(ONE, N, ODD, z3.BoolVal(True))
    loud = replace(loud, branches=(loud.branches[ONE],) * 3)
    found = compared(counter(), loud)
    assert found.graph.complete
    assert [found.path(d) for d in found.differences] == [(ONE,), (TWO,), (RESET,)]
    assert len(found.graph.states) == 1


def test_initial_states_that_differ_are_a_difference_of_no_steps() -> None:
    later = replace(counter(), initial=(number(1), z3.BoolVal(True)))
    a, b = (Side(Machine(s), lambda state, _: state) for s in (counter(), later))
    found = product(a, b, Limits())
    assert [found.path(d) for d in found.differences] == [()]
    assert found.differences[0].outputs == (None, None)


@pytest.mark.parametrize(("limits", "most", "reason"), [
    (Limits(depth=3), 1000, "only lists of up to 3 actions were tried"),
    (Limits(), 5, "more than 5 pairs of states"),
    (Limits(seconds=1e-9), 1000, "the time limit of 1e-09 s was reached"),
])
def test_a_search_that_was_cut_short_is_no_proof(limits: Limits, most: int, reason: str) -> None:
    found = compared(counter(), stuck_at_6(), limits, most)
    assert (found.graph.complete, found.differences, found.reason) == (False, [], reason)


def test_machines_with_other_actions_are_refused() -> None:
    other = replace(counter(), actions=("one", "three", "reset"))
    with pytest.raises(ValueError, match="other actions"):
        compared(counter(), other)


def alone(a: TransitionSystem, b: TransitionSystem, never: int, limits: Limits | None = None,
          allowed: z3.BoolRef = ALWAYS) -> Product:
    """What breaks "n is never this number" in `a` and not in `b`."""
    one, other = (Asked(Machine(s), ask(number(never) != N, allowed)) for s in (a, b))
    return broken_alone(one, other, limits or Limits())


def test_what_one_breaks_alone_is_found_behind_what_both_break() -> None:
    """Five twos bring both to 10. Only one that resets to 1 comes there while the other is at 9."""
    found = alone(resets_to_1(), counter(), 10)
    assert [found.path(d) for d in found.differences] == [(RESET, ONE, TWO, TWO, TWO, TWO)]
    assert [state[0] for state in found.differences[0].after] == [10, 9]


def test_what_both_break_by_the_same_steps_is_not_alone() -> None:
    """Nor what the other has broken before."""
    for a in (counter(), stuck_at_6()):
        found = alone(a, counter(), 6)
        assert (found.graph.complete, found.differences) == (True, [])


def test_a_start_or_a_step_that_is_broken_counts_too() -> None:
    later = replace(counter(), initial=(number(1), z3.BoolVal(True)))
    assert [f.path(d) for f in [alone(later, counter(), 1)] for d in f.differences] == [()]
    assert alone(counter(), later, 1).differences == []
    stands = z3.Not(z3.And(number(6) == N, z3.Bool("carry")))
    found = alone(stuck_at_6(), counter(), 15, allowed=stands)
    assert [found.path(d) for d in found.differences] == [(TWO, TWO, TWO, TWO)]


def test_a_search_for_what_one_breaks_alone_may_be_cut_short() -> None:
    found = alone(resets_to_1(), counter(), 10, Limits(depth=5))
    assert (found.graph.complete, found.differences, found.reason) == (
        False, [], "only lists of up to 5 actions were tried")
