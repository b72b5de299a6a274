"""Files that are none of what they are given as, to every command that takes one: a line that says
so, nothing on standard output, never the traceback of a bug.

A FIFO nobody writes to is waited for, as everywhere.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from counterexamples import conform, differ, replay, stress
from model import check, diff, drift, simulate
from model.kernel.editions import UsageError

CELL = ["--kernel", "before", "--mapping", "shmem", "--property", "softdirty-complete"]
READ: dict[str, tuple[str, Callable[[list[str]], int], list[str]]] = {
    "simulate --patch": (".py", simulate.main, ["--patch={}", "store"]),
    "simulate --batch": (".txt", simulate.main, ["--batch={}"]),
    "check --patch": (".py", check.main, [*CELL, "--patch={}"]),
    "diff --patch": (".py", diff.main, ["v6.1", "v6.1", "--mapping", "anon", "--patch={}"]),
    "conform --patch": (".py", conform.main, ["--kernel", "host", "--edition", "v6.1",
                                              "--patch={}"]),
    "replay TRACE": (".itf.json", replay.main, ["--kernel", "host", "--edition", "v6.1", "--",
                                                "{}"]),
    "replay bzimage": ("", replay.main, ["--kernel", "bzimage:{}", "--edition", "v6.1", "store"]),
    "replay tree": (".tar.xz", replay.main, ["--kernel", "tree:{}", "--edition", "v6.1", "store"]),
    "stress bzimage": ("", stress.main, ["--kernel", "bzimage:{}"]),
    "differ DIR": ("", differ.main, ["--", "{}", "debian:6.1", "debian:6.12"]),
    "drift TREE": (".tar.xz", drift.main, ["--digests", "--", "{}"]),
    "drift --against": (".tar.xz", drift.main, ["--digests", "--against={}", "TREE"]),
}
KINDS = ["none", "empty", "zeros", "binary", "folder", "loop", "dangling", "socket", "endless",
         "line\nbreak", "größe→", "-dash", "b\udcffd", "long" * 80, "deep/" * 1500, "file/below"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of each kind, with each ending."""
    made = tmp_path_factory.mktemp("kinds")
    (made / "tree").mkdir()
    (made / "tree" / "Makefile").write_text("VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 192\n")
    (made / "file").touch()
    for ending in {ending for ending, _, _ in READ.values()}:
        for name in ("empty", "line\nbreak", "größe→", "-dash", "b\udcffd"):
            (made / f"{name}{ending}").touch()
        (made / f"zeros{ending}").write_bytes(bytes(5000))
        (made / f"binary{ending}").write_bytes(bytes(range(256)) * 20)
        (made / f"folder{ending}").mkdir()
        for name, target in (("loop", f"loop{ending}"), ("dangling", "nowhere"),
                             ("endless", "/dev/zero")):
            (made / f"{name}{ending}").symlink_to(target)
        here = os.open(made, os.O_PATH)
        with socket.socket(socket.AF_UNIX) as made_socket:  # a socket's whole name is short
            made_socket.bind(f"/proc/self/fd/{here}/socket{ending}")
        os.close(here)
    return made


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: ascii(kind[:10]))
@pytest.mark.parametrize("command", READ)
def test_what_is_not_asked_for_is_told_in_a_line(
        command: str, kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    ending, main, words = READ[command]
    monkeypatch.chdir(folder)
    args = [word.replace("{}", f"{kind}{ending}").replace("TREE", "tree") for word in words]
    with pytest.raises((UsageError, SystemExit, OSError)) as end:
        main(args)
    told = capsys.readouterr()
    assert told.out == ""
    if isinstance(end.value, SystemExit):
        assert (end.value.code, told.err.count("\n")) == (2, 1)
    elif isinstance(end.value, OSError):  # which model.cli.entry tells by its name
        assert end.value.filename
    else:
        assert str(end.value).strip()
        assert "\n" not in str(end.value)
        assert "internal" not in str(end.value)


@pytest.mark.parametrize("kind", ["empty", "loop", "dangling", "socket", "endless", "long" * 80,
                                  "deep/" * 1500, "file/below"], ids=lambda kind: kind[:10])
@pytest.mark.parametrize(("main", "words"), [
    (check.main, CELL), (diff.main, ["before", "after", "--mapping", "shmem"])],
    ids=["check", "diff"])
def test_an_out_that_is_no_folder_is_told_before_anything_is_asked(
        kind: str, main: Callable[[list[str]], int], words: list[str], folder: Path,
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(UsageError, match="give --out a folder that can be written"):
        main([*words, f"--out={kind}"])
    assert capsys.readouterr().out == ""
