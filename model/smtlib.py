"""SMT-LIB 2 text of terms, in an order that depends on the terms alone.

Z3's own printer goes by the numbers it gave to terms, so that the same formula prints otherwise in
another process. Here the operands of an operator that has no order are put in the order of a digest
of what they say, and whatever is used twice gets a name by its place.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import z3

from model.system.relation import nodes
from model.system.relation.nodes import Node

_UNORDERED = {z3.Z3_OP_AND: "and", z3.Z3_OP_OR: "or", z3.Z3_OP_EQ: "=", z3.Z3_OP_IFF: "=",
              z3.Z3_OP_DISTINCT: "distinct", z3.Z3_OP_XOR: "xor", z3.Z3_OP_BAND: "bvand",
              z3.Z3_OP_BOR: "bvor", z3.Z3_OP_BXOR: "bvxor", z3.Z3_OP_BADD: "bvadd",
              z3.Z3_OP_BMUL: "bvmul"}
_ORDERED = {z3.Z3_OP_NOT: "not", z3.Z3_OP_ITE: "ite", z3.Z3_OP_IMPLIES: "=>",
            z3.Z3_OP_BNOT: "bvnot", z3.Z3_OP_BSUB: "bvsub", z3.Z3_OP_BLSHR: "bvlshr",
            z3.Z3_OP_BSHL: "bvshl", z3.Z3_OP_CONCAT: "concat", z3.Z3_OP_ULEQ: "bvule",
            z3.Z3_OP_ULT: "bvult", z3.Z3_OP_UGEQ: "bvuge", z3.Z3_OP_UGT: "bvugt"}
_WORTH_A_NAME = 24
"""Letters of a term that is used more than once: a shorter one is written out each time."""
_SIMPLE = re.compile(r"[A-Za-z~!@$%^&*_+=<>.?/-][0-9A-Za-z~!@$%^&*_+=<>.?/-]*")


_WORD = 64
PRELUDE = (f"(define-sort Word () (_ BitVec {_WORD}))\n"
           f"(define-fun has ((value Word) (mask Word)) Bool "
           f"(distinct (bvand value mask) (_ bv0 {_WORD})))\n")
"""What the printed text takes for granted: `has` is C's ``value & MASK`` in a condition."""


def symbol(name: str) -> str:
    """A name as SMT-LIB writes it."""
    return name if _SIMPLE.fullmatch(name) else f"|{name}|"


def name_of(variable: z3.ExprRef) -> str:
    """As z3py's str() says it, which takes a hundred times longer."""
    return nodes.name(nodes.node_of(variable))


def sort(term: z3.ExprRef) -> str:
    return _sort(nodes.width(nodes.node_of(term)))


def _sort(width: int) -> str:
    return "Word" if width == _WORD else f"(_ BitVec {width})" if width else "Bool"


def constant(value: int | bool, width: int) -> str:
    """A value of so many bits; of none for a Boolean."""
    if not width:
        return "true" if value else "false"
    plain = f"#x{value:0{width // 4}x}" if width % 4 == 0 else f"#b{value:0{width}b}"
    return min(f"(_ bv{int(value)} {width})", plain, key=len)


@dataclass(frozen=True)
class _Shape:
    """A node as it is printed: the operator's text, and its operands in order."""

    head: str
    operands: tuple[Node, ...]
    width: int


_Asked = tuple[str, tuple[tuple[str, Node], ...]]


