"""What long campaigns have found, as files: on which kernel, how many steps, with which verdict,
and digests of what was compared.

A record holds as long as the steps of the model do not change: the digest of an operation is that
of its terms in the edition, so that a change that other editions alone have leaves it as it is.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from counterexamples.lab.conform_report import Result
from counterexamples.lab.kernels import Kernel
from model.cli import tool
from model.files import read_json, write_whole
from model.kernel.editions import Edition, Heard, UsageError, find_edition
from model.kernel.task_mmu import do_pagemap_scan, pagemap_read
from model.machine import cache_folder, locked
from model.smtlib import Printer
from model.system.actions.themes import modelled
from model.system.relation.kernel import KernelSystem, kernel_system
from model.system.state.mappings import find_mapping
from model.system.state.state import flatten

_KEY = ("mapping", "theme", "seed", "runs", "steps_a_run", "extra_states")
"""What tells one campaign from another."""


class Record:
    """A record file of one kernel and edition, to which campaigns are added as they end."""

    def __init__(self, path: Path, kernel: Kernel, edition: Edition) -> None:
        """Raises UsageError where `path` holds something else than a record of this image held
        against this edition."""
        self._path = path
        self._kernel = {"name": kernel.name, "version": kernel.version, "sha256": kernel.sha256}
        self._edition = edition.name
        self._kept()

    def _kept(self) -> list[dict[str, Any]]:
        """The campaigns that are there by now."""
        if not self._path.exists():
            return []
        said = read(self._path)
        known, edition = said["kernel"], said["edition"]
        if (known["sha256"], edition) != (self._kernel["sha256"], self._edition):
            raise UsageError(f"{str(self._path)!r} is the record of {known['version']} beside "
                             f"{edition}; this is {self._kernel['version']} beside "
                             f"{self._edition}: name another file, or remove it")
        campaigns: list[dict[str, Any]] = said["campaigns"]
        return campaigns

    def add(self, result: Result) -> None:
        """Write a campaign down, in place of an earlier one that was asked for the same. What was
        found with another model is dropped; what another run has added is kept. Raises OSError,
        and CannotRun where nothing can be kept in the cache, by which runs wait for each other."""
        row = _row(result)
        with locked(cache_folder("records")):
            kept = [r for r in self._kept()
                    if not all(r[k] == row[k] for k in _KEY)
                    and (any(r[k] != row[k] for k in ("mapping", "theme"))
                         or r["covered"] == row["covered"])]
            write_whole(self._path, _text({
                "tool": tool(), "kernel": self._kernel, "edition": self._edition,
                "campaigns": sorted([*kept, row], key=_order)}))


def _order(row: dict[str, Any]) -> list[tuple[bool, Any]]:
    """Runs that look for no more states, which say None, before those that do."""
    return [(row[k] is not None, row[k] or 0) for k in _KEY]


def _text(said: dict[str, Any]) -> str:
    """JSON with a campaign a line."""
    head = {k: v for k, v in said.items() if k != "campaigns"}
    rows = ",\n ".join(json.dumps(row) for row in said["campaigns"])
    return json.dumps(head, indent=1)[:-2] + f',\n "campaigns": [\n {rows}]\n}}\n'


def read(path: Path) -> dict[str, Any]:
    """A record: `kernel`, `edition` and `campaigns`. Raises UsageError for another file."""
    try:
        said: dict[str, Any] = read_json(path)
        if ({"sha256", "version"} <= said["kernel"].keys() and isinstance(said["edition"], str)
                and all({*_KEY, "covered"} <= row.keys() for row in said["campaigns"])):
            return said
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        pass
    raise UsageError(f"{str(path)!r} is no record of campaigns; name one that conform --record "
                     "wrote, or a new file")


def _row(result: Result) -> dict[str, Any]:
    campaign, tally = result.campaign, result.campaign.tally
    assert isinstance(campaign.model, KernelSystem)
    guided = min(tally.runs, tally.guided)
    return {
        "mapping": result.mapping, "theme": campaign.theme, "seed": campaign.seed,
        "runs": campaign.runs, "steps_a_run": campaign.steps,
        "extra_states": campaign.extra if campaign.graph else None,
        "verdict": "diverged" if result.rows else "same",
        "transitions": {"taken": len(tally.taken), "of": campaign.transitions},
        "guided": guided, "random": tally.runs - guided, "steps": tally.steps,
        "random_steps": (tally.runs - guided) * campaign.steps,
        "passing": [[step, *campaign.names(word)] for word, step in tally.passing],
        "left_out": result.left_out, "lacks": dict(result.able.lacks),
        "functions": functions(campaign.model),
        "covered": covered(campaign.model)}


def covered(model: KernelSystem, printer: Printer | None = None) -> dict[str, str]:
    """The digest of what each operation of the model does in its edition to the facts that it
    follows, of what pagemap and PAGEMAP_SCAN show, and of the fresh mapping. A `printer` that has
    read terms of other models is quicker."""
    printer = printer or Printer()
    steps = {op: printer.digest(model.followed(branch))
             for op, branch in zip(model.actions, model.system.branches, strict=True)}
    shown = {"pagemap": pagemap_read} | ({"scan": do_pagemap_scan} if model.scans else {})
    told = {name: printer.digest(flatten(read(model.edition, model.before.vma, model.before.entry)))
            for name, read in shown.items()}
    return steps | {"fresh": printer.digest(model.followed(model.system.initial))} | told


def functions(model: KernelSystem) -> list[str]:
    """The modelled kernel functions that the steps of a model call."""
    heard = Heard()
    listening = replace(model.edition, heard=heard)
    for op in model.actions:
        model.effect(op, model.before, listening)
    return sorted(heard.functions)


def outdated(said: dict[str, Any]) -> list[str]:
    """What of a record was compared with another model than today's, as MAPPING THEME: OPERATION.
    Operations that the theme has gained since are no part of it. Raises UsageError for an edition
    or mapping that is no more."""
    edition = find_edition(said["edition"])
    found: dict[str, None] = {}
    printer = Printer()
    for row in said["campaigns"]:
        mapping = find_mapping(row["mapping"])
        known = [op for op in modelled(edition, mapping) if op in row["covered"]]
        now = covered(kernel_system(edition, mapping, known), printer)
        found |= {f"{mapping.name} {row['theme']}: {op}": None
                  for op, digest in row["covered"].items() if now.get(op) != digest}
    return list(found)
