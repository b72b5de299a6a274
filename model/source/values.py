"""Values and types of C, as far as leaf functions of the kernel need them: integers of x86-64 as Z3
vectors, records by value, and pointers that are either null or point into one named object."""

from __future__ import annotations

import operator as op
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import z3

from model.kernel.logic import Bool, as_term, disj, ite


class CannotInterpret(Exception):
    """What the interpreter meets and does not know; the message names it."""


class WrongArguments(CannotInterpret):
    """A function is declared with other arguments than the call gives it."""


class NotThere(CannotInterpret):
    """A function is not in the files that are read."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name}(), which is not in the files that are read")


@dataclass(frozen=True)
class IntType:
    """An integer type; `boolean` is C's _Bool, to which every other value than 0 converts as 1."""

    width: int
    signed: bool
    boolean: bool = False


@dataclass(frozen=True)
class StructType:
    """A record with the types of its fields, in their order."""

    name: str
    fields: tuple[tuple[str, CType], ...]


@dataclass(frozen=True)
class ArrayType:
    """An array; `count` is None where its initialiser says how long it is."""

    element: CType
    count: int | None


@dataclass(frozen=True)
class PointerType:
    """A pointer to whatever it may be."""


@dataclass(frozen=True)
class UnknownType:
    """A type that the interpreter has no values of."""

    name: str


CType: TypeAlias = IntType | StructType | ArrayType | PointerType | UnknownType

BOOL = IntType(8, False, boolean=True)
INT = IntType(32, True)
UINT = IntType(32, False)
LONG = IntType(64, True)
ULONG = IntType(64, False)
VOID = UnknownType("void")


@dataclass(frozen=True)
class Int:
    """An integer: `term` is a vector of `type.width` bits."""

    type: IntType
    term: z3.BitVecRef


@dataclass(frozen=True)
class Struct:
    """A record by value."""

    fields: Mapping[str, Value]

    def with_field(self, name: str, value: Value) -> Struct:
        return Struct({**self.fields, name: value})


@dataclass(frozen=True)
class Pointer:
    """A pointer: null unless `nonnull`; `target` names the object that it points to, and `path` the
    part of it. Without a target it may point to any."""

    nonnull: Bool
    target: str = ""
    path: tuple[str, ...] = ()


Value: TypeAlias = Int | Struct | Pointer
NULL = Pointer(False)


def constant(value: int, kind: IntType) -> Int:
    return Int(kind, z3.BitVecVal(value, kind.width))


def truth(cond: Bool) -> Int:
    """The int 1 where `cond` holds, else 0: what comparisons and ! give in C."""
    return Int(INT, ite(cond, z3.BitVecVal(1, INT.width), z3.BitVecVal(0, INT.width)))


def decided(cond: Bool) -> Bool:
    """The condition, as a Python bool where it is a constant: dead code is left out."""
    if isinstance(cond, bool):
        return cond
    simple = z3.simplify(cond)
    return True if z3.is_true(simple) else False if z3.is_false(simple) else cond


def holds(value: Value) -> Bool:
    """Whether the value counts as true in a condition."""
    match value:
        case Int(kind, term):
            return decided(term != z3.BitVecVal(0, kind.width))
        case Pointer(nonnull):
            return decided(nonnull)
    raise CannotInterpret("a record as a condition")


def number_of(value: Value) -> int:
    """The number that an integer is whatever the input. Raises CannotInterpret."""
    simple = z3.simplify(value.term) if isinstance(value, Int) else None
    if not isinstance(value, Int) or not isinstance(simple, z3.BitVecNumRef):
        raise CannotInterpret("what is no constant")
    return int(simple.as_signed_long() if value.type.signed else simple.as_long())


def convert(value: Value, kind: CType) -> Value:
    """The value converted to a type, as by assignment."""
    match value, kind:
        case Int(), IntType(boolean=True):
            return Int(BOOL, ite(holds(value), z3.BitVecVal(1, 8), z3.BitVecVal(0, 8)))
        case Pointer(), IntType(boolean=True):
            return Int(BOOL, ite(holds(value), z3.BitVecVal(1, 8), z3.BitVecVal(0, 8)))
        case Int(own, term), IntType(width=width):
            if width <= own.width:
                return Int(kind, z3.Extract(width - 1, 0, term) if width < own.width else term)
            more = width - own.width
            return Int(kind, z3.SignExt(more, term) if own.signed else z3.ZeroExt(more, term))
        case Int(), PointerType() if holds(value) is False:
            return NULL
        case (Pointer(), PointerType() | ArrayType()) | (Struct(), StructType()) \
                | (_, UnknownType()):
            return value
    raise CannotInterpret("a conversion between an integer, a record or a pointer")


def _promoted(value: Value) -> Int:
    if not isinstance(value, Int):
        raise CannotInterpret("arithmetic on what is no integer")
    wide = convert(value, INT) if value.type.width < INT.width else value
    assert isinstance(wide, Int)
    return wide


def common(left: Value, right: Value) -> tuple[Int, Int]:
    """Both operands after the usual arithmetic conversions (C11 6.3.1.8)."""
    a, b = _promoted(left), _promoted(right)
    width = max(a.type.width, b.type.width)
    signed = all(v.type.signed for v in (a, b) if v.type.width == width)
    kind = IntType(width, signed)
    x, y = convert(a, kind), convert(b, kind)
    assert isinstance(x, Int)
    assert isinstance(y, Int)
    return x, y


