"""Graphs as GraphML, written as text: the same that networkx reads and would write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape

import networkx as nx

from counterexamples.pictures.graph import (
    Attributes,
    call_attributes,
    path_among,
    state_attributes,
)
from model.system.relation.kernel import KernelSystem
from model.system.relation.reach import StateGraph, explore

_HEAD = """<?xml version="1.0" encoding="utf-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns" \
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="http://graphml.graphdrawing.org/xmlns \
http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd">
"""
_GRAPH = '<graph edgedefault="directed">'
_FOOT = "</graph>\n</graphml>\n"
_TYPES: dict[type, str] = {str: "string", bool: "boolean", int: "long"}
_NO_MARKS: Attributes = {"path": False, "bad": False}


class _Keys:
    """The declared names of attributes: an id for each, of graph, node or edge."""

    def __init__(self, **told: Attributes) -> None:
        """`told` are the attributes of one graph, node and edge, whose like all others have."""
        self._opening: dict[tuple[str, str], str] = {}
        self.declared = ""
        for domain, attributes in told.items():
            for name, value in attributes.items():
                key = f"d{len(self._opening)}"
                self._opening[domain, name] = f'<data key="{key}">'
                self.declared += (f'<key id="{key}" for="{domain}" attr.name="{escape(name)}" '
                                  f'attr.type="{_TYPES[type(value)]}"/>\n')

    def data(self, domain: str, attributes: Attributes) -> str:
        opening = self._opening
        return "".join([f"{opening[domain, name]}{_text(value)}</data>"
                        for name, value in attributes.items()])


def _text(value: str | int | bool) -> str:
    if isinstance(value, str):
        return escape(value, quote=False)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _node(name: str) -> str:
    return f'<node id="{name}">'


def _edges(ends: Iterable[tuple[str, str]]) -> Iterator[str]:
    """An opening tag for each; calls from one state to another are counted, as networkx does."""
    seen: Counter[tuple[str, str]] = Counter()
    for source, target in ends:
        yield f'<edge source="{source}" target="{target}" id="{seen[source, target]}">'
        seen[source, target] += 1


def of_path(path: nx.MultiDiGraph) -> str:
    """A path graph, which has a node."""
    nodes, edges = list(path.nodes(data=True)), list(path.edges(data=True))
    keys = _Keys(graph=path.graph, node=nodes[0][1], edge=edges[0][2] if edges else {})
    return "".join([
        _HEAD, keys.declared, _GRAPH, keys.data("graph", path.graph), "\n",
        *(f"{_node(name)}{keys.data('node', data)}</node>\n" for name, data in nodes),
        *(f"{opening}{keys.data('edge', data)}</edge>\n" for opening, (*_, data) in
          zip(_edges((u, v) for u, v, _ in edges), edges, strict=True)),
        _FOOT])


@dataclass(frozen=True)
class _Body:
    """All that the graph of one system says, but for which path is marked: a line a state, and a
    line a call, each to be ended by its marks."""

    graph: StateGraph
    head: str
    nodes: Sequence[str]
    calls: Sequence[str]
    marks: Mapping[tuple[str, bool, bool], str]
    """The end of a line, of a node or an edge, by `path` and `bad`."""


@lru_cache(maxsize=4)
def _body(kernel: KernelSystem, max_states: int) -> _Body:
    """Cells of one system come one after the other, so a few are enough. Raises TooManyStates."""
    graph = explore(kernel.machine, max_states=max_states)
    states = list(state_attributes(kernel, graph))
    calls = list(call_attributes(kernel, graph))
    told = {"kernel": kernel.edition.name, "mapping": kernel.mapping.name}
    keys = _Keys(graph=told, node={**states[0], **_NO_MARKS}, edge={**calls[0][2], **_NO_MARKS})
    openings = _edges((f"s{source}", f"s{target}") for source, target, _ in calls)
    return _Body(
        graph,
        f"{_HEAD}{keys.declared}{_GRAPH}{keys.data('graph', told)}\n",
        [f"{_node(f's{i}')}{keys.data('node', data)}" for i, data in enumerate(states)],
        [f"{opening}{keys.data('edge', data)}" for opening, (*_, data) in
         zip(openings, calls, strict=True)],
        {(domain, path, bad): f"{keys.data(domain, {'path': path, 'bad': bad})}</{domain}>\n"
         for domain in ("node", "edge") for path in (False, True) for bad in (False, True)})


def of_states(kernel: KernelSystem, ops: Sequence[str], max_states: int) -> str:
    """`reachable_graph` of all reachable states, the path of `ops` marked.

    Raises TooManyStates where there are more than `max_states`, and ValueError for an operation
    that the system has not.
    """
    body = _body(kernel, max_states)
    path = path_among(kernel, body.graph, ops)
    actions = len(kernel.system.actions)
    nodes = [line + body.marks["node", False, False] for line in body.nodes]
    calls = [line + body.marks["edge", False, False] for line in body.calls]
    for state in path.states:
        nodes[state] = body.nodes[state] + body.marks["node", True, state == path.end]
    for taken in path.taken:
        call = taken[0] * actions + taken[1]
        calls[call] = body.calls[call] + body.marks["edge", True, taken == path.taken[-1]]
    return "".join([body.head, *nodes, *calls, _FOOT])
