"""What more a program must do before it can see that a promise was broken."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from counterexamples.trace import SCANNING
from model.system.relation.compiled import Values
from model.system.relation.kernel import KernelSystem


def made_visible(kernel: KernelSystem, fixed: KernelSystem | None,
                 ops: Sequence[str]) -> tuple[str, ...]:
    """The calls after `ops` by whose last a program first tells `kernel` from `fixed`.

    The shortest, then the plainest; none where `ops` tell them apart already, where no calls do, or
    without a `fixed`.
    """
    if fixed is None:
        return ()
    pair: tuple[Values, Values] = (kernel.machine.initial, fixed.machine.initial)
    for op in ops:
        pair, apart = _step(kernel, fixed, pair, op)
        if apart:
            return ()
    queue: deque[tuple[tuple[Values, Values], tuple[str, ...]]] = deque([(pair, ())])
    seen = {pair}
    while queue:
        pair, calls = queue.popleft()
        for op in kernel.system.actions:
            after, apart = _step(kernel, fixed, pair, op)
            if apart:
                return (*calls, op)
            if after not in seen:
                seen.add(after)
                queue.append((after, (*calls, op)))
    return ()


def _step(kernel: KernelSystem, fixed: KernelSystem, pair: tuple[Values, Values],
          op: str) -> tuple[tuple[Values, Values], bool]:
    """Both states after `op`, and whether its outcome, its faults, pagemap or, where the run has
    to do with it, PAGEMAP_SCAN tell them apart."""
    steps: list[tuple[Values, object]] = []
    for system, values in zip((kernel, fixed), pair, strict=True):
        after, (outcome, faults) = system.machine.step(values, op)
        written = (system.scans and not SCANNING.isdisjoint(system.actions)
                   and "written" in system.scan(after))
        steps.append((after, (outcome, faults, system.pagemap(after), written)))
    (one, seen), (other, otherwise_seen) = steps
    return (one, other), seen != otherwise_seen
