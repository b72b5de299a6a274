"""What an earlier run has settled, so that a long one can be taken up again."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import z3

from model.checking.cells import Cell, CellResult
from model.checking.settle import Options
from model.engines.base import PROVED, VIOLATED

_TOP = Path(__file__).parents[2]


@dataclass(frozen=True)
class Saved:
    """Results by cell, a file each, in `folder`: of these options, this solver and these sources.

    Anything else of the same name is passed over, as is a file that cannot be read.
    """

    folder: Path
    options: Options

    @cached_property
    def _basis(self) -> str:
        digest = hashlib.sha256(z3.get_version_string().encode())
        for source in sorted(p for name in ("model", "properties")
                             for p in (_TOP / name).rglob("*.py")):
            digest.update(source.read_bytes())
        return digest.hexdigest()

    def _file(self, cell: Cell) -> Path:
        o = self.options
        key = repr((self._basis, cell.edition.name, sorted(cell.edition.changes), cell.mapping.name,
                    cell.prop.name, cell.operations, cell.allow, o.engine, o.depth, o.timeout,
                    cell.edition.patch and cell.edition.patch.digest))
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json.gz"

    def get(self, cell: Cell) -> CellResult | None:
        """The result of `cell`, or None where there is none."""
        try:
            kept = json.loads(gzip.decompress(self._file(cell).read_bytes()))
            fields: Any = {name: tuple(value) if isinstance(value, list) else value
                           for name, value in kept.items()}
            return CellResult(**fields)
        except (OSError, EOFError, ValueError, TypeError, AttributeError):
            return None

    def put(self, cell: Cell, result: CellResult) -> None:
        """Keep what is settled; a run that is cut short leaves no half file."""
        if result.verdict not in (PROVED, VIOLATED):
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self._file(cell)
        part = file.with_suffix(".part")
        part.write_bytes(gzip.compress(json.dumps(asdict(result)).encode(), mtime=0))
        part.replace(file)
