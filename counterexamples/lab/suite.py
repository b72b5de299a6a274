"""Runs that test a kernel against the model: all that the state graph asks for, and random ones.

The guided runs are the HSI method of conformance testing (Luo, Petrenko and v. Bochmann, "Selecting
test sequences for partially-specified nondeterministic finite state machines", IWPTS 1994). The
explicit graph, less what no program can tell apart, is a Mealy machine. Every transition of it is
taken, from there every list of `extra` operations, and then the state it leads to is identified. A
kernel that answers as the model does to all of these runs, and that has at most `extra` more states
that a program can tell apart, is the same machine: it answers as the model does to every run.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from counterexamples.lab.observe import Seen, System, seen_by_model
from model.kernel.records import Outcome
from model.system.relation.compiled import Machine, Values
from model.system.relation.kernel import Step
from model.system.relation.reach import StateGraph

Word = tuple[int, ...]
"""A list of operations, by their index in the system's actions."""


@dataclass(frozen=True)
class Mealy:
    """A complete machine: `after[s][a]` and `output[s][a]` for every state and action; 0 is the
    initial state, and `access[s]` a shortest word that leads to s."""

    after: Sequence[Sequence[int]]
    output: Sequence[Sequence[Seen]]
    access: Sequence[Word]

    def answers(self, state: int, word: Word) -> tuple[Seen, ...]:
        """What is seen after each step of `word`."""
        return tuple(self.output[at][action] for at, action in self.transitions(state, word))

    def transitions(self, state: int, word: Word) -> Iterator[tuple[int, int]]:
        """The states passed through, each with the action taken there."""
        for action in word:
            yield state, action
            state = self.after[state][action]

    def end(self, state: int, word: Word) -> int:
        for action in word:
            state = self.after[state][action]
        return state

    def single(self) -> list[Word]:
        """Each transition, reached by a shortest word; the shortest and plainest first."""
        return sorted(((*access, action) for access in self.access
                       for action in range(len(self.after[0]))), key=lambda w: (len(w), w))

    def shortest(self, word: Word) -> Word:
        """A shortest word to the state that `word` leads to."""
        return self.access[self.end(0, word)]


class Walked:
    """In the place of a machine whose states are too many: those that words come through are found
    on the way. All that Z3 has to do is done when it is made."""

    def __init__(self, kernel: System) -> None:
        self._kernel = kernel
        self._states = [kernel.machine.initial]
        self._index = {kernel.machine.initial: 0}
        self._known: dict[tuple[int, int], tuple[int, Seen]] = {}
        for action in range(len(kernel.actions)):
            self._step(0, action)

    def _step(self, state: int, action: int) -> tuple[int, Seen]:
        found = self._known.get((state, action))
        if found is None:
            values, seen = _taken(self._kernel, self._kernel.machine, self._states[state],
                                  action)
            after = self._index.setdefault(values, len(self._states))
            if after == len(self._states):
                self._states.append(values)
            found = self._known[state, action] = after, seen
        return found

    def answers(self, state: int, word: Word) -> tuple[Seen, ...]:
        """What is seen after each step of `word`."""
        return tuple(self._step(at, action)[1] for at, action in self.transitions(state, word))

    def transitions(self, state: int, word: Word) -> Iterator[tuple[int, int]]:
        """The states passed through, numbered as they were found, each with the action taken."""
        for action in word:
            yield state, action
            state = self._step(state, action)[0]

    def single(self) -> list[Word]:
        """None: the shortest words are not known."""
        return []

    def shortest(self, word: Word) -> Word:
        """The word itself."""
        return word


def _taken(kernel: System, machine: Machine, state: Values, action: int) -> tuple[Values, Seen]:
    """The state after an action, and what a program sees then."""
    values, (outcome, faults) = machine.step(state, action)
    step = Step(machine.system.actions[action], Outcome(outcome).name, faults, values)
    return values, seen_by_model(kernel, step)


def observable(kernel: System, graph: StateGraph, machine: Machine | None = None) -> Mealy:
    """The explicit graph of the machine, by default the model's own, with what a program
    sees of each transition."""
    machine = machine or kernel.machine
    output = [[_taken(kernel, machine, state, action)[1]
               for action in range(len(machine.system.actions))]
              for state in graph.states]
    return Mealy(graph.edges, output, [graph.path(s) for s in range(len(graph.states))])


def classes(machine: Mealy) -> list[int]:
    """The class of each state; two states of one class answer alike to every word (Moore)."""
    keys: list[object] = [tuple(row) for row in machine.output]
    count = 0
    while True:
        numbers: dict[object, int] = {}
        found = [numbers.setdefault(key, len(numbers)) for key in keys]
        if len(numbers) == count:
            return found
        count = len(numbers)
        keys = [(own, tuple(found[t] for t in row))
                for own, row in zip(found, machine.after, strict=True)]


def quotient(machine: Mealy) -> Mealy:
    """One state for each class: its first, which has the shortest access."""
    of = classes(machine)
    first = {c: of.index(c) for c in sorted(set(of), key=of.index)}
    return Mealy([[of[t] for t in machine.after[s]] for s in first.values()],
                 [machine.output[s] for s in first.values()],
                 [machine.access[s] for s in first.values()])


