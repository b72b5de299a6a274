"""The guided runs find every fault they promise to, and a found fault is shown at its least."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest

from counterexamples.lab.observe import Seen
from counterexamples.lab.suite import (
    Mealy,
    Walked,
    Word,
    classes,
    guided,
    identifiers,
    observable,
    quotient,
    random_runs,
)
from counterexamples.shrink import shrink
from model.kernel.editions import EDITIONS
from model.system.relation.kernel import kernel_system
from model.system.relation.reach import explore
from model.system.state.mappings import MAPPINGS

A, B = (Seen("ok", n, frozenset(), frozenset()) for n in (0, 1))

# Action 0 goes round four states, action 1 stays; only state 3 answers B, and only to action 1.
RING = Mealy([[1, 0], [2, 1], [3, 2], [0, 3]], [[A, A], [A, A], [A, A], [A, B]],
             [(), (0,), (0, 0), (0, 0, 0)])


def faults(machine: Mealy) -> Iterator[Mealy]:
    """Every machine with one wrong answer or one wrong target."""
    for s, a in product(range(len(machine.after)), range(len(machine.after[0]))):
        output = [list(row) for row in machine.output]
        output[s][a] = A if output[s][a] == B else B
        yield replace(machine, output=output)
        for t in range(len(machine.after)):
            if t != machine.after[s][a]:
                after = [list(row) for row in machine.after]
                after[s][a] = t
                yield replace(machine, after=after)


def same(one: Mealy, other: Mealy) -> bool:
    """Whether no word tells the initial states apart: the product machine, exhausted."""
    todo, seen = [(0, 0)], {(0, 0)}
    while todo:
        s, t = todo.pop()
        for a in range(len(one.after[0])):
            if one.output[s][a] != other.output[t][a]:
                return False
            pair = one.after[s][a], other.after[t][a]
            if pair not in seen:
                seen.add(pair)
                todo.append(pair)
    return True


def tells(suite: list[Word], one: Mealy, other: Mealy) -> bool:
    return any(one.answers(0, word) != other.answers(0, word) for word in suite)


def test_states_that_answer_alike_are_one_class() -> None:
    """Two rings of four, one entered from the other: eight states, four that differ."""
    double = Mealy([*RING.after[:3], [4, 3], [5, 4], [6, 5], [7, 6], [0, 7]],
                   [*RING.output, *RING.output], [(0,) * n for n in range(8)])
    assert classes(double) == [0, 1, 2, 3, 0, 1, 2, 3] or len(set(classes(double))) == 4
    assert same(quotient(double), RING)
    assert len(quotient(double).after) == 4


def test_every_two_states_are_told_apart_by_a_word_of_both() -> None:
    names = identifiers(RING)
    for s, t in product(range(4), repeat=2):
        apart = [w for w in names[s] & names[t] if RING.answers(s, w) != RING.answers(t, w)]
        assert bool(apart) == (s != t)


def test_the_suite_finds_every_fault_that_adds_no_state() -> None:
    suite = guided(RING)
    for wrong in faults(RING):
        assert tells(suite, RING, wrong) != same(RING, wrong)


def test_a_hidden_state_needs_the_extra_ones() -> None:
    """A fifth state that answers like state 0 to each single action, and then differs."""
    hidden = Mealy([[1, 0], [2, 1], [3, 2], [4, 3], [2, 4]],
                   [*RING.output, [A, A]], [(0,) * n for n in range(5)])
    assert not same(RING, hidden)
    assert tells(guided(RING, extra=1), RING, hidden)


def test_the_suite_takes_every_transition_even_of_states_that_look_alike() -> None:
    for edition, mapping in product(("v6.1", "v6.12"), MAPPINGS.values()):
        kernel = kernel_system(EDITIONS[edition], mapping)
        machine = observable(kernel, explore(kernel.machine))
        taken = {t for word in guided(machine) for t in machine.transitions(0, word)}
        assert taken == set(product(range(len(machine.after)), range(len(machine.after[0]))))


def test_random_runs_are_the_same_for_the_same_seed() -> None:
    assert list(random_runs((0, 1), 7, 5, 4)) == list(random_runs((0, 1), 7, 5, 4))
    assert list(random_runs((0, 1), 7, 5, 4)) != list(random_runs((0, 1), 8, 5, 4))
    assert [len(w) for w in random_runs((0, 1), 7, 5, 4)] == [4] * 5


def test_a_graph_that_is_walked_answers_as_the_explored_one() -> None:
    """To runs that leave most of it out; only the shortest words are not known."""
    kernel = kernel_system(EDITIONS["v6.12"], MAPPINGS["anon"])
    explored, walked = observable(kernel, explore(kernel.machine)), Walked(kernel)
    for word in random_runs(range(len(kernel.actions)), 3, 200, 8):
        assert walked.answers(0, word) == explored.answers(0, word)
        assert len(list(walked.transitions(0, word))) == len(word)
        assert walked.shortest(word) == word
        assert len(explored.shortest(word)) <= len(word)
    assert not walked.single()


@pytest.mark.parametrize("wrong", [w for w in faults(RING) if not same(RING, w)])
def test_a_difference_is_shrunk_to_the_shortest_and_plainest(wrong: Mealy) -> None:
    def differs(word: Word) -> int | None:
        pairs = zip(RING.answers(0, word), wrong.answers(0, word), strict=True)
        return next((n for n, (one, other) in enumerate(pairs, 1) if one != other), None)

    long = next(w for w in random_runs((0, 1), 1, 1000, 60) if differs(w))
    shortest = next(w for n in range(1, 61) for w in product(range(2), repeat=n) if differs(w))
    assert shrink(RING, long, differs) == shortest


def test_a_run_that_does_not_differ_cannot_be_shrunk() -> None:
    with pytest.raises(ValueError, match="does not differ"):
        shrink(RING, (0, 1), lambda word: None)
