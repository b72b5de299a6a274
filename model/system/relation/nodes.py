"""Reading terms node by node through Z3's C functions: z3py is ten times slower to walk.

A node is the address of a Z3 term, which is one term's as long as the term, or one that it is a
part of, is kept.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable

import z3

from model.kernel.terms import POINTER, REF, c_function

Node = int

_ast_kind = c_function("Z3_get_ast_kind", POINTER, result=ctypes.c_uint)
_decl = c_function("Z3_get_app_decl", POINTER)
_decl_kind = c_function("Z3_get_decl_kind", POINTER, result=ctypes.c_uint)
_count = c_function("Z3_get_app_num_args", POINTER, result=ctypes.c_uint)
_arg = c_function("Z3_get_app_arg", POINTER, ctypes.c_uint)
_parameter = c_function("Z3_get_decl_int_parameter", POINTER, ctypes.c_uint, result=ctypes.c_int)
_sort = c_function("Z3_get_sort", POINTER)
_sort_kind = c_function("Z3_get_sort_kind", POINTER, result=ctypes.c_uint)
_bv_size = c_function("Z3_get_bv_sort_size", POINTER, result=ctypes.c_uint)
_decl_name = c_function("Z3_get_decl_name", POINTER)
_symbol = c_function("Z3_get_symbol_string", POINTER, result=ctypes.c_char_p)
_numeral = c_function("Z3_get_numeral_string", POINTER, result=ctypes.c_char_p)
_text = c_function("Z3_ast_to_string", POINTER, result=ctypes.c_char_p)


def node_of(term: z3.ExprRef) -> Node:
    address: int = term.as_ast().value
    return address


def is_numeral(node: Node) -> bool:
    return bool(_ast_kind(REF, node) == z3.Z3_NUMERAL_AST)


def args(node: Node) -> list[Node]:
    if _ast_kind(REF, node) != z3.Z3_APP_AST:
        return []
    return [_arg(REF, node, i) for i in range(_count(REF, node))]


def kind(node: Node) -> int:
    """The operator, as one of z3py's Z3_OP_*."""
    return int(_decl_kind(REF, _decl(REF, node)))


def parameter(node: Node, index: int) -> int:
    return int(_parameter(REF, _decl(REF, node), index))


def width(node: Node) -> int:
    """In bits; 0 for a Boolean."""
    sort = _sort(REF, node)
    return int(_bv_size(REF, sort)) if _sort_kind(REF, sort) == z3.Z3_BV_SORT else 0


def name(node: Node) -> str:
    """Of a constant."""
    symbol: bytes = _symbol(REF, _decl_name(REF, _decl(REF, node)))
    return symbol.decode()


def numeral(node: Node) -> int:
    return int(_numeral(REF, node))


def show(node: Node) -> str:
    text: bytes = _text(REF, node)
    return text.decode()


def below(roots: Iterable[Node]) -> dict[Node, list[Node]]:
    """The nodes that terms are made of, themselves too, each with its operands."""
    found: dict[Node, list[Node]] = {}
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node not in found:
            found[node] = args(node)
            stack.extend(found[node])
    return found
