"""The step relation compiled to Python: what the simulator and the explicit engine run.

Each branch of a transition system becomes one function from a tuple of ints and bools to the tuple
of next values and outputs. It is printed from the Z3 terms themselves, so there is one model only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import z3

from model.system.relation.transition import TransitionSystem

Values = tuple[Any, ...]
"""One concrete state: an int for each bit vector, a bool for each Boolean."""

_INFIX = {
    z3.Z3_OP_BAND: "&", z3.Z3_OP_BOR: "|", z3.Z3_OP_BXOR: "^",
    z3.Z3_OP_EQ: "==", z3.Z3_OP_DISTINCT: "!=", z3.Z3_OP_IFF: "==", z3.Z3_OP_XOR: "!=",
    z3.Z3_OP_ULEQ: "<=", z3.Z3_OP_ULT: "<", z3.Z3_OP_UGEQ: ">=", z3.Z3_OP_UGT: ">",
    z3.Z3_OP_AND: " and ", z3.Z3_OP_OR: " or ",
}
_MODULAR = {z3.Z3_OP_BADD: "+", z3.Z3_OP_BSUB: "-", z3.Z3_OP_BMUL: "*"}


class Terms:
    """Terms through Z3's C interface: the Python one is ten times slower to walk."""

    def __init__(self, context: z3.Context) -> None:
        self._ctx = context.ref()
        self._context = context

    def key(self, node: z3.Ast) -> int:
        return int(z3.Z3_get_ast_id(self._ctx, node))

    def args(self, node: z3.Ast) -> list[z3.Ast]:
        if z3.Z3_get_ast_kind(self._ctx, node) != z3.Z3_APP_AST:
            return []
        app = z3.Z3_to_app(self._ctx, node)
        return [z3.Z3_get_app_arg(self._ctx, app, i)
                for i in range(z3.Z3_get_app_num_args(self._ctx, app))]

    def kind(self, node: z3.Ast) -> int:
        decl = z3.Z3_get_app_decl(self._ctx, z3.Z3_to_app(self._ctx, node))
        return int(z3.Z3_get_decl_kind(self._ctx, decl))

    def parameter(self, node: z3.Ast, index: int) -> int:
        decl = z3.Z3_get_app_decl(self._ctx, z3.Z3_to_app(self._ctx, node))
        return int(z3.Z3_get_decl_int_parameter(self._ctx, decl, index))

    def width(self, node: z3.Ast) -> int:
        return int(z3.Z3_get_bv_sort_size(self._ctx, z3.Z3_get_sort(self._ctx, node)))

    def show(self, node: z3.Ast) -> str:
        return str(z3.Z3_ast_to_string(self._ctx, node))

    def leaf(self, node: z3.Ast) -> str:
        """Python for a constant. Raises ValueError for a variable that has no name here."""
        if z3.Z3_get_ast_kind(self._ctx, node) == z3.Z3_NUMERAL_AST:
            return str(z3.Z3_get_numeral_string(self._ctx, node))
        kind = self.kind(node)
        if kind in (z3.Z3_OP_TRUE, z3.Z3_OP_FALSE):
            return str(kind == z3.Z3_OP_TRUE)
        raise ValueError(f"{self.show(node)} is not a variable of this system")

    def expression(self, node: z3.Ast, operands: list[z3.Ast], args: list[str]) -> str:
        """Python for one node, given that of its operands.

        Raises NotImplementedError for an operator that has no rule here yet.
        """
        kind = self.kind(node)
        if kind in _INFIX:
            return f"({_INFIX[kind].join(args)})"
        if kind == z3.Z3_OP_ITE:
            return f"({args[1]} if {args[0]} else {args[2]})"
        if kind == z3.Z3_OP_NOT:
            return f"(not {args[0]})"
        if kind == z3.Z3_OP_IMPLIES:
            return f"((not {args[0]}) or {args[1]})"
        if kind == z3.Z3_OP_BNOT:
            return f"({args[0]} ^ {self._mask(node)})"
        if kind in _MODULAR:
            return f"(({_MODULAR[kind].join(args)}) & {self._mask(node)})"
        if kind == z3.Z3_OP_BLSHR:
            return f"({args[0]} >> {args[1]})"
        if kind == z3.Z3_OP_BSHL:
            return f"(({args[0]} << min({args[1]}, {self.width(node)})) & {self._mask(node)})"
        if kind == z3.Z3_OP_EXTRACT:
            return f"(({args[0]} >> {self.parameter(node, 1)}) & {self._mask(node)})"
        if kind == z3.Z3_OP_ZERO_EXT:
            return args[0]
        if kind == z3.Z3_OP_CONCAT:
            code = args[0]
            for operand, arg in zip(operands[1:], args[1:], strict=True):
                code = f"(({code} << {self.width(operand)}) | {arg})"
            return code
        raise NotImplementedError(f"no Python for the Z3 term {self.show(node)}")

    def _mask(self, node: z3.Ast) -> int:
        return (1 << self.width(node)) - 1


