"""The records of campaigns: each speaks of the model as it is today, and found no divergence."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import counterexamples
from counterexamples import conform
from counterexamples.conform import main
from counterexamples.lab.campaign import Campaign
from counterexamples.lab.compare import Abilities, forced
from counterexamples.lab.conform_report import Result
from counterexamples.lab.kernels import Kernel
from counterexamples.lab.observe import Seen, seen_by_model
from counterexamples.lab.records import Record, covered, outdated, read
from counterexamples.lab.session import Run
from model.kernel.editions import Edition, UsageError, find_edition
from model.system.actions.themes import themes_asked
from model.system.relation.kernel import KernelSystem
from model.system.state.mappings import MAPPINGS, find_mapping

RECORDS = sorted((Path(counterexamples.__file__).parent / "records").glob("*.json"))
OFTEN = ("6.1.192", "7.3.4")
EDITION = find_edition("v6.12")
KERNEL = Kernel("debian:6.12", "v6.12", version="a cloud image", sha256="ab")


class Model:
    """The simulator in the place of a kernel."""

    def __init__(self, kernel: KernelSystem) -> None:
        self.kernel = kernel

    def answers(self, runs: Iterable[Run]) -> Iterator[tuple[Run, tuple[Seen, ...]]]:
        for run in runs:
            yield run, tuple(seen_by_model(self.kernel, s) for s in self.kernel.run(run.ops))


def result(theme: str = "core", edition: Edition | None = None, seed: int = 1,
           extra: int | None = None) -> Result:
    """A campaign that the model itself has answered."""
    edition, mapping = edition or find_edition("v6.12"), find_mapping("hugetlb")
    actions = forced(edition, mapping, themes_asked([theme], edition, mapping)[theme])
    model = KernelSystem(edition, mapping, actions)
    campaign = Campaign(model, theme=theme, extra=extra, runs=20, steps=10, seed=seed)
    campaign.run(Model(model))
    return Result(campaign, Abilities("6.12", "hugetlb", {}), [])


@pytest.mark.parametrize("path", [
    pytest.param(path, id=path.stem, marks=[pytest.mark.lab] * (path.stem not in OFTEN))
    for path in RECORDS])
def test_a_record_speaks_of_the_model_of_today(path: Path) -> None:
    """Where it does not, the command that made it is run again; README says which."""
    said = read(path)
    assert outdated(said) == []
    assert {row["verdict"] for row in said["campaigns"]} == {"same"}


@pytest.mark.parametrize("path", RECORDS, ids=lambda p: p.stem)
def test_a_record_has_every_transition_of_the_core_and_many_random_steps(path: Path) -> None:
    rows = read(path)["campaigns"]
    core = {r["mapping"]: r["transitions"] for r in rows if r["theme"] == "core"}
    assert set(core) == set(MAPPINGS)
    assert all(t["taken"] == t["of"] for t in core.values())
    assert sum(r["random_steps"] for r in rows if r["theme"] == "all") >= 100_000
    assert {r["mapping"] for r in rows if r["theme"] == "all"} == set(MAPPINGS)


def test_campaigns_are_added_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    for theme, seed in (("core", 1), ("all", 1), ("all", 2), ("core", 1)):
        Record(path, KERNEL, EDITION).add(result(theme, seed=seed))
    rows = read(path)["campaigns"]
    assert [(r["theme"], r["seed"]) for r in rows] == [("all", 1), ("all", 2), ("core", 1)]
    assert rows[0]["random_steps"] == rows[0]["steps"] == 200
    assert rows[2]["transitions"]["taken"] == rows[2]["transitions"]["of"] > 0
    assert "hugetlb_wp" in rows[0]["functions"]
    assert outdated(read(path)) == []


def test_two_runs_into_one_record_keep_each_others_campaigns(tmp_path: Path) -> None:
    """The second to write dropped what the first had added; a tour and runs that look for more
    states could not be sorted."""
    first, second = (Record(tmp_path / "record.json", KERNEL, EDITION) for _ in range(2))
    first.add(result(extra=0))
    second.add(result(extra=None))
    rows = read(tmp_path / "record.json")["campaigns"]
    assert [r["extra_states"] for r in rows] == [None, 0]
    assert [p.name for p in tmp_path.iterdir()] == ["record.json"]


def test_a_changed_function_outdates_what_was_compared_with_it(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    Record(path, KERNEL, EDITION).add(result())
    said = read(path)
    row: dict[str, Any] = said["campaigns"][0]
    right, wrong = (KernelSystem(find_edition(e), find_mapping("hugetlb"))
                    for e in ("v6.12", "v6.12-60d5b473d61b"))
    assert covered(right) == row["covered"]
    told = {op for op, digest in covered(wrong).items() if row["covered"][op] != digest}
    assert told == {"store"}
    row["covered"]["store"] = covered(wrong)["store"]
    assert outdated(said) == ["hugetlb core: store"]
    path.write_text(json.dumps(said))
    Record(path, KERNEL, EDITION).add(result(seed=2))
    assert [r["seed"] for r in read(path)["campaigns"]] == [2]


def test_a_file_that_is_no_record_of_this_kernel_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    for text in ("", "{}", "[]", "[" * 100_000, '{"kernel": 1}', "\0",
                 '{"kernel": 1, "edition": "v6.12", "campaigns": []}',
                 '{"kernel": {}, "edition": "v6.12", "campaigns": []}',
                 '{"kernel": {"sha256": "ab", "version": ""}, "edition": "v6.12", '
                 '"campaigns": [{"theme": "core"}]}'):
        path.write_text(text)
        with pytest.raises(UsageError, match="is no record of campaigns; name one that"):
            Record(path, KERNEL, EDITION)
        assert path.read_text() == text
    path.unlink()
    Record(path, KERNEL, EDITION).add(result())
    with pytest.raises(UsageError, match=r"is the record of a cloud image beside v6.12; this is "
                                         r"another beside v6.12: name another file"):
        Record(path, replace(KERNEL, version="another", sha256="cd"), EDITION)
    with pytest.raises(UsageError, match=r"beside v6.12; this is a cloud image beside v6.1: "):
        Record(path, KERNEL, find_edition("v6.1"))


@pytest.mark.parametrize("name", ["", ".", "nowhere/record.json"])
def test_a_name_that_cannot_be_a_record_is_refused_at_once(
        name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--kernel", "debian:6.12", "--record", name])
    assert stop.value.code == 2
    assert capsys.readouterr().err.endswith("is no name for a file in a folder that is there\n")


def test_a_record_that_cannot_be_written_costs_no_report(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Hours of runs ended with one line about a file."""
    monkeypatch.setattr(conform, "at_hand", lambda *_: KERNEL)
    monkeypatch.setattr(conform, "_run", lambda *_: result())
    assert main(["--kernel", "debian:6.12", "--edition", "v6.12", "--mapping", "hugetlb",
                 "--theme", "core", "--record", "/proc/record.json", "-q"]) == 2
    said = capsys.readouterr()
    assert "no divergence" in said.out
    assert said.err == ("counterexamples.conform: not recorded: /proc/record.json: "
                        "No such file or directory\n")
