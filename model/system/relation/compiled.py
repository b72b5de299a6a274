"""The step relation compiled to Python: what the simulator and the explicit engine run.

Each branch of a transition system becomes one function from a tuple of ints and bools to the tuple
of next values and outputs. It is printed from the Z3 terms themselves, so there is one model only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

import z3

from model.system.relation import nodes
from model.system.relation.nodes import Node
from model.system.relation.transition import TransitionSystem, packed

Values = tuple[Any, ...]
"""One concrete state: an int for each bit vector, a bool for each Boolean."""

_INFIX = {
    z3.Z3_OP_BAND: "&", z3.Z3_OP_BOR: "|", z3.Z3_OP_BXOR: "^",
    z3.Z3_OP_EQ: "==", z3.Z3_OP_DISTINCT: "!=", z3.Z3_OP_IFF: "==", z3.Z3_OP_XOR: "!=",
    z3.Z3_OP_ULEQ: "<=", z3.Z3_OP_ULT: "<", z3.Z3_OP_UGEQ: ">=", z3.Z3_OP_UGT: ">",
    z3.Z3_OP_AND: " and ", z3.Z3_OP_OR: " or ",
}
_MODULAR = {z3.Z3_OP_BADD: "+", z3.Z3_OP_BSUB: "-", z3.Z3_OP_BMUL: "*"}


def leaf(node: Node) -> str:
    """Python for a constant. Raises ValueError for a variable that has no name here."""
    if nodes.is_numeral(node):
        return str(nodes.numeral(node))
    kind = nodes.kind(node)
    if kind in (z3.Z3_OP_TRUE, z3.Z3_OP_FALSE):
        return str(kind == z3.Z3_OP_TRUE)
    raise ValueError(f"{nodes.show(node)} is not a variable of this system")


def expression(node: Node, operands: Sequence[Node], args: Sequence[str]) -> str:
    """Python for one node, given that of its operands.

    Raises NotImplementedError for an operator that has no rule here yet.
    """
    kind = nodes.kind(node)
    if kind in _INFIX:
        return f"({_INFIX[kind].join(args)})"
    if kind == z3.Z3_OP_ITE:
        return f"({args[1]} if {args[0]} else {args[2]})"
    if kind == z3.Z3_OP_NOT:
        return f"(not {args[0]})"
    if kind == z3.Z3_OP_IMPLIES:
        return f"((not {args[0]}) or {args[1]})"
    if kind == z3.Z3_OP_BNOT:
        return f"({args[0]} ^ {_mask(node)})"
    if kind in _MODULAR:
        return f"(({_MODULAR[kind].join(args)}) & {_mask(node)})"
    if kind == z3.Z3_OP_BLSHR:
        return f"({args[0]} >> {args[1]})"
    if kind == z3.Z3_OP_BSHL:
        return f"(({args[0]} << min({args[1]}, {nodes.width(node)})) & {_mask(node)})"
    if kind == z3.Z3_OP_EXTRACT:
        return f"(({args[0]} >> {nodes.parameter(node, 1)}) & {_mask(node)})"
    if kind == z3.Z3_OP_ZERO_EXT:
        return args[0]
    if kind == z3.Z3_OP_CONCAT:
        code = args[0]
        for operand, arg in zip(operands[1:], args[1:], strict=True):
            code = f"(({code} << {nodes.width(operand)}) | {arg})"
        return code
    raise NotImplementedError(f"no Python for the Z3 term {nodes.show(node)}")


def _mask(node: Node) -> int:
    return (1 << nodes.width(node)) - 1


def source(name: str, variables: Sequence[z3.ExprRef], results: Sequence[z3.ExprRef]) -> str:
    """Python source of a function `name` from the values of `variables` to those of `results`.

    Terms used more than once get a name; all others stand where they are used.
    """
    roots = [nodes.node_of(r) for r in results]
    below = nodes.below(roots)
    uses = Counter(chain(roots, *below.values()))
    code: dict[Node, str] = {nodes.node_of(v): f"v{i}" for i, v in enumerate(variables)}
    params = ", ".join(code.values())
    lines: list[str] = []

    def emit(root: Node) -> str:
        todo = [root]
        while todo:
            node = todo[-1]
            if node in code:
                todo.pop()
                continue
            operands = below[node]
            missing = [c for c in operands if c not in code]
            if missing:
                todo.extend(missing)
                continue
            todo.pop()
            if not operands:
                code[node] = leaf(node)
                continue
            code[node] = expression(node, operands, [code[c] for c in operands])
            if uses[node] > 1:
                local = f"t{len(lines)}"
                lines.append(f"    {local} = {code[node]}")
                code[node] = local
        return code[root]

    returned = ", ".join(emit(r) for r in roots)
    unpack = [f"    {params}, = s"] if variables else []
    return "\n".join([f"def {name}(s):", *unpack, *lines, f"    return ({returned},)"])


def compile_terms(variables: Sequence[z3.ExprRef],
                  results: Sequence[z3.ExprRef]) -> Callable[[Values], Values]:
    """The function that `source` prints, compiled; the same for the same terms."""
    return _compiled(Terms(tuple(variables)), Terms(tuple(results)))


class Terms:
    """Terms as one key: Z3 keeps a single node for equal ones, as long as one is kept."""

    def __init__(self, terms: tuple[z3.ExprRef, ...]) -> None:
        self.terms = terms
        self._nodes = tuple(map(nodes.node_of, terms))

    def __hash__(self) -> int:
        return hash(self._nodes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Terms) and self._nodes == other._nodes


@lru_cache(maxsize=20_000)
def _compiled(variables: Terms, results: Terms) -> Callable[[Values], Values]:
    scope: dict[str, Any] = {}
    simple = z3.simplify(packed(results.terms)).children()
    exec(compile(source("f", variables.terms, simple), "<step relation>", "exec"), scope)
    function: Callable[[Values], Values] = scope["f"]
    return function


class Machine:
    """A transition system that runs: one step at a time, each branch compiled when first taken.

    A machine remembers steps that `step` has taken, so many at most; a state and an action have one
    answer.
    """

    _REMEMBERED = 100_000

    def __init__(self, system: TransitionSystem) -> None:
        self.system = system
        self.initial: Values = self._function((), system.initial)(())
        self._width = len(system.variables)
        self._index = {name: i for i, name in enumerate(system.actions)}
        self._branches: list[Callable[[Values], Values] | None] = [None] * len(system.actions)
        self._seen: dict[tuple[int, Values], tuple[Values, Values]] = {}

    def step(self, state: Values, action: int | str) -> tuple[Values, Values]:
        """The state after `action` (its index or name), and the outputs. KeyError if unknown."""
        index = self._index[action] if isinstance(action, str) else action
        known = self._seen.get((index, state))
        if known is None:
            values = self.branch(index)(state)
            known = values[:self._width], values[self._width:]
            if len(self._seen) >= self._REMEMBERED:
                self._seen.clear()
            self._seen[index, state] = known
        return known

    def branch(self, index: int) -> Callable[[Values], Values]:
        """The function from a state to the values after an action and its outputs."""
        branch = self._branches[index]
        if branch is None:
            branch = self._branches[index] = self._function(self.system.variables,
                                                            self.system.branches[index])
        return branch

    def _function(self, names: Sequence[z3.ExprRef],
                  results: Sequence[z3.ExprRef]) -> Callable[[Values], Values]:
        """The function from values of `names` to those of `results`."""
        return compile_terms(names, results)

    def predicate(self, formula: z3.BoolRef) -> Callable[[Values], bool]:
        """`formula` (over the variables) as a Python predicate of a state."""
        function = self._function(self.system.variables, (formula,))
        return lambda state: bool(function(state)[0])

    def step_values(self, formula: z3.BoolRef) -> Callable[[Values], Values]:
        """A step formula (over variables, action, primed variables and outputs) as a function of
        their values, in that order, to its own."""
        system = self.system
        return self._function((*system.variables, system.action, *system.primed, *system.outputs),
                              (formula,))

    def step_predicate(self, formula: z3.BoolRef) -> Callable[[Values, int], bool]:
        """A step formula as a Python predicate of a state and the index of the action taken
        there."""
        function = self.step_values(formula)

        def holds(state: Values, action: int) -> bool:
            after, outputs = self.step(state, action)
            return bool(function((*state, action, *after, *outputs))[0])

        return holds
