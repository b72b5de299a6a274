"""What one edition does otherwise than another: the classes, their verdicts, the command."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from counterexamples import itf, sides
from counterexamples.trace import run_trace
from model import diff
from model.checking.difference import (
    FIX,
    GAINED,
    LOST,
    NEUTRAL,
    REGRESSION,
    Comparison,
    Field,
    compare,
    verdict,
)
from model.checking.judges import Judge, told_apart
from model.cli import entry
from model.engines.base import Limits
from model.engines.product import Difference
from model.kernel.editions import find_edition
from model.system.relation.compiled import Values
from model.system.relation.kernel import KernelSystem, Step, kernel_system
from model.system.relation.replay import violates
from model.system.state.mappings import find_mapping
from properties import PROPERTIES

FOUR = ("store", "register", "unregister", "store")
FIVE = ("store", "clear_refs", "register", "unregister", "store")


def compared(a: str, b: str, mapping: str, *allow: str) -> Comparison:
    return compare(find_edition(a), find_edition(b), find_mapping(mapping), allow, Limits())


def told(result: Comparison) -> list[tuple[object, ...]]:
    return [(c.kind, c.mends, c.breaks, c.operations, [(f.name, f.a, f.b) for f in c.fields])
            for c in result.classes]


def test_the_patch_in_classes() -> None:
    """On shmem it mends the loss of a write, and charges a fault where there is none to mend; a
    page of the process's own is spared one."""
    shmem, anon = (compared("before", "after", mapping) for mapping in ("shmem", "anon"))
    assert shmem.complete
    assert anon.complete
    assert told(shmem) == [
        (FIX, ("softdirty-complete",), (), FIVE,
         [("faults", 0, 1), ("pagemap.soft_dirty", False, True)]),
        (LOST, (), ("unprotect-precise",), FOUR, [("faults", 0, 1)])]
    assert told(anon) == [(GAINED, ("unprotect-precise",), (), FOUR, [("faults", 1, 0)])]


def test_the_other_way_round_a_fix_is_a_regression() -> None:
    assert [(c.kind, c.breaks, c.operations) for c in compared("after", "before", "shmem").classes
            ] == [(REGRESSION, ("softdirty-complete",), FIVE), (GAINED, (), FOUR)]


def test_the_pair_that_the_lab_builds_differs_as_the_patch_does() -> None:
    for mapping in ("shmem", "anon"):
        assert told(compared("v6.1", "v6.1+931298e103c2", mapping)) == told(
            compared("before", "after", mapping))


@pytest.mark.parametrize(("a", "b", "mapping", "expected"), [
    ("v5.18", "v5.19", "shmem", [(NEUTRAL, (), (), ("register",))]),
    ("v6.2", "v6.3", "private-hugetlb", [
        (FIX, ("softdirty-complete", "uffd-wp-complete"), (),
         ("clear_refs", "register", "wp", "store")),
        (FIX, ("uffd-wp-complete",), (), ("register", "wp", "store"))]),
    ("v5.19", "v6.0", "shmem", [
        (REGRESSION, (), ("softdirty-complete",), FIVE),
        (FIX, ("no-stale-uffd-wp",), (), ("register", "wp", "unregister")),
        (FIX, ("no-stale-uffd-wp",), (), ("store", "register", "wp", "unregister")),
        (REGRESSION, ("no-stale-uffd-wp",), ("softdirty-armed",),
         ("store", "clear_refs", "register", "wp", "unregister")),
        (GAINED, ("unprotect-precise",), (), (
            "clear_refs", "store", "register", "mprotect:none", "mprotect:rw", "unregister",
            "store"))]),
    ("v6.3", "v6.3-as-described", "shmem", [(GAINED, ("unprotect-precise",), (), FOUR)]),
    ("v6.3", "v6.3-no-try", "anon", [(LOST, (), ("unprotect-precise",), FOUR)]),
])
def test_what_a_release_changed(a: str, b: str, mapping: str,
                                expected: list[tuple[object, ...]]) -> None:
    """A new mode is neutral; what f369b07c8614 mended and broke at once is told as both. What loses
    records comes first."""
    result = compared(a, b, mapping)
    assert result.complete
    assert [(c.kind, c.mends, c.breaks, c.operations) for c in result.classes] == expected