def shift(operator: str, left: Value, right: Value) -> Int:
    """`left << right` or `left >> right`; the type is that of the left operand alone."""
    a, by = _promoted(left), convert(_promoted(right), _promoted(left).type)
    assert isinstance(by, Int)
    if operator == "<<":
        return Int(a.type, a.term << by.term)
    return Int(a.type, a.term >> by.term if a.type.signed else z3.LShR(a.term, by.term))


def binary(operator: str, left: Value, right: Value) -> Int:
    """A binary operator but && and ||. Raises CannotInterpret for one that is not known."""
    if operator in ("<<", ">>"):
        return shift(operator, left, right)
    if isinstance(left, Pointer) or isinstance(right, Pointer):
        return _of_pointers(operator, left, right)
    a, b = common(left, right)
    if operator in _ARITHMETIC:
        return Int(a.type, _ARITHMETIC[operator](a.term, b.term))
    comparisons = _SIGNED if a.type.signed else _UNSIGNED
    if operator in comparisons:
        return truth(comparisons[operator](a.term, b.term))
    raise CannotInterpret(f"the operator {operator}")


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "&": op.and_, "|": op.or_, "^": op.xor, "+": op.add, "-": op.sub, "*": op.mul}
_SIGNED: dict[str, Callable[[Any, Any], Any]] = {
    "==": op.eq, "!=": op.ne, "<": op.lt, ">": op.gt, "<=": op.le, ">=": op.ge}
_UNSIGNED: dict[str, Callable[[Any, Any], Any]] = {
    "==": op.eq, "!=": op.ne, "<": z3.ULT, ">": z3.UGT, "<=": z3.ULE, ">=": z3.UGE}
"""Of Z3 vectors: Python's comparisons of them are those of signed numbers."""


def _of_pointers(operator: str, left: Value, right: Value) -> Int:
    a, b = convert(left, PointerType()), convert(right, PointerType())
    if operator in ("==", "!=") and isinstance(a, Pointer) and isinstance(b, Pointer) \
            and (a.nonnull is False or b.nonnull is False):
        some = disj(a.nonnull, b.nonnull)
        return truth(some if operator == "!=" else z3.Not(as_term(some)))
    raise CannotInterpret("an operator on two pointers")


def unary(operator: str, value: Value) -> Int:
    """The operators !, ~, - and +."""
    match operator:
        case "!":
            return truth(z3.Not(as_term(holds(value))))
        case "~":
            a = _promoted(value)
            return replace(a, term=~a.term)
        case "-":
            a = _promoted(value)
            return replace(a, term=-a.term)
        case "+":
            return _promoted(value)
    raise CannotInterpret(f"the operator {operator}")


def choose(cond: Bool, then: Value, other: Value) -> Value:
    """`then` where `cond` holds, else `other`, both of one type."""
    if isinstance(cond, bool):
        return then if cond else other
    match then, other:
        case Int(), Int():
            if then.type != other.type:
                raise CannotInterpret("a choice between two types")
            return Int(then.type, ite(cond, then.term, other.term))
        case Struct(fields), Struct(others) if fields.keys() == others.keys():
            return Struct({n: choose(cond, v, others[n]) for n, v in fields.items()})
        case Pointer(), Pointer():
            either = ite(cond, as_term(then.nonnull), as_term(other.nonnull))
            null, another = (p.nonnull is False for p in (then, other))
            if null or another or (then.target, then.path) == (other.target, other.path):
                known = other if null else then
                return Pointer(either, known.target, known.path)
            return Pointer(either)
    raise CannotInterpret("a choice between an integer, a record or a pointer")


def array(elements: Sequence[Value]) -> Struct:
    """An array. Raises CannotInterpret for one without elements."""
    if not elements:
        raise CannotInterpret("an array of unknown length")
    return Struct({str(place): value for place, value in enumerate(elements)})


def blank(kind: CType) -> Value:
    """A variable without a value yet: it may hold anything."""
    match kind:
        case IntType(width):
            return Int(kind, z3.FreshConst(z3.BitVecSort(width), "unset"))
        case PointerType():
            return Pointer(z3.FreshConst(z3.BoolSort(), "unset"))
        case StructType(_, fields):
            return Struct({name: blank(own) for name, own in fields})
        case ArrayType(element, count):
            return array([blank(element) for _ in range(count or 0)])
    raise CannotInterpret(f"the type {kind.name}")


def zero(kind: CType) -> Value:
    """What C puts where an initialiser says nothing."""
    match kind:
        case IntType():
            return constant(0, kind)
        case PointerType():
            return NULL
        case StructType(_, fields):
            return Struct({name: zero(own) for name, own in fields})
        case ArrayType(element, count):
            return array([zero(element) for _ in range(count or 0)])
    raise CannotInterpret(f"the type {kind.name}")


def number(literal: str) -> Int:
    """A number with the type that C gives it (C11 6.4.4.1); the grammar takes a sign for a part."""
    if literal[0] in "+-":
        return unary(literal[0], number(literal[1:]))
    match = re.fullmatch(r"(0[xX][\da-fA-F]+|\d+)([uUlL]*)", literal)
    if match is None:
        raise CannotInterpret(f"the number {literal}")
    digits, suffix = match[1].lower(), match[2].lower()
    octal = len(digits) > 1 and digits[0] == "0" and digits[1] != "x"
    value = int(digits, 8 if octal else 0)
    decimal = not digits.startswith("0") or digits == "0"
    for kind in (INT, UINT, LONG, ULONG):
        fits = value < 1 << (kind.width - kind.signed)
        wide = "l" not in suffix or kind.width == LONG.width
        sign = ("u" not in suffix or not kind.signed) and (kind.signed or "u" in suffix
                                                           or not decimal)
        if fits and wide and sign:
            return constant(value, kind)
    raise CannotInterpret(f"the number {literal}")
