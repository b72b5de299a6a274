"""The step relation compiled to Python: what the simulator and the explicit engine run.

Each branch of a transition system becomes one function from a tuple of ints and bools to the tuple
of next values and outputs. It is printed from the Z3 terms themselves, so there is one model only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import z3

from model.system.transition import TransitionSystem

Values = tuple[Any, ...]
"""One concrete state: an int for each bit vector, a bool for each Boolean."""

_INFIX = {
    z3.Z3_OP_BAND: "&", z3.Z3_OP_BOR: "|", z3.Z3_OP_BXOR: "^",
    z3.Z3_OP_EQ: "==", z3.Z3_OP_DISTINCT: "!=", z3.Z3_OP_IFF: "==", z3.Z3_OP_XOR: "!=",
    z3.Z3_OP_ULEQ: "<=", z3.Z3_OP_ULT: "<", z3.Z3_OP_UGEQ: ">=", z3.Z3_OP_UGT: ">",
    z3.Z3_OP_AND: " and ", z3.Z3_OP_OR: " or ",
}
_MODULAR = {z3.Z3_OP_BADD: "+", z3.Z3_OP_BSUB: "-", z3.Z3_OP_BMUL: "*"}


def _expression(node: z3.ExprRef, args: list[str]) -> str:
    """Python source for one node, given that of its arguments.

    Raises NotImplementedError for an operator that has no rule here yet.
    """
    kind = node.decl().kind()
    if kind in _INFIX:
        return f"({_INFIX[kind].join(args)})"
    if kind == z3.Z3_OP_ITE:
        return f"({args[1]} if {args[0]} else {args[2]})"
    if kind == z3.Z3_OP_NOT:
        return f"(not {args[0]})"
    if kind == z3.Z3_OP_IMPLIES:
        return f"((not {args[0]}) or {args[1]})"
    if isinstance(node, z3.BitVecRef):
        mask = (1 << node.size()) - 1
        if kind == z3.Z3_OP_BNOT:
            return f"({args[0]} ^ {mask})"
        if kind in _MODULAR:
            return f"(({_MODULAR[kind].join(args)}) & {mask})"
        if kind == z3.Z3_OP_BLSHR:
            return f"({args[0]} >> {args[1]})"
        if kind == z3.Z3_OP_BSHL:
            return f"(({args[0]} << min({args[1]}, {node.size()})) & {mask})"
        if kind == z3.Z3_OP_EXTRACT:
            return f"(({args[0]} >> {node.params()[1]}) & {mask})"
        if kind == z3.Z3_OP_ZERO_EXT:
            return args[0]
        if kind == z3.Z3_OP_CONCAT:
            code = args[0]
            for child, arg in zip(node.children()[1:], args[1:], strict=True):
                code = f"(({code} << {child.size()}) | {arg})"
            return code
    raise NotImplementedError(f"no Python for the Z3 operator {node.decl().name()}")


def source(name: str, variables: Sequence[z3.ExprRef], results: Sequence[z3.ExprRef]) -> str:
    """Python source of a function `name` from the values of `variables` to those of `results`.

    Terms used more than once get a name; all others stand where they are used.
    """
    uses: dict[int, int] = {}
    children: dict[int, list[z3.ExprRef]] = {}
    stack = list(results)
    while stack:
        node = stack.pop()
        key = node.get_id()
        uses[key] = uses.get(key, 0) + 1
        if uses[key] == 1:
            children[key] = node.children()
            stack.extend(children[key])

    names = {v.get_id(): f"v{i}" for i, v in enumerate(variables)}
    code: dict[int, str] = dict(names)
    lines: list[str] = []

    def emit(root: z3.ExprRef) -> str:
        todo = [root]
        while todo:
            node = todo[-1]
            key = node.get_id()
            if key in code:
                todo.pop()
                continue
            missing = [c for c in children[key] if c.get_id() not in code]
            if missing:
                todo.extend(missing)
                continue
            todo.pop()
            code[key] = _leaf_or_expression(node, [code[c.get_id()] for c in children[key]])
            if uses[key] > 1 and children[key]:
                local = f"t{len(lines)}"
                lines.append(f"    {local} = {code[key]}")
                code[key] = local
        return code[root.get_id()]

    returned = ", ".join(emit(r) for r in results)
    params = ", ".join(names[v.get_id()] for v in variables)
    unpack = [f"    {params}, = s"] if variables else []
    return "\n".join([f"def {name}(s):", *unpack, *lines, f"    return ({returned},)"])


def _leaf_or_expression(node: z3.ExprRef, args: list[str]) -> str:
    if isinstance(node, z3.BitVecNumRef):
        return str(node.as_long())
    if z3.is_true(node) or z3.is_false(node):
        return str(bool(z3.is_true(node)))
    if not args:
        raise ValueError(f"{node} is not a variable of this system")
    return _expression(node, args)


def compile_terms(variables: Sequence[z3.ExprRef],
                  results: Sequence[z3.ExprRef]) -> Callable[[Values], Values]:
    """The function that `source` prints, compiled."""
    scope: dict[str, Any] = {}
    exec(compile(source("f", variables, results), "<step relation>", "exec"), scope)
    function: Callable[[Values], Values] = scope["f"]
    return function


class Machine:
    """A transition system that runs: one step at a time, each branch compiled when first taken.

    A machine remembers the steps it has taken; a state and an action have one answer.
    """

    def __init__(self, system: TransitionSystem) -> None:
        self.system = system
        self.initial: Values = compile_terms((), system.initial)(())
        self._width = len(system.variables)
        self._index = {name: i for i, name in enumerate(system.actions)}
        self._branches: list[Callable[[Values], Values] | None] = [None] * len(system.actions)
        self._seen: dict[tuple[int, Values], tuple[Values, Values]] = {}

    def step(self, state: Values, action: int | str) -> tuple[Values, Values]:
        """The state after `action` (its index or name), and the outputs. KeyError if unknown."""
        index = self._index[action] if isinstance(action, str) else action
        known = self._seen.get((index, state))
        if known is None:
            values = self._branch(index)(state)
            known = values[:self._width], values[self._width:]
            self._seen[index, state] = known
        return known

    def _branch(self, index: int) -> Callable[[Values], Values]:
        branch = self._branches[index]
        if branch is None:
            terms = [z3.simplify(t) for t in self.system.branches[index]]
            branch = self._branches[index] = compile_terms(self.system.variables, terms)
        return branch

    def predicate(self, formula: z3.BoolRef) -> Callable[[Values], bool]:
        """`formula` (over the variables) as a Python predicate of a state."""
        function = compile_terms(self.system.variables, (z3.simplify(formula),))
        return lambda state: bool(function(state)[0])

    def step_predicate(self, formula: z3.BoolRef) -> Callable[[Values, int], bool]:
        """`formula` (over variables and action) as a Python predicate of a state and an action."""
        names = (*self.system.variables, self.system.action)
        function = compile_terms(names, (z3.simplify(formula),))
        return lambda state, action: bool(function((*state, action))[0])
