"""Running the matrix: one task for each edition and mapping, in parallel where there are more."""

from __future__ import annotations

import os
import signal
import time
import warnings
from collections.abc import Callable, Collection, Generator, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from model.checking.cells import INTERRUPTED, Cell, CellResult
from model.checking.settle import CellSystem, Options, as_result, settled
from model.engines.base import BOUNDED, UNKNOWN, Limits, Verdict
from model.kernel.editions import UsageError
from model.processes import Interruption, LastWords, end_with
from model.system.patching.trial import late

Progress = Callable[[CellResult], None]
"""Called with each result as they come."""
First = Callable[[Cell], bool]


class Store:
    """What is known of cells before a run, and what is kept of them; this one knows and keeps
    nothing."""

    def known(self, cell: Cell) -> CellResult | None:
        """The result of an earlier run, of which everything is kept."""

    def keep(self, cell: Cell, result: CellResult) -> None:
        """Called with each new result after it was told, in the process that found it. Raises
        OSError."""


@dataclass(frozen=True)
class Ran:
    """The results in the order of the cells; whether a signal cut the run short; and of which
    results, by number, not everything was kept, with the reason.

    A cell that was not finished is `bounded` at the deepest bound found safe, or `unknown`.
    """

    results: list[CellResult]
    interrupted: bool
    unkept: dict[int, str]


_Said = tuple[int, CellResult | str | None]
"""Of a cell by its number: its result; then why it was not kept, or None: it was."""
_Bound = Callable[[int, int], None]
"""Told the number of a cell and a bound that was found safe."""
_Cells = list[tuple[int, Cell]]
_Task = tuple[int, _Cells]
"""Cells that are settled one after the other; those of tasks of one number share a system."""
_NOTHING = Store()


def _none(cell: Cell) -> bool:
    return False


def run(cells: Sequence[Cell], options: Options, progress: Progress, store: Store = _NOTHING,
        first: First | None = None) -> Ran:
    """Settle the cells, those that are `first` before all others."""
    work = _Work(options, store, first or _none)
    done = {i: known for i, cell in enumerate(cells) if (known := store.known(cell)) is not None}
    for result in done.values():
        progress(result)
    unkept = dict.fromkeys(set(range(len(cells))) - done.keys(), INTERRUPTED)
    work.plan(_tasks([(i, cell) for i, cell in enumerate(cells) if i not in done]))
    with Interruption() as stop:
        for number, said in stop.taking(work.done(stop)):
            if isinstance(said, CellResult):
                done[number] = said
                progress(said)
            elif said is None:
                del unkept[number]
            else:
                unkept[number] = said
        interrupted = stop.pressed()
    results = [done.get(i) or _unfinished(cell, work.bounds.get(i, 0), INTERRUPTED)
               for i, cell in enumerate(cells)]
    return Ran(results, interrupted, {i: why for i, why in sorted(unkept.items()) if i in done})


def settle_all(cells: Sequence[Cell], options: Options,
               stopped: Callable[[], bool]) -> list[CellResult]:
    """The results of the cells, found in this process. Raises KeyboardInterrupt once stopped."""
    work = _Work(options)
    work.plan(_tasks(list(enumerate(cells))))
    found = {number: said for task in work.tasks
             for number, said in work.run(task, work.bounds.__setitem__, stopped)
             if isinstance(said, CellResult)}
    if stopped():
        raise KeyboardInterrupt
    return [found[number] for number in range(len(cells))]


def _tasks(cells: _Cells) -> list[_Cells]:
    """What is settled together, by the same system; those of a mapping one after the other, because
    its editions have most of their steps in common."""
    found: dict[Hashable, _Cells] = {}
    for number, cell in cells:
        key = cell.edition, cell.memory, frozenset(cell.operations), cell.follows
        found.setdefault(key, []).append((number, cell))
    mappings = list(dict.fromkeys(_mapping(group) for group in found.values()))
    return sorted(found.values(), key=lambda group: mappings.index(_mapping(group)))


def _mapping(task: _Cells) -> str:
    return task[0][1].memory


def _unfinished(cell: Cell, bound: int, reason: str) -> CellResult:
    status, depth = (BOUNDED, bound) if bound > 0 else (UNKNOWN, None)
    return as_result(cell, Verdict(status, "bmc" if depth else "", depth, reason=reason), 0.0)


