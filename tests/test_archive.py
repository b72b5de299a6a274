"""A few files out of a large archive: the same as tar finds, from a part of the blocks; whatever is
not of that form is left to tar."""

from __future__ import annotations

import io
import lzma
import random
import subprocess
import tarfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from model import drift
from model.kernel.editions import UsageError
from model.source import archive, tree
from model.source.archive import Unordered, files_of
from model.source.tree import open_tree

BLOCK = 16 << 10
LONG = f"fs/{'d' * 90}/{'f' * 90}.c"


@cache
def contents() -> dict[str, bytes]:
    """Files of all sizes: many in a block, some of several blocks, names longer than a header's."""
    chance = random.Random(1)
    names = ["Makefile", "Kbuild", LONG, "mm/a.c", "mm/b-c.c", "mm/b.c", "mm/b/d.c", "zz/last.c",
             *(f"drivers/{n:03}.c" for n in range(200)), *(f"mm/x{n}.h" for n in range(50))]
    return {name: bytes(chance.randbytes(chance.choice((0, 10, 511, 512, 700, 9000, 60_000))))
            for name in names} | {"Makefile": b"VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 192\n"}


def packed(folder: Path, names: Sequence[str], *options: str) -> Path:
    """An archive of these names, in this order."""
    file = folder / "linux-source:1.tar"
    with tarfile.open(file, "w", format=tarfile.GNU_FORMAT) as out:
        for name in names:
            member = tarfile.TarInfo(f"linux/{name}")
            member.size = len(contents()[name])
            out.addfile(member, io.BytesIO(contents()[name]))
    subprocess.run(["xz", "-0", *options, file], check=True)
    return file.with_name(f"{file.name}.xz")


IN_BLOCKS = f"--block-size={BLOCK}"


def test_every_file_is_found_and_no_other(tmp_path: Path) -> None:
    files = contents()
    made = packed(tmp_path, sorted(files), IN_BLOCKS)
    absent = {"A", "mm/", "mm/b", "mm/b.cc", "mm/none.c", "zz/later.c", "zzz"}
    assert files_of(made, set(files) | absent) == files
    for name in [*files, *absent]:
        assert files_of(made, {name}) == ({name: files[name]} if name in files else {})


def test_few_blocks_are_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = packed(tmp_path, sorted(contents()), IN_BLOCKS)
    unpacked, own = set(), archive._Blocks._unpacked

    def counted(blocks: archive._Blocks, number: int, most: int = -1) -> bytes:
        unpacked.add(number)
        return own(blocks, number, most)

    monkeypatch.setattr(archive._Blocks, "_unpacked", counted)
    assert set(files_of(made, {"mm/a.c"})) == {"mm/a.c"}
    with made.open("rb") as file:
        assert len(unpacked) < archive._Blocks(file).count / 5


@pytest.mark.parametrize("options", [("--block-size=1GiB",), (IN_BLOCKS, "--check=none"), ()])
def test_a_tree_is_the_same_however_it_was_packed(options: tuple[str, ...],
                                                  tmp_path: Path) -> None:
    files = contents()
    found = open_tree(str(packed(tmp_path, sorted(files), *options)), {"mm/b.c", "mm/none.c"})
    assert (found.version, found.read("mm/none.c")) == ("6.1.192", None)
    assert found.read("mm/b.c") == files["mm/b.c"].decode(errors="replace")


def test_names_in_no_order_are_left_to_tar(tmp_path: Path) -> None:
    names = sorted(contents())
    random.Random(2).shuffle(names)
    made = packed(tmp_path, names, IN_BLOCKS)
    with pytest.raises(Unordered):
        files_of(made, set(names))
    found = open_tree(str(made), set(names))
    assert all(found.read(name) is not None for name in names)


def test_a_block_too_large_for_memory_is_left_to_tar(tmp_path: Path,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    made = packed(tmp_path, sorted(contents()))
    monkeypatch.setattr(archive, "_LARGEST", BLOCK)
    with pytest.raises(Unordered):
        files_of(made, {"Makefile"})


@pytest.mark.parametrize("damage", ["a byte", "the end", "the index", "all"])
def test_a_damaged_archive_is_told_in_a_line(damage: str, tmp_path: Path) -> None:
    made = packed(tmp_path, sorted(contents()), IN_BLOCKS)
    data = bytearray(made.read_bytes())
    match damage:
        case "a byte":
            data[len(data) // 2] ^= 255
        case "the end":
            data = data[:len(data) // 2]
        case "the index":
            data[-40] ^= 255
        case _:
            data = bytearray(bytes(5000))
    made.write_bytes(data)
    with pytest.raises(UsageError, match="cannot be unpacked: ") as error:
        open_tree(str(made), contents())
    assert "\n" not in str(error.value)


def test_what_no_proof_asks_for_is_not_read(tmp_path: Path,
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    """For one function, its own files."""
    asked: list[set[str]] = []

    def none(path: Path, wanted: set[str]) -> dict[str, bytes]:
        asked.append(wanted)
        return {}

    monkeypatch.setattr(tree, "files_of", none)
    (tmp_path / "x.tar.xz").write_bytes(lzma.compress(b""))
    for more in (["--digests"], []):
        with pytest.raises(UsageError, match="gives no VERSION"):
            drift.main([str(tmp_path / "x.tar.xz"), "--function", "pte_dirty", *more])
    assert asked[0] == {"arch/x86/include/asm/pgtable.h", "Makefile"}
    assert len(asked[1]) > 40
