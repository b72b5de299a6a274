"""The values of C expressions over Z3, along all paths at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from model.kernel.logic import Bool, conj, disj, negate
from model.source.cparse import Unit, field, text
from model.source.memory import Frame, Memory
from model.source.values import (
    INT,
    NULL,
    ULONG,
    VOID,
    ArrayType,
    CannotInterpret,
    CType,
    Int,
    Pointer,
    PointerType,
    Struct,
    StructType,
    UnknownType,
    Value,
    array,
    binary,
    choose,
    constant,
    convert,
    decided,
    holds,
    number,
    number_of,
    truth,
    unary,
    zero,
)

if TYPE_CHECKING:
    from tree_sitter import Node

T = TypeVar("T")


class Expressions(ABC):
    """Evaluates expressions of one unit; how statements run and calls are followed is for who
    derives from it.

    `names` are values of identifiers; `given` are the objects that the caller made. `used` collects
    what was asked of both.
    """

    def __init__(self, unit: Unit, names: Mapping[str, Value], memory: Memory) -> None:
        self._unit = unit
        self._names = names
        self._memory = memory
        self._given = frozenset(memory.objects)
        self.used: set[str] = set()

    @abstractmethod
    def _run(self, node: Node, frame: Frame) -> Value | None:
        """Run a statement; the value is that of an expression statement."""

    @abstractmethod
    def _call(self, node: Node, frame: Frame) -> Value | None:
        """The value of a call."""

    def _needed(self, node: Node, frame: Frame) -> Value:
        value = self._value(node, frame)
        if value is None:
            raise CannotInterpret(f"{text(node)!r}, which has no value")
        return value

    def _condition(self, node: Node, frame: Frame) -> Bool:
        return holds(self._needed(node, frame))

    def _value(self, node: Node, frame: Frame) -> Value | None:
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
            case "update_expression":
                return self._update(node, frame)
            case "field_expression" | "subscript_expression":
                place = self._place(node, frame)
                return self._part(node, frame) if place is None else self._memory.load(place)
            case "pointer_expression":
                return self._pointed(node, frame)
            case "call_expression":
                return self._call(node, frame)
            case "cast_expression":
                kind = self._unit.declared_type(field(node, "type"))
                return self._cast(field(node, "value"), kind, frame)
            case "compound_literal_expression":
                kind = self._unit.declared_type(field(node, "type"))
                value = self._initial(field(node, "value"), kind, frame)
                return value if not isinstance(kind, ArrayType) else \
                    self._memory.load(self._memory.new("array", value, frame))
        raise CannotInterpret(f"a {node.type.replace('_', ' ')}: {text(node)[:40]!r}")

    def _cast(self, node: Node, kind: CType, frame: Frame) -> Value | None:
        value = self._value(node, frame)
        if value is None or kind == VOID:
            return None
        if isinstance(kind, UnknownType):
            raise CannotInterpret(f"the type {kind.name}")
        return convert(value, kind)

    def _name(self, name: str, frame: Frame) -> Value:
        if name in frame.variables:
            return self._memory.load(frame.variables[name])
        if name in self._names:
            self.used.add(name)
            return self._names[name]
        if name in self._unit.constants:
            base, after = self._unit.constants[name]
            value = constant(0, INT) if base is None else self._needed(base, frame)
            return binary("+", value, constant(after, INT)) if after else value
        if name == "NULL":
            return NULL
        raise CannotInterpret(f"the name {name}")

    def _binary(self, node: Node, frame: Frame) -> Value:
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

    def _choice(self, node: Node, frame: Frame) -> Value | None:
        cond = self._condition(field(node, "condition"), frame)
        consequence = node.child_by_field_name("consequence")
        if consequence is None:
            raise CannotInterpret("a choice without its middle")
        then = self._under(cond, frame, lambda: self._value(consequence, frame))
        other = self._under(negate(cond), frame,
                            lambda: self._value(field(node, "alternative"), frame))
        if then is None or other is None:
            return then or other
        if Pointer in (type(then), type(other)):
            then, other = convert(then, PointerType()), convert(other, PointerType())
        if isinstance(then, Int) and isinstance(other, Int):
            then, other = binary("|", then, constant(0, INT)), binary("|", other, constant(0, INT))
            wide = binary("|", then, other).type  # the usual arithmetic conversions
            return choose(cond, convert(then, wide), convert(other, wide))
        return choose(cond, then, other)

    def _under(self, cond: Bool, frame: Frame, work: Callable[[], T]) -> T | None:
        """What `work` gives on the paths where `cond` holds; None where there are none."""
        live, frame.live = frame.live, decided(conj(frame.live, cond))
        try:
            return None if decided(cond) is False else work()
        finally:
            frame.live = live

    def _assign(self, node: Node, frame: Frame) -> Value:
        left, operator = field(node, "left"), text(field(node, "operator"))
        value = self._needed(field(node, "right"), frame)
        if operator != "=":
            value = binary(operator[:-1], self._needed(left, frame), value)
        return self._memory.store(self._lvalue(left, frame), value, frame)

    def _update(self, node: Node, frame: Frame) -> Value:
        """++ and --, before or after what they change."""
        operator, argument = text(field(node, "operator")), field(node, "argument")
        before = self._needed(argument, frame)
        after = self._memory.store(self._lvalue(argument, frame),
                                   binary(operator[0], before, constant(1, INT)), frame)
        return after if text(node).startswith(operator) else before

    def _lvalue(self, node: Node, frame: Frame) -> Pointer:
        place = self._place(node, frame)
        if place is None:
            raise CannotInterpret(f"a change or the address of {text(node)!r}")
        return place

    def _place(self, node: Node, frame: Frame) -> Pointer | None:
        """Where the value of an expression stands; None where it has no place."""
        match node.type:
            case "parenthesized_expression":
                return self._place(node.named_children[0], frame)
            case "identifier":
                return frame.variables.get(text(node))
            case "pointer_expression" if text(field(node, "operator")) == "*":
                return self._pointer(field(node, "argument"), frame)
            case "field_expression":
                inner, name = field(node, "argument"), text(field(node, "field"))
                if text(field(node, "operator")) == "->":
                    record = self._pointer(inner, frame)
                    if record.target in self._given:
                        self.used.add(f"->{name}")
                    return self._memory.member(record, name)
                whole = self._place(inner, frame)
                return None if whole is None else self._memory.member(whole, name)
            case "subscript_expression" if not self._is_table(node, frame):
                index = number_of(self._needed(field(node, "index"), frame))
                return self._memory.element(self._pointer(field(node, "argument"), frame), index)
        return None

    def _is_table(self, node: Node, frame: Frame) -> bool:
        name = text(field(node, "argument"))
        return name in self._unit.tables and name not in frame.variables

    def _pointer(self, node: Node, frame: Frame) -> Pointer:
        value = self._needed(node, frame)
        if not isinstance(value, Pointer):
            raise CannotInterpret(f"{text(node)!r} as a pointer")
        return value

    def _pointed(self, node: Node, frame: Frame) -> Value:
        """What a pointer points to, or the pointer to something."""
        argument = field(node, "argument")
        if text(field(node, "operator")) == "*":
            return self._memory.load(self._pointer(argument, frame))
        if argument.type == "identifier" and text(argument) not in frame.variables \
                and text(argument) in self._unit.tables:
            return Pointer(True, text(argument))
        return self._lvalue(argument, frame)

    def _part(self, node: Node, frame: Frame) -> Value:
        """A field of a record, or an element of a table, that stands nowhere."""
        if node.type == "subscript_expression":
            return self._element(node, frame)
        name, whole = text(field(node, "field")), self._needed(field(node, "argument"), frame)
        if not isinstance(whole, Struct) or name not in whole.fields:
            raise CannotInterpret(f"{text(node)!r}")
        return whole.fields[name]

    def _element(self, node: Node, frame: Frame) -> Value:
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

    def _initial(self, node: Node, kind: CType, frame: Frame) -> Value:
        """An initialiser: of a record, one with names or one value in its order; of an array,
        values in its order; else a value."""
        if node.type != "initializer_list":
            return convert(self._needed(node, frame), kind)
        given = [c for c in node.named_children if c.type != "comment"]
        if isinstance(kind, ArrayType):
            elements = [self._initial(c, kind.element, frame) for c in given]
            rest = (kind.count or len(elements)) - len(elements)
            return array([*elements, *(zero(kind.element) for _ in range(rest))])
        if not isinstance(kind, StructType):
            raise CannotInterpret("an initialiser with braces")
        fields: dict[str, Value] = {}
        for place, child in enumerate(given):
            name, value = kind.fields[place][0], child
            if child.type == "initializer_pair":
                name = text(field(child, "designator")).lstrip(".")
                value = field(child, "value")
            fields[name] = self._initial(value, dict(kind.fields)[name], frame)
        return Struct({name: zero(own) for name, own in kind.fields} | fields)