@dataclass
class _Work:
    """What is to be done, and who does it."""

    options: Options
    store: Store = _NOTHING
    first: First = _none
    tasks: list[_Task] = field(default_factory=list)
    bounds: dict[int, int] = field(default_factory=dict)
    _system: tuple[int, CellSystem] | None = None

    def plan(self, groups: Sequence[_Cells]) -> None:
        """What is `first` comes before all else."""
        for urgent in (True, False):
            parts = [[item for item in cells if self.first(item[1]) == urgent] for cells in groups]
            self.tasks += [(number, part) for number, part in enumerate(parts) if part]

    def done(self, stop: Interruption) -> Generator[_Said, None, None]:
        """What is said of all tasks. A user's file may end the process that it runs in: that is
        never this one."""
        jobs = min(self.options.jobs, len(self.tasks))
        executing = any(cell.executes for _, cells in self.tasks for _, cell in cells)
        if jobs > 1 or executing:
            yield from self._in_workers(jobs, stop)
            return
        for task in self.tasks:
            yield from self.run(task, self.bounds.__setitem__, stop.pressed)

    def run(self, task: _Task, bound: _Bound,
            stopped: Callable[[], bool]) -> Generator[_Said, None, None]:
        """Each result, and then what became of keeping it: of what is `first`, when all of the task
        is settled."""
        group, cells = task
        waiting: list[tuple[int, Cell, CellResult]] = []
        for number, cell in cells:
            start = time.monotonic()
            limits = Limits(self.options.depth, self.options.timeout,
                            partial(bound, number), stopped)
            result = settled(cell, self._shared(group, cell), self.options, limits)
            result = replace(result, seconds=round(time.monotonic() - start, 3))
            yield number, result
            waiting.append((number, cell, result))
            if not self.first(cell) or len(waiting) == len(cells):
                yield from (self._kept(*item) for item in waiting)
                waiting.clear()

    def _shared(self, group: int, cell: Cell) -> CellSystem:
        if self._system is None or self._system[0] != group:
            self._system = group, CellSystem(cell, self.options)
        return self._system[1]

    def _kept(self, number: int, cell: Cell, result: CellResult) -> _Said:
        try:
            self.store.keep(cell, result)
        except OSError as error:
            return number, error.strerror or str(error)
        return number, None

    def _in_workers(self, jobs: int, stop: Interruption) -> Generator[_Said, None, None]:
        from multiprocessing.connection import wait  # slow to import, for a single task

        left = list(range(len(self.tasks)))
        busy: dict[Any, _Worker] = {}
        try:
            while left or busy:
                while left and len(busy) < jobs:
                    worker = _Worker(self)
                    busy[worker.pipe] = worker
                    worker.give(self._next(left, worker, busy.values()))
                for pipe in wait([*busy, stop.told]):
                    if pipe == stop.told:
                        return
                    yield from busy[pipe].heard()
                    if busy[pipe].task is None:
                        if left and busy[pipe].alive:
                            busy[pipe].give(self._next(left, busy[pipe], busy.values()))
                        else:
                            busy.pop(pipe).end()
        finally:
            for worker in busy.values():
                worker.end()

    def _next(self, left: list[int], worker: _Worker, busy: Collection[_Worker]) -> int:
        """Takes the next task for a process out of `left`: what is urgent, else one whose system it
        has built, or whose mapping it knows, or at least nobody else does."""
        others = {w.mapping for w in busy if w is not worker}

        def price(number: int) -> tuple[bool, ...]:
            group, cells = self.tasks[number]
            mapping = _mapping(cells)
            return (not self.first(cells[0][1]), group != worker.group,
                    mapping != worker.mapping, mapping in others)

        best = min(left, key=price)
        left.remove(best)
        return best


class _Worker:
    """A process that does one task after the other."""

    def __init__(self, work: _Work) -> None:
        import multiprocessing  # slow to import, for a single task

        self._work = work
        context = multiprocessing.get_context("fork")
        self.pipe, theirs = context.Pipe()
        self._words = LastWords()
        self._process = context.Process(
            target=_serve, args=(work, theirs, self._words, os.getpid()), daemon=True)
        with warnings.catch_warnings():  # of threads: the one there is waits for a signal
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process.start()
        theirs.close()  # so that the pipe ends with the process, and no later worker holds it
        self.task: _Cells | None = None
        self.group, self.mapping, self.alive = -1, "", True

    def give(self, number: int) -> None:
        """The next task."""
        self.group, self.task = self._work.tasks[number]
        self.mapping = _mapping(self.task)
        self._unsaid = dict(self.task)
        self._unkept = set(self._unsaid)
        with suppress(OSError):  # it has ended, which the pipe will say
            self.pipe.send(number)

    def heard(self) -> Generator[_Said, None, None]:
        """What it has to say next. Raises what went wrong there."""
        try:
            said = self.pipe.recv()
        except (EOFError, OSError):
            yield from self._lost()
            return
        if said is None:
            self.task = None
        elif isinstance(said, BaseException):
            raise said
        else:
            number, what = said
            if isinstance(what, int):
                self._work.bounds[number] = what
                return
            if isinstance(what, CellResult):
                del self._unsaid[number]
            else:
                self._unkept.remove(number)
            yield number, what

    def _lost(self) -> Generator[_Said, None, None]:
        """It has ended with its task undone."""
        self._process.join()
        code = self._process.exitcode or 0
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        files = list(dict.fromkeys(f for c in self._unsaid.values() for f in c.executes))
        why = (files and late(files, self._words)) or f"the process that had to settle it {how}"
        for number, cell in self._unsaid.items():
            yield number, _unfinished(cell, 0, why)
        for number in self._unkept:
            yield number, why if number not in self._unsaid else None
        self.task, self.alive = None, False

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self.pipe.close()


def _serve(work: _Work, pipe: Any, words: LastWords, parent: int) -> None:
    """Do what is asked for, until the parent ends this."""
    end_with(parent)
    words.are_mine()
    try:
        while True:
            task = work.tasks[pipe.recv()]
            for said in work.run(task, lambda *found: pipe.send(found), lambda: False):
                pipe.send(said)
            pipe.send(None)
    except (UsageError, OSError) as error:  # of a user's file
        pipe.send(error)
    except Exception as error:  # the parent raises it
        pipe.send(RuntimeError(f"{type(error).__name__}: {error}"))


def default_jobs() -> int:
    return len(os.sched_getaffinity(0))
