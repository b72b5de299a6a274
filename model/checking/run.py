"""Running the matrix: one task for each edition and mapping, in parallel where there are more."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from model.checking.cells import Cell, CellResult
from model.checking.ctrl_c import CtrlC
from model.checking.settle import CellSystem, Options, as_result, settled
from model.engines.base import BOUNDED, UNKNOWN, Limits, Verdict
from model.kernel.editions import UsageError

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
    verdict = Verdict(status, "bmc" if depth else "", depth, reason="interrupted")
    return as_result(cell, verdict, 0.0)


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


def _run_task(task: _Task, options: Options, store: Store, bounds: Any,
              stopped: Callable[[], bool] = lambda: False) -> Iterator[tuple[int, CellResult]]:
    system: CellSystem | None = None
    for number, cell in task:
        known = result = store.known(cell)
        if result is None:
            def safe_bound(bound: int, number: int = number) -> None:
                bounds[number] = max(bounds[number], bound)

            start = time.monotonic()
            system = system or CellSystem(cell, options)
            limits = Limits(options.depth, options.timeout, safe_bound, stopped)
            result = settled(cell, system, options, limits)
            result = replace(result, seconds=round(time.monotonic() - start, 3))
        store.keep(cell, result, fresh=known is None)
        yield number, result


def default_jobs() -> int:
    return len(os.sched_getaffinity(0))
