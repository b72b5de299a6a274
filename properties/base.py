"""What a property is, and how it becomes a question to an engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from model.system.kernel import KernelSystem
from model.system.language import Bool, Edition, Mapping, as_term
from model.system.transition import Lemma, Question
from model.system.view import StepView, View


@dataclass(frozen=True)
class Violated:
    """Where a promise is expected to be broken, and the understanding behind it.

    `when` lists changes: ``-id`` for "the edition lacks it", ``+id`` for "has it"; all must hold.
    """

    mapping: str
    when: tuple[str, ...]
    because: str

    def applies(self, edition: Edition, mapping: Mapping) -> bool:
        return self.mapping == mapping.name and all(
            edition.has(w[1:]) == (w[0] == "+") for w in self.when)


def _always(_: object) -> Bool:
    return True


@dataclass(frozen=True)
class Property:
    """A promise.

    `claim` is one English sentence, `origin` where the promise comes from. It holds when `safe` is
    true of every reachable state and `allowed` of every step. `witness` is a step that must be
    reachable, or the promise says nothing. It is expected to be proved except where `violated` says
    otherwise.
    """

    name: str
    claim: str
    origin: str
    witness: Callable[[StepView], Bool]
    safe: Callable[[View], Bool] = _always
    allowed: Callable[[StepView], Bool] = _always
    violated: tuple[Violated, ...] = ()

    def expected(self, edition: Edition, mapping: Mapping) -> str:
        """"violated" or "proved", from understanding."""
        return "violated" if self.reason(edition, mapping) else "proved"

    def reason(self, edition: Edition, mapping: Mapping) -> str:
        """Why a violation is expected; empty where none is."""
        return next((v.because for v in self.violated if v.applies(edition, mapping)), "")

    def question(self, kernel: KernelSystem) -> Question:
        """This promise, put to one edition and mapping."""
        step = StepView(kernel)
        return Question(
            name=self.name,
            system=kernel.system,
            safe=as_term(self.safe(step.before)),
            allowed=as_term(self.allowed(step)),
            witness=as_term(self.witness(step)),
        )


@dataclass(frozen=True)
class StatedInvariant:
    """A lemma in one English sentence and as a formula; the engines find out whether it is true."""

    name: str
    claim: str
    formula: Callable[[View], Bool]

    def lemma(self, kernel: KernelSystem) -> Lemma:
        return Lemma(self.name, as_term(self.formula(View(kernel.edition, kernel.before))))
