"""What a remedy makes of an edition, and what it does to the promises."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import Any

from model.engines.explicit import first_violation, reaches
from model.kernel.editions import Edition
from model.kernel.mirror import MIRRORS
from model.kernel.records import Mapping
from model.kernel.releases import KERNELS, NEWEST
from model.system.actions.themes import allowing, modelled
from model.system.relation.kernel import KernelSystem
from model.system.relation.library import library
from model.system.relation.reach import StateGraph, explore
from model.system.relation.replay import violates
from model.system.state.mappings import find_mapping
from properties import PROPERTIES
from properties.base import Property
from properties.findings import Finding, Shown

PACKAGE = "model.kernel.remedies"

PROVED, VIOLATED, VACUOUS = "proved", "violated", "vacuous"


def functions(name: str) -> dict[str, Callable[..., Any]]:
    """The kernel functions that the remedy `name` replaces, by name."""
    module = importlib.import_module(f"{PACKAGE}.{name}")
    return {key: value for key, value in vars(module).items()
            if key in MIRRORS and getattr(value, "__module__", "") == module.__name__}


def remedied(edition: Edition, names: Sequence[str]) -> Edition:
    """`edition` with these remedies, one around the other: inside a replacement the function of its
    name is what it would be without it."""
    for name in names:
        for key, function in functions(name).items():
            edition = replace(edition, overrides=MappingProxyType(
                {**edition.overrides, key: _around(edition, key, function)}))
    return replace(edition, name="+".join((edition.name, *names))) if names else edition


def _around(edition: Edition, key: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as the replacement of the kernel function `key`."""
    inner = edition.overrides.get(key)

    def call(ed: Edition, /, *args: Any, **kwargs: Any) -> Any:
        others = {name: f for name, f in ed.overrides.items() if name != key}
        if inner is not None:
            others[key] = inner
        return function(replace(ed, overrides=MappingProxyType(others)), *args, **kwargs)

    return call


@dataclass(frozen=True)
class Answer:
    """Whether one promise holds, from the exhausted state graph; `trace` breaks it."""

    verdict: str
    trace: tuple[str, ...] = ()


class Judge:
    """The answers for one edition with some remedies; each graph is explored once."""

    def __init__(self, edition: Edition, remedies: Sequence[str] = ()) -> None:
        self.edition = remedied(edition, remedies)
        self._graph = cache(self._explored)
        self._answer = cache(self._asked)

    def answer(self, prop: Property, mapping: Mapping, allow: Collection[str] = ()) -> Answer:
        """Whether the promise holds with the core operations and those of `allow`."""
        operations = allowing(self.edition, mapping, (*prop.about, *allow))
        return self._answer(prop.name, mapping, operations)

    def _explored(self, mapping: Mapping, operations: tuple[str, ...],
                  follows: tuple[str, ...]) -> tuple[KernelSystem, StateGraph]:
        kernel = KernelSystem(self.edition, mapping, operations, library(), follows)
        return kernel, explore(kernel.machine)

    def _asked(self, prop: str, mapping: Mapping, operations: tuple[str, ...]) -> Answer:
        kernel, graph = self._graph(mapping, operations, PROPERTIES[prop].follows)
        question = PROPERTIES[prop].question(kernel)
        trace = first_violation(kernel.machine, graph, question)
        if trace is not None:
            return Answer(VIOLATED, trace)
        tested = reaches(kernel.machine, graph, question.witness)
        return Answer(PROVED if tested else VACUOUS)


def lost(before: Judge, after: Judge, mapping: Mapping,
         allow: Collection[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The promises that `before` keeps and `after` does not, each with a list of calls."""
    for prop in PROPERTIES.values():
        if prop.concerns(before.edition, mapping):
            then = after.answer(prop, mapping, allow)
            if then.verdict != PROVED \
                    and before.answer(prop, mapping, allow).verdict == PROVED:
                yield prop.name, then.trace


def has(edition: Edition, finding: Finding, shown: Shown) -> bool:
    """Whether the calls tell the edition to have what the remedy mends: there they break the
    promise, and with the remedy they do not."""
    behind = finding.broken[0].behind
    return (breaks(remedied(edition, behind), shown)
            and not breaks(remedied(edition, (*behind, finding.remedy)), shown))


def breaks(edition: Edition, shown: Shown) -> bool:
    """Whether the calls break the promise there."""
    prop, mapping, calls = PROPERTIES[shown.promise], find_mapping(shown.mapping), shown.ops
    if not prop.concerns(edition, mapping) or not {*calls} <= {*modelled(edition, mapping)}:
        return False
    kernel = KernelSystem(edition, mapping, tuple(dict.fromkeys((*prop.about, *calls))), library(),
                          prop.follows)
    return violates(kernel.machine, prop.question(kernel), calls)


def spans(names: Collection[str]) -> str:
    """Editions by the first and last of each row of them: "v6.1.170 to v6.1, v6.3 to v7.2"."""
    runs: list[list[str]] = []
    for before, name in zip(("", *KERNELS), KERNELS, strict=False):
        if name in names:
            if before in names:
                runs[-1].append(name)
            else:
                runs.append([name])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)


def spanned(text: str) -> tuple[str, ...]:
    """The editions that such words name; "v6.3 on" are those from there to the newest."""
    rows = [span.replace(" on", f" to {NEWEST}").split(" to ") for span in text.split(", ")]
    return tuple(name for row in rows
                 for name in KERNELS[KERNELS.index(row[0]):KERNELS.index(row[-1]) + 1])


def last(finding: Finding) -> str:
    """The newest edition that has it."""
    return max((spanned(shown.kernels)[-1] for shown in finding.shown), key=KERNELS.index)
