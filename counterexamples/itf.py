"""Traces as ITF JSON, the Informal Trace Format of Apalache (ADR 015), out and in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from counterexamples.trace import Trace
from model.cli import patched
from model.kernel.editions import Edition, UsageError, find_edition
from model.system.actions.operations import find_operation

FILE = "trace.itf.json"
"""The name of a trace in the folder of a counterexample."""
_STEP = ("op", "outcome", "faults")


def dumps(trace: Trace) -> str:
    """The trace as ITF. Integers are "#bigint": 64-bit words do not fit JSON numbers.
    The meta data of a state says by whom the step was: "program" or "kernel"."""
    variables = [*_STEP, *trace.steps[0].values, *(f"pagemap_{k}" for k in trace.steps[0].pagemap)]
    states = []
    for index, step in enumerate(trace.steps):
        state: dict[str, Any] = {"#meta": {"index": index, "by": step.by}}
        values = (step.op, step.outcome, step.faults, *step.values.values(),
                  *step.pagemap.values())
        for name, value in zip(variables, values, strict=True):
            number = isinstance(value, int) and not isinstance(value, bool)
            state[name] = {"#bigint": str(value)} if number else value
        states.append(state)
    meta = {"format": "ITF", "format-description": "https://apalache-mc.org/docs/adr/015adr-trace.html",
            "description": f"{trace.prop}: {trace.claim}", "kernel": trace.kernel,
            "mapping": trace.mapping, "property": trace.prop}
    if trace.edition.patch is not None:
        meta |= {"base": trace.edition.base.name, "patch": trace.edition.patch.file}
    return json.dumps({"#meta": meta, "vars": variables, "states": states}, indent=1) + "\n"


@dataclass(frozen=True)
class Calls:
    """What a trace was: enough to run it again. `prop` is empty for a trace without a promise;
    `patch` is the user's file that was applied to the edition `base`, empty where none was."""

    kernel: str
    mapping: str
    prop: str
    ops: tuple[str, ...]
    base: str = ""
    patch: str = ""

    def edition(self, patch: str | None) -> Edition:
        """The edition that it is a trace of; `patch` is what the user gives with --patch now.

        Raises UsageError where the edition is not to be had without the file.
        """
        if not self.patch:
            return find_edition(self.kernel)
        if patch is None:
            raise UsageError(f"this is a trace of {self.kernel}, which is {self.base} with the "
                             f"functions of {self.patch}: give it by --patch {self.patch}")
        return patched(find_edition(self.base), patch)


def calls(text: str) -> Calls:
    """The calls of an ITF trace. Raises UsageError, naming what is wrong, for other text."""
    try:
        data = json.loads(text)
        meta = data["#meta"]
        ops = tuple(state["op"] for state in data["states"][1:])
        found = Calls(str(meta["kernel"]), str(meta["mapping"]), str(meta["property"]), ops,
                      str(meta.get("base", "")), str(meta.get("patch", "")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"not an ITF trace of this tool: {error!r}") from error
    for op in ops:
        find_operation(str(op))
    return found
