"""model.check of mappings with several pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model import check
from model.kernel.editions import UsageError


def asked(capsys: pytest.CaptureFixture[str], kernel: str, mapping: str, promise: str,
          *more: str) -> dict[str, Any]:
    check.main(["--kernel", kernel, "--mapping", mapping, "--property", promise, "--jobs", "1",
                "--format", "json", *more])
    (result,) = json.loads(capsys.readouterr().out)["results"]
    assert isinstance(result, dict)
    return result


def test_a_proof_says_for_how_many_pages(capsys: pytest.CaptureFixture[str],
                                         tmp_path: Path) -> None:
    result = asked(capsys, "v6.1", "shmem:2", "uffd-wp-complete")
    assert (result["mapping"], result["verdict"], result["pages"]) == ("shmem:2", "proved", 2)
    args = ["--kernel", "v6.1", "--mapping", "shmem:2", "--property", "uffd-wp-complete"]
    assert check.main([*args, "--jobs", "1"]) == 0
    assert "proved for N = 2 in v6.1" in capsys.readouterr().out
    for more in ((), ("--resume",)):
        assert check.main([*args, "--jobs", "1", "--out", str(tmp_path), *more]) == 0


def test_one_page_of_one_has_the_verdict_of_one(capsys: pytest.CaptureFixture[str]) -> None:
    for promise in ("softdirty-complete", "uffd-wp-complete", "unprotect-precise"):
        several, single = (asked(capsys, "v6.12", mapping, promise) for mapping in (
            "anon:1", "anon"))
        assert (several["verdict"], several["pages"]) == (single["verdict"], single["pages"])


def test_a_violation_leaves_its_evidence(capsys: pytest.CaptureFixture[str],
                                         tmp_path: Path) -> None:
    result = asked(capsys, "v7.3", "anon:2", "uffd-wp-complete", "--out", str(tmp_path))
    assert result["calls"] == ["register@0", "wp@0", "store@0"]
    assert result["met"]
    folder = tmp_path / "uffd-wp-complete" / "v7.3" / "anon:2"
    states = json.loads((folder / "trace.itf.json").read_text())["states"]
    assert [state["op"] for state in states] == ["mmap", *result["calls"]]
    assert [vma["last"] for vma in states[1]["vmas"]] == [0, 1]
    assert "store@0: ok, 1 minor fault" in (folder / "trace.txt").read_text()


@pytest.mark.parametrize(("mapping", "said"), [
    ("hugetlb:2", "modelled with one page"), ("shmem:9", "has 1 to 8 pages"),
    ("shmen:2", "did you mean 'shmem'")])
def test_a_mapping_that_there_is_not(mapping: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check.main(["--kernel", "v7.3", "--mapping", mapping])


@pytest.mark.parametrize(("kernel", "mapping", "promise", "calls"), [
    ("v6.1", "shmem:2", "register-protects", ["register@0-1", "mprotect:none@0", "wp@0-1"]),
    ("v6.12", "shmem:2", "register-protects", None),
    ("v6.12", "shmem:2", "call-atomic", ["register@0", "wp@0-1"]),
    ("v6.1", "shmem:2", "call-atomic", None),
    ("v6.1", "shmem:3", "page-kept", ["register@0-1", "mmap:1@2", "unregister@1"]),
    ("v6.1", "shmem:3", "parts-as-one", ["register@2", "register@1", "wp@1-2"]),
])
def test_what_only_ranges_break(capsys: pytest.CaptureFixture[str], kernel: str, mapping: str,
                                promise: str, calls: list[str] | None) -> None:
    result = asked(capsys, kernel, mapping, promise)
    assert result["calls"] == calls
    assert result["met"]
