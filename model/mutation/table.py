"""The table of mutants as a file, a line for each: what tells it, and what that rests on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.files import write_whole
from model.kernel.editions import UsageError
from model.mutation.digests import of_function, of_mutant, of_promises
from model.mutation.mutant import Mutant
from model.mutation.several import Told
from model.mutation.trial import told

TABLE = Path(__file__).with_name("table.txt")
_HEAD = """\
# Which promises tell each mutant from the right function, made by `python -m model.mutants`.
# mutant | edition mapping +operations | promises, each with the length of its trace, or "holds"
# where it is broken without the mutant; or why none tells it | digests: mutant, function, promises
"""
_NOBODY = "nobody: "
_PARTS = ("the mutant", "the function", "a promise")


@dataclass(frozen=True)
class Row:
    """A line of the table. `promises` are those that tell the mutant, as the line writes them."""

    name: str
    where: str
    promises: tuple[str, ...]
    reason: str
    digests: str

    def __str__(self) -> str:
        tells = ", ".join(self.promises) or _NOBODY + self.reason
        return f"{self.name} | {self.where} | {tells} | {self.digests}"


def asked(mutant: Mutant, everywhere: bool = False) -> Row:
    """The row of a mutant, asked anew."""
    found = told(mutant, everywhere)
    promises = tuple(sorted(map(_tells, found)))
    mapping = found[0].mapping if found else mutant.mapping
    where = " ".join((mutant.edition, mapping, *(f"+{op}" for op in mutant.allow.split())))
    return Row(mutant.name, where, promises, mutant.untold, _digests(mutant, promises))


def _tells(found: Told) -> str:
    return f"{found.promise} {'holds' if found.trace is None else len(found.trace)}"


def _digests(mutant: Mutant, promises: Sequence[str]) -> str:
    """A promise that a row does not name cannot change it, unless it names none."""
    return " ".join((of_mutant(mutant), of_function(mutant),
                     of_promises([tells.split()[0] for tells in promises])))


def stale(mutant: Mutant, row: Row | None) -> str:
    """What has changed since the row was asked; empty where nothing has."""
    if row is None:
        return "it is new"
    try:
        now = _digests(mutant, row.promises)
    except KeyError as gone:
        return f"there is no promise {gone} any more"
    changed = [part for part, was, is_ in zip(_PARTS, row.digests.split(), now.split(), strict=True)
               if was != is_]
    return " and ".join(changed) + " has changed" if changed else ""


def load(path: Path = TABLE) -> dict[str, Row]:
    """The rows by the mutant's name; none where there is no file. Raises UsageError for a line that
    is not one of the table's."""
    rows = {}
    for number, line in enumerate(path.read_text().splitlines() if path.exists() else (), start=1):
        if not line.startswith("#"):
            parts = line.split(" | ")
            if len(parts) != 4 or len(parts[3].split()) != len(_PARTS):
                raise UsageError(f"line {number} of {str(path)!r} is not a row of the table: "
                                 "remove it, and it is made anew")
            name, where, tells, digests = parts
            nobody = tells.startswith(_NOBODY)
            rows[name] = Row(name, where, () if nobody else tuple(tells.split(", ")),
                             tells.removeprefix(_NOBODY) if nobody else "", digests)
    return rows


def save(rows: Iterable[Row], path: Path = TABLE) -> None:
    """Raises OSError."""
    write_whole(path, _HEAD + "".join(f"{row}\n" for row in rows))
