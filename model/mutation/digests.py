"""Digests of what a row of the table rests on: the mutant, the function and the promises.

Of functions and promises it is the code that counts: neither comments nor docstrings, nor where a
promise is expected to be broken.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
import textwrap
from collections.abc import Callable, Collection
from functools import cache
from typing import Any

from model.mutation.mutant import Mutant, original
from model.system.asking import view
from properties import PROPERTIES
from properties.base import Property

_MEANS = ("safe", "allowed", "about", "speaks_of")


def of_mutant(mutant: Mutant) -> str:
    return _digest(mutant.module, mutant.function, mutant.old, mutant.new, mutant.edition,
                   mutant.allow, mutant.mapping)


def of_function(mutant: Mutant) -> str:
    return _digest(ast.unparse(_code(original(mutant))))


def of_promises(names: Collection[str]) -> str:
    """Of all promises where none is named."""
    return _digest(*(_promise(name) for name in sorted(names or PROPERTIES)))


@cache
def _promise(name: str) -> str:
    """What the promise says, the functions of its file, and the questions that these ask."""
    module = next(m for key, m in sys.modules.items() if key.startswith("properties.")
                  and isinstance(getattr(m, "PROPERTY", None), Property)
                  and m.PROPERTY is PROPERTIES[name])
    tree = ast.parse(inspect.getsource(module))
    said: list[ast.AST] = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == Property.__name__:
            said += [k.value for k in node.keywords if k.arg in _MEANS]
    asked = {n.attr for part in said for n in ast.walk(part) if isinstance(n, ast.Attribute)}
    return "\n".join([*map(ast.unparse, said), *_questions(frozenset(asked))])


def _questions(names: frozenset[str]) -> list[str]:
    """The questions of those names, and those that they ask in turn."""
    known = _views()
    found: dict[str, str] = {}
    todo = set(names)
    while todo:
        name = todo.pop()
        if name in known and name not in found:
            found[name] = "\n".join(ast.unparse(node) for node in known[name])
            todo |= {n.attr for node in known[name] for n in ast.walk(node)
                     if isinstance(n, ast.Attribute)}
    return [found[name] for name in sorted(found)]


@cache
def _views() -> dict[str, list[ast.FunctionDef]]:
    found: dict[str, list[ast.FunctionDef]] = {}
    for node in ast.walk(ast.parse(inspect.getsource(view))):
        if isinstance(node, ast.FunctionDef):
            found.setdefault(node.name, []).append(_bare(node))
    return found


def _code(function: Callable[..., Any]) -> ast.FunctionDef:
    node = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(node, ast.FunctionDef)
    return _bare(node)


def _bare(node: ast.FunctionDef) -> ast.FunctionDef:
    """Without its docstring, and the mark that says what it mirrors."""
    if ast.get_docstring(node) is not None:
        node.body = node.body[1:] or [ast.Pass()]
    node.decorator_list = []
    return node


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]
