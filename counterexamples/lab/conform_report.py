"""A campaign's results as text and JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from counterexamples.lab.campaign import Campaign
from counterexamples.lab.compare import Abilities, Row
from counterexamples.lab.kernels import Kernel
from counterexamples.lab.observe import mapping_name
from model.cli import tool
from model.system.actions.spans import plain_op
from model.system.actions.themes import ALL, modelled, themes
from model.system.asking.coverage import Coverage, FunctionCoverage, by_function
from model.system.relation.kernel import KernelSystem
from model.system.relation.ranges import RangeSystem


@dataclass(frozen=True)
class Result:
    """How the campaign on one mapping ended; `rows` are the shrunk divergence, step by step."""

    campaign: Campaign
    able: Abilities
    rows: Sequence[Row]

    @property
    def mapping(self) -> str:
        return mapping_name(self.campaign.model)

    @property
    def edition(self) -> str:
        return self.campaign.model.edition.name

    @property
    def left_out(self) -> list[str]:
        """Operations of the theme that were not tried."""
        model = self.campaign.model
        if isinstance(model, RangeSystem):
            return [op for op in self.campaign.actions if plain_op(op) in self.able.without]
        there = {ALL: modelled(model.edition, model.mapping),
                 **themes(model.edition, model.mapping)}.get(self.campaign.theme, model.actions)
        return [op for op in there if op in self.able.without]


@dataclass(frozen=True)
class Report:
    """What was done: `again` is the command that repeats it, `seconds` the time it took."""

    kernel: Kernel
    seed: int
    again: str
    results: Sequence[Result]
    seconds: float
    verbose: bool = False

    @property
    def diverged(self) -> int:
        return sum(bool(r.rows) for r in self.results)


def as_text(report: Report) -> str:
    """A paragraph a mapping and theme, then the sum and the commands that repeat it."""
    edition = report.results[0].edition
    lines = [f"{edition} beside {report.kernel.name} ({report.kernel.version})", ""]
    for result in report.results:
        lines += _mapping_lines(result, report.verbose)
    steps = sum(r.campaign.tally.steps for r in report.results)
    mappings = {r.mapping for r in report.results if not r.able.no_mapping}
    lines += [f"{steps:,} steps on {len(mappings)} mappings in {report.seconds:.1f} s, "
              f"{report.diverged or 'no'} divergence{'s'[:report.diverged > 1]}",
              f"again: {report.again}"]
    argument = report.results[0].campaign.model.edition.argument
    lines += [f"alone: python -m counterexamples.replay --kernel {report.kernel.name} "
              f"--edition {argument} --mapping {r.mapping} {' '.join(row.op for row in r.rows)}"
              for r in report.results if r.rows]
    return "\n".join(lines)


def _mapping_lines(result: Result, verbose: bool) -> list[str]:
    campaign, tally = result.campaign, result.campaign.tally
    if result.able.no_mapping:
        return [f"{campaign.label}: SKIP: {result.able.no_mapping}", ""]
    guided = min(tally.runs, tally.guided)
    lines = [f"{campaign.label}: {guided:,} guided and {tally.runs - guided:,} random runs, "
             f"{tally.steps:,} steps, {tally.rate:,.0f} a second",
             f"  transitions taken: {len(tally.taken):,}" if campaign.transitions is None else
             f"  transitions of the explicit graph: {len(tally.taken):,} of "
             f"{campaign.transitions:,}"]
    lines += [f"  lacks {feature}: {reason}" for feature, reason in result.able.lacks.items()]
    if result.left_out:
        lines.append(f"  left out: {', '.join(result.left_out)}")
    if result.rows:
        width = max(len(row.op) for row in result.rows) + 2
        lines += ["  DIVERGENCE, shrunk:",
                  *(f"  {n:>3}  {row.op:{width}}{row.difference or row.kernel.outcome}"
                    for n, row in enumerate(result.rows, start=1))]
    lines += [f"  differed at step {step}, not always: {' '.join(campaign.names(word))}"
              for word, step in tally.passing]
    table = sorted(_covered(result).items())
    if not table:
        return [*lines, ""]
    lines.append("  branches taken, of those that calls can take:")
    cells = [f"{name} {c.taken}/{c.reachable}" for name, c in table if c.reachable]
    width = max(map(len, cells)) + 2
    lines += ["    " + "".join(c.ljust(width) for c in cells[i:i + 2]).rstrip()
              for i in range(0, len(cells), 2)]
    lines += [f"    missed: {branch}" for _, c in table for branch in c.missed]
    if verbose:
        lines += [f"    no calls can take: {branch}" for _, c in table for branch in c.unreachable]
    return [*lines, ""]


def as_json(report: Report) -> str:
    kernel = report.kernel
    return json.dumps({
        "tool": tool(), "seed": report.seed, "again": report.again,
        "kernel": {"name": kernel.name, "version": kernel.version, "sha256": kernel.sha256,
                   "release": report.results[0].able.release, "edition": kernel.edition},
        "edition": report.results[0].edition,
        "verdict": "diverged" if report.diverged else "same",
        "seconds": round(report.seconds, 2),
        "results": [_result(r) for r in report.results]}, indent=1)


def _result(result: Result) -> dict[str, Any]:
    campaign, tally = result.campaign, result.campaign.tally
    return {
        "mapping": result.mapping, "theme": campaign.theme, "left_out": result.left_out,
        "skipped": result.able.no_mapping,
        "runs": tally.runs, "steps": tally.steps,
        "guided": min(tally.runs, tally.guided), "random": max(0, tally.runs - tally.guided),
        "transitions": {"taken": len(tally.taken), "of": campaign.transitions},
        "lacks": dict(result.able.lacks),
        "coverage": {name: {"taken": c.taken, "reachable": c.reachable, "all": c.all,
                            "missed": [str(branch) for branch in c.missed]}
                     for name, c in sorted(_covered(result).items())},
        "passing": [{"ops": list(campaign.names(word)), "step": step}
                    for word, step in tally.passing],
        "divergence": [{"op": row.op, "model": row.model.as_json(row.op),
                        "kernel": row.kernel.as_json(row.op),
                        "difference": row.difference and str(row.difference)}
                       for row in result.rows] or None}


def _covered(result: Result) -> dict[str, FunctionCoverage]:
    """The branches that the runs took, by kernel function; none where there is no graph to tell
    which of them calls can take, and of several pages."""
    campaign = result.campaign
    if campaign.graph is None or result.able.no_mapping or not isinstance(campaign.model,
                                                                          KernelSystem):
        return {}
    coverage = Coverage(campaign.model)
    return by_function(coverage.branches, coverage.reachable(campaign.graph),
                       coverage.by_transitions(campaign.graph, campaign.tally.taken))


FORMATS = {"text": as_text, "json": as_json}
