"""What the lab keeps is used only while it is whole; else it is had anew, and that is said once."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import pytest

from counterexamples.kernels import main as list_kernels
from counterexamples.lab import guest, kernels
from counterexamples.lab.errors import CannotRun
from counterexamples.lab.tools import static_program
from model.debian import index
from model.machine import cache_folder
from tests.lab.fake_archive import IMAGE, MODULE, Archive, archive

__all__ = ["archive"]

VERSION = "6.1.999-1"
NAME = "linux-image-6.1.0-99-cloud-amd64"
DAMAGE: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "one byte": lambda path: path.write_bytes(b"\xff" + path.read_bytes()[1:]),
    "missing": lambda path: path.unlink(),
}


@pytest.fixture(autouse=True)
def offer(archive: Archive) -> Archive:
    """An archive with one kernel."""
    archive.put("sid", NAME, VERSION, {
        "boot/vmlinuz-6.1": IMAGE, "lib/modules/6.1/kernel/drivers/block/brd.ko": MODULE})
    return archive


def fetch(offer: Archive) -> tuple[bytes, bytes]:
    """What is at hand of the kernel, image and module, once it is."""
    kernel = kernels.at_hand(kernels.named("debian:6.1"), offer.progress)
    assert kernel.image
    assert kernel.sha256 == hashlib.sha256(kernel.image.read_bytes()).hexdigest()
    return kernel.image.read_bytes(), kernel.modules[0].read_bytes()


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("name", ["vmlinuz", "brd.ko", "kernel.json"])
def test_a_damaged_kernel_is_fetched_anew(name: str, kind: str, offer: Archive,
                                          capsys: pytest.CaptureFixture[str]) -> None:
    assert fetch(offer) == (IMAGE, MODULE) == fetch(offer)
    assert offer.count("fetching") == 1
    assert capsys.readouterr().err == ""
    folder = cache_folder() / f"debian/{NAME}_{VERSION}"
    DAMAGE[kind](folder / name)
    assert fetch(offer) == (IMAGE, MODULE) == fetch(offer)
    assert offer.count("fetching") == 2
    assert capsys.readouterr().err == f"{folder} is not whole: it is made or fetched anew\n"


@pytest.mark.parametrize("note", ["[]", "null", "[" * 100_000, '{"package": 1}',
                                  '{"package": {"name": 1}}',
                                  '{"package": {"name": 1, "version": 2, "sha256": 3}, '
                                  '"image_sha256": 4, "brd_sha256": 5}'])
def test_a_note_that_says_something_else_is_no_end(note: str, offer: Archive) -> None:
    """It made every kernel of Debian's unusable, also another one's note."""
    fetch(offer)
    for folder in (f"{NAME}_{VERSION}", "linux-image-other_1"):
        (cache_folder() / "debian" / folder).mkdir(exist_ok=True)
        (cache_folder() / "debian" / folder / "kernel.json").write_text(note)
    assert fetch(offer) == (IMAGE, MODULE)


def test_what_the_archive_offers_no_more_is_still_there(offer: Archive) -> None:
    fetch(offer)
    offer.suites["sid"] = []
    offer.publish("sid")
    (cache_folder() / "apt/index.json").unlink()
    assert fetch(offer) == (IMAGE, MODULE)
    assert (offer.count("asking"), offer.count("fetching")) == (2, 1)


def test_several_fill_the_cache_at_once(offer: Archive) -> None:
    """A lock is held by an open file, not by a process: threads stand for processes."""
    with ThreadPoolExecutor(4) as pool:
        found = {future.result() for future in [pool.submit(fetch, offer) for _ in range(4)]}
    assert len(found) == 1
    assert (offer.count("asking"), offer.count("fetching")) == (1, 1)


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_program_is_built_anew(kind: str, tmp_path: Path,
                                         capsys: pytest.CaptureFixture[str]) -> None:
    """The agent of 0 bytes was an "Exec format error"."""
    source = tmp_path / "odd[1].c"
    source.write_text("int main(void) { return 7; }")
    DAMAGE[kind](static_program(source, "-static"))
    with ThreadPoolExecutor(2) as pool:
        programs = list(pool.map(lambda _: static_program(source, "-static"), range(2)))
    assert [subprocess.run([p], check=False).returncode for p in programs] == [7, 7]
    said = capsys.readouterr().err
    assert said.count("is not whole: it is made or fetched anew\n") == (kind != "missing")


def test_the_file_system_is_made_anew() -> None:
    DAMAGE["truncated"](guest.file_system())
    assert b"\x53\xef" in guest.file_system().read_bytes()[1024:2048]  # EXT4_SUPER_MAGIC


def test_a_cache_that_cannot_be_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                        capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PTECHECK_CACHE", str(tmp_path / "file"))
    with pytest.raises(CannotRun, match="set PTECHECK_CACHE to a folder that can be written"):
        guest.agent()
    assert list_kernels(["--quiet"]) == 4
    assert capsys.readouterr().out.startswith("SKIP: cannot keep anything in ")


def test_a_full_disk_is_a_skip(offer: Archive, monkeypatch: pytest.MonkeyPatch,
                               capsys: pytest.CaptureFixture[str]) -> None:
    def full(path: Path, content: str) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(index, "write_whole", full)
    assert list_kernels(["--quiet"]) == 4
    assert re.fullmatch("SKIP: cannot keep anything in .*: No space left on device; set .*\n",
                        capsys.readouterr().out)


def test_what_was_said_of_the_archive_is_read_where_nothing_can_be_written(
        offer: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch(offer)

    def read_only(*_: object) -> NoReturn:
        raise CannotRun("cannot keep anything")

    monkeypatch.setattr(index, "locked", read_only)
    assert fetch(offer) == (IMAGE, MODULE)
    assert list_kernels(["6.1", "--quiet"]) == 0
