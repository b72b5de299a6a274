"""Many runs of one mapping on one kernel, each compared with the model in every field."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from counterexamples.lab.observe import Seen, difference
from counterexamples.lab.session import Run, Runner
from counterexamples.lab.suite import (
    Mealy,
    Walked,
    Word,
    guided,
    observable,
    random_runs,
    tour,
)
from counterexamples.shrink import shrink
from model.system.actions.themes import ALL
from model.system.relation.kernel import KernelSystem
from model.system.relation.reach import StateGraph, explore

_SUSPECTS = 5
"""Runs that differ, after which no more are made."""


@dataclass
class Tally:
    """What has been done so far: `taken` are the transitions of the explicit graph, `guided` the
    number of runs that come first."""

    guided: int = 0
    runs: int = 0
    steps: int = 0
    seconds: float = 0.0
    taken: set[tuple[int, int]] = field(default_factory=set)
    found_in: Word | None = None
    """The first run in which the model and the kernel differ, again and again."""
    passing: list[tuple[Word, int]] = field(default_factory=list)
    """Runs that differed at that step, and not whenever they were repeated: something that the
    model does not know, as a shortage of huge pages, came between."""
    divergence: Word | None = None
    """The same, shrunk; its last step differs."""

    @property
    def rate(self) -> float:
        """Steps a second."""
        return self.steps / self.seconds if self.seconds else 0.0


class Campaign:
    """The runs for one model, made before any kernel starts.

    `extra` is how many more states than the model the guided runs allow the kernel (None: they
    only take every transition); `without` are operations that this kernel cannot do, `ignored`
    what it cannot show. Of the theme `all` there are random runs alone: its graph is not explored.
    """

    def __init__(self, model: KernelSystem, *, theme: str, extra: int | None, runs: int,
                 steps: int, seed: int) -> None:
        self.model = model
        self.theme = theme
        self.extra = extra
        self.actions = model.system.actions
        self.graph: StateGraph | None = None
        self.guided: Sequence[Word] = ()
        self.machine: Mealy | Walked
        if theme == ALL:
            self.machine = Walked(model)
        else:
            self.graph = explore(model.machine)
            self.machine = mealy = observable(model, self.graph)
            self.guided = tour(mealy) if extra is None else guided(mealy, extra)
        self.runs, self.steps, self.seed = runs, steps, seed
        self.tally = Tally()

    @property
    def label(self) -> str:
        """The mapping, and the theme of the operations."""
        return f"{self.model.mapping.name} {self.theme}"

    @property
    def transitions(self) -> int | None:
        """Of the explicit graph, where there is one."""
        return None if self.graph is None else sum(map(len, self.graph.edges))

    def names(self, word: Word) -> tuple[str, ...]:
        return tuple(self.actions[action] for action in word)

    def run(self, runner: Runner, *, ignored: Collection[str] = (), without: Collection[str] = (),
            tick: Callable[[], object] = lambda: None) -> Tally:
        """Make the runs until one differs, and differs again; that one is shrunk. `tick` is called
        after each run.

        Raises KernelFailed.
        """
        start = time.monotonic()
        left_out = {a for a, name in enumerate(self.actions) if name in without}
        able = [a for a in range(len(self.actions)) if a not in left_out]
        tally = self.tally
        guided = [w for w in self.guided if left_out.isdisjoint(w)]
        tally.guided = len(guided)
        words = [*guided, *random_runs(able, self.seed, self.runs, self.steps)]
        for word, step in self._compare(runner, words, ignored):
            tally.runs += 1
            tally.steps += len(word)
            tally.seconds = time.monotonic() - start
            tally.taken.update(self.machine.transitions(0, word if step is None else word[:step]))
            tick()
            if step is not None:
                tally.passing.append((word, step))
                if len(tally.passing) == _SUSPECTS:
                    break

        def differs(word: Word) -> int | None:
            if not word or not left_out.isdisjoint(word):
                return None
            return next(iter(self._compare(runner, [word], ignored)))[1]

        for word, _ in tally.passing:
            if differs(word) is None:
                continue
            try:
                tally.divergence = shrink(self.machine, word, differs)
            except ValueError:  # not this time
                continue
            tally.found_in = word
            tally.passing = []
            break
        return tally

    def _compare(self, runner: Runner, words: Sequence[Word],
                 ignored: Collection[str]) -> Iterable[tuple[Word, int | None]]:
        """Each word with the number of its first step that differs."""
        mapping = self.model.mapping.name
        asked = (Run(mapping, self.names(word)) for word in words)
        for word, (_, seen) in zip(words, runner.answers(asked), strict=False):
            told = self.machine.answers(0, word)
            yield word, None if seen == told else _first(told, seen, ignored)


def _first(model: Sequence[Seen], kernel: Sequence[Seen], ignored: Collection[str]) -> int | None:
    return next((number for number, (told, found) in enumerate(zip(model, kernel, strict=True), 1)
                 if difference(told, found, ignored) is not None), None)
