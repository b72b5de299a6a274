"""Promises of a user's own: the files of --promise, and what becomes of them and of --never in
every command that takes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from counterexamples import itf
from counterexamples.folder import Where, with_fixed
from counterexamples.lab.replaying import plan_of
from counterexamples.reproducer.program import program
from model import check, diff
from model.checking.cells import Exit, exit_code, plan
from model.checking.listing import as_json
from model.checking.run import run
from model.checking.settle import Options
from model.kernel.editions import EDITIONS, UsageError, find_edition
from model.kernel.records import Mapping
from model.promises import promises
from model.system.actions.operations import CORE
from model.system.state.mappings import MAPPINGS
from properties.own.files import load
from properties.own.never import never
from tests.test_apart import python

LOSS = ("store", "clear_refs", "register", "unregister", "store")
LOST = "stored and not soft_dirty"
HEAD = """
from model.system.asking.language import conj, implies
from properties.base import Property, Violated

def _witness(t):
    return t.op("store")

def _safe(s):
    return implies(s.history.stored, s.pagemap.soft_dirty)

"""
MINE = HEAD + 'PROPERTY = Property("", "No store is lost.", "mine", _witness, safe=_safe)\n'
KNOWN = HEAD + """
PROPERTY = Property("known", "No store is lost.", "mine", _witness, safe=_safe, violated=(
    Violated("shmem", ("-931298e103c2",), "un-protecting opens a clean page", by="unregister"),))
"""
TWO = HEAD + """
PROPERTIES = (
    Property("kept", "No store is lost.", "mine", _witness, safe=_safe),
    Property("of-files", "What is mapped is of a file.", "mine", _witness,
             safe=lambda s: implies(s.pagemap.present, s.pagemap.file),
             speaks_of=lambda edition, mapping: mapping.shared))
"""


def write(folder: Path, text: str, name: str = "mine.py") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def checked(*args: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, Any]]]:
    """The exit code and the results of a check, which are as the schema says."""
    code = check.main([*args, "--format", "json", "--jobs", "1"])
    told = json.loads(capsys.readouterr().out)
    jsonschema.validate(told, json.loads(as_json("schema")))
    return code, told["results"]


@pytest.mark.parametrize(("kernel", "mapping", "text", "verdict", "ends", "reason"), [
    ("v6.1", "shmem", LOST, "violated", 12, None),
    ("v7.3", "shmem", LOST, "proved", 0, None),
    ("v7.3", "anon", "file and " + LOST, "vacuous", 10, "part of it is never true there: file"),
    ("v7.3", "anon", "rd or not (marker or not sh)", "violated", 12, None),
    ("v7.3", "anon", "sh and marker", "vacuous", 10,
     "part of it is never true there: sh; without more operations: marker (--allow close "
     "open:unpopulated or close open:async or poison makes it so)"),
    ("v7.3", "anon", "sh", "proved", 0, None),
    ("v7.3", "shmem", "soft_dirty", "violated", 12, None),
    ("v7.3", "shmem", "call == 'load' and outcome == 'event'", "proved", 0, None),
    ("v7.3", "shmem", "call == 'fork' and outcome == 'event'", "proved", 0, None),
])
def test_the_verdict_of_an_expression(kernel: str, mapping: str, text: str, verdict: str, ends: int,
                                      reason: str | None,
                                      capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody has said what to expect: the promise is to be kept. One without a part that can be so
    is empty, and its parts are named; a name alone, which is never so, is what was asked."""
    code, (found,) = checked("--kernel", kernel, "--mapping", mapping, "--never", text,
                             capsys=capsys)
    assert (found["verdict"], code, found["expected"], found["met"]) == (
        verdict, ends, None, verdict == "proved")
    assert found["property"] == f"never: {text}"
    assert found["reason"] == reason


def test_operations_that_it_asks_for_are_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    """With what these need; of --each it is one more promise."""
    assert never("call == 'swapoff' and dirty").about == ("pageout", "swapoff")
    assert never("call != 'swapoff' and call == 'store'").about == ()
    code, found = checked("--never", "dirty and swapped", "--mapping", "anon", "--each", "--allow",
                          "dontneed", "pageout", capsys=capsys)
    assert code == 10
    assert [(r["allow"], r["verdict"], r["reason"]) for r in found] == [
        (["dontneed"], "vacuous", "part of it is never true there, without more operations: "
         "swapped (--allow move:in:wp or pageout makes it so)"),
        (["pageout"], "proved", None)]


