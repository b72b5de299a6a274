"""Traces as ITF JSON, the Informal Trace Format of Apalache (ADR 015), out and in."""

from __future__ import annotations

import json
from typing import Any

from counterexamples.trace import Trace
from model.kernel.editions import UsageError, unknown
from model.system.operations import OPERATIONS

_STEP = ("op", "outcome", "faults")


def dumps(trace: Trace) -> str:
    """The trace as ITF. Integers are "#bigint": 64-bit words do not fit JSON numbers."""
    variables = [*_STEP, *trace.steps[0].values, *(f"pagemap_{k}" for k in trace.steps[0].pagemap)]
    states = []
    for index, step in enumerate(trace.steps):
        state: dict[str, Any] = {"#meta": {"index": index}}
        values = (step.op, step.outcome, step.faults, *step.values.values(),
                  *step.pagemap.values())
        for name, value in zip(variables, values, strict=True):
            number = isinstance(value, int) and not isinstance(value, bool)
            state[name] = {"#bigint": str(value)} if number else value
        states.append(state)
    meta = {"format": "ITF", "format-description": "https://apalache-mc.org/docs/adr/015adr-trace.html",
            "description": f"{trace.prop}: {trace.claim}", "kernel": trace.kernel,
            "mapping": trace.mapping, "property": trace.prop}
    return json.dumps({"#meta": meta, "vars": variables, "states": states}, indent=1) + "\n"


def calls(text: str) -> tuple[str, str, tuple[str, ...]]:
    """The kernel, the mapping and the operations of an ITF trace, to run it again.

    Raises UsageError, naming what is wrong, for text that is not such a trace.
    """
    try:
        data = json.loads(text)
        meta = data["#meta"]
        ops = tuple(state["op"] for state in data["states"][1:])
        kernel, mapping = str(meta["kernel"]), str(meta["mapping"])
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"not an ITF trace of this tool: {error!r}") from error
    for op in ops:
        if op not in OPERATIONS:
            raise unknown("operation", str(op), list(OPERATIONS))
    return kernel, mapping, ops
