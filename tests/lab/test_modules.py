"""Modules that go along with an image: bzimage:PATH+FILE.ko."""

from __future__ import annotations

import lzma
import subprocess
from pathlib import Path

import pytest

from counterexamples.lab import guest
from counterexamples.lab.kernels import at_hand, named
from model.kernel.editions import UsageError

MODULE = b"\x7fELF" + bytes(100)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """In a folder as Debian names its versions."""
    path = tmp_path / "7.3.4+deb13" / "vmlinuz+"
    path.parent.mkdir()
    path.write_bytes(bytes(0x1fe) + b"\x55\xaa\0\0HdrS")
    return path


def test_a_path_may_have_a_plus_and_modules_come_in_order(image: Path) -> None:
    modules = [image.with_name(name) for name in ("b+1.ko", "a.ko")]
    for module in modules:
        module.write_bytes(MODULE)
    kernel = at_hand(named(f"bzimage:{image}+{modules[0]}+{modules[1]}"), print)
    assert (kernel.image, kernel.modules) == (image, tuple(modules))
    assert kernel.version == "image vmlinuz+ with b+1.ko, a.ko"
    assert at_hand(named(f"bzimage:{image}"), print).modules == ()


def test_packed_modules_are_unpacked(tmp_path: Path) -> None:
    plain, xz, zstd = (tmp_path / name for name in ("a.ko", "a.ko.xz", "a.ko.zst"))
    plain.write_bytes(MODULE)
    xz.write_bytes(lzma.compress(MODULE))
    subprocess.run(["zstd", "-q", plain, "-o", zstd], check=True)
    for module in (plain, xz, zstd):
        guest.check_module(module)
        assert guest.unpacked(module) == MODULE


@pytest.mark.parametrize(("content", "said"), [
    (b"no module", "is not a kernel module: name a .ko, .ko.xz or .ko.zst"),
    (lzma.compress(MODULE)[:40], "is not a kernel module|cannot be unpacked"),
    (b"\x28\xb5\x2f\xfd\0", "cannot be unpacked"),
])
def test_what_is_no_module_is_said(image: Path, content: bytes, said: str) -> None:
    module = image.with_name("x.ko")
    module.write_bytes(content)
    with pytest.raises(UsageError, match=said) as caught:
        named(f"bzimage:{image}+{module}")
    assert "\n" not in str(caught.value)
