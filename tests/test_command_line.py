"""The command line itself: what there is, what may be asked, and what each answer ends with."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from importlib.metadata import version
from pathlib import Path

import pytest

from model import __main__ as overview
from model import backport, check, diff
from model.checking.cells import MEANINGS, WORST_FIRST
from model.checking.listing import SECTIONS, listing
from model.kernel.changes import CHANGES
from model.kernel.editions import UsageError
from model.kernel.mirror import MIRRORS
from model.system.actions.operations import OPERATIONS
from model.system.state.mappings import MAPPINGS
from properties import PROPERTIES
from tests.test_patch import FORGETS, LATE

ROOT = Path(__file__).parent.parent
SHMEM = ("--mapping", "shmem", "--property", "softdirty-complete")


def python(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *args], cwd=cwd, capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False)


def refused(main: Callable[[Sequence[str]], int], args: Sequence[str],
            capsys: pytest.CaptureFixture[str], code: int = 2) -> str:
    """The one line of an input that is refused; of a UsageError `entry` makes one."""
    with pytest.raises((SystemExit, UsageError)) as ended:
        main(args)
    told = capsys.readouterr()
    assert told.out == ""
    if isinstance(ended.value, SystemExit):
        assert (ended.value.code, told.err.count("\n")) == (code, 1)
        return told.err.partition(": ")[2]
    assert (code, told.err) == (2, "")
    return str(ended.value)


def test_every_command_is_listed() -> None:
    commands = {".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
                for top in ("model", "counterexamples") for p in (ROOT / top).rglob("*.py")
                if re.search(r"^    entry\(PROG, main\)$", p.read_text(), re.MULTILINE)}
    assert commands == {*overview.COMMANDS, overview.PROG}


@pytest.mark.parametrize("command", [*overview.COMMANDS, "model"])
def test_every_command_says_its_version(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    package = command in ("model", "counterexamples.gallery")
    module = importlib.import_module(f"{command}.__main__" if package else command)
    with pytest.raises(SystemExit) as ended:
        module.main(["--version"])
    assert ended.value.code == 0
    assert re.fullmatch(rf"ptecheck {re.escape(version('ptecheck'))}, Z3 [\d.]+\n",
                        capsys.readouterr().out)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_overview_has_a_line_for_each_command(width: int) -> None:
    told = overview.overview(width)
    for command in overview.COMMANDS:
        assert re.search(rf"^  {command} +[a-z]", told, re.MULTILINE)
    assert max(map(len, told.splitlines())) <= width


def test_the_package_runs_and_forwards(tmp_path: Path) -> None:
    done = python("-m", "model", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, overview.overview(80) + "\n")
    done = python("-m", "model", "check", "--list", "engines", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, listing("engines", 80) + "\n")
    done = python("-m", "model", "simulate", "--mapping", "anno", "store", cwd=tmp_path)
    assert (done.returncode, done.stderr.partition(":")[0]) == (2, "model.simulate")
    done = python("-m", "model", "chek", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        2, "model: unknown command 'chek'; did you mean 'check'?; python -m model says what each "
        "does\n")


def test_a_folder_named_model_hides_nothing_from_python_p(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    assert python("-m", "model.check", "--version", cwd=tmp_path).returncode == 0
    (tmp_path / "model" / "__init__.py").touch()
    (tmp_path / "model" / "check.py").write_text("print('somebody else')")
    assert python("-m", "model.check", "--version", cwd=tmp_path).stdout == "somebody else\n"
    assert "Z3" in python("-P", "-m", "model.check", "--version", cwd=tmp_path).stdout
    assert "python -P -m model.check" in (overview.__doc__ or "")


def test_the_wheel_has_what_is_no_python() -> None:
    """All that lies in the packages, but for the gallery's evidence."""
    packaged = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    known = [f"{package.replace('.', '/')}/{pattern}"
             for package, patterns in packaged["package-data"].items() for pattern in patterns]
    files = subprocess.run(["git", "ls-files", "model", "properties", "counterexamples"], cwd=ROOT,
                           capture_output=True, text=True, check=True).stdout.split()
    assert [f for f in files if not f.endswith(".py") and "/gallery/" not in f
            and not any(fnmatchcase(f, pattern) for pattern in known)] == []


