"""Verdicts by the exhausted graph alone: what it takes to know them, and no proof."""

from __future__ import annotations

from functools import cache
from typing import Any

from model.engines.base import Limits
from model.engines.explicit import Exhausted, reaches
from model.kernel.editions import Edition
from model.kernel.records import Mapping
from model.system.actions.themes import allowing
from model.system.relation.kernel import KernelSystem, kernel_system
from properties.base import Property

CELLS = "cells"
"""The property of a test's report that says how many cells it has settled (conftest.py)."""


@cache
def explored(edition: Edition, mapping: Mapping, allow: tuple[str, ...],
             follows: tuple[str, ...] = ()) -> tuple[KernelSystem, Exhausted]:
    """The system of these operations and facts, and its graph."""
    kernel = kernel_system(edition, mapping, allowing(edition, mapping, allow), follows)
    return kernel, Exhausted(kernel.machine)


_ANSWERS: dict[tuple[Any, ...], tuple[tuple[str, ...] | None, bool]] = {}
"""What was found of a question, by the terms that it is made of: editions that share them share
the answer."""
_KEPT: list[Any] = []
"""The terms whose numbers are in there."""


@cache
def _terms(edition: Edition, mapping: Mapping, allow: tuple[str, ...],
           follows: tuple[str, ...]) -> tuple[int, ...]:
    system = explored(edition, mapping, allow, follows)[0].system
    terms = [*system.initial, *(t for branch in system.branches for t in branch)]
    _KEPT.append(terms)
    return tuple(t.get_id() for t in terms)


def _found(prop: Property, edition: Edition, mapping: Mapping,
           allow: tuple[str, ...]) -> tuple[tuple[str, ...] | None, bool]:
    """The calls that break the promise, and whether something puts it to the test."""
    kernel, exhausted = explored(edition, mapping, allow, prop.follows)
    question = prop.question(kernel)
    asked = question.safe, question.allowed, question.witness
    terms = _terms(edition, mapping, allow, prop.follows)
    key = (kernel.actions, terms, *(t.get_id() for t in asked))
    if key not in _ANSWERS:
        _KEPT.append(asked)
        trace = exhausted.violation(question, Limits())
        tested = trace is not None or reaches(kernel.machine, exhausted.graph(Limits()),
                                              question.witness)
        _ANSWERS[key] = trace, tested
    return _ANSWERS[key]


def verdict(prop: Property, edition: Edition, mapping: Mapping, allow: tuple[str, ...]) -> str:
    """proved; violated, or unexplained where the calls fit no known cause; vacuous where it is kept
    and nothing puts it to the test."""
    trace, tested = _found(prop, edition, mapping, allow)
    if trace is not None:
        return "violated" if prop.reason(edition, mapping, trace) else "unexplained"
    return "proved" if tested else "vacuous"
