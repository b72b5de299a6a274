"""Every engine on systems with known answers: verdict, length and values of the witness."""

from __future__ import annotations

import time

import pytest
import z3

from model.certificate import Certifier
from model.engines.base import BOUNDED, PROVED, UNKNOWN, VIOLATED, Limits, Verdict
from model.engines.bmc import bmc
from model.engines.explicit import explicit, reaches
from model.engines.induction import InductiveInvariant, Kept, houdini, induction
from model.engines.kinduction import kinduction
from model.engines.registry import ENGINES, Auto
from model.engines.spacer import spacer
from model.system.relation.compiled import Machine
from model.system.relation.reach import TooManyStates, explore
from model.system.relation.transition import Lemma, Question, TransitionSystem
from tests.engines.toys import ODD, N, ask, counter, number, two_step

PARITY = Lemma("parity", (z3.Extract(0, 0, N) == z3.BitVecVal(1, 1)) == ODD)
AT_MOST_10 = Lemma("at-most-10", z3.ULE(N, number(10)))
LEMMAS = (PARITY, AT_MOST_10, Lemma("false", number(3) != N))
REFUTERS = {name: ENGINES[name] for name in ("bmc", "k-induction", "spacer", "explicit")}
PROVERS = {name: ENGINES[name] for name in ("induction", "k-induction", "spacer", "explicit")}


def auto(question: Question, limits: Limits) -> Verdict:
    return Auto(lambda: (*LEMMAS, Lemma("own", question.safe)))(question, limits)


@pytest.mark.parametrize("name", [*REFUTERS, "auto"])
def test_the_violation_is_the_plainest_of_the_shortest(name: str) -> None:
    """7 needs four calls; of all orders the first in the order of the actions is one, two, two,
    two."""
    question = ask(safe=number(7) != N)
    limits = Limits(depth=8)
    verdict = auto(question, limits) if name == "auto" else REFUTERS[name](question, limits, LEMMAS)
    assert (verdict.status, verdict.depth) == (VIOLATED, 4)
    assert verdict.trace == ("one", "two", "two", "two")


@pytest.mark.parametrize("name", REFUTERS)
def test_an_initial_state_that_breaks_the_promise_is_found_at_depth_0(name: str) -> None:
    verdict = REFUTERS[name](ask(safe=number(0) != N), Limits(depth=3), ())
    assert (verdict.status, verdict.depth, verdict.trace) == (VIOLATED, 0, ())


@pytest.mark.parametrize("name", REFUTERS)
def test_a_forbidden_step_is_found_by_its_output(name: str) -> None:
    """`carry` is an output, true of the first step that does not move: nine or ten is reached in
    five calls, the sixth is stuck."""
    question = ask(allowed=z3.Not(z3.Bool("carry")))
    verdict = REFUTERS[name](question, Limits(depth=8), LEMMAS)
    assert (verdict.status, verdict.depth) == (VIOLATED, 6)
    assert verdict.trace == ("one", "two", "two", "two", "two", "one")


@pytest.mark.parametrize("name", [*PROVERS, "auto"])
def test_a_true_promise_is_proved_and_the_certificate_is_good(name: str) -> None:
    question = ask(safe=z3.ULE(N, number(10)), allowed=z3.Implies(ODD, number(2) != N))
    limits = Limits(depth=None)
    verdict = auto(question, limits) if name == "auto" else PROVERS[name](question, limits, LEMMAS)
    assert verdict.status == PROVED
    assert verdict.proof is not None
    certifier = Certifier()
    assert certifier.check(certifier.certificate(question, verdict.proof)).failed == ""


def test_bounded_is_what_bounded_model_checking_says_without_a_violation() -> None:
    told: list[int] = []
    verdict = bmc(ask(safe=number(7) != N), Limits(depth=3, safe_bound=told.append))
    assert (verdict.status, verdict.depth) == (BOUNDED, 3)
    assert told == [0, 1, 2, 3]


def test_explicit_search_with_a_bound_is_not_a_proof() -> None:
    verdict = explicit(ask(safe=number(7) != N), Limits(depth=3))
    assert (verdict.status, verdict.depth) == (BOUNDED, 3)


def test_induction_never_refutes() -> None:
    assert induction(ask(safe=number(7) != N), Limits(), LEMMAS).status == UNKNOWN


