"""Running the matrix: one task for each edition and mapping, in parallel where there are more."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from model.certificate import Certifier
from model.checking.cells import CONTRADICTION, VACUOUS, Cell, CellResult
from model.checking.ctrl_c import CtrlC
from model.engines.base import (
    BOUNDED,
    PROVED,
    UNKNOWN,
    VIOLATED,
    Engine,
    Limits,
    OutOfTime,
    Verdict,
)
from model.engines.explicit import Exhausted, reaches
from model.engines.registry import ENGINES, Auto
from model.kernel.editions import UsageError
from model.system.relation.kernel import kernel_system
from model.system.relation.reach import TooManyStates
from model.system.relation.replay import violates
from model.system.relation.transition import Lemma, Question
from properties import PROPERTIES
from properties.lemmas import LEMMAS

CLAIMS = {s.name: s.claim for s in LEMMAS} | {p.name: p.claim for p in PROPERTIES.values()}


@dataclass(frozen=True)
class Options:
    """`engine` by name; `depth` in steps and `timeout` in seconds a cell, None for no limit."""

    engine: str = "auto"
    depth: int | None = None
    timeout: float | None = None
    jobs: int = 1


Progress = Callable[[CellResult], None]
"""Called with each result as they come."""


class Store:
    """What is known of cells before a run, and what is kept of them; this one knows and keeps
    nothing. Both are asked in the process that has the cell to settle."""

    def known(self, cell: Cell) -> CellResult | None:
        """The result of an earlier run."""

    def keep(self, cell: Cell, result: CellResult, fresh: bool) -> None:
        """Called with each result before the run tells it; one that was known is not `fresh`.
        Raises OSError."""


_NOTHING = Store()


def run(cells: Sequence[Cell], options: Options, progress: Progress,
        store: Store = _NOTHING) -> tuple[list[CellResult], bool]:
    """The results in the order of `cells`, and whether Ctrl-C cut the run short.

    A cell that was not finished is `bounded` at the deepest bound found safe, or `unknown`.
    """
    tasks = [list(group) for _, group in groupby(
        enumerate(cells), key=lambda c: (c[1].edition, c[1].mapping, c[1].operations))]
    jobs = min(options.jobs, len(tasks))
    bounds = [-1] * len(cells) if jobs == 1 else _fork().RawArray("i", [-1] * len(cells))
    done: dict[int, CellResult] = {}
    interrupted = False
    queue, workers = (None, []) if jobs == 1 else _workers(tasks, jobs, options, store, bounds)
    with CtrlC(lambda: queue.put(KeyboardInterrupt()) if queue else None) as ctrl_c:
        try:
            found = (_here(tasks, options, store, bounds, ctrl_c.pressed) if queue is None
                     else _arriving(queue, len(cells)))
            for number, result in found:
                done[number] = result
                progress(result)
        except (Exception, KeyboardInterrupt):
            interrupted = ctrl_c.pressed()
            if not interrupted:
                raise
        finally:
            for worker in workers:
                worker.terminate()
    results = [done.get(i) or store.known(cell) or _unfinished(cell, bounds[i])
               for i, cell in enumerate(cells)]
    return results, interrupted


def _unfinished(cell: Cell, bound: int) -> CellResult:
    status, depth = (BOUNDED, bound) if bound > 0 else (UNKNOWN, None)
    return _result(cell, Verdict(status, "bmc" if depth else "", depth, reason="interrupted"), 0.0)


_Task = list[tuple[int, Cell]]


def _fork() -> Any:
    import multiprocessing  # not needed, and slow to import, for a single task
    return multiprocessing.get_context("fork")


def _here(tasks: list[_Task], options: Options, store: Store, bounds: Any,
          stopped: Callable[[], bool]) -> Iterator[tuple[int, CellResult]]:
    for task in tasks:
        yield from _run_task(task, options, store, bounds, stopped)


def _arriving(queue: Any, cells: int) -> Iterator[tuple[int, CellResult]]:
    """What the workers put into the queue: results, or the error that ends the run."""
    for _ in range(cells):
        item = queue.get()
        if isinstance(item, BaseException):
            raise item
        yield item


def _workers(tasks: list[_Task], jobs: int, options: Options, store: Store,
             bounds: Any) -> tuple[Any, list[Any]]:
    """The queue to listen to, and the processes that fill it. Ctrl-C is their parent's affair."""
    context = _fork()
    queue, work, lock = context.SimpleQueue(), context.RawValue("i", 0), context.Lock()
    workers = [context.Process(target=_worker, daemon=True,
                               args=(tasks, options, store, bounds, work, lock, queue))
               for _ in range(jobs)]
    # What they inherit lasts: Z3 handles the signal itself while it checks, whoever ignored it.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    for worker in workers:
        worker.start()
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return queue, workers


def _worker(tasks: list[_Task], options: Options, store: Store, bounds: Any, work: Any,
            lock: Any, queue: Any) -> None:
    """Take the next task until there is none."""
    try:
        while True:
            with lock:
                mine, work.value = work.value, work.value + 1
            if mine >= len(tasks):
                return
            for item in _run_task(tasks[mine], options, store, bounds):
                queue.put(item)
    except (UsageError, OSError) as error:  # of a user's patch file; of what is kept
        queue.put(error)
    except Exception as error:  # the parent re-raises it
        queue.put(RuntimeError(f"{type(error).__name__}: {error}"))


