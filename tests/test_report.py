"""What a reader of `check` sees, and in which order: from results as data, nothing is solved."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from model import check
from model.checking.cells import (
    INTERRUPTED,
    Cell,
    CellResult,
    Exit,
    bisect_code,
    exit_code,
    plan,
)
from model.checking.formats import Files, as_json, as_junit, as_ktap
from model.checking.listing import listing
from model.checking.report import TextReport
from model.checking.run import Progress, Ran, Store, run
from model.checking.settle import Options, as_result
from model.engines.base import Verdict
from model.kernel.editions import EDITIONS
from properties import PROPERTIES

LOSS = ("store", "clear_refs", "register", "unregister", "store")
EXTRA = ("store", "register", "unregister")
SCHEMA: dict[str, Any] = json.loads(listing("schema", 80))


def result(kernel: str, mapping: str, prop: str, trace: Sequence[str] | None = None,
           **fields: Any) -> CellResult:
    """Proved, or violated by a trace; as expected unless `fields` say otherwise."""
    verdict = "violated" if trace else "proved"
    made = CellResult(kernel, mapping, prop, verdict, len(trace) if trace else None, "explicit",
                      verdict, "the reason" if trace else "", 0.1, tuple(trace) if trace else None,
                      role=PROPERTIES[prop].role if prop in PROPERTIES else "promise")
    return replace(made, **fields)


def open_(kernel: str, mapping: str, prop: str, bound: int | None = None) -> CellResult:
    """What Ctrl-C has left."""
    return result(kernel, mapping, prop, verdict="bounded" if bound else "unknown", depth=bound,
                  reason=INTERRUPTED)


PATCH = [
    result("before", "anon", "uffd-wp-complete", ("register", "wp", "store")),
    result("before", "anon", "softdirty-complete"),
    result("before", "shmem", "softdirty-complete", LOSS),
    result("before", "shmem", "unprotect-precise"),
    result("before", "shmem", "mmap-marks-new"),
    result("before", "shmem", "writable-allowed"),
    result("after", "anon", "uffd-wp-complete", ("register", "wp", "store")),
    result("after", "anon", "softdirty-complete"),
    result("after", "shmem", "softdirty-complete"),
    result("after", "shmem", "unprotect-precise", EXTRA),
    result("after", "shmem", "mmap-marks-new"),
    result("after", "shmem", "writable-allowed"),
]
"""The patch in small: one promise mended, one broken, one finding that both share."""


def test_what_changed_comes_first_and_rows_alike_are_one_line() -> None:
    told = str(TextReport(PATCH, 80))
    assert told == """\
From before to after (+931298e103c2):
  fix: softdirty-complete on shmem: violated@5 -> proved
    store, clear_refs, register, unregister, store
  precision lost: unprotect-precise on shmem: proved -> violated@3
    store, register, unregister
    the reason
  4 of 6 verdicts are the same

Broken in both, by the same calls:
  uffd-wp-complete on anon: register, wp, store

anon                before      after
  uffd-wp-complete  violated@3  violated@3
  proved in both: softdirty-complete

shmem                 before      after
  softdirty-complete  violated@5  proved
  unprotect-precise   proved      violated@3
  proved in both: mmap-marks-new, writable-allowed

proved: at every depth, certificate checked; violated@k: the shortest trace has
k calls"""


def test_verbose_gives_the_reason_of_what_both_share_too() -> None:
    assert "the reason" not in str(TextReport(PATCH[::6], 80))
    told = str(TextReport(PATCH[::6], 80, verbose=1))
    assert "uffd-wp-complete on anon in before, after: violated at step 3, as expected" in told
    assert "the reason" in told


def test_what_a_patch_breaks_by_calls_of_its_own_is_a_change() -> None:
    """Also where the promise was broken before."""
    own = result("v6.12+mine", "hugetlb", "access-completes", LOSS, base="v6.12", patch="mine.py",
                 news="v6.12 does not break it by these calls", because="")
    base = result("v6.12", "hugetlb", "access-completes", LOSS)
    told = str(TextReport([base, own], 80))
    assert """\
  other calls: access-completes on hugetlb: violated@5 -> violated@5, NOT
    EXPECTED: v6.12 does not break it by these calls