def test_houdini_keeps_what_is_inductive_together_and_nothing_else() -> None:
    kept = houdini(counter(), LEMMAS, Limits())
    assert [lemma.name for lemma in kept] == ["parity", "at-most-10"]


def test_k_induction_finds_the_least_k() -> None:
    """The shift register needs k = 3 without lemmas, and its certificate is checked as such."""
    question = two_step()
    assert induction(question, Limits()).status == UNKNOWN
    verdict = kinduction(question, Limits(depth=5))
    assert verdict.status == PROVED
    assert verdict.proof is not None
    assert verdict.proof.k == 3
    certifier = Certifier()
    assert certifier.check(certifier.certificate(question, verdict.proof)).failed == ""


def test_k_induction_without_enough_depth_is_bounded() -> None:
    verdict = kinduction(two_step(), Limits(depth=1))
    assert (verdict.status, verdict.depth) == (BOUNDED, 1)


def test_the_graph_counts_states_distances_and_the_diameter() -> None:
    """n = 0 .. 10, its parity fixed by n: eleven states; 9 and 10 are five calls away."""
    graph = explore(Machine(counter()))
    assert (len(graph.states), graph.diameter, graph.complete) == (11, 5, True)
    assert max(len(graph.path(i)) for i in range(11)) == 5
    assert all(len(row) == 3 for row in graph.edges)


def test_a_promise_that_is_never_put_to_the_test_is_told_from_one_that_is() -> None:
    machine = Machine(counter())
    graph = explore(machine)
    assert reaches(machine, graph, number(10) == N)
    assert not reaches(machine, graph, number(11) == N)


def test_the_state_limit_is_kept() -> None:
    with pytest.raises(TooManyStates):
        explore(Machine(counter()), max_states=5)


@pytest.mark.parametrize("name", ["bmc", "induction", "spacer", "explicit", "auto"])
def test_an_expired_time_limit_is_unknown_with_a_reason(name: str) -> None:
    question = ask(safe=number(7) != N)
    limits = Limits(seconds=1e-9)
    time.sleep(1e-6)
    verdict = auto(question, limits) if name == "auto" else ENGINES[name](question, limits, LEMMAS)
    assert verdict.status == UNKNOWN
    assert "time limit" in verdict.reason


def test_spacer_needs_no_lemma() -> None:
    verdict = spacer(ask(safe=z3.ULE(N, number(10))), Limits())
    assert verdict.status == PROVED


def test_what_a_step_keeps_is_not_taken_for_what_the_lemmas_imply() -> None:
    """Of a system of one Boolean the step's term and the promise may be the same."""
    flag = z3.Bool("flag")
    system = TransitionSystem("flag", (flag,), (z3.BoolVal(True),), ("flip",), ((z3.Not(flag),),))
    question = Question("off", system, z3.Not(flag), z3.BoolVal(True), z3.BoolVal(True))
    assert InductiveInvariant(system, (), Limits()).prove(question, Limits()) is None


def test_a_step_that_one_system_may_take_is_another_where_its_values_go_elsewhere() -> None:
    a, b = z3.Bools("a b")
    true, false = z3.BoolVal(True), z3.BoolVal(False)
    kept, proofs = Kept(), []
    for variables in ((a, b), (b, a)):
        system = TransitionSystem("set", variables, (false, false), ("set",), ((a, true),))
        question = Question("b-after", system, true, z3.Bool("b'"), true)
        proofs.append(InductiveInvariant(system, [], Limits(), kept).prove(question, Limits()))
    assert [proof is not None for proof in proofs] == [True, False]


def test_what_broke_lemmas_of_one_system_is_tried_on_the_same_variables_alone() -> None:
    """Whatever other systems have told, the largest inductive subset is the same."""
    lemmas = [Lemma("at most ten", z3.ULE(N, number(10))), Lemma("even", number(0) == N & 1),
              Lemma("parity", (number(1) == N & 1) == ODD)]
    c = z3.Bool("c")
    other = TransitionSystem("other", (c,), (z3.BoolVal(False),), ("set",), ((z3.BoolVal(True),),))
    kept = Kept()
    assert houdini(other, [Lemma("never", z3.Not(c))], Limits(), kept) == ()
    found = [tuple(lemma.name for lemma in houdini(counter(), lemmas, Limits(), known))
             for known in (Kept(), kept, kept)]
    assert found == [("at most ten", "parity")] * 3
