"""Two kernels that differ by one patch and nothing else, built from Debian's source package."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from counterexamples import conform, gallery, replay

SOURCE = "tree:/usr/src/linux-source-6.1.tar.xz"
PATCHED = f"{SOURCE}+{Path(__file__).parent / 'softdirty-6.1.patch'}"
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
