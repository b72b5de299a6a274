"""Two kernels that differ by one patch and nothing else, built from Debian's source package."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from counterexamples import conform, differ, gallery, replay
from model import diff

SOURCE = "tree:/usr/src/linux-source-6.1.tar.xz"
PATCH = Path(__file__).parent / "softdirty-6.1.patch"
PATCHED = f"{SOURCE}+{PATCH}"
BEFORE = f"{SOURCE}+{Path(__file__).parent / 'thp-6.1.patch'}"
AFTER = f"{BEFORE}+{PATCH}"
FIVE_CALLS = str(Path(gallery.__file__).parent / "softdirty-complete/v6.1/shmem/trace.itf.json")


def test_one_patch_is_all_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    """The five calls lose the write without it and keep it with it; and each of the two does what
    its edition does, on every transition."""
    assert replay.main([FIVE_CALLS, "--kernel", SOURCE, "--quiet"]) == 0
    assert capsys.readouterr().out.endswith("\nconfirmed\n")
    assert replay.main([FIVE_CALLS, "--kernel", PATCHED, "--quiet"]) == 1
    assert capsys.readouterr().out.endswith(
        "\nnot reproduced at step 5: faults: model 0, kernel 1\n")
    for kernel, edition in ((SOURCE, "v6.1"), (PATCHED, "v6.1+931298e103c2")):
        assert conform.main(["--kernel", kernel, "--edition", edition, "--theme", "core",
                             "--runs", "0", "--mapping", "anon", "--mapping", "shmem",
                             "--quiet", "--format", "json"]) == 0
        for result in json.loads(capsys.readouterr().out)["results"]:
            assert result["transitions"]["taken"] == result["transitions"]["of"]


def test_every_class_from_before_to_after_is_confirmed(capsys: pytest.CaptureFixture[str],
                                                       tmp_path: Path) -> None:
    """On two kernels that differ by the patch alone. Both have what 6.2 did to huge pages, on which
    the patch relies."""
    assert diff.main(["before", "after", "--out", str(tmp_path), "--quiet"]) == diff.DIFFERENT
    capsys.readouterr()
    assert differ.main([str(tmp_path), BEFORE, AFTER, "--quiet", "--format", "json"]) == 0
    results = json.loads(capsys.readouterr().out)["results"]
    assert len(results) == 8
    assert {r["verdict"] for r in results} == {"confirmed"}