def source(name: str, variables: Sequence[z3.ExprRef], results: Sequence[z3.ExprRef]) -> str:
    """Python source of a function `name` from the values of `variables` to those of `results`.

    Terms used more than once get a name; all others stand where they are used.
    """
    terms = Terms(results[0].ctx)
    uses: dict[int, int] = {}
    operands: dict[int, list[z3.Ast]] = {}
    stack = [r.as_ast() for r in results]
    while stack:
        node = stack.pop()
        key = terms.key(node)
        uses[key] = uses.get(key, 0) + 1
        if uses[key] == 1:
            operands[key] = terms.args(node)
            stack.extend(operands[key])

    names = {terms.key(v.as_ast()): f"v{i}" for i, v in enumerate(variables)}
    code: dict[int, str] = dict(names)
    lines: list[str] = []

    def emit(root: z3.Ast) -> str:
        todo = [root]
        while todo:
            node = todo[-1]
            key = terms.key(node)
            if key in code:
                todo.pop()
                continue
            parts = [terms.key(c) for c in operands[key]]
            missing = [c for c, part in zip(operands[key], parts, strict=True) if part not in code]
            if missing:
                todo.extend(missing)
                continue
            todo.pop()
            if not parts:
                code[key] = terms.leaf(node)
                continue
            code[key] = terms.expression(node, operands[key], [code[p] for p in parts])
            if uses[key] > 1:
                local = f"t{len(lines)}"
                lines.append(f"    {local} = {code[key]}")
                code[key] = local
        return code[terms.key(root)]

    returned = ", ".join(emit(r.as_ast()) for r in results)
    params = ", ".join(names.values())
    unpack = [f"    {params}, = s"] if variables else []
    return "\n".join([f"def {name}(s):", *unpack, *lines, f"    return ({returned},)"])


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
            values = self._branch(index)(state)
            known = values[:self._width], values[self._width:]
            self._seen[index, state] = known
        return known

    def _branch(self, index: int) -> Callable[[Values], Values]:
        branch = self._branches[index]
        if branch is None:
            branch = self._branches[index] = self._function(self.system.variables,
                                                            self.system.branches[index])
        return branch

    def _function(self, names: Sequence[z3.ExprRef],
                  results: Sequence[z3.ExprRef]) -> Callable[[Values], Values]:
        """The function from values of `names` to those of `results`."""
        return compile_terms(names, [z3.simplify(t) for t in results])

    def predicate(self, formula: z3.BoolRef) -> Callable[[Values], bool]:
        """`formula` (over the variables) as a Python predicate of a state."""
        function = self._function(self.system.variables, (formula,))
        return lambda state: bool(function(state)[0])

    def step_predicate(self, formula: z3.BoolRef) -> Callable[[Values, int], bool]:
        """A step formula (over variables, action, primed variables and outputs) as a Python
        predicate of a state and the index of the action taken there."""
        system = self.system
        names = (*system.variables, system.action, *system.primed, *system.outputs)
        function = self._function(names, (formula,))

        def holds(state: Values, action: int) -> bool:
            after, outputs = self.step(state, action)
            return bool(function((*state, action, *after, *outputs))[0])

        return holds
