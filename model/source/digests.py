"""What the model was read from: which definitions, where, and their digests, by release."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypedDict

import model.kernel
from model.files import write_whole
from model.kernel.editions import Edition, UsageError
from model.kernel.mirror import MIRRORS
from model.source.leaves import LEAVES, Leaf
from model.source.preprocess import HEADERS, SOURCES
from model.source.reader import Definition, definitions, digest

RECORDS = Path(__file__).with_name("digests.json")
SAME, CHANGED, MOVED, MISSING, NEW, ABSENT, UNRECORDED = (
    "same", "changed", "moved", "missing", "new", "absent", "unrecorded")
DRIFT = (CHANGED, MISSING, NEW)
Place: TypeAlias = tuple[str, str]
"""A path and the name of what is defined there."""
Record: TypeAlias = dict[str, list[dict[str, str]]]
"""By item, its definitions: `name`, `path` and `sha256` each."""


class _Release(TypedDict):
    edition: str
    functions: Record



@dataclass(frozen=True)
class Item:
    """A function of the kernel that the model has: where it may stand, by which function of the
    model, and the leaf that can be proved."""

    name: str
    places: tuple[Place, ...]
    function: str
    leaf: Leaf | None


@dataclass(frozen=True)
class Part:
    """One definition of an item: its status, where it stands in the tree, and where in the record.
    """

    status: str
    name: str
    found: tuple[Definition, ...] = ()
    recorded_path: str = ""
    recorded_digest: str = ""


def items() -> list[Item]:
    """Everything that is marked as a mirror, and the leaves, by the name of the kernel."""
    for module in pkgutil.iter_modules(model.kernel.__path__):
        importlib.import_module(f"model.kernel.{module.name}")
    found = []
    for name in sorted({*MIRRORS, *LEAVES}):
        mirror, leaf = MIRRORS.get(name), LEAVES.get(name)
        places: list[Place] = []
        for mark in (mirror, leaf):
            if mark is not None:
                places += [(mark.path, name), *_places(mark.path, name, mark.also)]
        function = mirror.name if mirror else leaf.function if leaf else name
        found.append(Item(name, tuple(dict.fromkeys(places)), function, leaf))
    return found


def _places(path: str, name: str, also: tuple[str, ...]) -> Iterator[Place]:
    for place in also:
        other, _, part = place.partition(":")
        yield other or path, part or name


def wanted_files(chosen: Iterable[Item] | None = None, *, proofs: bool = True) -> set[str]:
    """Every file that may hold a definition of the items, by default of all; and those that proofs
    read."""
    read = {*HEADERS, *SOURCES} if proofs else set()
    return read | {path for item in chosen or items() for path, _ in item.places}


class Source:
    """Finds the definitions of items in a tree."""

    def __init__(self, read: Callable[[str], str | None]) -> None:
        self._read = read
        self._texts: dict[str, str | None] = {}

    def at(self, place: Place) -> tuple[Definition, ...]:
        path, name = place
        if path not in self._texts:
            self._texts[path] = self._read(path)
        text = self._texts[path]
        return () if text is None else tuple(definitions(text, path, name))

    def record(self) -> Record:
        """The digests of all that is there: for each item, a list of its definitions."""
        return {item.name: [{"name": name, "path": path, "sha256": digest(found)}
                            for path, name in item.places if (found := self.at((path, name)))]
                for item in items()}

    def parts(self, item: Item, record: Record | None) -> list[Part]:
        """The definitions of an item, against what is recorded of it."""
        if record is None:
            return [Part(UNRECORDED, name, found) for path, name in item.places
                    if (found := self.at((path, name)))] or [Part(ABSENT, item.name)]
        recorded = {(r["path"], r["name"]): r["sha256"] for r in record.get(item.name, [])}
        parts, taken = [], set(recorded)
        for (path, name), old in recorded.items():
            found, where = self.at((path, name)), (path, name)
            if not found:
                where = next((p for p in item.places if p[1] == name and p not in taken
                              and self.at(p)), where)
                found = self.at(where)
                taken.add(where)
            status = MISSING if not found else CHANGED if digest(found) != old else \
                SAME if where[0] == path else MOVED
            parts.append(Part(status, name, found, path, old))
        parts += [Part(NEW, name, found) for path, name in item.places
                  if (path, name) not in taken and (found := self.at((path, name)))]
        return parts or [Part(ABSENT, item.name)]


def recorded(edition: Edition) -> tuple[str, Record] | None:
    """The release that an edition was read from, and its digests; None where there is none."""
    for version, record in _load().items():
        if record["edition"] == edition.name:
            return version, record["functions"]
    return None


def save(version: str, edition: Edition, source: Source) -> int:
    """Put the digests of a tree into the record; how many definitions it has. Raises UsageError."""
    known = _load()
    functions = source.record()
    known[version] = {"edition": edition.name, "functions": functions}
    for other in [v for v, r in known.items() if r["edition"] == edition.name and v != version]:
        del known[other]
    try:
        write_whole(RECORDS, json.dumps(dict(sorted(known.items())), indent=1) + "\n")
    except OSError as error:
        raise UsageError(f"cannot write {str(RECORDS)!r}: {error.strerror}; --record needs a "
                         "checkout of the model that can be written to") from error
    return sum(map(len, functions.values()))


def _load() -> dict[str, _Release]:
    loaded: dict[str, _Release] = json.loads(RECORDS.read_text())
    return loaded