def test_the_list_has_sections(capsys: pytest.CaptureFixture[str]) -> None:
    named: dict[str, Iterable[str]] = {
        "mappings": MAPPINGS, "properties": PROPERTIES, "operations": OPERATIONS,
        "changes": CHANGES, "functions": MIRRORS}
    everything = listing("all", 80)
    assert check.main(["--list"]) == 0
    assert capsys.readouterr().out == everything + "\n"
    for section in SECTIONS[:-2]:
        assert check.main(["--list", section]) == 0
        told = capsys.readouterr().out.rstrip()
        assert told in everything
        for name in named.get(section, ()):
            assert re.search(rf"^  {re.escape(name)}\b", told, re.MULTILINE)
    assert check.main(["--list", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["properties"]["results"]
    assert check.main(["--list", "simulate-schema"]) == 0
    assert json.loads(capsys.readouterr().out)["$defs"]["pages_step"]


def test_the_list_is_an_object_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """What the text names, and no more; one section alone; no format that has no list."""
    def told(*args: str) -> dict[str, list[dict[str, str]]]:
        assert check.main(["--list", *args, "--format", "json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert isinstance(found, dict)
        return found

    everything = told()
    assert list(everything) == list(SECTIONS[:-2])
    for section, rows in everything.items():
        assert told(section) == {section: rows}
        text = listing(section, 80)
        for row in rows:
            assert {type(row[key]) for key in ("name", "text")} == {str}
            assert re.search(rf"^  {re.escape(row['name'])}(?![\w:-])", text, re.MULTILINE)
    assert {row["name"] for row in everything["operations"]} == set(OPERATIONS)
    assert told("schema")["properties"]
    assert told("simulate-schema")["items"]
    for name in set(check.FORMATS) - set(check.LISTED):
        assert refused(check.main, ("--list", "--format", name), capsys) == (
            f"--list has no format {name!r}; known: text, json\n")


@pytest.mark.parametrize("width", [80, 120])
def test_the_list_is_as_wide_as_the_terminal(width: int) -> None:
    assert max(map(len, listing("all", width).splitlines())) <= width


def test_help_says_the_exit_codes() -> None:
    told = check.parser().format_help()
    for code, meaning in MEANINGS.items():
        assert re.search(rf"^ +{code:d}  {re.escape(meaning)}$", told, re.MULTILINE)
    assert set(WORST_FIRST) | {2} == set(MEANINGS)
    assert "255 75 12 20 10 30 0" in told


@pytest.mark.parametrize(("args", "told"), [
    (("--mapping", "file", "--property", "uffd-wp-complete"),
     "uffd-wp-complete says nothing of file in v6.12: it speaks of what a userfaultfd can "
     "write-protect there"),
    (("--mapping", "file", "--mapping", "private-file", "--property", "uffd-wp-complete*",
      "--property", "*-stale-*", "--property", "uffd-wp-armed"),
     "uffd-wp-complete, uffd-wp-complete-populated, no-stale-uffd-wp and 1 more say nothing of "
     "file, private-file in v6.12: they speak of what a userfaultfd can write-protect there"),
    (("--mapping", "hugetlb", "--property", "swapoff-ends"),
     "it speaks of private memory that is not hugetlb"),
    (("--mapping", "private-hugetlb", "--property", "migrate-precise", "--allow", "ksm"), "ksm"),
    (("--mapping", "anon", "--property", "hugetlb-mprotect-precise"),
     "it speaks of shared hugetlb memory"),
    (("--mapping", "thp", "--allow", "ksm"), "ksm is not modelled for thp in v6.12"),
    (("--mapping", "thp", "--allow", "ksm", "numa", "--each"), "ksm is not modelled for thp"),
    (("--each", "--allow", "store"), "--each is of operations beyond the core"),
])
@pytest.mark.parametrize("extra", [(), ("--strict",), ("--format", "json"), ("--format", "junit")])
def test_a_selection_that_checks_nothing_is_wrong_usage(
        args: tuple[str, ...], told: str, extra: tuple[str, ...],
        capsys: pytest.CaptureFixture[str]) -> None:
    """No green without a question."""
    line = refused(check.main, ("--kernel", "v6.12", *args, *extra), capsys)
    assert line.startswith("nothing to check: ")
    assert told in line


def test_every_promise_that_is_silent_somewhere_says_where() -> None:
    for promise in PROPERTIES.values():
        assert bool(promise.memory) == (promise.speaks_of.__name__ != "_everywhere")


def test_the_same_is_wrong_in_diff_and_backport(capsys: pytest.CaptureFixture[str]) -> None:
    assert "ksm is not modelled for thp" in refused(
        diff.main, ("v6.1", "v6.12", "--mapping", "thp", "--allow", "ksm"), capsys)
    assert "uffd-wp-complete says nothing of file in v6.1" in refused(
        backport.main, ("v6.1", "--mapping", "file", "--property", "uffd-wp-complete"), capsys)


@pytest.mark.parametrize(("args", "code"), [
    (("--kernal", "v6.1"), 128),
    (("extra",), 128),
    (("--kernel", "v6"), 128),
    (("--mapping", "shmen"), 128),
    (("--property", "softdirty"), 128),
    (("--with", "f369b07c8615"), 128),
    (("--mapping", "file", "--property", "uffd-wp-complete"), 128),
    (("--resume",), 128),
    (("--out", "/dev/null/x"), 128),
    (("--claims",), 128),
    (("--patch", "missing.py"), 125),
    (("--patch", "syntax.py"), 125),
    (("--patch", "gone.py"), 125),
    (("--patch", "nothing.py"), 125),
    (("--patch", "late.py", "--mapping", "shmem"), 125),
    (("--patch", "syntax.py", "--kernel", "v6"), 128),
    (("--patch", "forgets.py", "--mapping", "anon"), 1),
    (("--patch", "forgets.py", *SHMEM, "--depth", "2", "--engine", "bmc"), 125),
    (("--patch", "forgets.py", *SHMEM), 0),
])
def test_bisect_blames_no_revision_that_was_not_judged(
        args: tuple[str, ...], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    """128 and more end `git bisect run`, 125 skips the revision, 1 to 127 call it bad."""
    monkeypatch.chdir(tmp_path)
    for name, text in {"syntax": "def pte_mkwrite(ed, pte:\n", "nothing": "X = 1\n", "late": LATE,
                       "gone": "def pte_mkwriteable(ed, pte):\n    return pte\n",
                       "forgets": FORGETS}.items():
        Path(f"{name}.py").write_text(text)
    asked = ("--bisect", "--jobs", "1", *args)
    if "--property" not in asked:
        asked += ("--property", "softdirty-complete")
    if code == 128:
        refused(check.main, asked, capsys, code)
    else:
        assert check.main(asked) == code
        assert capsys.readouterr().err.count("\n") == (code == 125 and "forgets.py" not in args)


def test_backport_tells_bisect_alike(capsys: pytest.CaptureFixture[str]) -> None:
    refused(backport.main, ("v6", "--bisect"), capsys, 128)
    refused(backport.main, ("v6.1", "--bisect", "--propperty", "x"), capsys, 128)


@pytest.mark.parametrize(("main", "args", "told"), [
    (check.main, ("extra",), "'extra' is no option, and one word too many: this command takes "
     "options alone"),
    (diff.main, ("v6.1", "v6.12", "v6.3"), "'v6.3' is no option, and one word too many: this "
     "command takes A B and options"),
    (check.main, ("--out", ""), "an empty name is no folder; '.' is the current one"),
    (diff.main, ("a", "b", "--out", " "), "an empty name is no folder"),
    (check.main, ("--list", "mapping"), "unknown section 'mapping'; did you mean 'mappings'?"),
])
def test_what_is_no_argument_is_told_so(
        main: Callable[[Sequence[str]], int], args: tuple[str, ...], told: str,
        capsys: pytest.CaptureFixture[str]) -> None:
    assert told in refused(main, args, capsys)


@pytest.mark.parametrize(("main", "args"), [
    (check.main, ("--patch", "a.py", "--patch", "b.py")),
    (check.main, ("--engine", "bmc", "--mapping", "shmem", "--engine", "explicit")),
    (check.main, ("--list", "--list", "themes")),
    (diff.main, ("v6.1", "--depth", "3", "v6.2", "--depth=4")),
])
def test_what_takes_one_value_takes_no_second(
        main: Callable[[Sequence[str]], int], args: tuple[str, ...],
        capsys: pytest.CaptureFixture[str]) -> None:
    """The last would decide, without a word."""
    assert "given twice, and it takes one value" in refused(main, args, capsys)


def test_the_same_value_twice_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["--list", "engines", "--format", "text", "--list", "engines"]) == 0
    assert capsys.readouterr().out == listing("engines", 80) + "\n"


def test_a_report_that_nobody_reads_changes_no_exit_code(tmp_path: Path) -> None:
    with subprocess.Popen(
            [sys.executable, "-m", "model.check", "--kernel", "before", *SHMEM, "--strict"],
            cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == ("", 12)
