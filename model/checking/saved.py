"""The folder of --out: the evidence of each cell, and what is settled, so that a long run can be
taken up again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import z3

from model.checking.cells import Cause, Cell, CellResult
from model.checking.run import Store
from model.checking.settle import Options
from model.engines.base import PROVED, VIOLATED
from model.files import read_json, write_whole

if TYPE_CHECKING:
    from counterexamples.folder import Pictures, Where

RESULTS = ".settled"
_TOP = Path(__file__).parents[2]


def where(cell: Cell) -> Where:
    """The place of a cell's evidence."""
    from counterexamples.folder import Where

    return Where(cell.edition.name, cell.memory, cell.prop.name, cell.allow,
                 cell.edition if cell.edition.patch else None, cell.prop if cell.prop.own else None)


@dataclass
class Folder(Store):
    """Keeps everything in `out`; with `resume`, takes up what an earlier run has settled.

    A result stands in `out`/.settled/, a file a cell, with what it rests on (solver, sources), the
    digest of each file of its evidence, and a digest of all this. What does not fit is passed over,
    and `passed_over` counts it: half files, results and evidence that were edited, or of others'.
    No times are kept: two runs leave the same bytes.
    """

    out: Path
    options: Options
    pictures: Pictures
    resume: bool
    passed_over: int = 0

    def known(self, cell: Cell) -> CellResult | None:
        """The result of `cell`, whose evidence is all there; or None."""
        if not self.resume or not self._file(cell).exists():
            return None
        try:
            return self._taken_up(cell, read_json(self._file(cell)))
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            self.passed_over += 1
            return None

    def keep(self, cell: Cell, result: CellResult) -> None:
        """Write the evidence, which takes the place of that of an earlier verdict, then the result.
        Raises OSError."""
        from counterexamples.folder import EVIDENCE

        self._write_evidence(cell, result)
        if result.verdict not in (PROVED, VIOLATED):
            return
        folder = self.out / where(cell).path
        kept = {"result": asdict(result) | {
                    "certificate": result.certificate is not None, "seconds": 0.0,
                    "cached": False},
                "pictures": self.pictures.value,
                "evidence": {file.name: _digest(file.read_bytes())
                             for file in (sorted(folder.iterdir()) if folder.is_dir() else ())
                             if file.name in EVIDENCE}}
        whole = kept | {"digest": self._digest(cell, kept)}
        write_whole(self._file(cell), json.dumps(whole, indent=1) + "\n")

    def _write_evidence(self, cell: Cell, result: CellResult) -> None:
        from counterexamples.folder import forget, write_certificate, write_counterexample

        if result.trace is not None and result.verdict == VIOLATED:
            write_counterexample(self.out, where(cell), result.trace, self.pictures)
        elif result.certificate is not None:
            write_certificate(self.out, where(cell), result.certificate)
        else:
            forget(self.out, where(cell))

    def _taken_up(self, cell: Cell, kept: dict[str, Any]) -> CellResult | None:
        """The result that stands in a file, or None where pictures are wanted that were not drawn.
        Raises KeyError and other errors of values where something does not fit."""
        from counterexamples.folder import CERTIFICATE

        if kept.pop("digest") != self._digest(cell, kept):
            raise ValueError(cell)
        folder, texts = self.out / where(cell).path, {}
        for name, digest in kept["evidence"].items():
            texts[name] = (folder / name).read_bytes()
            if _digest(texts[name]) != digest:
                raise ValueError(name)
        fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value
                                  for name, value in kept["result"].items()}
        fields["certificate"] = texts[CERTIFICATE].decode() if fields["certificate"] else None
        if fields["causes"] is not None:
            fields["causes"] = tuple(Cause(**c | {"calls": tuple(c["calls"])})
                                     for c in fields["causes"])
        result = CellResult(**fields)
        drawn = kept["pictures"] >= self.pictures.value or result.verdict == PROVED
        return result if drawn else None

    @cached_property
    def _basis(self) -> str:
        digest = hashlib.sha256(z3.get_version_string().encode())
        for source in sorted(p for name in ("model", "properties", "counterexamples")
                             for p in (_TOP / name).rglob("*.py")):
            digest.update(source.read_bytes())
        return digest.hexdigest()

    def _key(self, cell: Cell) -> str:
        o = self.options
        return repr((cell.edition.name, sorted(cell.edition.changes), cell.memory,
                     cell.prop.name, cell.operations, cell.allow, o.engine, o.depth, o.timeout,
                     o.causes, cell.edition.patch and cell.edition.patch.digest,
                     cell.prop.own and cell.prop.own.digest))

    def _file(self, cell: Cell) -> Path:
        return self.out / RESULTS / f"{_digest(self._key(cell).encode())[:32]}.json"

    def _digest(self, cell: Cell, kept: dict[str, Any]) -> str:
        return _digest(json.dumps([self._basis, self._key(cell), kept], sort_keys=True).encode())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
