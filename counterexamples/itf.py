"""Traces as ITF JSON, the Informal Trace Format of Apalache (ADR 015), out and in."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from counterexamples.trace import FRESH, Trace
from model.cli import patched
from model.kernel.editions import Edition, UsageError, find_edition
from model.system.actions.operations import find_operation

FILE = "trace.itf.json"
"""The name of a trace in the folder of a counterexample."""
LONGEST = 1000
"""Calls of one run: many times what any trace has, and what a guest's serial line can hold."""
_META = "#meta"
_PAGEMAP = "pagemap_"
_SEEN = ("outcome", "faults", "vm_flags")
"""What a program sees of a step, beside the pagemap."""
_WORD = 200
"""Characters of a name."""


def dumps(trace: Trace) -> str:
    """The trace as ITF. Integers are "#bigint": 64-bit words do not fit JSON numbers.
    The meta data of a state says by whom the step was: "program" or "kernel"."""
    states = _states(trace)
    variables = [name for name in states[0] if name != _META]
    meta = {"format": "ITF", "format-description": "https://apalache-mc.org/docs/adr/015adr-trace.html",
            "description": f"{trace.prop}: {trace.claim}", "kernel": trace.kernel,
            "mapping": trace.mapping, "property": trace.prop}
    if trace.edition.patch is not None:
        meta |= {"base": trace.edition.base.name, "patch": trace.edition.patch.file}
    if trace.promise:
        meta["promise"] = trace.promise
    return json.dumps({_META: meta, "vars": variables, "states": states}, indent=1) + "\n"


def _states(trace: Trace) -> list[dict[str, Any]]:
    states = []
    for index, step in enumerate(trace.steps):
        state: dict[str, Any] = {_META: {"index": index, "by": step.by}}
        values = {"op": step.op, "outcome": step.outcome, "faults": step.faults, **step.values,
                  **{f"{_PAGEMAP}{bit}": on for bit, on in step.pagemap.items()}}
        for name, value in values.items():
            number = isinstance(value, int) and not isinstance(value, bool)
            state[name] = {"#bigint": str(value)} if number else value
        states.append(state)
    return states


@dataclass(frozen=True)
class Calls:
    """What a trace was: enough to run it again. `prop` is empty for a trace without a promise;
    `patch` is the user's file that was applied to the edition `base`, empty where none was;
    `promise` that of the promise, where it is a user's own.
    `states` is what the file says of each step, the fresh mapping first."""

    kernel: str
    mapping: str
    prop: str
    ops: tuple[str, ...]
    base: str = ""
    patch: str = ""
    promise: str = ""
    states: Sequence[Mapping[str, Any]] = field(default=(), compare=False, repr=False)

    def agree(self, trace: Trace) -> None:
        """Raises UsageError where the file says anything else of what a program sees than `trace`,
        the same calls run now: it is no evidence of this model then."""
        for step, (said, done) in enumerate(zip(self.states, _states(trace), strict=False)):
            for name, value in done.items():
                if (name in _SEEN or name.startswith(_PAGEMAP)) and said.get(name, value) != value:
                    raise UsageError(
                        f"step {step} of the trace says {name} {_shown(said[name])}, and the model "
                        f"of {trace.kernel} {_shown(value)}: it was edited, or the model or a "
                        "patch file has changed since; find it anew, or give its calls")

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
    """The calls of an ITF trace. Raises UsageError, in one short line, for other text."""
    try:
        data = json.loads(text)
    except RecursionError as error:
        raise _other("its brackets are nested too deep") from error
    except ValueError as error:
        raise _other(str(error)) from error
    meta = data.get(_META) if isinstance(data, dict) else None
    if not isinstance(meta, dict):
        raise _other("it has no '#meta'")
    names = {key: _word(meta.get(key, ""), key)
             for key in ("kernel", "mapping", "property", "base", "patch", "promise")}
    if missing := [key for key in ("kernel", "mapping") if not names[key]]:
        raise _other(f"its '#meta' names no {missing[0]}")
    states = data.get("states")
    if not isinstance(states, list) or not all(isinstance(state, dict) for state in states):
        raise _other("its 'states' are no list of objects")
    ops = [_word(state.get("op"), f"op of state {n}") for n, state in enumerate(states)]
    if ops[:1] != [FRESH]:
        raise _other(f"it does not start from {FRESH!r}")
    return Calls(names["kernel"], names["mapping"], names["property"], checked(ops[1:]),
                 names["base"], names["patch"], names["promise"], states)


def checked(ops: Sequence[str]) -> tuple[str, ...]:
    """The calls of one run by name. Raises UsageError as check_number, and for one that does not
    exist."""
    check_number(ops)
    return tuple(find_operation(op).name for op in ops)


def check_number(ops: Sequence[str]) -> None:
    """Raises UsageError where there are no calls, and for more than any run has."""
    if not ops:
        raise UsageError("no calls to run: a trace has at least one; what the fresh mapping "
                         "breaks, the repro.c beside it shows")
    if len(ops) > LONGEST:
        raise UsageError(f"{len(ops)} calls are more than one run may have: {LONGEST}")


def _word(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value.isprintable() or len(value) > _WORD:
        raise _other(f"its {what} is {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    """A value of the file, as an error in one line can show it."""
    shown = reprlib.repr(value["#bigint"] if isinstance(value, dict) and "#bigint" in value
                         else value)
    return shown if len(shown) <= _WORD else type(value).__name__


def _other(why: str) -> UsageError:
    return UsageError(f"not an ITF trace of this tool: {why}; name the {FILE} of a counterexample")
