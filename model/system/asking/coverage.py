"""Which branches of the kernel functions a step takes.

A branch is a side of a condition: the one that an `ite` chooses by, or a part of a `conj` or
`disj`, which like C's && and || looks at a part only while the parts before it have not decided.
What the mapping and the edition decide while the terms are built has no branch. The conditions are
found by watching those three functions return while the effects of the operations are built, as
coverage tools for programs do; the kernel functions know nothing of it.
"""

from __future__ import annotations

import ast
import linecache
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

import z3

from model.kernel.logic import conj, disj, ite
from model.kernel.task_mmu import pagemap_read
from model.system.relation import nodes
from model.system.relation.compiled import Values, expression, leaf
from model.system.relation.kernel import KernelSystem
from model.system.relation.nodes import Node
from model.system.relation.reach import StateGraph
from model.system.state.state import History, flatten

_PACKAGE = "model.kernel."
_HISTORY = len(fields(History))
"""The last leaves of a state."""
_WATCHED = {f.__code__: f.__name__ for f in (ite, conj, disj)}


@dataclass(frozen=True, order=True)
class Branch:
    """One side of a condition; `condition` as the model writes it, `file` a file of its kernel."""

    file: str
    line: int
    function: str
    condition: str
    side: bool

    def __str__(self) -> str:
        return (f"{self.file}:{self.line} {self.function}: {self.condition} is "
                f"{str(self.side).lower()}")


@dataclass(frozen=True)
class FunctionCoverage:
    """Of one kernel function: how many branches were taken, how many some list of calls can take,
    and how many there are; which of them were `missed`, and which are `unreachable`."""

    taken: int
    reachable: int
    all: int
    missed: tuple[Branch, ...]
    unreachable: tuple[Branch, ...]


class Coverage:
    """The branches of one model. `branches` are those that its kernel functions have."""

    def __init__(self, kernel: KernelSystem) -> None:
        self._fresh = KernelSystem(kernel.edition, kernel.mapping, kernel.actions)
        watch = _Watch()
        with watch:
            effects = self._fresh.effects
            pagemap = pagemap_read(kernel.edition, self._fresh.before.vma,
                                           self._fresh.before.entry)
        results = [(*flatten(e.state), e.outcome, e.faults) for e in effects]
        # What only the other editions use is not in there.
        used = nodes.below(nodes.node_of(term) for terms in (*results, flatten(pagemap))
                           for term in terms)
        self.branches = frozenset(b for key, conditions in watch.found.items() if key in used
                                  for found in conditions for condition in found
                                  for b in condition)
        variables = flatten(self._fresh.before)
        self._steps = [_tracing(variables, terms, watch.found) for terms in results]
        self._pagemap = cache(_tracing(variables, flatten(pagemap), watch.found))
        self._width = len(variables)

    def of(self, state: Values, action: int) -> frozenset[Branch]:
        """What is taken by an action from a concrete state, and by reading pagemap after it."""
        after, taken = self._steps[action](state)
        return taken | self._pagemap(after[:self._width])[1]

    def result(self, state: Values, action: int) -> Values:
        """The values after an action and its outputs, worked out by what watches."""
        return self._steps[action](state)[0]

    def reachable(self, graph: StateGraph) -> frozenset[Branch]:
        """What the transitions of an explicit graph take."""
        return self.by_transitions(graph, ((s, a) for s, row in enumerate(graph.edges)
                                           for a in range(len(row))))

    def by_transitions(self, graph: StateGraph,
                       transitions: Iterable[tuple[int, int]]) -> frozenset[Branch]:
        """What these transitions take, each a state's number in the graph and an action.

        No kernel function sees the history, so of states that differ in that alone one is enough.
        """
        seen = {(graph.states[s][:-_HISTORY], a): (s, a) for s, a in transitions}
        return frozenset[Branch]().union(*(self.of(graph.states[s], a) for s, a in seen.values()))


def by_function(branches: Collection[Branch], reachable: Collection[Branch],
                taken: Collection[Branch]) -> dict[str, FunctionCoverage]:
    """The sums, by the name of the kernel function."""
    found = {}
    for name in sorted({b.function for b in branches}):
        own = sorted(b for b in branches if b.function == name)
        found[name] = FunctionCoverage(
            sum(b in taken for b in own), sum(b in reachable for b in own), len(own),
            tuple(b for b in own if b in reachable and b not in taken),
            tuple(b for b in own if b not in reachable))
    return found


_Condition = tuple[Branch, Branch]
"""The side true, the side false."""
_Found = dict[int, tuple[set[_Condition], ...]]
"""For a term, by its node, what its first, second, ... operand decides."""