def identifiers(machine: Mealy) -> list[frozenset[Word]]:
    """For each state of a minimal machine, words whose answers tell it from every other state.

    Harmonised: two states are told apart by a word that both have, that of the block of a splitting
    tree (Lee and Yannakakis, IEEE Trans. Computers 43:3, 1994) in which they part.
    """
    root = _Block(None, list(range(len(machine.after))))
    block_of = [root] * len(machine.after)
    found: list[frozenset[Word]] = [frozenset()] * len(machine.after)
    todo = [root]
    while todo:
        again = []
        for block, word in [(b, _splitter(machine, b, block_of)) for b in todo]:
            if not word:
                again.append(block)
                continue
            parts: dict[tuple[Seen, ...], list[int]] = {}
            for state in block.states:
                parts.setdefault(machine.answers(state, word), []).append(state)
                found[state] |= {word}
            block.word = word
            for part in parts.values():
                child = _Block(block, part)
                for state in part:
                    block_of[state] = child
                if len(part) > 1:
                    again.append(child)
        todo = again
    return found


class _Block:
    """A node of the splitting tree; `word` tells its children apart, empty while it has none."""

    def __init__(self, parent: _Block | None, states: list[int]) -> None:
        self.parent = parent
        self.depth: int = parent.depth + 1 if parent else 0
        self.states = states
        self.word: Word = ()


def _splitter(machine: Mealy, block: _Block, block_of: Sequence[_Block]) -> Word:
    """The shortest, then most telling word that the tree so far gives; empty where it gives none.

    One action with different answers; or one that leads to states that the tree tells apart.
    """
    best: tuple[int, int, Word] = (0, 0, ())
    for action in range(len(machine.after[0])):
        answers = {machine.output[s][action] for s in block.states}
        word: Word = (action,)
        parts = len(answers)
        if parts == 1:
            reached = {id(block_of[machine.after[s][action]]): block_of[machine.after[s][action]]
                       for s in block.states}
            if len(reached) == 1:
                continue
            word += _meeting(list(reached.values())).word
            parts = len({machine.answers(s, word) for s in block.states})
        if best[2] == () or (len(word), -parts) < best[:2]:
            best = len(word), -parts, word
    return best[2]


def _meeting(blocks: list[_Block]) -> _Block:
    """The deepest block that holds all of these."""
    first, *rest = blocks
    for other in rest:
        while first is not other:
            if first.depth < other.depth:
                first, other = other, first
            assert first.parent
            first = first.parent
    return first


def tour(machine: Mealy) -> list[Word]:
    """Walks that take every transition."""
    return list(_tour(machine, set()))


def guided(full: Mealy, extra: int = 0) -> list[Word]:
    """The HSI suite of a machine, and runs that take the transitions it leaves out.

    A minimal machine of n states and k operations asks for about n * k ** (extra + 1) runs.
    """
    machine = quotient(full)
    names = identifiers(machine)
    words: set[Word] = set()
    for start, access in enumerate(machine.access):
        for middle in product(range(len(machine.after[0])), repeat=extra + 1):
            state = machine.end(start, middle)
            words |= {(*access, *middle, *tail) for tail in names[state] or {()}}
    words |= set(_tour(full, words))
    return _without_prefixes(words)


def _tour(machine: Mealy, done: set[Word], longest: int = 24) -> Iterator[Word]:
    """Walks from the initial state to the nearest state that has a transition to take, and on from
    there while another one is near."""
    todo = [set(range(len(row))) for row in machine.after]
    for word in done:
        for state, action in machine.transitions(0, word):
            todo[state].discard(action)
    for start, access in sorted(enumerate(machine.access), key=lambda found: len(found[1])):
        while todo[start]:
            walk, state = access, start
            limit = max(longest, len(access) + 1)
            while len(walk) < limit and (more := _nearest(machine, state, todo)) is not None:
                walk += more
                state = machine.end(state, more)
                action = min(todo[state])
                walk += (action,)
                state = machine.after[state][action]
                _take(machine, walk, todo)
            yield walk


def _take(machine: Mealy, walk: Word, todo: Sequence[set[int]]) -> None:
    for state, action in machine.transitions(0, walk):
        todo[state].discard(action)


def _nearest(machine: Mealy, start: int, todo: Sequence[set[int]], depth: int = 2) -> Word | None:
    """The shortest word, of `depth` at most, to a state with a transition to take."""
    layer: dict[int, Word] = {start: ()}
    seen = {start}
    for _ in range(depth + 1):
        for state, word in layer.items():
            if todo[state]:
                return word
        following: dict[int, Word] = {}
        for state, word in layer.items():
            for action, after in enumerate(machine.after[state]):
                if after not in seen:
                    seen.add(after)
                    following[after] = (*word, action)
        layer = following
    return None


def _without_prefixes(words: set[Word]) -> list[Word]:
    """The words that are no beginning of another one, in order."""
    ordered = sorted(words)
    return [word for word, following in zip(ordered, [*ordered[1:], ()], strict=True)
            if following[:len(word)] != word]


def random_runs(actions: Sequence[int], seed: int, runs: int, steps: int,
                weights: Sequence[float] | None = None) -> Iterator[Word]:
    """`runs` words of `steps` operations each, drawn evenly or by weight; the same for the same
    seed."""
    draw = random.Random(seed)
    for _ in range(runs):
        yield tuple(draw.choices(actions, weights, k=steps))
