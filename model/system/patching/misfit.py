"""Whether a value has the shape of another, the same records with terms of the same sorts; and
whether it is the same."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any, TypeAlias

import z3

from model.kernel.logic import word

Shape: TypeAlias = Any
"""A word for a term or a fact, a tuple of shapes, or a record's type with the shapes of its
fields by name."""


def shape(value: Any) -> Shape:
    """The shape of a term, a record or a tuple of them; a ``bool`` is a Boolean term."""
    if is_dataclass(value) and not isinstance(value, type):
        return type(value), {f.name: shape(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, tuple):
        return tuple(shape(part) for part in value)
    if isinstance(value, bool | z3.BoolRef):
        return "a Boolean"
    if isinstance(value, z3.BitVecRef):
        return f"a vector of {value.size()} bits"
    return "None" if value is None else f"a Python {type(value).__name__}"


def misfit(wanted: Shape, value: Any, of: str = "") -> str:
    """What `value` is and what it should be, where it has not the shape `wanted`; else empty."""
    found = shape(value)
    if found == wanted:
        return ""
    if _record(wanted) and _record(found) and wanted[0] is found[0]:
        return next(filter(None, (misfit(part, getattr(value, name), f"{wanted[0].__name__}.{name}")
                                  for name, part in wanted[1].items())))
    if isinstance(wanted, tuple) and isinstance(found, tuple) and len(wanted) == len(found) \
            and not _record(wanted) and not _record(found):
        return next(filter(None, (misfit(part, value[n], f"part {n + 1} of the tuple")
                                  for n, part in enumerate(wanted))))
    hint = ("; word(N) of model.kernel.logic makes a vector of a number"
            if found == "a Python int" and wanted == shape(word(0)) else "")
    return f"{_told(found)}{' as ' + of if of else ''}; it should be {_told(wanted)}{hint}"


def _record(of: Shape) -> bool:
    return isinstance(of, tuple) and len(of) == 2 and isinstance(of[0], type)


def _told(of: Shape) -> str:
    if _record(of):
        return f"a record {of[0].__name__}"
    if isinstance(of, tuple):
        return f"a tuple ({', '.join(_told(part) for part in of)})"
    return str(of)


def identity(value: Any) -> Hashable:
    """What is equal for values of the same records and terms, while both exist."""
    if isinstance(value, z3.ExprRef):
        return "term", value.get_id()
    if is_dataclass(value) and not isinstance(value, type):
        return type(value), *(identity(getattr(value, f.name)) for f in fields(value))
    if isinstance(value, tuple | list):
        return tuple(map(identity, value))
    known: Hashable = value
    return known


def strangers(value: Any, args: Any) -> list[str]:
    """The free variables of `value` that `args` do not have, by name."""
    known = {v.get_id() for v in _variables(args)}
    return sorted({str(v) for v in _variables(value) if v.get_id() not in known})


def _variables(value: Any) -> Iterator[z3.ExprRef]:
    seen: set[int] = set()
    left = list(_terms(value))
    while left:
        term = left.pop()
        if term.get_id() not in seen:
            seen.add(term.get_id())
            left += term.children()
            if z3.is_const(term) and term.decl().kind() == z3.Z3_OP_UNINTERPRETED:
                yield term


def _terms(value: Any) -> Iterator[z3.ExprRef]:
    if isinstance(value, z3.ExprRef):
        yield value
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from _terms(getattr(value, field.name))
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _terms(part)
    elif isinstance(value, dict):
        yield from _terms(list(value.values()))