def test_operations_that_alone_make_what_it_names_are_allowed(
        capsys: pytest.CaptureFixture[str]) -> None:
    """Without them the question would be empty, which reads as if the answer were yes."""
    assert never("pinned and not rd").about == ("pin", "unpin", "pin:write")
    assert never("rw_protected").about == ("close", "open:rwp", "register:rwp", "rwp", "unrwp")
    assert never("guarded and present").about == ("guard", "unguard")
    for text, verdict in (("poisoned and present", "proved"), ("guarded and present", "proved"),
                          ("pinned and stored and not soft_dirty", "violated")):
        _, (found,) = checked("--never", text, "--mapping", "anon", "--no-causes", capsys=capsys)
        assert (found["verdict"], found["allow"]) == (verdict, []), text


def test_what_other_operations_would_make_true_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a part that is never true, those that would make it so, found by trying; what none makes
    so is named alone."""
    code, (found,) = checked("--never", "owned and um", "--mapping", "hugetlb", capsys=capsys)
    assert code == 10
    assert found["reason"].startswith("part of it is never true there: owned; without more "
                                      "operations: um (--allow register:missing or ")
    code, (found,) = checked("--never", "um and sd and present", "--mapping", "hugetlb", "--allow",
                             "register:missing", capsys=capsys)
    assert found["verdict"] == "violated"


def test_files_have_one_promise_or_several(tmp_path: Path,
                                           capsys: pytest.CaptureFixture[str]) -> None:
    """Those are asked, and with --property others too; of a file of which it names one, that
    one."""
    mine, two = write(tmp_path, MINE), write(tmp_path, TWO, "two.py")
    asked = ("--kernel", "v6.1", "--mapping", "shmem", "--promise", two)

    def names(*more: str) -> list[str]:
        return [r["property"] for r in checked(*asked, *more, capsys=capsys)[1]]

    assert names() == ["kept", "of-files"]
    assert names("--promise", mine, "--never", "marker") == [
        "never: marker", "kept", "of-files", "mine"]
    assert names("--property", "softdirty-precise") == ["softdirty-precise", "kept", "of-files"]
    assert names("--property", "of-*", "--promise", mine) == ["of-files", "mine"]


def test_what_its_file_expects_counts_as_everybody_s(tmp_path: Path,
                                                     capsys: pytest.CaptureFixture[str]) -> None:
    known = write(tmp_path, KNOWN)
    asked = ("--mapping", "shmem", "--promise", known)
    code, (found,) = checked("--kernel", "v6.1", *asked, capsys=capsys)
    assert (code, found["expected"], found["met"]) == (0, "violated", True)
    assert found["promise"] == known
    code, (found,) = checked("--kernel", "v7.3", *asked, capsys=capsys)
    assert (code, found["expected"], found["verdict"]) == (0, "proved", "proved")


def _one(**fields: str) -> str:
    given = {"name": "''", "claim": "'c'", "origin": "'o'", "witness": "_witness"} | fields
    return f"{HEAD}PROPERTY = Property({', '.join(f'{k}={v}' for k, v in given.items())})\n"


@pytest.mark.parametrize(("text", "told"), [
    ("x = 1\n", " defines no promise: PROPERTY = Property(name=..."),
    ("PROPERTIES = ()\n", " defines no promise"),
    ("PROPERTY = 3\n", ": 3 is no promise; it should be Property("),
    ("PROPERTIES = 3\n", ": PROPERTIES is 3; it should be a tuple of Property(...)"),
    (MINE + "PROPERTIES = (PROPERTY,)\n", " defines PROPERTY and PROPERTIES"),
    (TWO.replace("of-files", "kept"), ": two promises are called kept"),
    ("from properties.softdirty_complete import PROPERTY\n",
     ": softdirty-complete is a promise that there is already; give yours another name"),
    ("def f(:\n", ":1: invalid syntax"),
    ("\nraise SystemExit(3)\n", ":2: SystemExit: 3"),
    (_one(name="'a b'"), ": 'a b' is no name for a promise: letters, digits"),
    (_one(name="'data-kept'"), ": data-kept is a promise that there is already"),
    (_one(name="'../up'"), ": '../up' is no name for a promise"),
    (_one(claim="''"), ": claim of mine is ''; it should be a sentence"),
    (_one(role="'x'"), ": role of mine is 'x'; it should be one of promise, ground, precision"),
    (_one(about="['fork']"), ": about of mine is ['fork']; it should be a tuple of operations"),
    (_one(about="('frok',)"), ": about of mine: unknown operation 'frok'; did you mean 'fork'?"),
    (_one(violated="(3,)"), ": violated of mine is (3,); it should be a tuple of Violated("),
    (_one(violated="(Violated('shm', (), 'b'),)"),
     ": violated of mine: unknown mapping 'shm'; did you mean 'shmem'?"),
    (_one(violated="(Violated('shmem', ('931298e103c2',), 'b'),)"),
     ": violated of mine: '931298e103c2' has no sign: '+' for an edition that has the commit"),
    (_one(violated="(Violated('shmem', ('-no-tri',), 'b'),)"), "; did you mean 'no-try'?"),
    (_one(violated="(Violated('shmem', '-no-try', 'b'),)"), "it should be a tuple of Violated("),
    (_one(violated="(Violated('shmem', (), 'b', by='wp&stor'),)"), "unknown operation 'stor'"),
    (_one(safe="4"), ": safe of mine is 4; it should be a function"),
    (_one(safe="lambda s: s.presnt"), ":11: in safe of mine: AttributeError: "),
    (_one(safe="lambda s: 3"), ":11: safe of mine returns a Python int; it should be a Boolean"),
    (_one(safe="lambda s: s.present and s.dirty"),
     ":11: in safe of mine: Z3Exception: Symbolic expressions cannot be cast to concrete Boolean "
     "values.; conditions are joined and chosen by with conj"),
    (_one(witness="lambda t: t.op('stor')"),
     ":11: in witness of mine: ValueError: unknown operation 'stor'; did you mean 'store'?"),
    (_one(allowed="lambda t, u: True"), ": in allowed of mine: TypeError: "),
    (_one(safe="lambda s: __import__('z3').Bool('luck')"),
     ":11: safe of mine makes up luck: it may depend on nothing but its argument"),
    (_one(speaks_of="lambda e, m: None"),
     ":11: speaks_of of mine returns None; it should be True or False"),
])
def test_a_mistake_in_a_file_is_one_line_with_its_place(text: str, told: str,
                                                        tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        promises([write(tmp_path, text)])
    assert str(raised.value).startswith(str(tmp_path / "mine.py"))
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


def test_two_files_have_no_promise_in_common(tmp_path: Path) -> None:
    one, other = write(tmp_path, KNOWN, "a.py"), write(tmp_path, KNOWN, "b.py")
    assert len(promises([one, one])) == 1
    with pytest.raises(UsageError, match="another file has a promise known too"):
        promises([one, other])


def test_what_cannot_be_asked_of_any_mapping_is_no_success(tmp_path: Path) -> None:
    """Though others can; nor in a diff."""
    two = write(tmp_path, TWO)
    with pytest.raises(UsageError, match=r"of-files says nothing of anon in v7\.3: it speaks of "
                                         "what its speaks_of says"):
        check.main(["--promise", two, "--mapping", "anon"])
    with pytest.raises(UsageError, match="of-files says nothing of what is compared: anon"):
        diff.main(["v6.1", "v7.3", "--promise", two, "--mapping", "anon"])
    with pytest.raises(UsageError, match="is about pageout: give --allow pageout"):
        diff.main(["v6.1", "v7.3", "--never", "call == 'pageout' and sd", "--mapping", "anon"])


def test_what_is_wrong_in_every_revision_ends_a_bisection(tmp_path: Path) -> None:
    """A file that does not load may be one of them."""
    (tmp_path / "mine.py").write_text("raise ValueError\n")
    asked = ("model.check", "--bisect", "--promise=mine.py", "--mapping=shmem")
    assert [python(tmp_path, *asked, *more)[0] for more in (
        (), ("--never=xyzzy",), ("--mapping=nope",))] == [125, 128, 128]


ENDS = MINE + "import os\nos._exit(0)\n"
LOOPS = HEAD + """
def _loops(s):
    while s.mapping.shared:
        pass
    return True