@pytest.mark.parametrize(("a", "b", "mapping", "expected"), [
    ("v6.1", "v6.12", "shmem", [("+931298e103c2",)] * 2),
    ("v6.12", "v6.1", "shmem", [("-931298e103c2",)] * 2),
    ("v6.1", "v6.12", "thp", [("+931298e103c2", "+c27f479ef542")]),
    ("v6.12", "v6.12-931298e103c2", "shmem", [("-931298e103c2",)] * 2),
])
def test_each_class_has_the_fewest_changes_that_make_it(a: str, b: str, mapping: str,
                                                        expected: list[tuple[str, ...]]) -> None:
    """Run by the simulator alone: with them A shows what B does, with fewer it does not."""
    classes = compared(a, b, mapping).classes
    assert [c.causes for c in classes] == expected
    for c in classes:
        for left_out in (None, *c.causes):
            edition = find_edition(a)
            for change in c.causes:
                if change != left_out:
                    edition = (edition.with_change(change[1:]) if change[0] == "+" else
                               edition.without_change(change[1:]))
            kernel = kernel_system(edition, find_mapping(mapping))
            shown = kernel.observe(kernel.run(c.operations)[-1])
            assert all((shown[name] == c.b[name]) for name in ("outcome", "faults", "pagemap")
                       ) == (left_out is None)


def test_a_patch_file_is_the_cause_of_what_it_does(capsys: pytest.CaptureFixture[str],
                                                   tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "def can_change_pte_writable(ed, vma, entry):\n    return False\n")
    _, text = run(capsys, "v6.12", "v6.12", "--mapping", "anon", "--format", "json", "--patch",
                  str(tmp_path / "mine.py"))
    classes = json.loads(text)["results"][0]["classes"]
    assert classes
    assert all(c["causes"] == [str(tmp_path / "mine.py")] for c in classes)


@pytest.mark.parametrize(("a", "b", "kind"), [
    ("v6.12.100", "v6.12", FIX), ("v6.12", "v6.12.100", REGRESSION)])
def test_data_that_can_be_lost_counts_before_all_else(a: str, b: str, kind: str) -> None:
    """The mprotect of 6.12.100 takes the dirty bit from a huge page; what shows is that the other
    kernel, which splits a page that is dirty, calls it soft-dirty."""
    (found,) = compared(a, b, "thp", "pageout").classes
    assert found.kind == kind
    assert {*found.mends, *found.breaks} == {"dirty-kept"}
    assert found.operations == ("store", "mprotect:none", "clear_refs", "pageout")


@pytest.mark.parametrize(("a", "b"), [("v6.12", "v6.18"), ("v6.18", "v6.12")])
@pytest.mark.parametrize("mapping", ["anon", "shmem", "private-shmem"])
def test_what_ends_an_obligation_mends_nothing(a: str, b: str, mapping: str) -> None:
    """MADV_DONTNEED has dropped the record of a store, or the dirty bit, in both; that one has a
    guard region then, which gives the memory up, is no fix: what was lost is lost in both."""
    for found in compared(a, b, mapping, "dontneed", "guard").classes:
        assert "dontneed" not in found.operations
        assert (found.kind, found.operations[-1]) in (
            (NEUTRAL, "guard"), (REGRESSION if b == "v6.18" else FIX, "guard"))


