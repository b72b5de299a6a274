"""The engines by name, and `auto`, which asks them in turn."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
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
from model.engines.explicit import Exhausted, explicit
from model.engines.induction import InductiveInvariant, induction
from model.engines.kinduction import kinduction
from model.engines.spacer import spacer
from model.system.relation.compiled import Machine
from model.system.relation.reach import TooManyStates
from model.system.relation.transition import Lemma, Question

ENGINES: dict[str, Engine] = {
    "bmc": bmc,
    "induction": induction,
    "k-induction": kinduction,
    "spacer": spacer,
    "explicit": explicit,
}


class Auto:
    """All engines, the quickest sure answer first, for many promises of one system.

    Mutual induction over the lemmas and the promises themselves comes first, because it settles
    most promises with one set of lemmas; what it does not prove is looked up in the exhausted
    graph; and where there are too many states for that, it is searched for a violation, and what
    has none within the bound goes to k-induction and Spacer. A promise named in `suspects` is
    searched first: that saves time where it is broken, and changes no verdict where it is not.
    `candidates` is asked once, when a proof is first tried; `exhausted` is of the same system.
    """

    def __init__(self, candidates: Callable[[], Sequence[Lemma]],
                 suspects: Container[str] = (), exhausted: Exhausted | None = None) -> None:
        self._ask = candidates
        self._suspects = suspects
        self._exhausted = exhausted
        self._invariant: InductiveInvariant | None = None

    @cached_property
    def _candidates(self) -> Sequence[Lemma]:
        return self._ask()

    def __call__(self, question: Question, limits: Limits,
                 lemmas: Sequence[Lemma] = ()) -> Verdict:
        found: Verdict | None = None
        if question.name in self._suspects:
            found = bmc(question, limits)
            if found.status == VIOLATED:
                return found
        try:
            proof = self._prove(question, limits)
        except OutOfTime as stop:
            return found or Verdict(UNKNOWN, "auto", reason=str(stop))
        if proof is not None:
            return Verdict(PROVED, "induction", proof=proof)
        if limits.depth is None:
            if self._exhausted is None:
                self._exhausted = Exhausted(Machine(question.system))
            try:
                return self._exhausted.verdict(question, limits)
            except TooManyStates:
                pass
            except OutOfTime as stop:
                return found or Verdict(UNKNOWN, "auto", reason=str(stop))
        found = found or bmc(question, limits)
        if found.status == VIOLATED or limits.depth is not None:
            return found
        return self._harder(question, limits, found)

    def _prove(self, question: Question, limits: Limits) -> Proof | None:
        if self._invariant is None:
            self._invariant = InductiveInvariant(question.system, self._candidates, limits)
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
