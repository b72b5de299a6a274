"""Whether a violation that is expected is the one that is known: by its calls.

An edition with a user's patch file is held against the edition without it: a list of calls that
breaks the promise with the file, and not without it, is news. Of any other edition, what fits none
of the causes that are known.
"""

from __future__ import annotations

from dataclasses import replace

from model.checking.cells import CONTRADICTION, Cell, CellResult
from model.engines.base import VIOLATED, Limits
from model.engines.product import Asked, broken_alone
from model.system.relation.kernel import KernelSystem, kernel_system
from model.system.relation.ranges import RangeSystem
from model.system.relation.replay import violates

UNEXPLAINED = "no known cause fits these calls"
ENGINE = "product"
"""What finds the calls that the edition without the file stands."""


def news(cell: Cell, kernel: KernelSystem | RangeSystem, result: CellResult,
         limits: Limits) -> CellResult:
    """`result` of an expected violation with what is new about it; any other as it is.

    With a patch file, the trace becomes the plainest of the shortest that break the promise in
    `kernel` alone, where there is one; `open` says why that could not be found out. Raises
    OutOfTime.
    """
    if result.verdict != VIOLATED or result.expected != VIOLATED:
        return result
    if cell.edition.patch is None:
        return result if result.because else replace(result, news=UNEXPLAINED)
    assert isinstance(kernel, KernelSystem)
    base = kernel_system(cell.edition.base, cell.mapping, cell.operations, cell.prop.follows)
    own, other = (Asked(k.machine, cell.prop.question(k)) for k in (kernel, base))
    found = broken_alone(own, other, limits)
    if not found.differences:
        told = f"whether calls that {base.edition.name} stands break it: {found.reason}"
        return result if found.graph.complete else replace(result, open=told)
    trace = tuple(kernel.actions[action] for action in found.path(found.differences[0]))
    if not violates(kernel.machine, own.question, trace):
        return replace(result, verdict=CONTRADICTION, trace=trace,
                       reason="the simulator does not repeat the violation")
    return replace(result, depth=len(trace), engine=ENGINE, trace=trace, because="",
                   loss=cell.prop.loss(trace),
                   news=f"{base.edition.name} does not break it by these calls")
