"""--never EXPRESSION: the promise that an expression never becomes true."""

from __future__ import annotations

from dataclasses import replace

from model.system.actions.operations import CORE, OPERATIONS, with_needed
from model.system.asking.expression import read
from model.system.asking.language import negate
from model.system.asking.step_view import StepView
from model.system.state.state import FOLLOWED, OF_CONTENT
from properties.base import Own, Property

OPTION = "--never"
_PREFIX = "never: "
_SOFT_DIRTY = {"soft_dirty", "tracked", "sd", "VM_SOFTDIRTY"}


def never(text: str) -> Property:
    """The promise. Each part that the expression joins by `and` must be able to become true: where
    one cannot, the promise holds for that reason alone. Operations beyond the core are allowed that
    it asks for, and those that alone make a fact that it names. Raises UsageError."""
    said = read(text)
    wanted = [*said.calls, *(op for op in OPERATIONS if _makes(op) & said.names)]
    asked = dict.fromkeys(op for call in wanted for op in with_needed(call) if op not in CORE)
    promise = Property(
        name=f"{_PREFIX}{said.text}",
        claim=f"It is never so that {said.text}.",
        origin=f"{OPTION} on the command line",
        witness=_any_step,
        about=tuple(asked),
        follows=_followed(said.names),
        parts=tuple((part.text, part.on_either_side) for part in said.parts),
        own=Own(OPTION, said.text, said.text, of_soft_dirty=not said.names.isdisjoint(_SOFT_DIRTY)))
    if said.of_step:
        return replace(promise, allowed=lambda step: negate(said.after(step)))
    return replace(promise, safe=lambda view: negate(said.of_state(view)))


def _makes(op: str) -> set[str]:
    """The facts that an operation beyond the core makes true, or not true again: no other does."""
    return {*OPERATIONS[op].tracks, *(("guarded",) if "guard" in with_needed(op) else ())}


def _followed(names: set[str]) -> tuple[str, ...]:
    """Those facts, and what a load reads as a whole."""
    content = not names.isdisjoint(OF_CONTENT)
    return tuple(fact for fact in FOLLOWED if fact in names or (content and fact in OF_CONTENT))


def named(name: str) -> Property | None:
    """The promise of that name, which says all of it. Raises UsageError."""
    return never(name.removeprefix(_PREFIX)) if name.startswith(_PREFIX) else None


def _any_step(_: StepView) -> bool:
    return True
