"""The engines by name, and `auto`, which asks them in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from model.engines.base import (
    BOUNDED,
    PROVED,
    UNKNOWN,
    VIOLATED,
    Engine,
    Limits,
    OutOfTime,
    Proof,
    Verdict,
)
from model.engines.bmc import DEFAULT_DEPTH, bmc
from model.engines.explicit import MAX_STATES, Exhausted, explicit, search
from model.engines.induction import InductiveInvariant, Kept, induction
from model.engines.kinduction import kinduction
from model.engines.spacer import spacer
from model.system.relation.compiled import Machine
from model.system.relation.reach import TooManyStates
from model.system.relation.transition import Lemma, Question, TransitionSystem

ENGINES: dict[str, Engine] = {
    "bmc": bmc,
    "induction": induction,
    "k-induction": kinduction,
    "spacer": spacer,
    "explicit": explicit,
}


class Auto:
    """All engines, the quickest sure answer first, for many promises of one system.

    The graph of all reachable states is exhausted first, where it is small enough: it has every
    violation. What it keeps is proved by mutual induction over the lemmas and the promises
    themselves, because a reader understands that; where they do not suffice, by the graph. Where
    there are too many states, a promise is proved by induction, or searched for a violation, and
    what has none within the bound goes to k-induction and Spacer.

    `candidates` is asked once, when a proof is first tried; `exhausted` is of the same system, and
    `kept` may be shared between systems.
    """

    def __init__(self, candidates: Callable[[], Sequence[Lemma]],
                 exhausted: Exhausted | None = None, kept: Kept | None = None) -> None:
        self._ask = candidates
        self._exhausted = exhausted
        self._kept = kept
        self._invariant: InductiveInvariant | None = None

    @cached_property
    def _candidates(self) -> Sequence[Lemma]:
        return self._ask()

    def __call__(self, question: Question, limits: Limits,
                 lemmas: Sequence[Lemma] = ()) -> Verdict:
        try:
            graph = self._graph(question.system, limits) if limits.depth is None else None
            trace = graph.violation(question, limits) if graph else None
            if trace is not None:
                return Verdict(VIOLATED, "explicit", len(trace), trace)
            proof = self._prove(question, graph, limits)
        except OutOfTime as stop:
            return Verdict(UNKNOWN, "auto", reason=str(stop))
        if proof is not None:
            return Verdict(PROVED, "induction", proof=proof)
        if graph is not None:
            return graph.proof()
        found = bmc(question, limits)
        if found.status == VIOLATED or limits.depth is not None:
            return found
        return self._harder(question, limits, found)

    def _graph(self, system: TransitionSystem, limits: Limits) -> Exhausted | None:
        """The exhausted graph; None where there are too many states."""
        if self._exhausted is None:
            self._exhausted = Exhausted(Machine(system))
        try:
            self._exhausted.graph(limits)
        except TooManyStates:
            return None
        return self._exhausted

    def _prove(self, question: Question, graph: Exhausted | None, limits: Limits) -> Proof | None:
        if self._invariant is None:
            candidates = self._candidates
            if graph is not None:
                candidates = graph.invariants(candidates, limits)
            self._invariant = InductiveInvariant(question.system, candidates, limits, self._kept)
        return self._invariant.prove(question, limits)

    def _harder(self, question: Question, limits: Limits, found: Verdict) -> Verdict:
        for engine in (kinduction, spacer):
            try:
                verdict = engine(question, limits, self._candidates)
            except OutOfTime as stop:
                return Verdict(found.status, "auto", found.depth, reason=str(stop))
            if verdict.status in (PROVED, VIOLATED):
                return verdict
        return Verdict(BOUNDED, "auto", found.depth if found.depth is not None else DEFAULT_DEPTH,
                       reason="no engine could prove it")


SEARCHED = 30_000
"""States of a mapping with more than two pages that are searched for a violation."""


def of_several(exhausted: Exhausted, pages: int) -> Engine:
    """What is asked of a mapping with several pages: of two by its graph, of more by a search,
    which is a proof only where it leaves no state."""
    def engine(question: Question, limits: Limits, lemmas: Sequence[Lemma] = ()) -> Verdict:
        try:
            if limits.depth is None and pages <= 2:
                return exhausted.verdict(question, limits)
            return search(question, limits, SEARCHED if limits.depth is None else MAX_STATES)
        except (OutOfTime, TooManyStates) as stop:
            return Verdict(UNKNOWN, "auto", reason=str(stop))
    return engine
