"""The matrix: every edition, mapping and promise."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from model.checking.cells import plan
from model.checking.run import default_jobs, run
from model.checking.settle import Options
from model.kernel.editions import EDITIONS
from model.kernel.releases import NEWEST
from model.system.state.mappings import MAPPINGS
from tests.survey import CELLS, verdict

"""`before` and `after` are the main job's, in test_commands.py."""
ONCE = {e.changes: e.name for e in EDITIONS.values()}
"""A kernel of two names is asked once."""
OFTEN = ["anon", "shmem"]


@pytest.mark.parametrize("mappings", [
    pytest.param(OFTEN, id="often"),
    pytest.param([m for m in MAPPINGS if m not in OFTEN], marks=pytest.mark.lab, id="the rest")])
def test_the_product_settles_every_cell_of_the_newest_edition(
        mappings: list[str], record_property: Callable[[str, object], None]) -> None:
    """In one run, each certificate checked and each trace run again."""
    cells = plan([EDITIONS[NEWEST]], mappings, ["*"])
    ran = run(cells, Options(jobs=default_jobs()), lambda _: None)
    assert [(r.kernel, r.mapping, r.prop, r.verdict, r.reason) for r in ran.results
            if not (r.met and r.settled)] == []
    assert not ran.unkept
    record_property(CELLS, len(cells))


@pytest.mark.lab
@pytest.mark.parametrize("mapping", MAPPINGS)
def test_every_edition_gives_the_expected_verdicts(
        mapping: str, record_property: Callable[[str, object], None]) -> None:
    """By the exhausted graphs, all editions of a mapping together, which have much in common. What
    an edition less one change does is asked in test_history.py."""
    cells = plan([EDITIONS[name] for name in ONCE.values() if name != NEWEST], [mapping], ["*"])
    assert [(c.edition.name, c.prop.name, found) for c in cells
            if (found := verdict(c.prop, c.edition, c.mapping, c.operations))
            != c.prop.expected(c.edition, c.mapping)] == []
    record_property(CELLS, len(cells))
