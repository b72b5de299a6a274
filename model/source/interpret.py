"""Interprets C over Z3, with loops whose course no input decides.

A function runs along all its paths at once: what a statement assigns or returns holds where the
paths `live` lead to it. Calls are followed into the functions of the same tree; what the table of
correspondences calls a fact of the model is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from model.kernel.logic import Bool, conj, disj, negate
from model.source.cparse import Unit, field, text
from model.source.expressions import Expressions
from model.source.memory import Frame, Memory
from model.source.values import (
    CannotInterpret,
    NotThere,
    Value,
    WrongArguments,
    binary,
    blank,
    choose,
    convert,
    decided,
    holds,
    number_of,
)

if TYPE_CHECKING:
    from tree_sitter import Node

Fact: TypeAlias = Value | Callable[[list[Value]], Value]
_DEPTH = 40
_ROUNDS = 100


class Interpreter(Expressions):
    """Runs C of one unit.

    `names` are values of identifiers, `facts` of calls, by the callee or by the whole call as it is
    written; `methods` are functions by the field of a record that points to them; `objects` are
    what pointers point to, and what is stored there, `overlaid` members of unions by the path of
    what they lie over. `used` collects the facts that were asked for, `functions` the functions
    that were run.
    """

    def __init__(self, unit: Unit, names: Mapping[str, Value], facts: Mapping[str, Fact],
                 objects: Mapping[str, Value], overlaid: Mapping[str, tuple[str, ...]] = {},
                 methods: Mapping[str, str] = {}) -> None:
        super().__init__(unit, names, Memory(objects, overlaid))
        self._facts = facts
        self._methods = methods
        self._depth = 0
        self.functions: dict[str, str] = {}

    @property
    def objects(self) -> Mapping[str, Value]:
        """What pointers point to now."""
        return self._memory.objects

    def run(self, name: str) -> Value:
        """The value that the function `name`, of no arguments, returns, before it is converted to
        its type. Raises CannotInterpret."""
        function = self._unit.function(name)
        if function is None:
            raise NotThere(name)
        statement = function.body.named_children[-1]
        return self._needed(statement.named_children[0], Frame())

    def constant(self, name: str) -> int:
        """The number that an enum gives the name. Raises CannotInterpret."""
        return number_of(self._name(name, Frame()))

    # --- calls ------------------------------------------------------------------------------------

    def _call(self, node: Node, frame: Frame) -> Value | None:
        callee = field(node, "function")
        if callee.type == "parenthesized_expression" and len(self._arguments(node)) == 1:
            # (type)(value) reads like a call
            kind = self._unit.type(callee.named_children[0])
            return self._cast(self._arguments(node)[0], kind, frame)
        name = text(callee)
        whole = re.sub(r"\s+", "", text(node))
        for fact in (whole, name):
            if fact in self._facts:
                self.used.add(f"{fact}()" if fact == name else fact)
                value = self._facts[fact]
                return value([self._needed(a, frame) for a in self._arguments(node)]) \
                    if callable(value) else value
        if callee.type == "field_expression":
            name = self._methods.get(text(field(callee, "field")), name)
        return self._follow(name, [self._needed(a, frame) for a in self._arguments(node)], frame)

    def _follow(self, name: str, arguments: list[Value], frame: Frame) -> Value | None:
        """What a function of the unit returns."""
        function = self._unit.function(name)
        if function is None:
            raise NotThere(name)
        if len(arguments) != len(function.parameters):
            raise WrongArguments(f"the arguments of {name}()")
        if self._depth >= _DEPTH:
            raise CannotInterpret(f"{name}(), called too deeply")
        self.functions[name] = f"{function.path}:{function.line}"
        inner = Frame(outer=frame.everywhere, returns=function.returns)
        for (parameter, kind), value in zip(function.parameters, arguments, strict=True):
            inner.variables[parameter] = self._memory.new(parameter, convert(value, kind), inner)
        self._depth += 1
        self._run(function.body, inner)
        self._depth -= 1
        if inner.result is not None and inner.live is not False:  # its end, without a return
            return choose(inner.live, blank(inner.returns), inner.result)
        return inner.result

    @staticmethod
    def _arguments(node: Node) -> list[Node]:
        return [a for a in field(node, "arguments").named_children if a.type != "comment"]

    # --- statements -------------------------------------------------------------------------------

    def _run(self, node: Node, frame: Frame) -> Value | None:
        if frame.live is False:
            return None
        match node.type:
            case "compound_statement":
                value = None
                for child in node.named_children:
                    value = self._run(child, frame)
                return value
            case "expression_statement":
                inner = [c for c in node.named_children if c.type != "comment"]
                return self._value(inner[0], frame) if inner else None
            case "declaration":
                self._declare(node, frame)
            case "return_statement":
                self._return(node, frame)
            case "if_statement":
                self._if(node, frame)
            case "else_clause":
                for child in node.named_children:
                    self._run(child, frame)
            case "switch_statement":
                self._switch(node, frame)
            case "break_statement":
                self._break(frame)
            case "do_statement" | "while_statement" | "for_statement":
                self._loop(node, frame)
            case "comment" | ";":
                pass
            case kind:
                raise CannotInterpret(f"a {kind.replace('_', ' ')}")
        return None

    def _declare(self, node: Node, frame: Frame) -> None:
        for declarator in node.children_by_field_name("declarator"):
            kind = self._unit.declared_type(node, declarator)
            inner, first = declarator, None
            if declarator.type == "init_declarator":
                first = field(declarator, "value")
                inner = field(declarator, "declarator")
            while inner.type != "identifier":
                inner = field(inner, "declarator")
            name = text(inner)
            value = blank(kind) if first is None else self._initial(first, kind, frame)
            frame.variables[name] = self._memory.new(name, value, frame)

    def _return(self, node: Node, frame: Frame) -> None:
        inner = [c for c in node.named_children if c.type != "comment"]
        if inner:
            value = convert(self._needed(inner[0], frame), frame.returns)
            frame.result = value if frame.result is None else \
                choose(frame.live, value, frame.result)
        frame.live = False

    def _if(self, node: Node, frame: Frame) -> None:
        cond, live = self._condition(field(node, "condition"), frame), frame.live
        frame.live = decided(conj(live, cond))
        self._run(field(node, "consequence"), frame)
        then, frame.live = frame.live, decided(conj(live, negate(cond)))
        alternative = node.child_by_field_name("alternative")
        if alternative is not None:
            self._run(alternative, frame)
        frame.live = decided(disj(then, frame.live))

    def _switch(self, node: Node, frame: Frame) -> None:
        """Its cases in their order, each run by the paths that it is for and those that fall into
        it."""
        chosen = self._needed(field(node, "condition"), frame)
        cases = [c for c in field(node, "body").named_children if c.type != "comment"]
        unmatched: Bool = frame.live
        falling: Bool = False
        frame.breaks.append(False)
        for place, case in enumerate(cases):
            value = case.child_by_field_name("value")
            if case.type != "case_statement" or (value is None and place + 1 < len(cases)):
                raise CannotInterpret("a switch of another form than cases and then the default")
            fits = value is None or holds(binary("==", chosen, self._needed(value, frame)))
            frame.live = decided(disj(falling, conj(unmatched, fits)))
            unmatched = decided(conj(unmatched, negate(fits)))
            for child in case.named_children:
                if value is None or child.id != value.id:
                    self._run(child, frame)
            falling = frame.live
        left = frame.breaks.pop()
        frame.live = decided(disj(falling, unmatched, False if left is None else left))

    @staticmethod
    def _break(frame: Frame) -> None:
        left = frame.breaks[-1] if frame.breaks else None
        if left is None:
            raise CannotInterpret("a break out of a loop")
        frame.breaks[-1] = disj(left, frame.live)
        frame.live = False

    def _loop(self, node: Node, frame: Frame) -> None:
        """A loop, round by round; whether there is another must be the same for all inputs."""
        first, condition, update = (node.child_by_field_name(name)
                                    for name in ("initializer", "condition", "update"))
        if condition is None:
            raise CannotInterpret("a loop without a condition")
        if first is not None:
            run = self._run if first.type == "declaration" else self._value
            run(first, frame)
        frame.breaks.append(None)
        asked = node.type != "do_statement"
        for _ in range(_ROUNDS):
            if asked:
                more = self._condition(condition, frame)
                if more is False:
                    break
                if more is not True:
                    raise CannotInterpret("a loop whose end depends on the input")
            asked = True
            self._run(field(node, "body"), frame)
            if frame.live is False:
                break
            if update is not None:
                self._value(update, frame)
        else:
            raise CannotInterpret("a loop of too many rounds")
        frame.breaks.pop()
