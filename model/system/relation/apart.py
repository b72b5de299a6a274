"""Two editions run side by side: the first calls by which a program tells them apart."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from model.system.relation.compiled import Values
from model.system.relation.kernel import KernelSystem

Pair = tuple[Values, Values]


def first_apart(one: KernelSystem, other: KernelSystem,
                tick: Callable[[], object] = lambda: None) -> tuple[str, ...] | None:
    """The shortest list of calls, and of those the plainest, whose last call's outcome, faults,
    pagemap entry or VmFlags differ; None where no list does, of any length.

    Both systems have the same actions. `tick` is called now and then and may raise to stop.
    """
    start: Pair = (one.machine.initial, other.machine.initial)
    found: dict[Pair, tuple[Pair, str] | None] = {start: None}
    queue = deque([start])
    while queue:
        tick()
        pair = queue.popleft()
        for op in one.actions:
            after, apart = _step(one, other, pair, op)
            if apart:
                return (*_path(found, pair), op)
            if after not in found:
                found[after] = (pair, op)
                queue.append(after)
    return None


def _path(found: dict[Pair, tuple[Pair, str] | None], pair: Pair) -> tuple[str, ...]:
    ops: list[str] = []
    step = found[pair]
    while step is not None:
        ops.append(step[1])
        step = found[step[0]]
    return tuple(reversed(ops))


def _step(one: KernelSystem, other: KernelSystem, pair: Pair, op: str) -> tuple[Pair, bool]:
    after: list[Values] = []
    seen: list[object] = []
    for kernel, values in zip((one, other), pair, strict=True):
        state, told = kernel.machine.step(values, op)
        after.append(state)
        seen.append((told, kernel.pagemap(state), kernel.vm_flags(state)))
    return (after[0], after[1]), seen[0] != seen[1]
