"""simulate --batch: whatever the file is, its runs are printed, and what is none is named by its
line."""

from __future__ import annotations

import io
import json
import os
import threading
from pathlib import Path

import pytest

from model import simulate
from model.kernel.editions import UsageError

GOOD = b"a v6.1 shmem store load\n"


def batch(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "runs"
    file.write_bytes(content)
    assert simulate.main(["--batch", str(file)]) == 0


@pytest.mark.parametrize("content", [
    GOOD, GOOD.rstrip(), GOOD.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + GOOD,
    b"\n \n\t\n# a word on what follows\n" + GOOD + b"\n", GOOD.replace(b" ", b"\t  ")],
    ids=["plain", "no end", "CRLF", "BOM", "empty lines and comments", "tabs"])
def test_a_run_is_a_run_however_the_file_was_written(content: bytes, tmp_path: Path,
                                                     capsys: pytest.CaptureFixture[str]) -> None:
    batch(content, tmp_path)
    told = json.loads(capsys.readouterr().out)
    assert (told["id"], [step["op"] for step in told["steps"]]) == ("a", ["store", "load"])


LONG = b"l v6.1 shmem" + b" load" * (simulate.LONGEST_LINE // 5) + b"\n"


@pytest.mark.parametrize(("line", "said"), [
    (b"b v6.1 shmem sto\0re\n", "unknown operation 'sto\\x00re'; did you mean 'store'?"),
    (b"\0\0\0\n", "'\\x00\\x00\\x00' is not 'ID EDITION MAPPING OP OP ...'"),
    (b"b v6.1 shmem st\xf6re\n", "not UTF-8 text: invalid start byte"),
    (b"b v6.1 shmem \xd9\xa3\n", "unknown operation '\u0663'"),
    (b"b v6.1 shmem\n", "'b v6.1 shmem' is not 'ID EDITION MAPPING OP OP ...'"),
    (b"b v6.1 shmem " + b"x" * 9000 + b"\n", f"unknown operation '{'x' * 200}...'"),
    (b"b " * 400 + b"\n", "unknown edition 'b'"),
    (LONG, "longer than 1000000 bytes: a run has at most so many"),
    (b"\xff\xfea\0 \0v\0\n\0", "not UTF-8 text: invalid start byte"),
], ids=["NUL in a word", "NUL", "latin-1", "digits of others", "no operation", "long word",
        "many words", "long line", "UTF-16"])
def test_what_is_no_run_is_named_by_its_line(line: bytes, said: str, tmp_path: Path,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError) as error:
        batch(GOOD + b"\n" + line + GOOD, tmp_path)
    assert str(error.value).startswith(f"line 3: {said}")
    assert "\n" not in str(error.value)
    assert json.loads(capsys.readouterr().out)["id"] == "a"


def test_a_long_run_is_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As long as a line may be."""
    loads = (simulate.LONGEST_LINE - len(b"l v6.1 shmem\n")) // 5
    batch(LONG[:len(b"l v6.1 shmem") + 5 * loads] + b"\n", tmp_path)
    assert capsys.readouterr().out.count('"op": "load"') == loads


@pytest.mark.parametrize(("content", "said"), [
    (b"", "no run in"), (b"\n# nothing yet\n", "no run in")])
def test_a_file_without_a_run_is_no_success(content: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        batch(content, tmp_path)


@pytest.mark.parametrize(("name", "said"), [
    ("{}", "cannot read '{}': Is a directory"),
    ("{}/loop", "cannot read '{}/loop': Too many levels of symbolic links"),
    ("{}/none\nhere", "cannot read '{}/none\\nhere': No such file or directory"),
    ("{}/a\0b", "cannot read '{}/a\\x00b': embedded null byte"),
    ("{}/" + "n" * 300, "cannot read '{}/" + "n" * 300 + "': File name too long"),
    ("/dev/zero", "line 1: longer than 1000000 bytes: a run has at most so many"),
])
def test_what_is_no_file_of_runs_is_told(name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UsageError) as error:
        simulate.main(["--batch", name.format(tmp_path)])
    assert str(error.value) == said.format(tmp_path)


def test_runs_come_through_a_pipe_with_a_name(tmp_path: Path,
                                              capsys: pytest.CaptureFixture[str]) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=(GOOD,))
    writer.start()
    assert simulate.main(["--batch", str(fifo)]) == 0
    writer.join()
    assert json.loads(capsys.readouterr().out)["id"] == "a"


def test_a_closed_standard_input_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(UsageError, match="standard input is closed"):
        simulate.main(["--batch", "-"])


@pytest.mark.parametrize("beside", [["store"], ["--kernel", "v6.1"], ["--mapping", "anon"],
                                    ["--format", "text"]])
def test_nothing_that_the_file_says_is_said_beside_it(beside: list[str], tmp_path: Path) -> None:
    """It would be passed over."""
    (tmp_path / "runs").write_bytes(GOOD)
    with pytest.raises(UsageError, match="--batch takes editions, mappings and operations from"):
        simulate.main(["--batch", str(tmp_path / "runs"), *beside])


def test_identifiers_are_anybodys_words(monkeypatch: pytest.MonkeyPatch,
                                        capsys: pytest.CaptureFixture[str]) -> None:
    text = 'größe"\\ v6.1 shmem store\n'.encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert simulate.main(["--batch", "-", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == 'größe"\\'
