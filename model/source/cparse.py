"""Preprocessed kernel C as functions, types and tables, by tree-sitter."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.kernel.editions import UsageError
from model.source.values import (
    BOOL,
    INT,
    ULONG,
    VOID,
    ArrayType,
    CannotInterpret,
    CType,
    IntType,
    PointerType,
    StructType,
    UnknownType,
)

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

_LINE_MARK = re.compile(r'^# (\d+) "([^"]*)".*$')
_WIDTHS = {"char": 8, "short": 16, "int": 32, "long": 64}
_NAMED: dict[str, IntType | UnknownType] = {
    "bool": BOOL, "_Bool": BOOL, "void": VOID, "size_t": ULONG}
for _width in (8, 16, 32, 64):
    for _name in ("u{}", "__u{}", "uint{}_t"):
        _NAMED[_name.format(_width)] = IntType(_width, False)
    for _name in ("s{}", "__s{}", "int{}_t"):
        _NAMED[_name.format(_width)] = IntType(_width, True)


@dataclass(frozen=True)
class Function:
    """A C function: its parameters by name and type, and where it stands."""

    name: str
    returns: CType
    parameters: tuple[tuple[str, CType], ...]
    body: Node
    path: str
    line: int


def text(node: Node) -> str:
    return (node.text or b"").decode(errors="replace")


def field(node: Node, name: str) -> Node:
    """The child in a grammar's field. Raises CannotInterpret where it is missing."""
    child = node.child_by_field_name(name)
    if child is None:
        raise CannotInterpret(f"{text(node).split(chr(10))[0]!r}")
    return child


def parser() -> Parser:
    """A parser of C. Raises UsageError where tree-sitter is not installed."""
    try:
        import tree_sitter
        import tree_sitter_c
    except ImportError as error:
        raise UsageError(f"no {error.name} to parse C with: pip install tree-sitter tree-sitter-c "
                         "(in a checkout, pip install -e '.[drift]'), or --digests for digests "
                         "alone") from error
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_c.language()))