def test_what_makes_up_for_what_both_have_broken_is_a_fix() -> None:
    """A store that the one records and the other does not, after both have lost one before."""
    classes = compared("before", "after", "shmem", "dontneed").classes
    assert {c.mends for c in classes if c.kind == FIX and "dontneed" in c.operations} <= {
        ("softdirty-complete",)}
    kernels = [kernel_system(find_edition(e), find_mapping("shmem"), ["dontneed"])
               for e in ("before", "after")]
    lost = ("clear_refs", "store", "dontneed", "load", "register", "unregister")
    before = [k.run(lost)[-1].values for k in kernels]
    judges = [Judge(k, [PROPERTIES["softdirty-complete"]]) for k in kernels]
    store = kernels[0].actions.index("store")
    after, outputs = zip(*(k.machine.step(v, "store") for k, v in zip(kernels, before,
                                                                      strict=True)), strict=True)
    broken = [j.broken(v, store) for j, v in zip(judges, before, strict=True)]
    assert [j.broken(v, None) for j, v in zip(judges, before, strict=True)] == [
        {"softdirty-complete"}] * 2
    assert told_apart(judges, (before[0], before[1]), Difference(0, store, after, outputs),
                      broken) == [{"softdirty-complete"}, frozenset()]


def test_a_new_call_is_one_class(capsys: pytest.CaptureFixture[str]) -> None:
    """UFFDIO_MOVE came with 6.8: what it does to whatever was there says no more than that, but
    where it breaks a promise."""
    classes = compared("v6.7", "v6.9", "anon", "move:out", "register:missing").classes
    (new,) = (c for c in classes if c.kind == NEUTRAL)
    assert (new.only, new.causes) == ("b", ("+adf505457032",))
    assert (new.a["outcome"], new.b["outcome"]) == ("EINVAL", "ok")
    assert ("EINVAL", "ENOENT") in new.outcomes
    assert new.alike
    (broken,) = (c for c in classes if c != new)
    assert (broken.kind, broken.only, broken.breaks, broken.operations) == (
        REGRESSION, "b", ("softdirty-complete",), ("clear_refs", "store", "move:out"))
    assert [c.operations[-1] for c in broken.alike] == ["move:out"]
    args = ("--mapping", "anon", "--allow", "move:out", "register:missing")
    _, text = run(capsys, "v6.7", "v6.9", *args)
    told = " ".join(text.split())
    assert "v6.9 alone has move:out, which v6.7 refuses always (EINVAL); it ends with ok" in told
    assert "1 regression, 1 neutral; these are all" in told
    assert all(len(line) <= 72 or "outcome" in line for line in text.splitlines())
    (result,) = json.loads(run(capsys, "v6.9", "v6.7", *args, "--format", "json")[1])["results"]
    (gone,) = (c for c in result["classes"] if c["kind"] == NEUTRAL)
    assert gone["only"] == "a"
    assert [c["operations"] for c in gone["alike"]] == [list(c.operations) for c in new.alike]
    assert gone["members"] == new.members > sum(c["members"] for c in gone["alike"])


def test_a_new_call_that_never_returns_is_no_neutral_one() -> None:
    """Of what only the newer edition promises, that it does not keep it is told too."""
    classes = compared("v6.12", "v6.18", "shmem", "guard").classes
    stuck = [c for c in classes if c.b["outcome"] == "never"]
    assert stuck
    assert all(c.kind == REGRESSION and "calls-return" in c.breaks for c in stuck)
    assert len([c for c in stuck if c.breaks == ("calls-return",)]) == 1
    (new,) = (c for c in classes if c.kind == NEUTRAL)
    assert {b for _, b in new.outcomes} == {"ok"}


@pytest.mark.parametrize(("edition", "broken"), [("before", True), ("after", False)])
def test_a_fix_is_a_promise_broken_by_one_side_alone(edition: str, broken: bool) -> None:
    """Said again by the simulator's own check of a violation."""
    kernel = kernel_system(find_edition(edition), find_mapping("shmem"))
    question = PROPERTIES["softdirty-complete"].question(kernel)
    assert any(violates(kernel.machine, question, FIVE[:n]) for n in range(6)) == broken


def by_hand(a: KernelSystem, b: KernelSystem, longest: int) -> Iterator[tuple[str, ...]]:
    """Every list of calls, shortest and plainest first, at whose last step a program first sees
    the two differ: tried one by one."""
    alike: list[tuple[tuple[str, ...], tuple[Values, Values]]] = [
        ((), (a.machine.initial, b.machine.initial))]
    for _ in range(longest):
        following: list[tuple[tuple[str, ...], tuple[Values, Values]]] = []
        for ops, pair in alike:
            for op in a.actions:
                steps = [k.machine.step(s, op) for k, s in zip((a, b), pair, strict=True)]
                one, other = [k.observe(Step(op, str(outcome), faults, values)) for
                              k, (values, (outcome, faults)) in zip((a, b), steps, strict=True)]
                for told in (one, other):
                    told.pop("scan", None)  # which diff does not compare
                if one != other:
                    yield (*ops, op)
                else:
                    following.append(((*ops, op), (steps[0][0], steps[1][0])))
        alike = following