class _Watch:
    """Collects the conditions that `ite`, `conj` and `disj` make terms of, while entered."""

    def __init__(self) -> None:
        self.found: _Found = {}
        self._kept: list[z3.ExprRef] = []

    def __enter__(self) -> None:
        self._before = sys.getprofile()
        sys.setprofile(self._event)

    def __exit__(self, *error: object) -> None:
        sys.setprofile(self._before)

    def _event(self, frame: FrameType, event: str, value: Any) -> None:
        kind = _WATCHED.get(frame.f_code) if event == "return" else None
        caller = frame.f_back
        if kind is None or caller is None \
                or not caller.f_globals.get("__name__", "").startswith(_PACKAGE):
            return
        if kind == "ite":
            cond = frame.f_locals["cond"]
            for leaf in () if isinstance(cond, bool) else _leaves(value):
                if z3.is_app_of(leaf, z3.Z3_OP_ITE) and leaf.arg(0).eq(cond):
                    self._keep(leaf, caller, [0])
        elif z3.is_app_of(value, z3.Z3_OP_AND if kind == "conj" else z3.Z3_OP_OR):
            parts = [n for n, term in enumerate(frame.f_locals["terms"])
                     if not isinstance(term, bool)]
            if len(parts) > 1:
                self._keep(value, caller, parts)

    def _keep(self, term: z3.ExprRef, caller: FrameType, parts: Sequence[int]) -> None:
        """`parts` are the arguments of the call that the operands of `term` came from."""
        self._kept.append(term)  # a node is free for another term once its own is gone
        known = self.found.setdefault(nodes.node_of(term), tuple(set() for _ in parts))
        for operand, part in zip(known, parts, strict=True):
            operand.add(_condition(caller, part))


def _leaves(value: Any) -> Iterator[z3.ExprRef]:
    if is_dataclass(value):
        for field in fields(value):
            yield from _leaves(getattr(value, field.name))
    elif isinstance(value, z3.ExprRef):
        yield value


def _condition(caller: FrameType, part: int) -> _Condition:
    """Where a call stands, and its argument number `part` as it is written there."""
    code = caller.f_code
    line, end, start, stop = list(code.co_positions())[caller.f_lasti // 2]
    text = _text(code.co_filename, line or 0, end or 0, start or 0, stop or 0, part)
    function = code.co_qualname.partition(".")[0]
    true, false = (Branch(Path(code.co_filename).name, line or 0, function, text, side)
                   for side in (True, False))
    return true, false


@cache
def _text(file: str, line: int, end: int, start: int, stop: int, part: int) -> str:
    lines = linecache.getlines(file)[line - 1:end]
    lines[-1] = lines[-1].encode()[:stop].decode()
    lines[0] = lines[0].encode()[start:].decode()
    call = ast.parse("".join(lines), mode="eval").body
    assert isinstance(call, ast.Call)
    return ast.unparse(call.args[part])


_Traced = Callable[[Values], tuple[Values, frozenset[Branch]]]


def _tracing(variables: Sequence[z3.ExprRef], results: Sequence[z3.ExprRef],
             found: _Found) -> _Traced:
    """A function from values of `variables` to those of `results` and the branches taken.

    Every term is worked out when it is first needed, so that what is not needed takes no branch.
    """
    watched: list[set[_Condition]] = []
    lines: list[str] = []
    code = {nodes.node_of(v): f"x[{-1 - i}]" for i, v in enumerate(variables)}

    def reference(node: Node) -> str:
        if node not in code:
            operands = nodes.args(node)
            if operands:
                code[node] = f"t{node}(x)"
                body = expression(node, operands, list(_operands(node, operands)))
                lines.append(f"def t{node}(x):\n if {node} not in x: x[{node}] = {body}\n"
                             f" return x[{node}]")
            else:
                code[node] = leaf(node)
        return code[node]

    def _operands(node: Node, operands: Sequence[Node]) -> Iterator[str]:
        conditions = found.get(node, ())
        for number, operand in enumerate(operands):
            if number < len(conditions):
                watched.append(conditions[number])
                yield f"x['see']({len(watched) - 1}, {reference(operand)})"
            else:
                yield reference(operand)

    returned = ", ".join(reference(nodes.node_of(r)) for r in results)
    scope: dict[str, Any] = {}
    exec(compile("\n".join([*lines, f"def f(x): return ({returned},)"]), "<branches>", "exec"),
         scope)
    function = scope["f"]

    def traced(values: Values) -> tuple[Values, frozenset[Branch]]:
        taken: set[Branch] = set()

        def see(number: int, value: bool) -> bool:
            taken.update(true if value else false for true, false in watched[number])
            return value

        known: dict[int | str, Any] = {-1 - i: value for i, value in enumerate(values)}
        return function(known | {"see": see}), frozenset(taken)

    return traced