class _System:
    """What the cells of one edition, mapping and set of operations share."""

    def __init__(self, cell: Cell, options: Options) -> None:
        self.kernel = kernel_system(cell.edition, cell.mapping, cell.operations)
        self.certifier = Certifier()
        self.exhausted = Exhausted(self.kernel.machine)
        suspects = {p.name for p in PROPERTIES.values()
                    if p.expected(cell.edition, cell.mapping, cell.operations) == VIOLATED}
        self.engine: Engine = (Auto(self.candidates, suspects, self.exhausted)
                               if options.engine == "auto" else ENGINES[options.engine])

    def candidates(self) -> list[Lemma]:
        """The stated invariants, and what the promises themselves say of every state."""
        promises = (p.question(self.kernel) for p in PROPERTIES.values()
                    if p.speaks_of(self.kernel.edition, self.kernel.mapping))
        return [*(s.lemma(self.kernel) for s in LEMMAS), *(Lemma(q.name, q.safe) for q in promises)]

    def counted(self, result: CellResult) -> CellResult:
        """The result with the size of the reachable graph, where that is known."""
        if self.exhausted.size is None:
            return result
        states, diameter = self.exhausted.size
        return replace(result, states=states, diameter=diameter)


def _run_task(task: _Task, options: Options, store: Store, bounds: Any,
              stopped: Callable[[], bool] = lambda: False) -> Iterator[tuple[int, CellResult]]:
    system: _System | None = None
    for number, cell in task:
        known = result = store.known(cell)
        if result is None:
            def safe_bound(bound: int, number: int = number) -> None:
                bounds[number] = max(bounds[number], bound)

            start = time.monotonic()
            system = system or _System(cell, options)
            limits = Limits(options.depth, options.timeout, safe_bound, stopped)
            result = _settled(cell, system, options, limits)
            result = replace(result, seconds=round(time.monotonic() - start, 3))
        store.keep(cell, result, fresh=known is None)
        yield number, result


def _settled(cell: Cell, system: _System, options: Options, limits: Limits) -> CellResult:
    question = cell.prop.question(system.kernel)
    lemmas = () if options.engine == "auto" else system.candidates()
    try:
        verdict = system.engine(question, limits, lemmas)
        result = _checked(cell, system, question, verdict, limits)
    except (OutOfTime, TooManyStates) as stop:
        result = _result(cell, Verdict(UNKNOWN, options.engine, reason=str(stop)), 0.0)
    return system.counted(result)


def _checked(cell: Cell, system: _System, question: Question, verdict: Verdict,
             limits: Limits) -> CellResult:
    """The verdict as a result, after its evidence has been checked.

    A violation must happen again in the simulator; a proof's certificate must convince a fresh
    solver; and a promise that is not broken must have been put to the test (its witness reachable).
    """
    if verdict.status == VIOLATED:
        assert verdict.trace is not None
        if not violates(system.kernel.machine, question, verdict.trace):
            verdict = replace(verdict, status=CONTRADICTION,
                              reason="the simulator does not repeat the violation")
        return _result(cell, verdict, 0.0)
    if verdict.status == UNKNOWN:
        return _result(cell, verdict, 0.0)
    graph = system.exhausted.graph(limits)
    if not reaches(system.kernel.machine, graph, question.witness):
        verdict = replace(verdict, status=VACUOUS, proof=None,
                          reason="no reachable step puts the promise to the test")
        return _result(cell, verdict, 0.0)
    if verdict.status != PROVED:
        return _result(cell, verdict, 0.0)
    assert verdict.proof is not None
    cert = system.certifier.certificate(question, verdict.proof)
    failed = system.certifier.refuted(cert)
    if failed:
        verdict = replace(verdict, status=CONTRADICTION,
                          reason=f"a fresh solver does not accept the certificate: {failed}")
        return _result(cell, verdict, 0.0)
    return replace(_result(cell, verdict, 0.0), certificate=cert.text(CLAIMS),
                   lemmas=tuple(name for name in cert.lemmas if name in cert.leans_on))


def _result(cell: Cell, verdict: Verdict, seconds: float) -> CellResult:
    return CellResult(
        kernel=cell.edition.name, mapping=cell.mapping.name, prop=cell.prop.name,
        verdict=verdict.status, depth=verdict.depth, engine=verdict.engine,
        expected=cell.prop.expected(cell.edition, cell.mapping, cell.allow),
        because=cell.prop.reason(cell.edition, cell.mapping, cell.allow), seconds=seconds,
        trace=verdict.trace, reason=verdict.reason, allow=cell.allow,
        loss=cell.prop.loss(verdict.trace or ()),
        base=cell.edition.base.name if cell.edition.patch else "",
        patch=cell.edition.patch.file if cell.edition.patch else "")


def default_jobs() -> int:
    return len(os.sched_getaffinity(0))
