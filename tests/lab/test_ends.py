"""What ends a command of the lab ends its virtual machine, and leaves no folder."""

from __future__ import annotations

import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.test_processes import started


def endless(path: Path) -> Path:
    """An image whose first instruction jumps to itself (Documentation/arch/x86/boot.rst)."""
    image = bytearray(1 << 20)
    for at, value in ((0x1F1, b"\x04"), (0x1FE, b"\x55\xaa"), (0x200, b"\xeb\xfe"),
                      (0x202, b"HdrS"), (0x206, b"\x0c\x02"), (0x211, b"\x01"),
                      (0x22C, b"\xff\xff\xff\x7f")):
        image[at:at + len(value)] = value
    path.write_bytes(image)
    return path


def machines(image: Path) -> int:
    """How many run it."""
    found = 0
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = command.read_bytes().split(b"\0")
            found += b"qemu" in words[0] and bytes(image) in words
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda s: s.name)
def test_nothing_runs_on(tmp_path: Path, number: signal.Signals) -> None:
    image, folders = endless(tmp_path / "bzImage"), tmp_path / "tmp"
    folders.mkdir()
    with started("-m", "counterexamples.replay", "--kernel", f"bzimage:{image}", "--edition",
                 "v6.12", "store", TMPDIR=str(folders)) as process:
        while not machines(image) and process.poll() is None:
            time.sleep(0.05)
        assert len(list(folders.iterdir())) == 1
        process.send_signal(number)
        out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (-9 if number is signal.SIGKILL else 30, "")
    assert list(folders.iterdir()) == []
    while machines(image):  # killed, and soon gone
        time.sleep(0.05)