@pytest.mark.parametrize(("a", "b", "mapping"), [
    ("v5.19", "v6.0", "shmem"), ("v6.1", "v6.12", "anon")])
def test_the_classes_are_those_of_every_list_of_calls(a: str, b: str, mapping: str) -> None:
    """All lists of up to four calls, one by one: each that differs is of a class, and the trace of
    a class is the first of its lists."""
    result = compared(a, b, mapping)
    before, after = (kernel_system(find_edition(e), find_mapping(mapping)) for e in (a, b))
    first: dict[object, tuple[str, ...]] = {}
    for ops in by_hand(before, after, longest=4):
        one, other = (k.observe(k.run(ops)[-1]) for k in (before, after))
        changed = [key for key in ("outcome", "faults", "vm_flags") if one[key] != other[key]]
        changed += [bit for bit in one["pagemap"] if one["pagemap"][bit] != other["pagemap"][bit]]
        first.setdefault((ops[-1], *changed), ops)
    shown = [c.operations for c in result.classes if len(c.operations) <= 4]
    assert first
    assert list(first.values()) == shown


def faults(a: int, b: int) -> Field:
    return Field("faults", a, b)


SOFT_DIRTY = Field("pagemap.soft_dirty", False, True)
DONE = Field("outcome", "EINVAL", "ok")


@pytest.mark.parametrize(("fields", "a", "b", "kind", "mends", "breaks"), [
    ([faults(0, 1)], "", "", LOST, "", ""),
    ([faults(2, 1)], "", "", GAINED, "", ""),
    ([faults(0, 1)], "access-completes", "", FIX, "access-completes", ""),
    ([faults(0, 1)], "softdirty-armed", "", LOST, "", ""),
    ([faults(0, 1), SOFT_DIRTY], "softdirty-complete", "", FIX, "softdirty-complete", ""),
    ([SOFT_DIRTY], "softdirty-armed", "", FIX, "softdirty-armed", ""),
    ([DONE, SOFT_DIRTY], "", "page-prot-armed", NEUTRAL, "", ""),
    ([SOFT_DIRTY], "", "softdirty-precise", LOST, "", "softdirty-precise"),
    ([SOFT_DIRTY], "softdirty-precise", "softdirty-precise", NEUTRAL, "", ""),
    ([SOFT_DIRTY], "uffd-wp-complete", "softdirty-complete", REGRESSION, "uffd-wp-complete",
     "softdirty-complete"),
    ([SOFT_DIRTY], "uffd-wp-complete", "softdirty-armed", FIX, "uffd-wp-complete", ""),
    ([SOFT_DIRTY], "", "", NEUTRAL, "", ""),
    ([SOFT_DIRTY], "dirty-kept", "softdirty-precise", FIX, "dirty-kept", ""),
    ([SOFT_DIRTY], "softdirty-complete", "dirty-kept", REGRESSION, "", "dirty-kept"),
    ([faults(0, 1)], "dirty-kept", "", FIX, "dirty-kept", ""),
])
def test_promises_decide_before_precision_and_the_ground_after(
        fields: list[Field], a: str, b: str, kind: str, mends: str, breaks: str) -> None:
    promises = tuple(PROPERTIES.values())
    assert verdict(fields, frozenset(a.split()), frozenset(b.split()), promises) == (
        kind, tuple(mends.split()), tuple(breaks.split()))


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str]:
    code = diff.main([*args, "--quiet"])
    return code, capsys.readouterr().out


