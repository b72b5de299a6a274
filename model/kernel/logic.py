"""Terms: the little logic that the kernel functions are written in.

A condition is a Z3 Boolean or a Python ``bool``. A ``bool`` is decided while the term is built, so
that facts fixed by the mapping or by the edition leave nothing behind in the solver's formulas, and
so that an edition of which changes are undecided can put a Z3 Boolean in the same place.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeAlias, TypeVar

import z3

from model.kernel.terms import and_, if_, lean, not_, or_, same, shifted_right

BV: TypeAlias = z3.BitVecRef
Bool: TypeAlias = z3.BoolRef | bool
T = TypeVar("T")

WORD = 64


@cache
def word(value: int) -> BV:
    """The constant ``value`` as a 64-bit vector."""
    return number(value, WORD)


@cache
def number(value: int, width: int) -> BV:
    """The constant ``value`` as a vector of ``width`` bits."""
    constant: BV = lean(z3.BitVecVal(value, width))
    return constant


@cache
def _truth(value: bool) -> z3.BoolRef:
    constant: z3.BoolRef = lean(z3.BoolVal(value))
    return constant


def has(value: BV, mask: int) -> Bool:
    """Whether any bit of ``mask`` is set in ``value``, as C's ``value & MASK`` in a condition."""
    return (value & word(mask)) != word(0)


def has_all(value: BV, mask: int) -> Bool:
    """Whether every bit of ``mask`` is set in ``value``."""
    return (value & word(mask)) == word(mask)


def set_bits(value: BV, mask: int) -> BV:
    return value | word(mask)


def clear_bits(value: BV, mask: int) -> BV:
    return value & word(~mask & (1 << WORD) - 1)


def folded(value: BV) -> BV:
    """The same value, worked out where it is a constant."""
    result: BV = lean(z3.simplify(value))
    return result


def complement(value: BV) -> BV:
    """Every bit the other way, of a mask."""
    return folded(~value)


def one_more(value: BV) -> BV:
    """``value + 1``, worked out where ``value`` is a constant. Only there: what a condition chose
    is long, and its conditions would be simplified too."""
    after = value + number(1, value.size())
    return folded(after) if z3.is_bv_value(value) else after


def shift_right(value: BV, by: int) -> BV:
    """C's ``value >> by``, of an unsigned value."""
    return shifted_right(value, number(by, value.size()))


def negate(a: Bool) -> Bool:
    return not a if isinstance(a, bool) else not_(a)


def conj(*terms: Bool) -> Bool:
    rest = [t for t in terms if t is not True]
    if any(t is False for t in rest):
        return False
    return True if not rest else rest[0] if len(rest) == 1 else and_(rest)


def disj(*terms: Bool) -> Bool:
    rest = [t for t in terms if t is not False]
    if any(t is True for t in rest):
        return True
    return False if not rest else rest[0] if len(rest) == 1 else or_(rest)


def implies(a: Bool, b: Bool) -> Bool:
    return disj(negate(a), b)


def as_term(a: Bool) -> z3.BoolRef:
    return _truth(a) if isinstance(a, bool) else a


def ite(cond: Bool, then: T, other: T) -> T:
    """``then`` where ``cond`` holds, else ``other``: of terms, or of records and tuples by parts.

    Raises TypeError where the two sides are facts of the model (a mapping, a name) that differ.
    """
    if isinstance(cond, bool):
        return then if cond else other
    merged: T = _merge(cond, then, other)
    return merged


def _merge(cond: z3.BoolRef, then: Any, other: Any) -> Any:
    if then is other:
        return then
    if is_dataclass(then) and not isinstance(then, type):
        merged = {f.name: _merge(cond, getattr(then, f.name), getattr(other, f.name))
                  for f in fields(then)}
        return type(then)(**merged)
    if isinstance(then, bool) and isinstance(other, bool):
        return then if then is other else cond if then else not_(cond)
    if isinstance(then, tuple) and isinstance(other, tuple) and len(then) == len(other):
        return tuple(_merge(cond, a, b) for a, b in zip(then, other, strict=True))
    if isinstance(then, bool | z3.BoolRef) and isinstance(other, bool | z3.BoolRef):
        return if_(cond, as_term(then), as_term(other))
    if isinstance(then, z3.ExprRef) and isinstance(other, z3.ExprRef):
        return then if same(then, other) else if_(cond, then, other)
    if then == other:
        return then
    raise TypeError(f"a condition cannot choose between the facts {then!r} and {other!r}")
