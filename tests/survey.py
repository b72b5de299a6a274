"""Verdicts by the exhausted graph alone: what it takes to know them, and no proof."""

from __future__ import annotations

from functools import cache

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
def explored(edition: Edition, mapping: Mapping,
             allow: tuple[str, ...]) -> tuple[KernelSystem, Exhausted]:
    """The system of these operations, and its graph."""
    kernel = kernel_system(edition, mapping, allowing(edition, mapping, allow))
    return kernel, Exhausted(kernel.machine)


def verdict(prop: Property, edition: Edition, mapping: Mapping, allow: tuple[str, ...]) -> str:
    """proved; violated, or unexplained where the calls fit no known cause; vacuous where it is kept
    and nothing puts it to the test."""
    kernel, exhausted = explored(edition, mapping, allow)
    question = prop.question(kernel)
    trace = exhausted.violation(question, Limits())
    if trace is not None:
        return "violated" if prop.reason(edition, mapping, trace) else "unexplained"
    graph = exhausted.graph(Limits())
    return "proved" if reaches(kernel.machine, graph, question.witness) else "vacuous"