PROPERTY = Property("mine", "c", "o", _witness, safe=_loops)
"""


def test_a_file_that_ends_its_process_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(ENDS)
    code, out, err = python(tmp_path, "model.check", "--promise", "mine.py", "--mapping", "anon")
    assert (code, out, err) == (2, "", (
        "model.check: mine.py: it ended the process that executed it, with exit code 0; a promise "
        "file only defines promises\n"))


def test_all_other_cells_are_settled(tmp_path: Path) -> None:
    """A function that is never done is told by its place."""
    (own,) = load(write(tmp_path, LOOPS), 1)
    cells = plan([EDITIONS["v7.3"]], ["anon", "shmem"], [], own=[own])
    results = run(cells, Options(), lambda result: None).results
    assert [(r.mapping, r.verdict) for r in results] == [("anon", "proved"), ("shmem", "unknown")]
    assert results[1].reason == f"{own.own and own.own.file}:13: not done after 1 s: is there an " \
                                "endless loop?"
    assert exit_code(results, strict=False) == Exit.UNDECIDED


def test_an_edited_promise_is_not_taken_for_settled(tmp_path: Path,
                                                    capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--kernel", "v6.1", "--mapping", "shmem", "--out", str(tmp_path / "out"), "--resume",
             "--no-pictures", "--promise", write(tmp_path, MINE))
    assert checked(*asked, capsys=capsys)[0] == 12
    write(tmp_path, MINE.replace("s.pagemap.soft_dirty", "s.history.stored"))
    assert checked(*asked, capsys=capsys)[0] == 0


def test_the_trace_of_an_expression_says_all_that_a_replay_needs(tmp_path: Path) -> None:
    own = never(LOST)
    where = Where("v6.1", "shmem", own.name, (), None, own)
    trace, fixed = with_fixed(where, LOSS)
    assert where.selectors == f"--kernel v6.1 --mapping shmem --never '{LOST}'"
    assert fixed is not None
    assert [s.outcome for s in fixed.steps] == [s.outcome for s in trace.steps]
    plan = plan_of(itf.calls(itf.dumps(trace)))
    assert (plan.prop, plan.ops[:5], plan.needs) == (own.name, LOSS, ("soft-dirty",))


def test_the_trace_of_a_file_is_replayed_with_the_file(tmp_path: Path) -> None:
    mine = write(tmp_path, MINE)
    (own,) = promises([mine])
    where = Where("v6.1", "shmem", "mine", (), None, own)
    calls = itf.calls(itf.dumps(with_fixed(where, LOSS)[0]))
    assert where.selectors.endswith(f"--promise {mine} --property mine")
    with pytest.raises(UsageError, match=f"a promise of {mine}: give it by --promise {mine}"):
        plan_of(calls)
    with pytest.raises(UsageError, match=f"a promise of {mine}, which defines kept, of-files now"):
        plan_of(calls, promises=promises([write(tmp_path, TWO)]))
    assert plan_of(calls, promises=[own]).prop == "mine"
    kept = write(tmp_path, MINE.replace("s.pagemap.soft_dirty", "s.history.stored"))
    with pytest.raises(UsageError, match=r"its last call does not break mine in v6\.1"):
        plan_of(calls, promises=promises([kept]))


@pytest.mark.parametrize(("text", "compared"), [("soft_dirty and present", True),
                                                ("marker or present", False)])
def test_a_reproducer_looks_at_what_the_promise_speaks_of(text: str, compared: bool) -> None:
    """Without clear_refs too, where a kernel without soft-dirty could not show it."""
    own = never(text)
    trace, _ = with_fixed(Where("v7.3", "shmem", own.name, (), None, own), ("store",))
    told = program(trace)
    assert ("PM_SOFT_DIRTY" in told) == compared
    assert f'#define NAME "never: {text} on shmem"' in told


def test_a_diff_is_judged_by_them_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, MINE)
    code = diff.main(["before", "after", "--mapping", "shmem", "--format", "json", "--quiet",
                      "--promise", str(tmp_path / "mine.py"), "--never", LOST])
    classes = json.loads(capsys.readouterr().out)["results"][0]["classes"]
    assert code == 1
    assert [c["mends"] for c in classes if c["kind"] == "fix"] == [
        ["softdirty-complete", f"never: {LOST}", "mine"]]


def test_they_speak_of_the_edition_with_a_patch_file(tmp_path: Path,
                                                     capsys: pytest.CaptureFixture[str]) -> None:
    patch = write(tmp_path, "def can_change_pte_writable(ed, vma, entry):\n    return True\n",
                  "open.py")
    code, (base, own) = checked("--patch", patch, "--kernel", "v6.12", "--mapping", "anon",
                                "--never", LOST, capsys=capsys)
    assert (code, base["verdict"], own["verdict"], own["expected"]) == (
        12, "proved", "violated", None)


def test_the_report_says_whose_promise_it_is(tmp_path: Path,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["--kernel", "v6.1", "--mapping", "shmem", "--never", LOST, "--property",
                       "softdirty-precise", "--jobs", "1"]) == 12
    told = " ".join(capsys.readouterr().out.split())
    assert f"never: {LOST} on shmem in v6.1: violated at step 5, a promise of your own" in told
    assert "2 of 2 settled, 1 as expected, 0 of your own kept" in told
    assert "!: not as wanted" in told


def test_a_promise_is_no_part_of_what_else_is_asked() -> None:
    """Nothing is global: the promises that there are stay as they are."""
    from properties import PROPERTIES

    before = dict(PROPERTIES)
    plan([find_edition("v7.3")], ["anon"], [], own=[never("marker")])
    assert before == PROPERTIES
    assert set(never("call == 'store' and sd").about).isdisjoint(CORE)


def test_mappings_are_what_speaks_of_is_asked(tmp_path: Path) -> None:
    """With an edition, both as the promises of properties/ are."""
    (_, of_files) = load(write(tmp_path, TWO))
    told: list[Mapping] = [m for m in MAPPINGS.values()
                           if of_files.concerns(EDITIONS["v7.3"], m)]
    assert {m.name for m in told} == {"shmem", "file", "hugetlb", "shmem-thp"}