class Printer:
    """Prints terms. What it has read of a term it keeps, and the term too."""

    def __init__(self) -> None:
        self._shapes: dict[Node, _Shape] = {}
        self._digests: dict[Node, bytes] = {}
        self._kept: list[z3.ExprRef] = []
        self._defined: dict[_Asked, tuple[list[str], dict[str, str]]] = {}

    def variables(self, term: z3.ExprRef) -> frozenset[str]:
        """The names of the constants in a term."""
        return frozenset(self._shapes[n].head for n in self._below([self._read(term)])
                         if self._is_variable(n))

    def digest(self, terms: Iterable[z3.ExprRef]) -> str:
        """The digest of some terms in their order: the same in every process, and for operands of
        an operator without order in whatever order they stand."""
        roots = [self._digests[self._read(term)] for term in terms]
        return hashlib.blake2b(b"".join(roots), digest_size=6).hexdigest()

    def define(self, name: str, parameters: Sequence[z3.ExprRef], term: z3.ExprRef) -> str:
        """A function `name` of the parameters, which are constants: the others are global."""
        root = self._read(term)
        given = " ".join(f"({symbol(name_of(p))} {sort(p)})" for p in parameters)
        named: dict[Node, str] = {}
        lets = []
        for node in self._shared([root]):
            text = self._text(node, named)
            if len(text) < _WORTH_A_NAME:
                continue
            named[node] = f"?{len(named) + 1}"
            lets.append(f"(let (({named[node]} {text})) ")
        body = "".join(lets) + self._text(root, named) + ")" * len(lets)
        return f"(define-fun {symbol(name)} ({given}) {sort(term)}\n  {body})"

    def definitions(self, prefix: str,
                    terms: Sequence[tuple[str, z3.ExprRef]]) -> tuple[list[str], dict[str, str]]:
        """Definitions of what several terms share and of each of them, and what to write for each:
        its own name `prefix.name`, or itself where it is a constant."""
        asked = prefix, tuple((name, self._read(term)) for name, term in terms)
        if asked not in self._defined:
            self._defined[asked] = self._definitions(*asked)
        return self._defined[asked]

    def _definitions(self, prefix: str, terms: Sequence[tuple[str, Node]]
                     ) -> tuple[list[str], dict[str, str]]:
        roots = [root for _, root in terms]
        named: dict[Node, str] = {}
        lines = []

        def defined(node: Node, name: str) -> None:
            text, width = self._text(node, named), self._shapes[node].width
            if len(text) >= _WORTH_A_NAME:
                lines.append(f"(define-fun {name} () {_sort(width)} {text})")
                named[node] = name

        for node in self._shared(roots):
            defined(node, symbol(f"{prefix}.{len(named) + 1}"))
        for name, root in terms:
            if root not in named:
                defined(root, symbol(f"{prefix}.{name}"))
        return lines, {name: self._text(root, named) for name, root in terms}

    def _read(self, term: z3.ExprRef) -> Node:
        root = nodes.node_of(term)
        if root in self._shapes:
            return root
        self._kept.append(term)
        stack = [root]
        while stack:
            node = stack[-1]
            if node in self._shapes:
                stack.pop()
                continue
            operands = _masked(node) or nodes.args(node)
            missing = [o for o in operands if o not in self._shapes]
            if missing:
                stack.extend(missing)
                continue
            stack.pop()
            head, ordered = ("has", False) if _masked(node) else _head(node)
            if not ordered:
                operands.sort(key=self._digests.__getitem__)
            self._shapes[node] = _Shape(head, tuple(operands), nodes.width(node))
            digest = hashlib.blake2b(head.encode(), digest_size=16)
            for operand in operands:
                digest.update(self._digests[operand])
            self._digests[node] = digest.digest()
        return root

    def _is_variable(self, node: Node) -> bool:
        shape = self._shapes[node]
        return not shape.operands and not shape.head.startswith(("#", "(")) \
            and shape.head not in ("true", "false")

    def _below(self, roots: Iterable[Node]) -> dict[Node, int]:
        """The nodes below some, themselves too, first met first, and how often each is used."""
        uses: dict[Node, int] = {}
        stack = list(reversed(list(roots)))
        while stack:
            node = stack.pop()
            uses[node] = uses.get(node, 0) + 1
            if uses[node] == 1:
                stack.extend(reversed(self._shapes[node].operands))
        return uses

    def _shared(self, roots: Sequence[Node]) -> list[Node]:
        """The nodes with operands that are used more than once, operands before what uses them."""
        uses = self._below(roots)
        found: list[Node] = []
        done: set[Node] = set()
        stack = [(root, False) for root in reversed(roots)]
        while stack:
            node, left = stack.pop()
            if left:
                if uses[node] > 1 and self._shapes[node].operands:
                    found.append(node)
            elif node not in done:
                done.add(node)
                stack.append((node, True))
                stack.extend((o, False) for o in reversed(self._shapes[node].operands))
        return found

    def _text(self, root: Node, named: dict[Node, str]) -> str:
        if root in named:
            return named[root]
        parts: list[str] = []
        stack: list[Node | str] = [root]
        while stack:
            item = stack.pop()
            if isinstance(item, str):
                parts.append(item)
            elif item in named and item != root:
                parts.append(named[item])
            else:
                shape = self._shapes[item]
                if not shape.operands:
                    parts.append(symbol(shape.head) if self._is_variable(item) else shape.head)
                    continue
                parts.append(f"({shape.head}")
                stack.append(")")
                for operand in reversed(shape.operands):
                    stack += [operand, " "]
        return "".join(parts)


def _masked(node: Node) -> list[Node]:
    """The two operands of `has`, where a node says the same."""
    if nodes.is_numeral(node) or nodes.kind(node) != z3.Z3_OP_NOT:
        return []
    [equal] = nodes.args(node)
    if nodes.kind(equal) != z3.Z3_OP_EQ:
        return []
    both = nodes.args(equal)
    rest = [n for n in both if not (nodes.is_numeral(n) and nodes.numeral(n) == 0)]
    if len(rest) != 1 or nodes.is_numeral(rest[0]) or nodes.width(rest[0]) != _WORD \
            or nodes.kind(rest[0]) != z3.Z3_OP_BAND:
        return []
    return nodes.args(rest[0]) if len(nodes.args(rest[0])) == 2 else []


def _head(node: Node) -> tuple[str, bool]:
    """What a node is, as text, and whether the order of its operands matters. Raises
    NotImplementedError for an operator that has no rule here."""
    width = nodes.width(node)
    if nodes.is_numeral(node):
        return constant(nodes.numeral(node), width), True
    kind = nodes.kind(node)
    if kind in _UNORDERED:
        return _UNORDERED[kind], False
    if kind in _ORDERED:
        return _ORDERED[kind], True
    if kind in (z3.Z3_OP_TRUE, z3.Z3_OP_FALSE):
        return constant(kind == z3.Z3_OP_TRUE, 0), True
    if kind == z3.Z3_OP_UNINTERPRETED and not nodes.args(node):
        return nodes.name(node), True
    if kind == z3.Z3_OP_EXTRACT:
        return f"(_ extract {nodes.parameter(node, 0)} {nodes.parameter(node, 1)})", True
    if kind == z3.Z3_OP_ZERO_EXT:
        return f"(_ zero_extend {nodes.parameter(node, 0)})", True
    raise NotImplementedError(f"no SMT-LIB for the Z3 term {nodes.show(node)}")
