"""Traces and state spaces as networkx graphs, and the path in the DOT language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import networkx as nx

from counterexamples.pictures.canvas import GREEN, INK, RED
from counterexamples.trace import Trace, pte_state
from counterexamples.words.entry import entry_words
from model.kernel import bits
from model.kernel.editions import Edition
from model.kernel.records import Outcome
from model.system.relation.kernel import KernelSystem
from model.system.relation.reach import StateGraph

_PTE_FLAGS = (
    (bits.PAGE_PRESENT, "P"), (bits.PAGE_RW, "RW"), (bits.PAGE_ACCESSED, "A"),
    # Before 6.6 the bit of SAVED_DIRTY is DEVMAP, which no modelled mapping sets.
    (bits.PAGE_DIRTY | bits.PAGE_SAVED_DIRTY, "D"), (bits.PAGE_SOFT_DIRTY, "SD"),
    (bits.PAGE_UFFD_WP, "WP"), (bits.PAGE_SPECIAL, "SPEC"))
COLOURS = {"start": INK, "shared": INK, "violating": RED, "bad": RED, "fixed": GREEN}
"""By the role of a node or an edge."""

_LETTERS = {"minor": "ui", "uffd_rwp": "ur"}
"""The smaps letters of flags that are facts here."""
_HISTORY = {"stored": "stored", "protected": "protected", "protected_async": "protected",
            "rw_protected": "rw-protected", "poisoned": "poisoned"}

Values = Mapping[str, int | bool]
Attributes = Mapping[str, str | int | bool]


def label(edition: Edition, values: Values) -> str:
    """A state in a few short lines: smaps letters, vm_page_prot, the entry, the history."""
    letters = sorted([*(s for bit, s in bits.VMFLAG_LETTERS.items() if values["vm_flags"] & bit),
                      *(s for fact, s in _LETTERS.items() if values[fact])])
    prot = values["vm_page_prot"]
    mode = "RW" if prot & bits.PAGE_RW else "RO" if prot & bits.PAGE_PRESENT else "NONE"
    pte = state = pte_state(values["pte"])
    if state in ("present", "protnone"):
        flags = [name for bit, name in _PTE_FLAGS if values["pte"] & bit]
        pte = " ".join(["protnone"] * (state == "protnone") + flags)
    elif state != "none":
        pte = entry_words(edition, int(values["pte"]))
    history = " ".join(word for fact, word in _HISTORY.items() if values[fact])
    lines = [" ".join(letters), f"prot {mode}", f"pte {pte}", history]
    return "\n".join(line for line in lines if line)


def _attributes(values: Values) -> dict[str, str | bool]:
    """The state for GraphML, whose integers do not hold 64 unsigned bits."""
    return {name: v if isinstance(v, bool) else f"{v:#x}" for name, v in values.items()}


def path_graph(trace: Trace, beside: Trace | None) -> nx.MultiDiGraph:
    """The violating path, and beside it what the fixed edition does on the same calls.

    A node is a state, whichever run and step it is met in; `step` is the first one. `role` of a
    node is start, shared, violating, fixed or bad (where the violating step leads); an edge is
    shared where both runs take it at the same step, and bad where it breaks the promise.
    """
    runs = [("violating", trace), *([("fixed", beside)] if beside else [])]
    graph = nx.MultiDiGraph(property=trace.prop, mapping=trace.mapping,
                            **{role: run.kernel for role, run in runs})
    names: dict[tuple[int | bool, ...], str] = {}
    for role, run in runs:
        path = [names.setdefault(tuple(s.values.values()), f"s{len(names)}") for s in run.steps]
        for i, (name, step) in enumerate(zip(path, run.steps, strict=True)):
            if name not in graph:
                graph.add_node(name, label=label(run.edition, step.values), role=role, step=i,
                               **_attributes(step.values))
            elif role == "fixed":
                graph.nodes[name]["role"] = "shared"
        for i, (u, v) in enumerate(pairwise(path), start=1):
            _add_call(graph, role, run, i, (u, v))
    graph.nodes[names[tuple(trace.steps[0].values.values())]]["role"] = "start"
    bad = names[tuple(trace.steps[-1].values.values())]
    graph.nodes[bad]["role"] = "bad"
    for _, _, data in graph.edges(data=True):
        if data["step"] == len(trace.ops) and data["role"] in ("violating", "shared"):
            data["role"] = "bad"
    return graph


def _add_call(graph: nx.MultiDiGraph, role: str, run: Trace, i: int, ends: tuple[str, str]) -> None:
    step = run.steps[i]
    call = {"step": i, "op": step.op, "outcome": step.outcome, "faults": step.faults,
            "by": step.by}
    for data in (graph.get_edge_data(*ends) or {}).values():
        if call.items() <= data.items():
            data["role"] = "shared"
            return
    notes = [step.outcome] * (step.outcome != "ok")
    notes += [f"{step.faults} minor fault{'s' * (step.faults > 1)}"] * (step.faults > 0)
    graph.add_edge(*ends, **call, role=role, label="\n".join([f"{i} {step.call}", *notes]))


@dataclass(frozen=True)
class Path:
    """Where a list of operations leads among explored states: the state and the action of each
    call, and the state at the end, all by index."""

    taken: tuple[tuple[int, int], ...]
    end: int

    @property
    def states(self) -> frozenset[int]:
        return frozenset((*(state for state, _ in self.taken), self.end))


def path_among(kernel: KernelSystem, graph: StateGraph, ops: Sequence[str]) -> Path:
    """The path of `ops`. Raises ValueError for an operation that is not modelled, or a path that
    leaves the explored part."""
    actions = list(kernel.system.actions)
    taken: list[tuple[int, int]] = []
    state = 0
    for op in ops:
        if op not in actions or state >= len(graph.edges):
            raise ValueError(f"{op!r} after {len(taken)} operations leaves the explored states")
        taken.append((state, actions.index(op)))
        state = graph.edges[state][taken[-1][1]]
    return Path(tuple(taken), state)


def state_attributes(kernel: KernelSystem, graph: StateGraph) -> Iterator[Attributes]:
    """What is told of each explored state, whatever path is marked."""
    for values, depth in zip(graph.states, graph.depth, strict=True):
        named = dict(zip(kernel.names, values, strict=True))
        yield {"label": label(kernel.edition, named), "depth": depth, **_attributes(named)}


def call_attributes(kernel: KernelSystem,
                    graph: StateGraph) -> Iterator[tuple[int, int, Attributes]]:
    """Source, target and what is told of each call, state by state and action by action."""
    actions = kernel.system.actions
    for state, row in enumerate(graph.edges):
        for action, target in enumerate(row):
            _, (outcome, faults) = kernel.machine.step(graph.states[state], action)
            yield state, target, {"op": actions[action], "label": actions[action],
                                  "outcome": Outcome(outcome).name, "faults": int(faults)}


def reachable_graph(kernel: KernelSystem, graph: StateGraph, ops: Sequence[str]) -> nx.MultiDiGraph:
    """All explored states and the calls between them, the path of `ops` marked.

    `path` of a node or edge says that the path takes it, `bad` that the path ends there. Raises
    ValueError as `path_among` does.
    """
    path = path_among(kernel, graph, ops)
    whole = nx.MultiDiGraph(kernel=kernel.edition.name, mapping=kernel.mapping.name)
    for i, told in enumerate(state_attributes(kernel, graph)):
        whole.add_node(f"s{i}", **told, path=i in path.states, bad=i == path.end)
    actions = len(kernel.system.actions)
    for number, (source, target, told) in enumerate(call_attributes(kernel, graph)):
        call = (source, number % actions)
        whole.add_edge(f"s{source}", f"s{target}", **told, path=call in path.taken,
                       bad=call == path.taken[-1] if path.taken else False)
    return whole


def dot(path: nx.MultiDiGraph) -> str:
    """The path graph in the DOT language, coloured by role."""
    lines = ["digraph counterexample {", "  rankdir=LR;",
             '  node [shape=box, style=rounded, fontname="DejaVu Sans Mono", fontsize=10];',
             '  edge [fontname="DejaVu Sans", fontsize=10];']
    for name, data in path.nodes(data=True):
        lines.append(f"  {_quote(name)} [{_dot_attributes(data)}];")
    for u, v, data in path.edges(data=True):
        lines.append(f"  {_quote(u)} -> {_quote(v)} [{_dot_attributes(data)}];")
    return "\n".join([*lines, "}"]) + "\n"


def _dot_attributes(data: Mapping[str, Any]) -> str:
    colour = COLOURS[data["role"]]
    pairs = {"label": data["label"], "class": data["role"], "color": colour, "fontcolor": colour,
             "penwidth": "2.5" if data["role"] == "bad" else "1.2"}
    return ", ".join(f"{name}={_quote(value)}" for name, value in pairs.items())


def _quote(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