""" in told
    assert "0 of 1 verdicts are the same" in told
    assert exit_code([own], strict=False) == Exit.UNEXPECTED_VIOLATION
    undecided = replace(own, news="", open="whether it is new: timeout")
    assert "unknown whether it is new: timeout" in str(TextReport([base, undecided], 80))
    assert exit_code([undecided], strict=False) == Exit.UNDECIDED


def test_the_same_promise_broken_by_other_calls_is_a_change() -> None:
    told = str(TextReport([result("before", "shmem", "softdirty-complete", LOSS),
                           result("after", "shmem", "softdirty-complete", LOSS[1:])], 80))
    assert "  other calls: softdirty-complete on shmem: violated@5 -> violated@4\n" in told
    assert """
    clear_refs, register, unregister, store
    before: store, clear_refs, register, unregister, store
""" in told
    assert "0 of 1 verdicts are the same" in told


@pytest.mark.parametrize("width", [40, 80, 133])
@pytest.mark.parametrize("kernels", [1, 2, 4, 9])
def test_it_is_as_wide_as_the_terminal_and_columns_stay_apart(width: int, kernels: int) -> None:
    """Long scopes, many editions, and bounds that were not wanted."""
    names = list(EDITIONS)[-kernels:]
    allow = ("migrate:begin", "migrate:end")
    results = [result(k, m, p, verdict="bounded", depth=10 + n, allow=allow)
               for n, k in enumerate(names) for m in ("anon", "private-hugetlb", "shmem-thp")
               for p in ("softdirty-complete", "uffd-wp-complete-populated")]
    told = str(TextReport(results, width))
    assert max(map(len, told.splitlines())) <= max(width, len(
        "private-hugetlb with migrate:begin, migrate:end"))  # which stands alone in its line
    words = told.replace(",", " ").split()
    assert sum(word.startswith("bounded@1") for word in words) == len(results)
    assert set(names) <= set(words) or kernels == 1


def test_editions_alike_share_a_row_where_there_are_many() -> None:
    names = ["v5.7", "v5.14", "v5.18", "v5.19", "v6.0", "v6.1", "v6.3", "v6.12"]
    results = [result(k, m, "softdirty-complete", LOSS if m == "shmem" and k < "v6.2" and
                      k != "v6.12" else None) for k in names for m in ("anon", "shmem")]
    results += [result(k, "anon", "mmap-marks-new") for k in names]
    assert """\
softdirty-complete                  anon    shmem
  v5.7, v5.14, v5.18, v5.19, v6.0,  proved  @5
  v6.1
  v6.3, v6.12                       proved  proved

