"""All causes of a violation: each breaks the promise until it is taken away, and of what is left
there is a verdict."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from model import check
from model.checking.cells import CellResult, plan
from model.checking.remedies import remedied
from model.checking.run import run
from model.checking.settle import Options
from model.kernel.changes import CHANGES
from model.kernel.editions import find_edition
from model.kernel.releases import NEWEST
from model.system.relation.kernel import kernel_system
from model.system.relation.replay import keeps, violates
from model.system.state.mappings import find_mapping
from properties import PROPERTIES
from properties.own.never import never


def settled(edition: str, mapping: str, prop: str, *allow: str) -> CellResult:
    cells = plan([find_edition(edition)], [mapping], [prop], allow)
    (result,) = run(cells, Options(causes=True), lambda _: None).results
    return result


def said(result: CellResult) -> list[tuple[str, str | None, str | None]]:
    return [(" ".join(c.calls), c.remedy, c.excused) for c in result.causes or ()]


ALL_OF_THEM = [
    ("register wp store", "anon_markers", None),
    ("register wp dontneed store", "anon_markers_stay", None),
    ("store register wp ksm store", "ksm_keeps_bits", None)]


def test_one_stands_behind_the_other() -> None:
    result = settled(NEWEST, "anon", "uffd-wp-complete", "dontneed", "ksm")
    assert (said(result), result.rest) == (ALL_OF_THEM, "proved")
    assert result.trace == tuple(ALL_OF_THEM[0][0].split())


def test_each_breaks_the_promise_until_it_is_taken_away() -> None:
    """By the simulator alone."""
    prop, mapping, remedies = PROPERTIES["uffd-wp-complete"], find_mapping("anon"), list[str]()
    for calls, remedy, _ in ALL_OF_THEM:
        ops = calls.split()
        before = kernel_system(remedied(find_edition(NEWEST), remedies), mapping,
                               ("dontneed", "ksm"))
        assert violates(before.machine, prop.question(before), ops)
        remedies.append(str(remedy))
        after = kernel_system(remedied(find_edition(NEWEST), remedies), mapping,
                              ("dontneed", "ksm"))
        assert keeps(after.machine, prop.question(after), ops)


@pytest.mark.parametrize(("edition", "mapping", "prop", "remedies"), [
    ("v6.1", "shmem", "softdirty-complete", ["931298e103c2"]),
    ("v6.1", "shmem", "close-keeps-armed", ["931298e103c2"]),
    ("v6.1", "thp", "unprotect-precise", ["931298e103c2+c27f479ef542"]),
    ("v6.1", "hugetlb", "features-there", ["2bad466cc9d9", "d61ea1cb0095"]),
    ("v6.12", "shmem", "unprotect-precise", ["unprotect_upgrades"]),
])
def test_what_a_later_kernel_has_takes_it_away(edition: str, mapping: str, prop: str,
                                               remedies: list[str]) -> None:
    """The change that the rules name, else the fewest that the newest edition has; then what no
    kernel has."""
    result = settled(edition, mapping, prop)
    assert [c.remedy for c in result.causes or ()] == remedies
    assert all(c.name for c in result.causes or ())
    assert result.rest == "proved"
    assert all(part in CHANGES or part.isidentifier()
               for remedy in remedies for part in remedy.split("+"))


def test_where_there_is_no_remedy_the_call_is_excused() -> None:
    cells = plan([find_edition(NEWEST)], ["anon"], [], ["pageout"], own=[never("swapped")])
    (result,) = run(cells, Options(causes=True), lambda _: None).results
    assert (said(result), result.rest) == ([("store pageout", None, "pageout")], "proved")


def test_what_nothing_takes_away_is_left() -> None:
    cells = plan([find_edition(NEWEST)], ["anon"], [], own=[never("soft_dirty")])
    (result,) = run(cells, Options(causes=True), lambda _: None).results
    assert (said(result), result.rest) == ([("", None, None)], "violated")


def test_where_two_editions_share_the_calls_it_is_said_that_there_are_more(
        capsys: pytest.CaptureFixture[str]) -> None:
    """In a line each, what is behind them is for -v; also where that is not the same in both."""
    def told(*args: str) -> str:
        check.main(["--property", "uffd-wp-complete", "--mapping", "anon", "--no-pictures", *args])
        return " ".join(capsys.readouterr().out.split())

    two = ("--kernel", "v6.12", "--kernel", NEWEST)
    assert "register, wp, store; 2 more causes (-v says them)" in told(
        *two, "--allow", "dontneed", "ksm")
    assert "register, wp, store anon" in told(*two)
    assert "register, wp, store; what else breaks it is not the same in both (-v says it)" in told(
        "--kernel", "v6.7", "--kernel", "v6.9", "--allow", "move:out")


ASKED = ["--kernel", NEWEST, "--mapping", "anon", "--property", "uffd-wp-complete", "--allow",
         "dontneed", "ksm"]


def test_every_format_says_them(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """And a run that is taken up again."""
    out = ["--out", str(tmp_path), "--no-pictures"]
    assert check.main([*ASKED, *out]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "2. MADV_DONTNEED, MADV_FREE and UFFDIO_MOVE drop the protection of anonymous memory: " \
        "register, wp, dontneed, store; taken away by anon_markers_stay (What is dropped from " \
        "anonymous memory leaves" in text
    assert "nothing else, proved" in text
    for extra in ([], [*out, "--resume"]):
        assert check.main([*ASKED, "--format", "json", *extra]) == 0
        told = json.loads(capsys.readouterr().out)
        jsonschema.validate(told, json.loads(
            Path(check.__file__).with_name("checking").joinpath("results.schema.json").read_text()))
        (row,) = told["results"]
        assert [(" ".join(c["calls"]), c["remedy"]) for c in row["causes"]] \
            == [(calls, remedy) for calls, remedy, _ in ALL_OF_THEM]
        assert row["rest"] == "proved"
    assert check.main([*ASKED, "--format", "ktap"]) == 0
    assert ("by anonymous memory takes no markers (3 calls), by MADV_DONTNEED, MADV_FREE and "
            "UFFDIO_MOVE drop the protection of anonymous memory (4 calls), by KSM drops "
            "soft-dirty, uffd-wp and read-write protection (5 calls); nothing else, "
            "proved") in capsys.readouterr().out
    assert check.main([*ASKED, "--no-causes", "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["results"]
    assert (row["causes"], row["rest"]) == (None, None)
