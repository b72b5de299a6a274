"""Many runs of one mapping on one kernel, each compared with the model in every field."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from counterexamples.lab.observe import Seen, System, difference, mapping_name
from counterexamples.lab.session import Run, Runner
from counterexamples.lab.suite import (
    Mealy,
    Walked,
    Word,
    guided,
    observable,
    quotient,
    random_runs,
    tour,
)
from counterexamples.shrink import shrink
from model.system.actions.spans import plain_op
from model.system.actions.themes import ALL
from model.system.relation.compiled import Machine
from model.system.relation.ranges import RangeSystem
from model.system.relation.reach import StateGraph, explore
from model.system.state.state import REMEMBERED

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
    `chosen` are the operations of several pages that are made.
    """

    def __init__(self, model: System, *, theme: str, extra: int | None, runs: int, steps: int,
                 seed: int, chosen: Sequence[str] | None = None) -> None:
        self.model = model
        self.theme = theme
        self.extra = extra
        machine = model.machine if chosen is None else _of(model, chosen)
        self.actions = machine.system.actions
        self.graph: StateGraph | None = None
        self.guided: Sequence[Word] = ()
        self.machine: Mealy | Walked
        if theme == ALL:
            self.machine = Walked(model)
        else:
            self.graph = explore(machine)
            mealy = observable(model, self.graph, machine)
            if isinstance(model, RangeSystem):  # those of one page times those of another
                mealy = quotient(mealy)
            self.machine = mealy
            self.guided = tour(mealy) if extra is None else guided(mealy, extra)
        self.runs, self.steps, self.seed = runs, steps, seed
        self.tally = Tally()

    @property
    def label(self) -> str:
        """The mapping, and the theme of the operations."""
        return f"{mapping_name(self.model)} {self.theme}"

    @property
    def transitions(self) -> int | None:
        """Of the explicit graph, where there is one; of several pages less what no program can tell
        apart."""
        return sum(map(len, self.machine.after)) if isinstance(self.machine, Mealy) else None

    def names(self, word: Word) -> tuple[str, ...]:
        return tuple(self.actions[action] for action in word)

    def run(self, runner: Runner, *, ignored: Collection[str] = (), without: Collection[str] = (),
            tick: Callable[[], object] = lambda: None) -> Tally:
        """Make the runs until one differs, and differs again; that one is shrunk. `tick` is called
        after each run.

        Raises KernelFailed.
        """
        start = time.monotonic()
        left_out = {a for a, name in enumerate(self.actions) if plain_op(name) in without}
        able = [a for a in range(len(self.actions)) if a not in left_out]
        tally = self.tally
        guided = [w for w in self.guided if left_out.isdisjoint(w)]
        tally.guided = len(guided)
        words = [*guided, *random_runs(able, self.seed, self.runs, self.steps,
                                       self._weights(able))]
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

    def _weights(self, able: Sequence[int]) -> list[float] | None:
        """Of several pages each operation comes as often as another, whatever its ranges."""
        if not isinstance(self.model, RangeSystem):
            return None
        ops = [plain_op(self.actions[action]) for action in able]
        often = Counter(ops)
        return [1 / often[op] for op in ops]

    def _compare(self, runner: Runner, words: Sequence[Word],
                 ignored: Collection[str]) -> Iterable[tuple[Word, int | None]]:
        """Each word with the number of its first step that differs."""
        mapping = mapping_name(self.model)
        asked = (Run(mapping, self.names(word)) for word in words)
        for word, (_, seen) in zip(words, runner.answers(asked), strict=False):
            told = self.machine.answers(0, word)
            yield word, None if seen == told else _first(told, seen, ignored)


def _of(model: System, chosen: Sequence[str]) -> Machine:
    """The model with these of its operations, and without what only promises remember: of every
    page something else, it would make the states many times as many."""
    system = model.system
    kept = [name.rpartition(".")[2] not in REMEMBERED for name in model.names]
    kept += [True] * len(system.outputs)
    fresh = (*system.initial, *system.outputs)
    branches = [
        tuple(term if keep else first for keep, term, first in zip(kept, branch, fresh,
                                                                   strict=True))
        for branch in (system.branches[system.actions.index(action)] for action in chosen)]
    return Machine(replace(system, actions=tuple(chosen), branches=branches))


def _first(model: Sequence[Seen], kernel: Sequence[Seen], ignored: Collection[str]) -> int | None:
    return next((number for number, (told, found) in enumerate(zip(model, kernel, strict=True), 1)
                 if difference(told, found, ignored) is not None), None)