mmap-marks-new: proved in all 8 on anon
""" in str(TextReport(results, 80))


def test_colour_takes_no_room() -> None:
    plain, painted = (str(TextReport(PATCH, 80, colour=colour)) for colour in (False, True))
    assert "\033[32mfix\033[0m: softdirty-complete" in painted
    for code in ("31", "32", "33", "36", "0"):
        painted = painted.replace(f"\033[{code}m", "")
    assert painted == plain


def test_a_proof_of_an_earlier_run_says_so() -> None:
    kept = replace(PATCH[7], cached=True)
    assert "  proved in before, proved (cached) in after: softdirty-complete\n" in str(
        TextReport([PATCH[1], kept], 80))
    assert "  proved (cached) in after: softdirty-complete\n" in str(TextReport([kept], 80))
    assert "# proved (cached)" in as_ktap([kept], strict=False)
    row = json.loads(as_json([kept], [Files()]))["results"][0]
    assert (row["verdict"], row["cached"]) == ("proved", True)


def test_strict_tells_one_story() -> None:
    known = result("v6.12-931298e103c2", "shmem", "softdirty-complete", LOSS)
    told = " ".join(str(TextReport([known], 80, strict=True)).split())
    assert "violated at step 5, known, but --strict accepts no violation" in told
    assert "violated@5 !" in told
    assert "expected" not in told
    assert exit_code([known], strict=True) == Exit.UNEXPECTED_VIOLATION


CUT = [PATCH[2], open_("before", "shmem", "mmap-marks-new"), open_("before", "anon", "x"),
       PATCH[8], open_("after", "shmem", "mmap-marks-new"), open_("after", "anon", "x", 7)]


def test_what_ctrl_c_left_open_is_no_doing_of_the_patch() -> None:
    """Nor is it the same: only what is settled is compared; no line a cell is left in the report
    for it."""
    told = str(TextReport([*CUT, result("before", "file", "softdirty-complete"),
                           open_("after", "file", "softdirty-complete")], 80))
    assert "-> unknown" not in told
    assert "  0 of 1 verdicts are the same; 3 more not compared: not settled in both\n" in told
    assert INTERRUPTED not in told
    assert "mmap-marks-new" not in told
    assert "bounded@7 !" in told


@pytest.mark.parametrize(("results", "fields", "code"), [
    (CUT, {"interrupted": True}, 30),
    ([replace(PATCH[2], expected="proved")], {"interrupted": True}, 30),
    ([replace(PATCH[7], expected="violated")], {"interrupted": True}, 30),
    (PATCH, {"missing": True}, 2),
    ([replace(PATCH[2], expected="proved")], {"missing": True}, 2),
    ([replace(PATCH[2], verdict="contradiction")], {"missing": True}, 75),
    (PATCH, {}, 0),
])
def test_a_run_cut_short_or_without_its_evidence_is_no_answer(
        results: list[CellResult], fields: dict[str, bool], code: int) -> None:
    assert exit_code(results, strict=False, **fields) == code


def test_the_worst_exit_code_wins() -> None:
    """255 75 12 20 10 30 0; the first ends a run before there are results."""
    worst_first = [replace(PATCH[2], verdict="contradiction"), replace(PATCH[2], expected="proved"),
                   replace(PATCH[7], expected="violated"), replace(PATCH[7], verdict="vacuous"),
                   replace(PATCH[7], verdict="unknown"), PATCH[7]]
    codes = [exit_code(worst_first[n:], strict=False) for n in range(len(worst_first))]
    assert codes == [75, 12, 20, 10, 30, 0]


def test_bisect_is_told_good_or_bad_by_whole_runs_alone() -> None:
    good, bad = [PATCH[1]], [PATCH[2]]
    assert [bisect_code(good), bisect_code(bad), bisect_code(good + bad)] == [0, 1, 1]
    assert bisect_code(good, interrupted=True) == bisect_code(bad, interrupted=True) == 125
    assert bisect_code([replace(PATCH[1], verdict="vacuous")]) == 125


def test_each_result_fits_the_schema() -> None:
    results = [*PATCH, *CUT, replace(PATCH[7], cached=True), replace(PATCH[7], verdict="vacuous"),
               replace(PATCH[2], verdict="contradiction"), replace(PATCH[7], allow=("dontneed",)),
               result("v6.12+mine", "anon", "x", LOSS, base="v6.12", patch="mine.py")]
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    document = json.loads(as_json(results, [Files()] * len(results)))
    jsonschema.validate(document, SCHEMA)
    assert [row["calls"] for row in document["results"][:3]] == [
        ["register", "wp", "store"], None, list(LOSS)]
    assert [row["allow"] for row in document["results"][-2:]] == [["dontneed"], []]
    assert [document["results"][n]["reason"] for n in (0, 13)] == [None, INTERRUPTED]
    for broken in ({"verdict": "safe"}, {"calls": None}, {"cached": True}, {"more": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(document | {"results": [document["results"][0] | broken]}, SCHEMA)


def test_junit_and_ktap_judge_alike() -> None:
    for strict in (False, True):
        suite = ElementTree.fromstring(as_junit(PATCH, strict))
        ktap = as_ktap(PATCH, strict)
        assert suite.get("failures") == str(ktap.count("\nnot ok ")) == str(4 * strict)


def fake_run(interrupt: int | None = None, unkept: dict[int, str] | None = None,
             ) -> Callable[..., Ran]:
    """A run that answers by expectation, those that are `first` before the others; `interrupt` is
    how many cells are settled until Ctrl-C, `unkept` whose evidence could not be written."""

    def run(cells: Sequence[Cell], options: Options, progress: Progress, store: Store,
            first: Callable[[Cell], bool] | None) -> Ran:
        found: dict[Cell, CellResult] = {}
        for cell in sorted(cells, key=lambda c: not (first and first(c)))[:interrupt]:
            violated = cell.prop.expected(cell.edition, cell.mapping, cell.allow) == "violated"
            trace = LOSS if violated else None
            answer = as_result(cell, Verdict("violated" if violated else "proved", "explicit",
                                             5 if violated else None, trace), 0.1)
            progress(answer)
            found[cell] = answer
        left = Verdict("unknown", "", None, reason=INTERRUPTED)
        return Ran([found.get(c) or as_result(c, left, 0.0) for c in cells],
                   interrupt is not None, unkept or {})

    return run


HEADLINE = """\
softdirty-complete on shmem
  before  violated at step 5: store, clear_refs, register, unregister, store
  after   proved at every depth

