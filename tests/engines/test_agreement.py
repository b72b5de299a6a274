"""Engines cross-check each other: on every edition, mapping and property they agree."""

from __future__ import annotations

from functools import partial

import pytest

from model.engines.base import PROVED, UNKNOWN, VIOLATED, Limits
from model.engines.bmc import bmc
from model.engines.explicit import Exhausted
from model.engines.induction import Kept, houdini
from model.engines.kinduction import kinduction
from model.engines.registry import Auto
from model.engines.spacer import Spacer
from model.kernel.editions import EDITIONS
from model.system.relation.kernel import kernel_system
from model.system.relation.transition import Lemma
from model.system.state.mappings import MAPPINGS
from properties import PROPERTIES
from properties.lemmas import LEMMAS
from tests.engines.cells import CELLS


@pytest.mark.parametrize(("edition", "mapping"), CELLS)
def test_all_engines_give_one_answer(edition: str, mapping: str) -> None:
    """The exhausted graph is complete, so it is the measure of the others."""
    kernel = kernel_system(EDITIONS[edition], MAPPINGS[mapping])
    exhausted = Exhausted(kernel.machine)
    questions = [p.question(kernel) for p in PROPERTIES.values()
                 if p.speaks_of(kernel.edition, kernel.mapping)]
    lemmas = [*(s.lemma(kernel) for s in LEMMAS), *(Lemma(q.name, q.safe) for q in questions)]
    kept = Kept()
    inductive = houdini(kernel.system, lemmas, Limits(), kept)
    auto = Auto(lambda: lemmas, exhausted, kept)
    inducing = partial(kinduction, kept=kept)
    horn = Spacer(kernel.system, lemmas, Limits())
    for question in questions:
        truth = exhausted.verdict(question, Limits())
        assert truth.status in (PROVED, VIOLATED)
        for verdict in (auto(question, Limits()), horn.solve(question, Limits(seconds=300))):
            assert (verdict.status, verdict.trace) == (truth.status, truth.trace), verdict
        bounded = (bmc, inducing) if truth.status == VIOLATED else (inducing,)
        for engine in bounded:
            verdict = engine(question, Limits(depth=truth.depth or 2), inductive)
            assert verdict.status != UNKNOWN
            if truth.status == VIOLATED:
                assert verdict.trace == truth.trace
            else:
                assert verdict.status != VIOLATED