def test_editions_that_differ_in_nothing_modelled_are_proved_alike(
        capsys: pytest.CaptureFixture[str]) -> None:
    code, text = run(capsys, "v6.12", "v6.12.100", "--mapping", "anon", "--mapping", "file")
    assert code == diff.SAME
    assert ("From v6.12 to v6.12.100 (-83abe2fd5b3a, -f7491d7c81db, -fe6cf984939d,\n"
            "-scan-unpopulated, -scan-hole, -lazyfree-by-pte):") in text
    assert "anon: no difference, proved (" in text
    assert "no list of these calls, of any length, tells v6.12 from v6.12.100: proved" in \
        " ".join(text.split())


def test_the_text_says_what_each_side_shows(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = run(capsys, "before", "after", "--mapping", "shmem")
    assert code == diff.DIFFERENT
    assert "From before to after (+931298e103c2):" in text
    assert """
  fix: store, clear_refs, register, unregister, store
    before  faults 0, pagemap.soft_dirty false
    after   faults 1, pagemap.soft_dirty true
    before breaks softdirty-complete
""" in text
    assert "classes: 1 fix, 1 precision lost; these are all" in " ".join(text.split())
    assert all(len(line) <= 72 for line in text.splitlines())


def test_a_function_of_the_users_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Held against the edition it is put in: the write that it loses is a regression."""
    mine = tmp_path / "mine.py"
    mine.write_text("from model.kernel.pgtable import pte_dirty\n\n"
                    "def can_change_pte_writable(ed, vma, entry):\n"
                    "    return pte_dirty(ed, entry.pte)\n")
    assert diff.main(["v6.12", "v6.12", "--patch", str(mine), "--mapping", "anon"]) == 1
    text = capsys.readouterr().out
    assert f"From v6.12 to v6.12+mine ({mine}):" in " ".join(text.split())
    assert "v6.12+mine breaks softdirty-complete" in text


def test_what_the_core_shows_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Each operation by itself shows it again, by the same calls."""
    _, text = run(capsys, "before", "after", "--mapping", "anon", "--allow", "dontneed", "mremap",
                  "--each")
    assert text.count("store, register, unregister, store") == 1
    assert "\nanon with mremap: 1 class of difference" in text
    assert "\n  all as above\n" in text
    assert "\nclasses: 1 precision gained; these are all" in text


@pytest.mark.parametrize(("depth", "code", "word"), [
    ("3", diff.UNDECIDED, "no difference found, which is not a proof"),
    ("4", diff.DIFFERENT, "there may be more"),
])
def test_a_bounded_search_proves_nothing(capsys: pytest.CaptureFixture[str], depth: str, code: int,
                                         word: str) -> None:
    args = ("before", "after", "--mapping", "anon", "--depth", depth)
    found, text = run(capsys, *args)
    assert (found, word in " ".join(text.split())) == (code, True)
    assert not json.loads(run(capsys, *args, "--format", "json")[1])["results"][0]["complete"]


def test_what_is_written_can_be_replayed(capsys: pytest.CaptureFixture[str],
                                         tmp_path: Path) -> None:
    """Both sides of each class are traces of their edition that end with what was told."""
    code, text = run(capsys, "before", "after", "--mapping", "shmem", "--format", "json", "--out",
                     str(tmp_path))
    assert code == diff.DIFFERENT
    document: dict[str, Any] = json.loads(text)
    assert (document["a"], document["b"]) == ("before", "after")
    (result,) = document["results"]
    assert (result["mapping"], result["complete"]) == ("shmem", True)
    assert result["classes"][0]["fields"] == {
        "faults": [0, 1], "pagemap.soft_dirty": [False, True]}
    for found in result["classes"]:
        for side, edition in (("a", "before"), ("b", "after")):
            calls = itf.calls(Path(found["trace"][side]).read_text())
            assert (calls.kernel, calls.mapping) == (edition, "shmem")
            assert list(calls.ops) == found["operations"]
            kernel = kernel_system(find_edition(edition), find_mapping("shmem"))
            assert kernel.observe(kernel.run(calls.ops)[-1]) == found[side]
            last = run_trace(kernel, calls.ops, prop="", claim="").steps[-1]
            assert last.faults == found[side]["faults"]
    kept = json.loads((tmp_path / "diff.json").read_text())
    for found in kept["results"][0]["classes"]:
        assert (tmp_path / found["trace"]["b"]).is_file()


def test_other_operations_by_name_and_theme(capsys: pytest.CaptureFixture[str]) -> None:
    """A page that migrates comes back soft-dirty in 6.1 though nobody stored to it."""
    args = ("v6.1", "v6.12", "--mapping", "anon", "--format", "json")
    for more in (["--allow", "migrate"], ["--theme", "migration"]):
        code, text = run(capsys, *args, *more)
        (result,) = json.loads(text)["results"]
        assert code == diff.DIFFERENT
        assert "migrate" in result["allow"]
        assert {"kind": GAINED, "mends": ["softdirty-precise"],
                "operations": ["store", "clear_refs", "migrate"]}.items() <= next(
                    c for c in result["classes"] if c["operations"][-1] == "migrate").items()


@pytest.mark.parametrize(("args", "named", "better"), [
    (["before", "aftr"], "aftr", "after"),
    (["v6.1"], "required: B", ""),
    (["before", "after", "--mapping", "shmen"], "shmen", "shmem"),
    (["before", "after", "--allow", "dontned"], "dontned", "dontneed"),
    (["before", "after", "--theme", "cals"], "cals", "calls"),
    (["before", "after", "--theme", "calls", "--each"], "--theme", "--each"),
    (["before", "after", "--mapping", "anon", "--allow", "split"], "split", "not modelled for"),
    (["before", "after", "--mapping", "anon", "--theme", "huge"], "huge", "models"),
    (["before", "after", "--depth", "0"], "0", "a whole number from 1 to"),
    (["before", "after", "--format", "jsn"], "jsn", "json"),
    (["before", "after", "--out", "/dev/null/x"], "/dev/null/x", "a folder that can be written"),
])
def test_bad_input_is_one_line_that_says_what_would_be_right(
        capsys: pytest.CaptureFixture[str], args: list[str], named: str, better: str) -> None:
    with pytest.raises(SystemExit) as end:
        entry(diff.PROG, lambda: diff.main(args))
    said = capsys.readouterr()
    assert (end.value.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert named in said.err
    assert better in said.err


def there(out: Path) -> set[str]:
    return {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}


def test_a_folder_has_the_last_diff_alone(capsys: pytest.CaptureFixture[str],
                                          tmp_path: Path) -> None:
    """What else lies there stays, whatever an edited report names."""
    args = ("before", "after", "--mapping", "shmem", "--out", str(tmp_path / "out"))
    run(capsys, *args)
    (tmp_path / "out/shmem/1-fix/notes").write_text("mine")
    report = json.loads((tmp_path / "out/diff.json").read_text())
    outside = tmp_path / "trace.itf.json"
    outside.write_text("mine")
    report["results"][0]["classes"][0]["trace"]["c"] = "../trace.itf.json"
    (tmp_path / "out/diff.json").write_text(json.dumps(report))
    run(capsys, "before", "after", "--mapping", "anon", "--out", str(tmp_path / "out"))
    assert outside.read_text() == "mine"
    assert there(tmp_path / "out") == {
        "diff.json", "shmem/1-fix/notes", *(f"anon/1-precision-gained/{name}" for name in (
            "trace.txt", "before/trace.itf.json", "after/trace.itf.json"))}


def test_a_disk_that_fills_costs_no_report(capsys: pytest.CaptureFixture[str], tmp_path: Path,
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    args = ("before", "after", "--mapping", "shmem", "--out", str(tmp_path))
    run(capsys, *args)

    def full(path: Path, content: str | bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(sides, "write_whole", full)
    assert diff.main(list(args)) == 2
    told = capsys.readouterr()
    assert "classes: 1 fix, 1 precision lost; these are all" in told.out
    assert told.err.splitlines()[-1] == (
        f"model.diff: {tmp_path}: evidence is missing: "
        f"{tmp_path}/shmem/1-fix/before/trace.itf.json: No space left on device")
    assert not there(tmp_path)
