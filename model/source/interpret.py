"""Interprets the loop-free part of C over Z3.

A function runs along all its paths at once: what a statement assigns or returns holds where the
path `live` leads to it. Calls are followed into the functions of the same tree; what the table of
correspondences calls a fact of the model is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as data_field
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from model.kernel.logic import Bool, conj, disj, negate
from model.source.cparse import Unit, field, text
from model.source.values import (
    INT,
    NULL,
    ULONG,
    VOID,
    CannotInterpret,
    CType,
    Int,
    Pointer,
    Struct,
    StructType,
    UnknownType,
    Value,
    WrongArguments,
    binary,
    blank,
    choose,
    constant,
    convert,
    decided,
    holds,
    number,
    truth,
    unary,
    zero,
)

if TYPE_CHECKING:
    from tree_sitter import Node

Fact: TypeAlias = Value | Callable[[list[Value]], Value]
T = TypeVar("T")
_DEPTH = 40


@dataclass
class _Frame:
    """One call: its variables, where it still runs, and what it has returned elsewhere."""

    live: Bool
    variables: dict[str, Value] = data_field(default_factory=dict)
    types: dict[str, CType] = data_field(default_factory=dict)
    returns: CType = VOID
    result: Value | None = None


class Interpreter:
    """Runs C of one unit.

    `names` are values of identifiers, `facts` of calls, by the callee or by the whole call as it is
    written; `objects` are what pointers point to, and what is stored there. `used` collects the
    facts that were asked for, `functions` the functions that were run.
    """

    def __init__(self, unit: Unit, names: Mapping[str, Value], facts: Mapping[str, Fact],
                 objects: Mapping[str, Struct]) -> None:
        self._unit = unit
        self._names = names
        self._facts = facts
        self.objects = dict(objects)
        self._depth = 0
        self.used: set[str] = set()
        self.functions: dict[str, str] = {}

    def run(self, name: str) -> Value:
        """The value that the function `name`, of no arguments, returns, before it is converted to
        its type. Raises CannotInterpret."""
        function = self._unit.function(name)
        if function is None:
            raise CannotInterpret(f"{name}(), which is not in the files that are read")
        statement = function.body.named_children[-1]
        return self._needed(statement.named_children[0], _Frame(True))

    # --- calls ------------------------------------------------------------------------------------

    def _call(self, node: Node, frame: _Frame) -> Value | None:
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
        function = self._unit.function(name)
        if function is None:
            raise CannotInterpret(f"{name}(), which is not in the files that are read")
        arguments = [self._needed(a, frame) for a in self._arguments(node)]
        if len(arguments) != len(function.parameters):
            raise WrongArguments(f"the arguments of {name}()")
        if self._depth >= _DEPTH:
            raise CannotInterpret(f"{name}(), called too deeply")
        self.functions[name] = f"{function.path}:{function.line}"
        inner = _Frame(frame.live, returns=function.returns)
        for (parameter, kind), value in zip(function.parameters, arguments, strict=True):
            inner.variables[parameter] = convert(value, kind)
            inner.types[parameter] = kind
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

    def _run(self, node: Node, frame: _Frame) -> Value | None:
        """Run a statement; the value is that of an expression statement."""
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
            case "do_statement":
                self._run(field(node, "body"), frame)
                if holds(self._needed(field(node, "condition"), frame)) is not False:
                    raise CannotInterpret("a loop")
            case "comment" | ";":
                pass
            case "for_statement" | "while_statement":
                raise CannotInterpret("a loop")
            case kind:
                raise CannotInterpret(f"a {kind.replace('_', ' ')}")
        return None

    def _declare(self, node: Node, frame: _Frame) -> None:
        for declarator in node.children_by_field_name("declarator"):
            kind = self._unit.declared_type(node, declarator)
            inner, first = declarator, None
            if declarator.type == "init_declarator":
                first = field(declarator, "value")
                inner = field(declarator, "declarator")
            while inner.type != "identifier":
                inner = field(inner, "declarator")
            name = text(inner)
            frame.types[name] = kind
            frame.variables[name] = blank(kind) if first is None else \
                self._initial(first, kind, frame)

    def _initial(self, node: Node, kind: CType, frame: _Frame) -> Value:
        """An initialiser: of a record, one with names or one value in its order; else a value."""
        if node.type != "initializer_list":
            return convert(self._needed(node, frame), kind)
        if not isinstance(kind, StructType):
            raise CannotInterpret("an initialiser with braces")
        fields: dict[str, Value] = {}
        for place, child in enumerate(c for c in node.named_children if c.type != "comment"):
            name, value = kind.fields[place][0], child
            if child.type == "initializer_pair":
                name = text(field(child, "designator")).lstrip(".")
                value = field(child, "value")
            fields[name] = self._initial(value, dict(kind.fields)[name], frame)
        return Struct({name: zero(own) for name, own in kind.fields} | fields)

    def _return(self, node: Node, frame: _Frame) -> None:
        inner = [c for c in node.named_children if c.type != "comment"]
        if inner:
            value = convert(self._needed(inner[0], frame), frame.returns)
            frame.result = value if frame.result is None else \
                choose(frame.live, value, frame.result)
        frame.live = False

    def _if(self, node: Node, frame: _Frame) -> None:
        cond, live = self._condition(field(node, "condition"), frame), frame.live
        frame.live = decided(conj(live, cond))
        self._run(field(node, "consequence"), frame)
        then, frame.live = frame.live, decided(conj(live, negate(cond)))
        alternative = node.child_by_field_name("alternative")
        if alternative is not None:
            self._run(alternative, frame)
        frame.live = decided(disj(then, frame.live))

    # --- expressions ------------------------------------------------------------------------------

    def _needed(self, node: Node, frame: _Frame) -> Value:
        value = self._value(node, frame)
        if value is None:
            raise CannotInterpret(f"{text(node)!r}, which has no value")
        return value

    def _condition(self, node: Node, frame: _Frame) -> Bool:
        return holds(self._needed(node, frame))

    def _value(self, node: Node, frame: _Frame) -> Value | None:
        match node.type:
            case "parenthesized_expression":
                inner = next(c for c in node.named_children if c.type != "comment")
                run = self._run if inner.type == "compound_statement" else self._value
                return run(inner, frame)
            case "number_literal":
                return number(text(node))
            case "true":
                return truth(True)
            case "false":
                return truth(False)
            case "null":
                return NULL
            case "identifier":
                return self._name(text(node), frame)
            case "unary_expression":
                return unary(text(field(node, "operator")),
                             self._needed(field(node, "argument"), frame))
            case "binary_expression":
                return self._binary(node, frame)
            case "conditional_expression":
                return self._choice(node, frame)
            case "comma_expression":
                self._value(field(node, "left"), frame)
                return self._value(field(node, "right"), frame)
            case "assignment_expression":
                return self._assign(node, frame)
            case "field_expression":
                return self._field(node, frame)
            case "call_expression":
                return self._call(node, frame)
            case "cast_expression":
                kind = self._unit.declared_type(field(node, "type"))
                return self._cast(field(node, "value"), kind, frame)
            case "compound_literal_expression":
                kind = self._unit.declared_type(field(node, "type"))
                return self._initial(field(node, "value"), kind, frame)
            case "subscript_expression":
                return self._element(node, frame)
        raise CannotInterpret(f"a {node.type.replace('_', ' ')}: {text(node)[:40]!r}")

    def _cast(self, node: Node, kind: CType, frame: _Frame) -> Value | None:
        value = self._value(node, frame)
        if value is None or kind == VOID:
            return None
        if isinstance(kind, UnknownType):
            raise CannotInterpret(f"the type {kind.name}")
        return convert(value, kind)

    def _name(self, name: str, frame: _Frame) -> Value:
        if name in frame.variables:
            return frame.variables[name]
        if name in self._names:
            self.used.add(name)
            return self._names[name]
        if name in self._unit.constants:
            return self._needed(self._unit.constants[name], frame)
        if name == "NULL":
            return NULL
        raise CannotInterpret(f"the name {name}")

    def _binary(self, node: Node, frame: _Frame) -> Value:
        operator = text(field(node, "operator"))
        left, right = field(node, "left"), field(node, "right")
        if operator not in ("&&", "||"):
            return binary(operator, self._needed(left, frame), self._needed(right, frame))
        first = self._condition(left, frame)
        goes_on = first if operator == "&&" else negate(first)
        second = self._under(goes_on, frame, lambda: self._condition(right, frame))
        if second is None:
            return truth(first)
        return truth(conj(first, second) if operator == "&&" else disj(first, second))

    def _choice(self, node: Node, frame: _Frame) -> Value | None:
        cond = self._condition(field(node, "condition"), frame)
        consequence = node.child_by_field_name("consequence")
        if consequence is None:
            raise CannotInterpret("a choice without its middle")
        then = self._under(cond, frame, lambda: self._value(consequence, frame))
        other = self._under(negate(cond), frame,
                            lambda: self._value(field(node, "alternative"), frame))
        if then is None or other is None:
            return then or other
        if isinstance(then, Int) and isinstance(other, Int):
            then, other = binary("|", then, constant(0, INT)), binary("|", other, constant(0, INT))
            wide = binary("|", then, other).type  # the usual arithmetic conversions
            return choose(cond, convert(then, wide), convert(other, wide))
        return choose(cond, then, other)

    def _under(self, cond: Bool, frame: _Frame, work: Callable[[], T]) -> T | None:
        """What `work` gives on the paths where `cond` holds; None where there are none."""
        live, frame.live = frame.live, decided(conj(frame.live, cond))
        try:
            return None if decided(cond) is False else work()
        finally:
            frame.live = live

    def _assign(self, node: Node, frame: _Frame) -> Value:
        left, operator = field(node, "left"), text(field(node, "operator"))
        value = self._needed(field(node, "right"), frame)
        if operator != "=":
            value = binary(operator[:-1], self._needed(left, frame), value)
        return self._store(left, value, frame)

    def _store(self, left: Node, value: Value, frame: _Frame) -> Value:
        """Put the value where `left` stands, on the paths that lead here."""
        if left.type == "parenthesized_expression":
            return self._store(left.named_children[0], value, frame)
        if left.type == "identifier" and text(left) in frame.variables:
            name = text(left)
            old = frame.variables[name]
            value = convert(value, frame.types[name])
            frame.variables[name] = choose(frame.live, value, old)
            return value
        if left.type == "field_expression":
            inner, name = field(left, "argument"), text(field(left, "field"))
            whole = self._record(left, frame)
            field_before = whole.fields.get(name)
            if field_before is None:
                raise CannotInterpret(f"the field {name}")
            if isinstance(field_before, Int):
                value = convert(value, field_before.type)
            whole = whole.with_field(name, value)
            if text(field(left, "operator")) == "->":
                pointer = self._needed(inner, frame)
                assert isinstance(pointer, Pointer)
                before = self.objects[pointer.target]
                after = choose(frame.live, whole, before)
                assert isinstance(after, Struct)
                self.objects[pointer.target] = after
            else:
                self._store(inner, whole, frame)
            return value
        raise CannotInterpret(f"an assignment to {text(left)!r}")

    def _record(self, node: Node, frame: _Frame) -> Struct:
        """The record of which a field expression names a field."""
        inner = field(node, "argument")
        if text(field(node, "operator")) == "->":
            pointer = self._needed(inner, frame)
            if isinstance(pointer, Pointer) and pointer.target in self.objects:
                return self.objects[pointer.target]
        else:
            value = self._needed(inner, frame)
            if isinstance(value, Struct):
                return value
        raise CannotInterpret(f"{text(node)!r}")

    def _field(self, node: Node, frame: _Frame) -> Value:
        name = text(field(node, "field"))
        record = self._record(node, frame)
        if name not in record.fields:
            raise CannotInterpret(f"{text(node)!r}")
        if text(field(node, "operator")) == "->":
            self.used.add(f"->{name}")
        return record.fields[name]

    def _element(self, node: Node, frame: _Frame) -> Value:
        """An element of a constant table that is initialised by index."""
        name = text(field(node, "argument"))
        table = self._unit.tables.get(name)
        if table is None:
            raise CannotInterpret(f"the table {name}")
        kind = self._unit.type(field(table, "type"))
        index = convert(self._needed(field(node, "index"), frame), ULONG)
        values = field(field(table, "declarator"), "value")
        result = zero(kind)
        for pair in values.named_children:
            if pair.type == "comment":
                continue
            at = field(pair, "designator").named_children[0]
            value = self._initial(field(pair, "value"), kind, frame)
            here = binary("==", index, self._needed(at, frame))
            result = choose(holds(here), value, result)
        return result
