"""The classes of a diff on real kernels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from counterexamples import differ
from counterexamples.lab import guest
from counterexamples.lab.differing import Diff, Report, Shown, as_text, on_kernel, read
from counterexamples.lab.errors import CannotRun
from counterexamples.lab.kernels import Kernel
from counterexamples.lab.session import Session
from model import diff
from model.cli import entry
from model.kernel.editions import UsageError, find_edition
from tests.lab.fake_agent import session

HAS = "has soft-dirty; has uffd-wp; has mapping"
STORE = "ok 1 100101 mw,rd,sd,wr"


def test_every_class_from_6_1_to_6_12_is_confirmed_on_both(
        capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert diff.main(["v6.1", "v6.12", "--out", str(tmp_path), "--quiet"]) == diff.DIFFERENT
    capsys.readouterr()
    assert differ.main([str(tmp_path), "debian:6.1.192", "debian:6.12.117", "--quiet", "--format",
                        "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["a"]["edition"], document["b"]["edition"]) == ("v6.1", "v6.12")
    found = [(r["mapping"], r["kind"], r["verdict"]) for r in document["results"]]
    assert len(found) == 8
    assert {verdict for _, _, verdict in found} == {"confirmed"}
    assert ("shmem", "fix", "confirmed") in found
    mended = next(r for r in document["results"]
                  if (r["mapping"], r["kind"]) == ("shmem", "fix"))
    assert not mended["a"]["steps"][-1]["pagemap"]["soft_dirty"]
    assert mended["b"]["steps"][-1]["pagemap"]["soft_dirty"]


class Scripted(Kernel):
    """A kernel whose agent says what a script says."""

    def start(self, *, files: Mapping[str, Path] | None = None,
              limit: float = guest.ANSWER_SECONDS, cpus: int = 1) -> Session:
        return session(self.version, limit=limit)


def scripted(name: str, edition: str | None, *answers: str) -> Scripted:
    said = "".join(f"hear()\nsay({answer!r})\n" for answer in answers)
    return Scripted(name, edition,
                    version=f"say('agent 6.1.0 | #1')\n{said}hear()\n")


def two_classes() -> Diff:
    shown = tuple(Shown("anon", kind, ("store",), ("faults", "pagemap.soft_dirty"))
                  for kind in ("fix", "neutral"))
    return Diff(find_edition("v6.1"), find_edition("v6.12"), shown)


def report(a: Kernel, b: Kernel) -> Report:
    found = two_classes()
    columns = (on_kernel(a, found.a, found, 5.0), on_kernel(b, found.b, found, 5.0))
    return Report(found, (a, b), list(zip(*columns, strict=True)))


def test_a_class_is_confirmed_only_where_both_kernels_do_as_their_models() -> None:
    """The second kernel agrees once, and once shows another number of faults."""
    good = scripted("bzimage:a", None, HAS, STORE, HAS, STORE)
    odd = scripted("bzimage:b", "v6.12", HAS, STORE, HAS, STORE.replace("1", "2", 1))
    told = report(good, odd)
    assert told.code == 1
    text = as_text(told)
    assert "anon, fix: confirmed\n    store\n    bzimage:a: as v6.1: faults 1, " \
        "pagemap.soft_dirty true\n" in text
    assert "anon, neutral: not confirmed" in text
    assert "bzimage:b: model wrong at step 1: faults: model 1, kernel 2" in text
    assert text.endswith("\n2 classes on both kernels: 1 confirmed, 1 not confirmed")


def test_what_cannot_be_tried_is_neither_confirmed_nor_refuted() -> None:
    good = scripted("bzimage:a", None, HAS, STORE, HAS, STORE)
    lacks = scripted("bzimage:b", None, "has uffd-wp; lacks mapping: mmap fails", HAS, STORE)
    told = report(good, lacks)
    assert told.code == 4
    assert "bzimage:b: SKIP: Linux 6.1.0 lacks mapping on anon: mmap fails" in as_text(told)


def test_a_kernel_that_dies_has_failed_in_all_that_is_left() -> None:
    good = scripted("bzimage:a", None, HAS, STORE, HAS, STORE)
    dies = Scripted("bzimage:b", None,
                    version=f"say('agent 6.1.0 | #1')\nhear()\nsay('{HAS}')\nhear()\n"
                            f"say('{STORE}')\nhear()\n")
    told = report(good, dies)
    assert told.code == 1
    assert [pair[1].verdict.word for pair in told.replays] == ["confirmed", "failed"]
    assert "bzimage:b ended before an answer to 'probe anon'" in as_text(told)


@pytest.mark.parametrize(("text", "named"), [
    (None, "No such file"),
    ("[]", "is not a report of model.diff; name a folder"),
    ("[" * 100_000, "is not a report of model.diff; name a folder"),
    ('{"a": "v6.1", "b": "v6.12", "results": [{}]}', "is not a report of model.diff"),
    ('{"a": "v6.1", "b": "v6.13", "results": []}', "v6.13"),
    ('{"a": "v6.1", "b": "v6.12", "results": []}', "do not differ"),
    ("\xff", "is not a report of model.diff"),
])
def test_a_folder_that_no_diff_has_left_is_one_line(
        capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str | None, named: str) -> None:
    if text is not None:
        (tmp_path / "diff.json").write_text(text, encoding="latin-1")
    with pytest.raises(SystemExit) as end:
        entry(differ.PROG, lambda: differ.main([str(tmp_path), "debian:6.1.192",
                                                "debian:6.12.117"]))
    said = capsys.readouterr()
    assert (end.value.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert named in said.err


def test_nothing_tried_is_a_report_too(capsys: pytest.CaptureFixture[str], tmp_path: Path,
                                       monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asked for JSON reads JSON, wherever it ends."""
    diff.main(["before", "after", "--mapping", "anon", "--out", str(tmp_path), "--quiet"])
    capsys.readouterr()

    def nowhere(kernel: Kernel, say: object) -> Kernel:
        raise CannotRun("no QEMU")

    monkeypatch.setattr(differ, "at_hand", nowhere)
    asked = [str(tmp_path), "bzimage:/boot/a", "host"]
    monkeypatch.setattr(differ, "named", lambda name: scripted(name, "before"))
    assert differ.main([*asked, "--format", "json"]) == 4
    (result,) = json.loads(capsys.readouterr().out)["results"]
    assert (result["verdict"], result["a"]["line"], result["b"]["steps"]) == (
        "not tried", "SKIP: no QEMU", [])
    assert differ.main(asked) == 4
    assert capsys.readouterr().out == "SKIP: no QEMU\n"


def test_a_report_is_read_as_it_was_written(capsys: pytest.CaptureFixture[str],
                                            tmp_path: Path) -> None:
    diff.main(["before", "after", "--mapping", "anon", "--out", str(tmp_path), "--quiet"])
    found = read(tmp_path)
    assert (found.a.name, found.b.name) == ("before", "after")
    assert found.shown == (Shown("anon", "precision gained",
                                 ("store", "register", "unregister", "store"), ("faults",)),)


def test_kernels_the_other_way_round_are_said(capsys: pytest.CaptureFixture[str],
                                              tmp_path: Path) -> None:
    """Each of the classes was "not confirmed"."""
    diff.main(["v6.1", "v6.12", "--mapping", "anon", "--out", str(tmp_path), "--quiet"])
    with pytest.raises(UsageError, match=r"goes from v6\.1 to v6\.12: name debian:6\.1\.192 first"):
        differ.main([str(tmp_path), "debian:6.12.117", "debian:6.1.192"])
