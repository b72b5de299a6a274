"""A shorter run that still shows a difference: fewest operations first, then the plainest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from counterexamples.lab.suite import Mealy, Walked, Word

Differs = Callable[[Word], int | None]
"""The number of the first step of a word at which the two sides differ, or None."""


def shrink(machine: Mealy | Walked, word: Word, differs: Differs) -> Word:
    """`word` cut down, by trying, until nothing shorter or plainer that is tried differs.

    First every transition of the model by its shortest path, where that is known, breadth first:
    that finds the shortest run wherever the two sides part by one step. Then operation by
    operation.
    Raises ValueError when `word` does not differ.
    """
    best = _cut(word, differs)
    if best is None:
        raise ValueError("the run does not differ")
    for candidate in machine.single():
        if (len(candidate), candidate) >= (len(best), best):
            break
        found = _cut(candidate, differs)
        if found is not None:
            best = found
            break
    while better := _first(_candidates(machine, best), best, differs):
        best = better
    return best


def _cut(word: Word, differs: Differs) -> Word | None:
    step = differs(word)
    return None if step is None else word[:step]


def _first(candidates: Iterator[Word], best: Word, differs: Differs) -> Word | None:
    for candidate in candidates:
        if (len(candidate), candidate) < (len(best), best):
            found = _cut(candidate, differs)
            if found is not None:
                return found
    return None


def _candidates(machine: Mealy | Walked, word: Word) -> Iterator[Word]:
    """Beginnings by the model's shortest path, then without one or two operations, then plainer."""
    for at in range(1, len(word) + 1):
        yield (*machine.shortest(word[:at]), *word[at:])
    for gap in (2, 1):
        for at in range(len(word) - gap + 1):
            yield (*word[:at], *word[at + gap:])
    for at, action in enumerate(word):
        for plainer in range(action):
            yield (*word[:at], plainer, *word[at + 1:])


def names(actions: Sequence[str], word: Word) -> tuple[str, ...]:
    """The operations of a word by name."""
    return tuple(actions[action] for action in word)
