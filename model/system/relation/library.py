"""Effects built once: the terms of an operation, for all editions that answer alike what building
them asks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cache

import z3

from model.kernel.editions import Edition, Heard
from model.system.actions.effect import Effect
from model.system.state.state import State, flatten

Branch = tuple[z3.ExprRef, ...]
"""The next value of every variable, then the outcome and the faults."""


@dataclass(frozen=True)
class _Built:
    """The terms of one operation, what its building asked, and the answers that it got."""

    terms: Branch
    heard: Heard
    answers: Mapping[str, tuple[bool, bool]]

    def suits(self, edition: Edition) -> bool:
        return (self.heard.functions.isdisjoint(edition.overrides)
                and all(_answer(edition, c) == told for c, told in self.answers.items()))


def _answer(edition: Edition, change: str) -> tuple[bool, bool]:
    return change in edition.undecided, change in edition.changes


class Library:
    """Keeps what is built of editions whose functions are the model's own."""

    def __init__(self) -> None:
        self._built: dict[tuple[object, ...], list[_Built]] = defaultdict(list)

    def branch(self, edition: Edition, op: str, state: State, facts: Collection[str],
               build: Callable[[str, State, Edition], Effect]) -> Branch:
        """The terms of an operation on `state`, in which `facts` are fixed and all other leaves are
        variables, as `build` makes them where they are not known."""
        key = (op, state.vma.mapping, state.rest is None, frozenset(facts))
        for known in self._built[key]:
            if known.suits(edition):
                return known.terms
        heard = Heard()
        effect = build(op, state, replace(edition, heard=heard))
        terms = (*flatten(effect.state), effect.outcome, effect.faults)
        if heard.functions.isdisjoint(edition.overrides):
            self._built[key].append(_Built(terms, heard,
                                           {c: _answer(edition, c) for c in heard.changes}))
        return terms


@cache
def library() -> Library:
    """The one of this process."""
    return Library()
