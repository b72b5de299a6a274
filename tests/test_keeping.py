"""What `check` keeps under --out, and what it takes from there."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from model import check
from model.checking.cells import Cell, CellResult, plan, select_editions
from model.checking.run import Store, run
from model.checking.saved import RESULTS
from model.checking.settle import Options
from tests.test_processes import started

VIOLATED, PROVED = "softdirty-complete", "mmap-marks-new"
ASKED = ["--kernel", "before", "--mapping", "shmem", "--property", VIOLATED, "--property", PROVED,
         "--no-pictures", "--jobs", "1", "--format", "json", "--out"]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one run leaves, to be copied."""
    out = tmp_path_factory.mktemp("kept")
    assert check.main([*ASKED, str(out), "-q"]) == 0
    return out


@pytest.fixture
def out(kept: Path, tmp_path: Path) -> Path:
    for file in kept.rglob("*.*"):
        if file.is_file():
            (tmp_path / file.relative_to(kept)).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file.relative_to(kept)).write_bytes(file.read_bytes())
    return tmp_path


def files(out: Path) -> dict[str, tuple[bytes, int]]:
    return {str(file.relative_to(out)): (file.read_bytes(), file.stat().st_mtime_ns)
            for file in out.rglob("*") if file.is_file()}


def result_of(out: Path, prop: str) -> Path:
    """The file in which its result stands."""
    (found,) = (file for file in (out / RESULTS).iterdir()
                if json.loads(file.read_text())["result"]["prop"] == prop)
    return found


def again(out: Path, capsys: pytest.CaptureFixture[str]) -> tuple[list[tuple[str, str]], str]:
    """Of a run that takes up what is there: promises and verdicts, and what stderr says."""
    assert check.main([*ASKED, str(out), "--resume"]) == 0
    said = capsys.readouterr()
    rows = json.loads(said.out)["results"]
    assert all(Path(row["trace"] or row["certificate"]).is_file() for row in rows)
    return [(row["property"], row["verdict"]) for row in rows], said.err


EXPECTED = [(VIOLATED, "violated"), (PROVED, "proved")]


def test_what_is_settled_is_not_settled_again(out: Path, monkeypatch: pytest.MonkeyPatch,
                                              capsys: pytest.CaptureFixture[str]) -> None:
    """It is kept without having been asked for; nothing is built or written when taken up."""
    before = files(out)
    monkeypatch.setattr("model.checking.run.CellSystem", None)
    assert again(out, capsys) == (EXPECTED, "")
    assert files(out) == before


def damage(out: Path, how: str) -> None:
    """Damage something that is kept."""
    violated, proved = result_of(out, VIOLATED), result_of(out, PROVED)
    certificate = next(out.rglob("certificate.smt2"))
    match how:
        case "a byte":
            data = bytearray(proved.read_bytes())
            data[len(data) // 2] ^= 1
            proved.write_bytes(data)
        case "half a result":
            proved.write_bytes(proved.read_bytes()[:100])
        case "no result":
            proved.write_bytes(b"[]")
        case "a verdict":
            violated.write_text(violated.read_text().replace('"violated"', '"proved"'))
        case "another's":
            proved.write_bytes(violated.read_bytes())
        case "the certificate":
            certificate.write_text("(check-sat)\n")
        case "no certificate":
            certificate.unlink()
        case "the trace":
            trace = next(out.rglob("trace.txt"))
            trace.write_text(trace.read_text().replace("unregister", "register"))


@pytest.mark.parametrize("how", ["a byte", "half a result", "no result", "a verdict", "another's",
                                 "the certificate", "no certificate", "the trace"])
def test_what_does_not_fit_is_settled_anew(out: Path, how: str,
                                           capsys: pytest.CaptureFixture[str]) -> None:
    """It is said once, and good again then."""
    damage(out, how)
    said = f"model.check: 1 damaged or foreign results under {out} passed over\n"
    assert again(out, capsys) == (EXPECTED, said)
    assert again(out, capsys) == (EXPECTED, "")


def test_two_runs_into_one_folder_both_end(tmp_path: Path,
                                           capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["-m", "model.check", *ASKED, str(tmp_path), "--resume", "-q"]
    with started(*asked) as one, started(*asked) as other:
        assert [(*p.communicate(), p.returncode) for p in (one, other)] == [("", "", 0)] * 2
    assert again(tmp_path, capsys) == (EXPECTED, "")
    assert list(tmp_path.rglob(".*.*")) == []


def test_results_of_other_sources_are_passed_over(out: Path, monkeypatch: pytest.MonkeyPatch,
                                                  capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("z3.get_version_string", lambda: "another")
    rows, said = again(out, capsys)
    assert rows == EXPECTED
    assert said.startswith("model.check: 2 damaged or foreign results")


def test_only_the_last_verdict_has_evidence(tmp_path: Path) -> None:
    """A file that is the user's stays."""
    cell, = plan(select_editions(["before"], [], []), ["shmem"], [VIOLATED])
    from counterexamples.folder import Pictures
    from model.checking.saved import Folder

    folder = Folder(tmp_path, Options(), Pictures.NONE, False)
    folder.keep(cell, run([cell], Options(), lambda _: None).results[0])
    (place,) = tmp_path.glob("*/*/*")
    (place / "notes").touch()
    mended = CellResult("before", "shmem", VIOLATED, "proved", None, "", "violated", "", 0.0,
                        certificate="(check-sat)\n")
    folder.keep(cell, mended)
    assert {file.name for file in place.iterdir()} == {"notes", "certificate.smt2"}


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """As on a full disk, for what is larger (setrlimit(2)); Python ignores SIGXFSZ."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_verdicts_are_told_where_evidence_has_no_room(tmp_path: Path,
                                                      capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is lost but what has no room, which is named; no half files, no path to none."""
    with largest_file(100):
        code = check.main([*ASKED, str(tmp_path)])
    said = capsys.readouterr()
    rows = json.loads(said.out)["results"]
    assert code == 2
    assert [(row["property"], row["verdict"]) for row in rows] == EXPECTED
    assert [(row["trace"], row["certificate"]) for row in rows] == [(None, None)] * 2
    assert said.err.splitlines() == [
        f"model.check: {tmp_path}/{row}/before/shmem: evidence is missing: File too large"
        for row in (VIOLATED, PROVED)]
    assert [f for f in tmp_path.rglob("*") if f.is_file() and f.name != "command.txt"] == []


class Log(Store):
    """What comes when."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def keep(self, cell: Cell, result: CellResult) -> None:
        self.events.append(f"keep {cell.prop.name}")


def test_what_is_first_is_told_before_all_else() -> None:
    cells = plan(select_editions(["before"], [], []), ["anon", "shmem"],
                 [VIOLATED, PROVED, "softdirty-armed"])
    log = Log()
    ran = run(cells, Options(), lambda r: log.events.append(f"{r.prop} {r.mapping}"), log,
              lambda cell: (cell.prop.name, cell.mapping.name) == ("softdirty-armed", "shmem"))
    assert log.events[:2] == ["softdirty-armed shmem", "keep softdirty-armed"]
    assert len(log.events) == 2 * len(cells)
    assert [(r.mapping, r.prop) for r in ran.results] == [(c.mapping.name, c.prop.name)
                                                          for c in cells]
    assert (ran.interrupted, ran.unkept) == (False, {})
