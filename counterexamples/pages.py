"""The evidence of a violation on a mapping with several pages: text, data, and the command."""

from __future__ import annotations

import json
from typing import Any

from counterexamples import itf
from counterexamples.reproducer.several import Shown, program_of_pages
from counterexamples.trace import FRESH
from counterexamples.words.pages import pages_table
from counterexamples.words.text import wrapped
from model.kernel.editions import Edition
from model.system.actions.spans import plain_ops
from model.system.relation.kernel import Step
from model.system.relation.ranges import RangeSystem, system_of_calls
from model.system.state.mappings import find_memory
from properties.base import Property


def _system(edition: Edition, mapping: str, ops: tuple[str, ...]) -> RangeSystem:
    memory, pages = find_memory(mapping)
    assert pages is not None
    return system_of_calls(edition, memory, pages, ops)


def text(edition: Edition, mapping: str, promise: Property, ops: tuple[str, ...]) -> str:
    """The promise, the calls with the pages after each, and why."""
    kernel = _system(edition, mapping, ops)
    calls = f"{len(ops)} call{'s'[:len(ops) != 1]}"
    because = promise.reason(edition, kernel.mapping, plain_ops(ops), kernel.pages)
    lines = [*wrapped(f"{promise.name}: violated on {mapping} in {edition.name}"),
             *wrapped(f"({edition.title}), {calls}"), "", *wrapped(promise.claim), "",
             *pages_table(kernel, ops)]
    if because:
        lines += ["", *wrapped(f"Why: {because}.")]
    return "\n".join(lines) + "\n"


def files(edition: Edition, mapping: str, promise: Property, ops: tuple[str, ...],
          selectors: str) -> dict[str, str | bytes]:
    """What the folder of the counterexample has."""
    kernel = _system(edition, mapping, ops)
    return {itf.FILE: _itf(kernel, mapping, promise, ops),
            "trace.txt": text(edition, mapping, promise, ops),
            "repro.c": program_of_pages(kernel, ops, Shown(promise.name, promise.claim)),
            "command.txt": f"python -m model.check {selectors}\n"
                           f"python -m model.simulate --kernel {edition.argument} --mapping "
                           f"{mapping} {' '.join(ops)}\n"}


def _itf(kernel: RangeSystem, mapping: str, promise: Property, ops: tuple[str, ...]) -> str:
    """As itf.dumps: a state has what `simulate` prints of the step, and every variable."""
    fresh = Step(FRESH, "ok", 0, kernel.machine.initial)
    states: list[dict[str, Any]] = []
    for index, step in enumerate([fresh, *kernel.run(ops)]):
        values = dict(zip(kernel.names, step.values, strict=True))
        told = kernel.observe(step) | {"op": ops[index - 1] if index else FRESH}
        states.append({"#meta": {"index": index, "by": "program"}, **told, **{
            name: value if isinstance(value, bool) else {"#bigint": str(value)}
            for name, value in values.items()}})
    meta = {"format": "ITF", "format-description": "https://apalache-mc.org/docs/adr/015adr-trace.html",
            "description": f"{promise.name}: {promise.claim}", "kernel": kernel.edition.name,
            "mapping": mapping, "property": promise.name}
    variables = [name for name in states[0] if name != "#meta"]
    return json.dumps({"#meta": meta, "vars": variables, "states": states}, indent=1) + "\n"
