"""The commands, run as users run them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest

from model.checking.listing import listing
from model.kernel.editions import EDITIONS
from model.system.state.mappings import MAPPINGS
from properties import PROPERTIES

ROOT = Path(__file__).parent.parent
SINGLE = ("--kernel", "before", "--mapping", "shmem", "--property", "softdirty-complete")
FIVE = ["store", "clear_refs", "register", "unregister", "store"]

RESULTS = json.loads(listing("schema", 80))
STEP = {
    "type": "object", "additionalProperties": False,
    "required": ["op", "outcome", "faults", "pagemap", "vm_flags"],
    "properties": {
        "op": {"type": "string"}, "outcome": {"type": "string"}, "faults": {"type": "integer"},
        "pagemap": {"type": "object", "additionalProperties": {"type": "boolean"},
                    "required": ["present", "swap", "file", "exclusive", "uffd_wp", "soft_dirty"],
                    "maxProperties": 6},
        "scan": {"type": "array", "uniqueItems": True, "items": {
            "enum": ["accessed", "file", "guard", "huge", "pfnzero", "present", "soft_dirty",
                     "swapped", "wpallowed", "written"]}},
        "vm_flags": {"type": "array", "items": {
            "enum": ["rd", "wr", "sh", "mw", "uw", "um", "sd"]}}},
}


def run(module: str, *args: str, cwd: Path = ROOT,
        stdin: str = "") -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": ""}
    return subprocess.run([sys.executable, "-m", f"model.{module}", *args], cwd=cwd, env=env,
                          input=stdin, capture_output=True, text=True, check=False, timeout=900)


def test_the_main_job_tells_the_story_of_the_patch(tmp_path: Path) -> None:
    done = run("check", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert all(re.match(r"\d+ done, \d+ left; slowest ", line) for line in done.stderr.splitlines())
    lines = done.stdout.splitlines()
    assert lines[:3] == [
        "softdirty-complete on shmem", f"  before  violated at step 5: {', '.join(FIVE)}",
        "  after   proved at every depth"]
    assert lines[4] == "From before to after (+931298e103c2):"
    assert max(map(len, lines)) <= 80
    told = " ".join(done.stdout.split())
    assert f"fix: softdirty-complete on shmem: violated@5 -> proved {', '.join(FIVE)}" in told
    assert re.search(r"precision gained: unprotect-precise on anon, .*: violated@3 -> proved", told)
    assert "precision lost: unprotect-precise on shmem, shmem-thp: proved -> violated@3" in told
    assert "proved in both: softdirty-complete, " in told
    settled = re.search(r"(\d+) of \1 settled, \1 as expected", told)
    assert settled is not None
    assert int(settled[1]) > 9 * 2 * 7
    folder = tmp_path / "ptecheck-out" / "softdirty-complete" / "before" / "shmem"
    assert {p.name for p in folder.iterdir()} == {
        "trace.itf.json", "trace.txt", "lanes.svg", "graph.dot", "graph.graphml", "graph.svg",
        "command.txt", "repro.c"}


def cells(mapping: str) -> int:
    """How many promises the main job puts to a mapping."""
    return sum(promise.concerns(EDITIONS[edition], MAPPINGS[mapping])
               for edition in ("before", "after") for promise in PROPERTIES.values())


def test_json_is_the_contract(tmp_path: Path) -> None:
    done = run("check", "--format", "json", "--out", str(tmp_path), "--no-pictures",
               "--mapping", "shmem")
    assert done.returncode == 0
    document = json.loads(done.stdout)
    jsonschema.validate(document, RESULTS)
    assert len(document["results"]) == cells("shmem")
    for row in document["results"]:
        assert row["met"] == (row["verdict"] == row["expected"])
        evidence = row["trace"] if row["verdict"] == "violated" else row["certificate"]
        assert Path(evidence).is_file()
        assert (row["depth"] is None) == (row["verdict"] == "proved")


@pytest.mark.lab
def test_ktap_and_junit_count_the_same(tmp_path: Path) -> None:
    count = cells("file")
    ktap = run("check", "--format", "ktap", "--mapping", "file").stdout.splitlines()
    assert ktap[:2] == ["KTAP version 1", f"1..{count}"]
    assert all(line.startswith("ok ") for line in ktap[2:])
    assert len(ktap) == count + 2
    suite = ElementTree.fromstring(run("check", "--format", "junit", "--mapping", "file").stdout)
    assert (suite.get("tests"), suite.get("failures")) == (str(count), "0")


@pytest.mark.parametrize(("args", "code"), [
    ((*SINGLE,), 0),
    ((*SINGLE, "--strict"), 12),
    ((*SINGLE, "--depth", "4"), 20),
    ((*SINGLE, "--engine", "induction"), 30),
    ((*SINGLE, "--engine", "induction", "--bisect"), 125),
    ((*SINGLE, "--bisect"), 1),
    (("--kernel", "after", "--mapping", "shmem", "--property", "softdirty-*", "--bisect"), 0),
    (("--kernel", "after", "--mapping", "shmem", "--property", "softdirty-complete", "--engine",
      "bmc", "--depth", "2", "--bisect"), 125),
    (("--kernel", "after", "--mapping", "shmem", "--property", "softdirty-complete", "--engine",
      "bmc", "--depth", "2"), 30),
    (("--kernel", "v6.12", "--without", "931298e103c2", "--strict", "--property",
      "softdirty-complete", "--mapping", "*shmem"), 12),
    (("--kernel", "v6.12", "--without", "931298e103c2", "--mapping", "shmem"), 0),
    (("--kernel", "before", "--with", "931298e103c2", "--property", "softdirty-*",
      "--mapping", "shmem", "--strict"), 0),
    (("--list",), 0),
])
def test_exit_codes(args: tuple[str, ...], code: int) -> None:
    assert run("check", *args).returncode == code


def test_other_operations_are_allowed_by_name(tmp_path: Path) -> None:
    """Each in its own cells; the losses are told apart, and the evidence says what was allowed."""
    done = run("check", "--kernel", "v6.12", "--mapping", "anon", "--property", "*-complete*",
               "--allow", "dontneed", "fork", "--each", "--no-pictures", "--out", str(tmp_path))
    assert done.returncode == 0
    assert "anon with dontneed" in done.stdout
    assert "anon with fork" in done.stdout
    assert "forgetting by dontneed: the record of a store is dropped" in done.stdout
    assert "disarming by dontneed: the store goes silent" in done.stdout
    folder = tmp_path / "softdirty-complete" / "v6.12" / "anon+dontneed"
    assert "--allow dontneed\n" in (folder / "command.txt").read_text()
    assert (tmp_path / "softdirty-complete" / "v6.12" / "anon+fork" / "certificate.smt2").exists()
    shown = json.loads(run("check", "--kernel", "v6.12", "--mapping", "anon", "--property",
                           "softdirty-complete", "--allow", "dontneed", "--format", "json").stdout)
    assert shown["results"][0]["allow"] == ["dontneed"]


@pytest.mark.parametrize(("args", "named", "better"), [
    (("check", "--kernel", "v61"), "v61", "v6.1"),
    (("check", "--kernel", "v6.12-931298e103c3"), "931298e103c3", "931298e103c2"),
    (("check", "--mapping", "shmen"), "shmen", "shmem"),
    (("check", "--property", "softdirty"), "softdirty", "softdirty-armed"),
    (("check", "--with", "f369b07c8615"), "f369b07c8615", "f369b07c8614"),
    (("check", "--engine", "explizit"), "explizit", "explicit"),
    (("check", "--format", "jsn"), "jsn", "json"),
    (("check", "--depth", "-1"), "-1", "a whole number from 1 to"),
    (("check", "--depth", "many"), "many", "a whole number from 1 to"),
    (("check", "--timeout", "-3"), "-3", "a number of seconds from 0.000001"),
    (("check", "--allow", "dontned"), "dontned", "dontneed"),
    (("check", "--allow", "move"), "move", "'move:in' or 'move:in:wp' or 'move:out'"),
    (("check", "--jobs", "0"), "0", "a whole number from 1 to"),
    (("check", "--kernal", "v6.1"), "--kernal", "--kernel"),
    (("check", "--out", "/dev/null/x"), "/dev/null/x", "a folder that can be written"),
    (("check", "--kernel", "v6.1", "--without", "931298e103c2"), "931298e103c2", "v6.1 lacks it"),
    (("check", "--property", "data-kept", "owner-only"), "'owner-only'",
     "repeat it, as in --property data-kept --property owner-only"),
    (("check", "--mapping=anon", "shmem"), "'shmem'", "--mapping anon --mapping shmem"),
    (("check", "--depth", "3", "4"), "'4'", "options alone"),
    (("diff", "v6.1", "v6.12", "--mapping", "anon", "shmem"), "'shmem'",
     "--mapping anon --mapping shmem"),
    (("simulate", "store", "laod"), "laod", "load"),
    (("simulate", "--kernel", "befor", "store"), "befor", "before"),
    (("simulate", "--mapping", "anno", "store"), "anno", "anon"),
    (("simulate",), "no operation", "name some"),
    (("simulate", "--kernel", "v6.12", "--mapping", "thp", "ksm"), "'ksm'", "not modelled for thp"),
    (("simulate", "--kernel", "v6.1", "--mapping", "private-hugetlb", "fork:write"), "fork:write",
     "not modelled for private-hugetlb in v6.1"),
    (("simulate", "--batch", "/nonexistent"), "/nonexistent", "No such file"),
])
def test_bad_input_is_one_line_that_says_what_would_be_right(
        args: tuple[str, ...], named: str, better: str) -> None:
    done = run(*args)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert named in done.stderr
    assert better in done.stderr


@pytest.mark.parametrize(("line", "told"), [
    ("b v6.1 shmem", "line 2: 'b v6.1 shmem' is not"),
    ("b v6.1 shmem stroe", "line 2: unknown operation 'stroe'; did you mean 'store'?"),
    ("b v6.1 device store", "line 2: unknown mapping 'device'"),
    ("b linux shmem store", "line 2: unknown edition 'linux'"),
    ("b v6.12 thp ksm", "line 2: 'ksm' is not modelled for thp in v6.12"),
])
def test_a_broken_batch_line_is_named_and_loses_nothing(line: str, told: str) -> None:
    done = run("simulate", "--batch", "-", stdin=f"a v6.1 shmem store\n{line}\nc v6.1 anon load\n")
    assert done.returncode == 2
    assert json.loads(done.stdout)["id"] == "a"
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


def test_simulate_prints_the_contract() -> None:
    done = run("simulate", "--kernel", "v6.1", "--mapping", "shmem", "--format", "json", *FIVE)
    steps = json.loads(done.stdout)
    jsonschema.validate(steps, {"type": "array", "items": STEP})
    assert [s["op"] for s in steps] == FIVE
    assert steps[0] == {
        "op": "store", "outcome": "ok", "faults": 1,
        "pagemap": {"present": True, "swap": False, "file": True, "exclusive": True,
                    "uffd_wp": False, "soft_dirty": True},
        "vm_flags": ["mw", "rd", "sd", "sh", "wr"]}
    assert steps[4]["faults"] == 0
    assert not steps[4]["pagemap"]["soft_dirty"]


@pytest.mark.parametrize(("kernel", "mapping", "ops"), [
    ("v6.1", "shmem", ["store", "clear_refs", "load"]), ("v7.3", "anon", ["guard", "store"]),
    ("v6.1", "shmem:2", ["store@1", "munmap@0"]),
    ("v7.3", "anon:3", ["register@1", "wp", "store"])])
def test_the_steps_fit_their_schema(kernel: str, mapping: str, ops: list[str]) -> None:
    """Of one page and of several, with PAGEMAP_SCAN and without it."""
    schema = json.loads(listing("simulate-schema", 80))
    jsonschema.Draft202012Validator.check_schema(schema)
    done = run("simulate", "--kernel", kernel, "--mapping", mapping, "--format", "json", *ops)
    steps = json.loads(done.stdout)
    jsonschema.validate(steps, schema)
    assert len(steps) == len(ops)
    several = "pages" in steps[0]
    assert several == (":" in mapping)
    assert ("scan" in (steps[0]["pages"][-1] if several else steps[0])) == (kernel != "v6.1")
    wrong: list[dict[str, object]] = [
        {"more": 1}, {"op": ""}, {"faults": -1}, {"outcome": None},
        {"vmas": [{"first": 0}]} if several else {"vm_flags": ["xx"]},
        {"pages": [{}]} if several else {"pagemap": {}}]
    for broken in wrong:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate([steps[0] | broken], schema)


def test_a_batch_gives_what_single_runs_give() -> None:
    lines = "x v6.12 anon register wp store\n\ny before shmem store unregister\n"
    done = run("simulate", "--batch", "-", stdin=lines)
    first, second = map(json.loads, done.stdout.splitlines())
    single = run("simulate", "--kernel", "v6.12", "--mapping", "anon", "--format", "json",
                 "register", "wp", "store")
    assert first == {"id": "x", "steps": json.loads(single.stdout)}
    assert second["id"] == "y"


def test_counterexample_folders_can_be_compared(tmp_path: Path) -> None:
    """Two runs leave the same bytes, times of day and of solving not among them."""
    for out in ("a", "b"):
        assert run("check", *SINGLE, "--out", str(tmp_path / out)).returncode == 0
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*")
                   if p.is_file())
    assert len(files) == 9
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def cpu_seconds(group: int) -> float:
    """Used so far by the processes of a group: on a busy machine, waiting is not working."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12]) if int(fields[2]) == group else 0
    return ticks / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_says_the_deepest_safe_bound_and_ends_cleanly(jobs: str) -> None:
    """A search that would go on for ever is interrupted once it has found a bound."""
    command = [sys.executable, "-m", "model.check", "--kernel", "after", "--property",
               "softdirty-complete", "--engine", "bmc", "--depth", "100000", "--jobs", jobs]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, start_new_session=True) as process:
        try:
            while process.poll() is None and cpu_seconds(process.pid) < 2:
                time.sleep(0.1)
            os.killpg(process.pid, signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 30
    assert "safe up to " in err
    assert "Traceback" not in err
    assert "bounded@" in out


def test_colour_needs_a_terminal() -> None:
    assert "\033" not in run("check", *SINGLE).stdout


def test_quiet_says_nothing() -> None:
    done = run("check", *SINGLE, "-q")
    assert (done.stdout, done.stderr) == ("", "")