"""


def test_the_headline_is_told_before_the_rest_is_known(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """By the run that settles it first."""
    seen: list[str] = []

    def watched(cells: Sequence[Cell], options: Options, progress: Progress, *args: Any) -> Ran:
        def seeing(answer: CellResult) -> None:
            progress(answer)
            seen.append(capsys.readouterr().out)

        return fake_run()(cells, options, seeing, *args)

    monkeypatch.setattr(check, "run", watched)
    monkeypatch.setattr(check, "DEFAULT_OUT", None)
    assert check.main([]) == 0
    assert seen[:3] == ["", HEADLINE, ""]
    assert "".join(seen) == HEADLINE
    assert capsys.readouterr().out.startswith("From before to after (+931298e103c2):\n")


def test_what_is_first_changes_no_order_of_results() -> None:
    """Nor anything else in them."""
    cells = plan([EDITIONS["before"]], ["anon", "shmem"], ["*-marks-*", "private-exclusive"])
    done: list[CellResult] = []
    wanted = cells[-1]
    results = run(cells, Options(jobs=1), done.append, first=lambda cell: cell == wanted).results
    assert done[0] == results[-1]
    assert [(r.mapping, r.prop) for r in results] == [(c.mapping.name, c.prop.name) for c in cells]


@pytest.mark.parametrize("extra", [[], ["--format", "json"], ["--strict"], ["--bisect"]])
def test_ctrl_c_is_told_in_a_line(extra: list[str], monkeypatch: pytest.MonkeyPatch,
                                  capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(check, "run", fake_run(interrupt=5))
    code = check.main(["--kernel", "before", "--kernel", "after", "--mapping", "anon", *extra])
    told = capsys.readouterr()
    assert code == (125 if "--bisect" in extra else 30)
    asked = len(plan([EDITIONS["before"], EDITIONS["after"]], ["anon"], ["*"]))
    assert told.err == f"model.check: interrupted, {asked - 5} of {asked} left open\n"
    if "json" not in extra:
        assert INTERRUPTED not in told.out.partition(f"\n5 of {asked} settled")[0]
        assert len(told.out.splitlines()) < 25


@pytest.mark.parametrize(("extra", "code"), [((), 2), (("--strict",), 2), (("--bisect",), 1)])
def test_a_report_without_its_evidence_is_told_all_the_same(
        extra: tuple[str, ...], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    """A full disk loses no verdict; to bisect the verdict is the answer."""
    asked = ["--kernel", "before", "--mapping", "shmem", "--property", "softdirty-*", "--out",
             str(tmp_path), "--format", "json", *extra]
    monkeypatch.setattr(check, "run", fake_run(unkept={0: "No space left on device"}))
    assert check.main(asked) == code
    told = capsys.readouterr()
    first, second, *_ = json.loads(told.out)["results"]
    assert (first["verdict"], first["trace"]) == ("violated", None)
    assert second["trace"] == f"{tmp_path}/softdirty-armed/before/shmem/trace.itf.json"
    assert told.err == (f"model.check: {tmp_path}/softdirty-complete/before/shmem: evidence is "
                        "missing: No space left on device\n")
