"""What the model was read from: which definitions, where, and their digests, by release."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias, TypedDict

import model.kernel
from model.files import write_whole
from model.kernel.editions import Edition, UsageError
from model.kernel.mirror import MIRRORS
from model.source.leaves import LEAVES, Leaf
from model.source.names import newer, role
from model.source.preprocess import HEADERS, SOURCES
from model.source.reader import Definition, definitions, digest

RECORDS = Path(__file__).with_name("digests.json")
SAME, CHANGED, MOVED, RENAMED, SPLIT, MISSING, NEW, COMPILED_OUT, ABSENT, UNRECORDED = (
    "same", "changed", "moved", "renamed", "split", "missing", "new", "compiled out", "absent",
    "unrecorded")
DRIFT = (COMPILED_OUT, SPLIT, CHANGED, MISSING, NEW)
HARMLESS = (RENAMED, MOVED)
Place: TypeAlias = tuple[str, str]
"""A path and the name of what is defined there."""
Record: TypeAlias = dict[str, list[dict[str, str]]]
"""By item, its definitions: `name`, `path` and `sha256` each."""


class _Release(TypedDict):
    edition: str
    functions: Record



@dataclass(frozen=True)
class Item:
    """A function of the kernel that the model has: where it may stand, which of these places are
    for parts of its work, by which function of the model, and the leaf that can be proved."""

    name: str
    places: tuple[Place, ...]
    function: str
    leaf: Leaf | None
    of_parts: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Part:
    """One definition of an item: its status, its name and where it stands in the tree, and what the
    record has of it."""

    status: str
    name: str
    found: tuple[Definition, ...] = ()
    recorded_path: str = ""
    recorded_digest: str = ""
    recorded_name: str = ""

    @property
    def left_out(self) -> str:
        """Why the configuration builds nothing of it, or a stub alone; empty where it does."""
        lost = [d.gap.why for d in self.found if d.gap and d.gap.lacking and not d.stub]
        built = [d for d in self.found if d.gap is None and not d.stub]
        return "" if built or not lost else lost[0]


def items() -> list[Item]:
    """Everything that is marked as a mirror, and the leaves, by the name of the kernel."""
    for module in pkgutil.iter_modules(model.kernel.__path__):
        importlib.import_module(f"model.kernel.{module.name}")
    found = []
    for name in sorted({*MIRRORS, *LEAVES}):
        mirror, leaf = MIRRORS.get(name), LEAVES.get(name)
        places: list[Place] = []
        parts: list[Place] = []
        for mark in (mirror, leaf):
            if mark is not None:
                now = newer(name, mark.path)
                places += [(mark.path, name), *_places(mark.path, name, mark.also), *now.moved,
                           *now.renamed]
                parts += now.parts
        function = mirror.name if mirror else leaf.function if leaf else name
        found.append(Item(name, tuple(dict.fromkeys((*places, *parts))), function, leaf,
                          tuple(p for p in parts if p not in places)))
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
        return [replace(part, status=COMPILED_OUT) if part.left_out else part
                for part in self._parts(item, record)] or [Part(ABSENT, item.name)]

    def _parts(self, item: Item, record: Record | None) -> Iterator[Part]:
        if record is None:
            yield from (Part(UNRECORDED, name, found) for path, name in item.places
                        if (found := self.at((path, name))))
            return
        recorded = {(r["path"], r["name"]): r["sha256"] for r in record.get(item.name, [])}
        taken = set(recorded)
        for place, old in recorded.items():
            here = place if self.at(place) else self._elsewhere(item, place, taken)
            found = self.at(here)
            taken.add(here)
            status = MISSING if not found else CHANGED if digest(found) != old else \
                SAME if here == place else MOVED if here[1] == place[1] else RENAMED
            yield Part(status, here[1], found, place[0], old, place[1])
        for place in item.places:
            if place not in taken and (found := self.at(place)):
                yield Part(SPLIT if place in item.of_parts else NEW, place[1], found)

    def _elsewhere(self, item: Item, place: Place, taken: Collection[Place]) -> Place:
        """Where another place of the item has what was recorded at this one; else this one."""
        same = [p for p in item.places if p not in taken and role(p[1]) == role(place[1])
                and self.at(p)]
        # one that was only moved before one of another name
        return min(same, key=lambda p: p[1] != place[1], default=place)


def recorded(edition: Edition) -> tuple[str, Record] | None:
    """The release that an edition was read from, and its digests; None where there is none."""
    for version, record in _load().items():
        if record["edition"] == edition.name:
            return version, record["functions"]
    return None


def editions() -> list[str]:
    """The editions of which there are digests, by name."""
    return [release["edition"] for release in _load().values()]


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
