"""A few files of a large .tar.xz, without unpacking all of it.

Such a file is made of blocks that unpack each by itself, and an index says where they begin
(https://tukaani.org/xz/xz-file-format.txt); names in the archive of a source package are in order.
So a name is looked for as in a dictionary: of the sixty blocks of a kernel's, a few are unpacked.
"""

from __future__ import annotations

import lzma
import sys
import tarfile
from bisect import bisect_right
from collections.abc import Collection
from contextlib import suppress
from io import BytesIO
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

_HEADER = _FOOTER = 12
_RECORD = 512
_HEAD = 64 << 10
_LARGEST = 128 << 20
"""Of a block, in bytes of its data, which is held in memory; what one thread packs is one block."""


class Unordered(Exception):
    """No archive of blocks, or its names are not in order."""


def files_of(archive: Path, wanted: Collection[str]) -> dict[str, bytes]:
    """The contents of the files `wanted` that are there, by their path below the archive's one
    folder. Raises Unordered where they cannot be looked up; OSError, ValueError, lzma.LZMAError and
    tarfile.TarError where the archive is damaged."""
    with archive.open("rb") as file:
        blocks = _Blocks(file)
        by_block: dict[int, set[str]] = {}
        for name in wanted:
            number = bisect_right(range(blocks.count), name, key=blocks.first) - 1
            by_block.setdefault(number, set()).add(name)
        found: dict[str, bytes] = {}
        for number, names in by_block.items():
            found |= blocks.files(number, names) if number >= 0 else {}
        if sorted(blocks.firsts.values()) != [first for _, first in sorted(blocks.firsts.items())]:
            raise Unordered
        return found


def _below(member: tarfile.TarInfo) -> str:
    return member.name.partition("/")[2]


def _members(data: bytes) -> tarfile.TarFile:
    return tarfile.open(fileobj=BytesIO(data), mode="r:")


class _Blocks:
    """The blocks of a .xz file: where the data of each begins, and what it is. Raises Unordered for
    a file of another form."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        size = file.seek(0, 2)
        self._header = self._at(0, _HEADER)
        footer = self._at(size - _FOOTER, _FOOTER)
        length = (int.from_bytes(footer[4:8], "little") + 1) * 4
        if self._header[:6] != b"\xfd7zXZ\0" or footer[-2:] != b"YZ" or length > size:
            raise Unordered
        index = BytesIO(self._at(size - _FOOTER - length, length)[1:])
        sizes = [(_number(index), _number(index)) for _ in range(_number(index))]
        self._places = list(accumulate((-(-packed // 4) * 4 for packed, _ in sizes),
                                       initial=_HEADER))
        self._starts = list(accumulate((unpacked for _, unpacked in sizes[:-1]), initial=0))
        self.count = len(sizes)
        largest = max((unpacked for _, unpacked in sizes), default=_LARGEST + 1)
        if largest > _LARGEST or self._places[-1] + length + _FOOTER != size:
            raise Unordered
        self.firsts: dict[int, str] = {}

    def _at(self, place: int, length: int) -> bytes:
        self._file.seek(max(0, place))
        return self._file.read(length)

    def _unpacked(self, number: int, most: int = -1) -> bytes:
        """The data of a block, checked; with `most`, so many bytes of its beginning."""
        place, end = self._places[number:number + 2]
        block = lzma.LZMADecompressor(lzma.FORMAT_XZ)
        block.decompress(self._header)
        return block.decompress(self._at(place, end - place), most)

    def first(self, number: int) -> str:
        """The first name that begins in a block, else the first one after it."""
        if number not in self.firsts:
            self.firsts[number] = self._first(number)
        return self.firsts[number]

    def _first(self, number: int) -> str:
        for most in (_HEAD, 16 * _HEAD, -1):
            data = self._unpacked(number, most)
            at = self._first_record(number, data)
            with suppress(tarfile.TarError):
                if at is not None and (member := _members(data[at:]).next()) is not None:
                    return _below(member)
        return self.first(number + 1) if number + 1 < self.count else chr(sys.maxunicode)

    def _first_record(self, number: int, data: bytes) -> int | None:
        """Where the first header of the archive begins in a block, by its own checksum."""
        for at in range(-self._starts[number] % _RECORD, len(data) - _RECORD + 1, _RECORD):
            if data[at + 257:at + 262] == b"ustar":
                with suppress(tarfile.HeaderError):
                    tarfile.TarInfo.frombuf(data[at:at + _RECORD], "utf-8", "replace")
                    return at
        return None

    def files(self, number: int, wanted: Collection[str]) -> dict[str, bytes]:
        """The files of these names, all of which begin in this block if they are there."""
        data = b""
        for each in range(number, self.count):
            data += self._unpacked(each)
            # one of them may end in a later block, or not be there
            with suppress(tarfile.ReadError):
                return self._files(number, data, wanted)
        raise Unordered

    def _files(self, number: int, data: bytes, wanted: Collection[str]) -> dict[str, bytes]:
        archive = _members(data[self._first_record(number, data):])
        found: dict[str, bytes] = {}
        last = ""
        for member in archive:
            name = _below(member)
            if last > name:
                raise Unordered
            last = name
            if name in wanted and (file := archive.extractfile(member)) is not None:
                found[name] = file.read()
            if last >= max(wanted):
                break
        return found


def _number(index: BytesIO) -> int:
    """A number of the index: seven bits a byte, the lowest first."""
    value = shift = 0
    while True:
        (byte,) = index.read(1)
        value |= (byte & 127) << shift
        if byte < 128:
            return value
        shift += 7