class Unit:
    """Preprocessed C. Of several definitions of a name the first counts."""

    def __init__(self, code: str) -> None:
        self._origin: list[tuple[str, int]] = []
        lines, path, line = [], "", 0
        for each in code.split("\n"):
            mark = _LINE_MARK.match(each)
            if mark:
                path, line = mark[2], int(mark[1]) - 1
            self._origin.append((path, line))
            lines.append("" if mark else each)
            line += 1
        self._parser = parser()
        self._tree = self._parser.parse("\n".join(lines).encode())  # holds the nodes
        self._tops: dict[str, Node] = {}
        self.typedefs: dict[str, Node] = {}
        self.structs: dict[str, Node] = {}
        self.tables: dict[str, Node] = {}
        self.constants: dict[str, tuple[Node | None, int]] = {}
        """Of an enum: by name a value, or none for 0, and how many places after it the name is."""
        for node in self._tree.root_node.children:
            self._file(node)

    def _file(self, node: Node) -> None:
        """Enter a top-level node under its name."""
        if node.type == "function_definition":
            name = _declared_name(node.child_by_field_name("declarator"))
            self._tops.setdefault(name, node)
        elif node.type == "type_definition":
            for declarator in node.children_by_field_name("declarator"):
                if declarator.type == "type_identifier":
                    self.typedefs.setdefault(text(declarator), node)
        elif node.type == "declaration":
            for declarator in node.children_by_field_name("declarator"):
                if declarator.type == "init_declarator":
                    self.tables.setdefault(_declared_name(declarator), node)
        inner = node.child_by_field_name("type") or node
        if inner.type == "enum_specifier" and inner.child_by_field_name("body") is not None:
            base, place = None, 0
            for each in field(inner, "body").named_children:
                if each.type == "enumerator":
                    value = each.child_by_field_name("value")
                    base, place = (base, place) if value is None else (value, 0)
                    self.constants.setdefault(text(field(each, "name")), (base, place))
                    place += 1
        if inner.type == "struct_specifier" and inner.child_by_field_name("body") is not None:
            name_node = inner.child_by_field_name("name")
            if name_node is not None:
                self.structs.setdefault(text(name_node), inner)

    def function(self, name: str) -> Function | None:
        """The function of that name. Raises CannotInterpret where its text is not plain C."""
        node = self._tops.get(name)
        if node is None:
            return None
        if node.has_error:
            raise CannotInterpret(f"the syntax of {name}()")
        declarator = field(node, "declarator")
        base, pointer = field(node, "type"), False
        while declarator.type == "pointer_declarator":
            pointer, declarator = True, field(declarator, "declarator")
        parameters = tuple(
            (_declared_name(p.child_by_field_name("declarator")), self.declared_type(p))
            for p in field(declarator, "parameters").named_children
            if p.type == "parameter_declaration" and p.child_by_field_name("declarator"))
        path, line = self._origin[declarator.start_point[0]]
        return Function(name, PointerType() if pointer else self.type(base), parameters,
                        field(node, "body"), path, line)

    def declared_type(self, declaration: Node, declarator: Node | None = None) -> CType:
        """The type of what a declaration, a parameter, a field or a cast declares."""
        declarator = declarator or declaration.child_by_field_name("declarator")
        while declarator is not None:
            if "pointer" in declarator.type or "function" in declarator.type:
                return PointerType()
            if "array" in declarator.type:
                return self._array(declaration, declarator)
            declarator = declarator.child_by_field_name("declarator")
        return self.type(field(declaration, "type"))

    def _array(self, declaration: Node, declarator: Node) -> CType:
        """An array of so many, or of no length; not of pointers."""
        size, inner = (declarator.child_by_field_name(n) for n in ("size", "declarator"))
        count = None if size is None else _count(size)
        if (size is None) != (count is None) or (
                inner is not None and not inner.type.endswith("identifier")):
            return UnknownType(f"an array: {text(declarator)!r}")
        return ArrayType(self.type(field(declaration, "type")), count)

    def type(self, node: Node) -> CType:
        """The type that a type specifier names."""
        name = text(node)
        if node.type == "struct_specifier":
            if node.child_by_field_name("body") is not None:
                return self._struct(node)
            tag = text(field(node, "name"))
            return self._struct(self.structs[tag]) if tag in self.structs else UnknownType(name)
        if node.type == "enum_specifier":
            return INT
        if node.type in ("sized_type_specifier", "primitive_type", "type_identifier",
                         "identifier"):
            words = name.split()
            if set(words) <= {*_WIDTHS, "unsigned", "signed"}:
                width = min((_WIDTHS[w] for w in words if w in _WIDTHS and w != "int"), default=32)
                return IntType(width, "unsigned" not in words)
            if name in _NAMED:
                return _NAMED[name]
            if name in self.typedefs:
                return self.type(field(self.typedefs[name], "type"))
        return UnknownType(name)

    def _struct(self, node: Node) -> StructType:
        fields = []
        for member in field(node, "body").named_children:
            if member.type == "field_declaration":
                for declarator in member.children_by_field_name("declarator"):
                    fields.append((_declared_name(declarator),
                                   self.declared_type(member, declarator)))
        return StructType(text(node.child_by_field_name("name") or node), tuple(fields))


def _declared_name(node: Node | None) -> str:
    while node is not None:
        if node.type in ("identifier", "field_identifier", "type_identifier"):
            return text(node)
        node = node.child_by_field_name("declarator")
    return ""


def _count(node: Node) -> int | None:
    """A number in plain figures, their sums and quotients; None for what else there is."""
    if node.type == "parenthesized_expression":
        return _count(node.named_children[0])
    if node.type == "number_literal" and text(node).isdecimal():
        return int(text(node))
    if node.type != "binary_expression":
        return None
    left, right = _count(field(node, "left")), _count(field(node, "right"))
    if left is None or not right:
        return None
    match text(field(node, "operator")):
        case "+":
            return left + right
        case "/":
            return left // right
    return None
