"""What a claim is: a sentence of a commit message, as data and a formula."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from model.system.asking.language import Bool, Edition, Mapping
from model.system.asking.point import Point
from properties.base import registrable

TRUE, FALSE, EXCEPT = "true", "false", "true except"
PATCH, CLEANUP = "931298e103c2", "1ef488edd6c4"


@dataclass(frozen=True)
class Atom:
    """A word that conditions are written in: true or not of a state."""

    name: str
    holds: Callable[[Point], Bool]


Sentence = Callable[[Point, Point], Bool]
"""Of the state before a call and the state after it."""


def _any(_: Point, __: Point) -> Bool:
    return True


@dataclass(frozen=True)
class Always:
    """Wherever `given` is true, `holds` is: before and after each call of `by`; without calls both
    points are the same state.

    It speaks of every reachable state, or with `inputs` of every value of every variable. `atoms`
    are the words for the condition of its exceptions. `under` is a change that the calls are made
    with, and `shown` the calls by which a program sees an exception.
    """

    holds: Sentence
    given: Sentence = _any
    by: tuple[str, ...] = ()
    inputs: bool = False
    atoms: tuple[Atom, ...] = ()
    under: str = ""
    shown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Loses:
    """`ops` break softdirty-complete at their last step; with `shortest` nothing shorter does."""

    ops: tuple[str, ...]
    shortest: bool = False


@dataclass(frozen=True)
class Mends:
    """Without `change` each of `runs` breaks softdirty-complete; with it nothing does."""

    change: str
    runs: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Same:
    """No program can tell the edition with `change` from that without it."""

    change: str


@dataclass(frozen=True)
class Departs:
    """Where a claim is expected not to be simply true, and why. `verdict` is "false" or "true
    except"; `mappings` and `when` as in `Violated`."""

    verdict: str
    mappings: str
    when: tuple[str, ...]
    because: str

    def applies(self, edition: Edition, mapping: Mapping) -> bool:
        return (mapping.name in self.mappings.split()
                and all(edition.has(w[1:]) == (w[0] == "+") for w in self.when))


@dataclass(frozen=True)
class Claim:
    """A claim of the message of 931298e103c2 or 1ef488edd6c4.

    `fact` is the sentence in our words. It speaks of the editions where all of `when` hold, and of
    those mappings that userfaultfd protects and `concerns` names. It is expected to be true except
    where `departs` says otherwise. `precondition` says that its exceptions are the loss itself.
    """

    name: str
    fact: str
    says: Always | Loses | Mends | Same
    when: tuple[str, ...] = ()
    concerns: Callable[[Mapping], bool] = lambda _: True
    departs: tuple[Departs, ...] = ()
    ours: bool = False
    precondition: str = ""

    def speaks_of(self, edition: Edition, mapping: Mapping) -> bool:
        return (registrable(edition, mapping) and self.concerns(mapping)
                and all(edition.has(w[1:]) == (w[0] == "+") for w in self.when))

    def expected(self, edition: Edition, mapping: Mapping) -> str:
        """"true", "false" or "true except", from understanding."""
        rule = self._rule(edition, mapping)
        return rule.verdict if rule else TRUE

    def because(self, edition: Edition, mapping: Mapping) -> str:
        """Why it is expected not to be simply true; empty where it is."""
        rule = self._rule(edition, mapping)
        return rule.because if rule else ""

    def _rule(self, edition: Edition, mapping: Mapping) -> Departs | None:
        return next((d for d in self.departs if d.applies(edition, mapping)), None)
