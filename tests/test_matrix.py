"""The matrix: every edition, mapping and promise, by one run of the product."""

from __future__ import annotations

from collections.abc import Callable

from model.checking.cells import plan
from model.checking.run import default_jobs, run
from model.checking.settle import Options
from model.kernel.editions import EDITIONS
from tests.survey import CELLS


def test_every_cell_is_settled_as_expected(
        record_property: Callable[[str, object], None]) -> None:
    """With its certificate checked or its trace run again; a kernel of two names is asked once."""
    editions = list({e.changes: e for e in EDITIONS.values()}.values())
    cells = plan(editions, ["*"], ["*"])
    ran = run(cells, Options(jobs=default_jobs()), lambda _: None)
    assert [(r.kernel, r.mapping, r.prop, r.verdict, r.reason) for r in ran.results if not r.met
            or not r.settled or r.news] == []
    assert not ran.unkept
    record_property(CELLS, len(cells))
