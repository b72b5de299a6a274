"""Terms of Z3 built without detours: vectors and truths that call its C functions directly.

z3py coerces both sides of every operator, asks for their sorts and polls for errors, which takes
most of the time that building a kernel function's terms takes. The classes here are z3py's own with
other constructors and operators; whatever does not fit (a number, another width) goes to z3py's,
which coerces or raises. All terms are of Z3's main context.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import z3
from z3 import z3core
from z3.z3types import Ast

_CONTEXT = z3.main_ctx()
REF: int = _CONTEXT.ref().value
POINTER = ctypes.c_void_p


def c_function(name: str, *operands: Any, result: Any = POINTER) -> Callable[..., Any]:
    """Z3's function of that name, of the context and `operands`, without z3py's poll for errors.

    The prototype is another than z3py's, whose arguments each go through Python.
    """
    bound = getattr(z3core, name).__defaults__[0].f
    prototype = ctypes.PYFUNCTYPE(result, POINTER, *operands)
    return prototype(ctypes.cast(bound, POINTER).value or 0)


_inc_ref = c_function("Z3_inc_ref", POINTER, result=None)
_dec_ref = c_function("Z3_dec_ref", POINTER, result=None)
_not, _bvnot = (c_function(f"Z3_mk_{name}", POINTER) for name in ("not", "bvnot"))
_bvand, _bvor, _bvadd, _bvlshr, _eq = (c_function(f"Z3_mk_{name}", POINTER, POINTER) for name in (
    "bvand", "bvor", "bvadd", "bvlshr", "eq"))
_ite = c_function("Z3_mk_ite", POINTER, POINTER, POINTER)
_substitute = c_function("Z3_substitute", POINTER, ctypes.c_uint, POINTER, POINTER)
_and, _or = (c_function(f"Z3_mk_{name}", ctypes.c_uint, POINTER) for name in ("and", "or"))


class _Term:
    """What both kinds share: a reference to Z3's node, counted as z3py counts it."""

    handle: int
    ctx: z3.Context

    def _hold(self, handle: int) -> None:
        self.handle = handle
        self.ctx = _CONTEXT
        _inc_ref(REF, handle)

    def __del__(self) -> None:
        if self.ctx.ctx is not None:
            _dec_ref(REF, self.handle)

    def __repr__(self) -> str:
        """As z3py prints it, which knows a number by its class."""
        return repr(z3.z3._to_expr_ref(self.ast, self.ctx))

    __str__ = __repr__

    @property
    def ast(self) -> Ast:
        """The node as z3py holds it."""
        node = Ast.__new__(Ast)
        node.value = self.handle
        return node


class Truth(_Term, z3.BoolRef):  # type: ignore[misc]
    """A Boolean."""

    def __init__(self, handle: int) -> None:
        self._hold(handle)

    def __eq__(self, other: object) -> Any:
        return (Truth(_eq(REF, self.handle, other.handle)) if type(other) is Truth
                else z3.BoolRef.__eq__(self, other))

    __hash__ = z3.AstRef.__hash__


class Vector(_Term, z3.BitVecRef):  # type: ignore[misc]
    """A bit vector of `width` bits."""

    def __init__(self, handle: int, width: int) -> None:
        self._hold(handle)
        self.width = width

    def size(self) -> int:
        return self.width

    def _like(self, other: object) -> bool:
        return type(other) is Vector and other.width == self.width

    def __and__(self, other: Any) -> Any:
        return (Vector(_bvand(REF, self.handle, other.handle), self.width) if self._like(other)
                else z3.BitVecRef.__and__(self, other))

    def __or__(self, other: Any) -> Any:
        return (Vector(_bvor(REF, self.handle, other.handle), self.width) if self._like(other)
                else z3.BitVecRef.__or__(self, other))

    def __add__(self, other: Any) -> Any:
        return (Vector(_bvadd(REF, self.handle, other.handle), self.width) if self._like(other)
                else z3.BitVecRef.__add__(self, other))

    def __invert__(self) -> Vector:
        return Vector(_bvnot(REF, self.handle), self.width)

    def __eq__(self, other: object) -> Any:
        return (Truth(_eq(REF, self.handle, other.handle))  # type: ignore[attr-defined]
                if self._like(other) else z3.BitVecRef.__eq__(self, other))

    def __ne__(self, other: object) -> Any:
        return (Truth(_not(REF, _eq(REF, self.handle, other.handle)))  # type: ignore[attr-defined]
                if self._like(other) else z3.BitVecRef.__ne__(self, other))

    __hash__ = z3.AstRef.__hash__


Lean = Truth | Vector


def lean(term: z3.ExprRef) -> Any:
    """The same term as a Vector or Truth; of another sort or context, as it is."""
    if type(term) is Truth or type(term) is Vector:
        return term
    if term.ctx is not _CONTEXT:
        return term
    if isinstance(term, z3.BitVecRef):
        return Vector(term.as_ast().value, term.size())
    if isinstance(term, z3.BoolRef):
        return Truth(term.as_ast().value)
    return term


def same(a: z3.ExprRef, b: z3.ExprRef) -> bool:
    """Whether two terms are one: Z3 keeps one node for each."""
    return bool(a.as_ast().value == b.as_ast().value) if not (
        isinstance(a, _Term) and isinstance(b, _Term)) else a.handle == b.handle


def not_(a: z3.BoolRef) -> z3.BoolRef:
    return Truth(_not(REF, a.handle)) if type(a) is Truth else z3.Not(a)


def and_(terms: Sequence[z3.BoolRef]) -> z3.BoolRef:
    return _many(_and, z3.And, terms)


def or_(terms: Sequence[z3.BoolRef]) -> z3.BoolRef:
    return _many(_or, z3.Or, terms)


def _many(join: Callable[..., int], detour: Callable[..., z3.BoolRef],
          terms: Sequence[z3.BoolRef]) -> z3.BoolRef:
    held = [lean(t) for t in terms]
    if any(type(t) is not Truth for t in held):
        return detour(*terms)
    return Truth(join(REF, len(held), (ctypes.c_void_p * len(held))(*(t.handle for t in held))))


def if_(cond: z3.BoolRef, then: z3.ExprRef, other: z3.ExprRef) -> z3.ExprRef:
    """Raises what z3py raises where the sides have different sorts."""
    c, a, b = lean(cond), lean(then), lean(other)
    if type(c) is Truth and type(a) is type(b):
        if type(a) is Vector and a.width == b.width:
            return Vector(_ite(REF, c.handle, a.handle, b.handle), a.width)
        if type(a) is Truth:
            return Truth(_ite(REF, c.handle, a.handle, b.handle))
    return z3.If(cond, then, other)


def substituted(formula: z3.BoolRef, old: Sequence[z3.ExprRef],
                new: Sequence[z3.ExprRef]) -> z3.BoolRef:
    """`formula` with each of `old` replaced by the term of `new` at its place, of the same sort."""
    before, after = ((ctypes.c_void_p * len(terms))(*(t.as_ast().value for t in terms))
                     for terms in (old, new))
    return Truth(_substitute(REF, formula.as_ast().value, len(old), before, after))


def shifted_right(value: z3.BitVecRef, by: z3.BitVecRef) -> z3.BitVecRef:
    """`value` shifted right by `by` bits, zeros coming in."""
    a, b = lean(value), lean(by)
    if type(a) is Vector and a._like(b):
        return Vector(_bvlshr(REF, a.handle, b.handle), a.width)
    return z3.LShR(value, by)
