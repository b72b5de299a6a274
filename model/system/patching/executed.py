"""Executing a Python file of a user's: its name, what it defines, and its mistakes in one line."""

from __future__ import annotations

import hashlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from model.files import read_whole
from model.kernel.editions import UsageError

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
"""What a name may be that folders are called by."""
_HINTS = {
    "cannot be cast to concrete Boolean": "conditions are joined and chosen by with conj, disj, "
    "negate and ite of model.kernel.logic",
    "maximum recursion depth": "import the kernel's function under another name to call it",
}
"""For what newcomers meet: a piece of the message, and what would be right."""
_brought: dict[str, set[str]] = {}
"""The modules that each file has imported, which are imported once in a process."""


def executed(file: str, kind: str, package: str) -> tuple[ModuleType, str]:
    """The module that `file` is, its name within `package`, and a digest of it and of what it
    imports; `kind` is what the user calls it. Raises UsageError: one line that says what is
    wrong."""
    path = Path(file)
    stem = path.stem
    if path.suffix != ".py" or not NAME.fullmatch(stem):
        raise UsageError(f"{file!r} is no name for a {kind}: letters, digits, '_', '.' and "
                         "'-', and .py at the end")
    try:
        text = read_whole(file)
        code = compile(text, file, "exec", dont_inherit=True)
    except OSError as error:
        raise UsageError(f"cannot read {file!r}: {error.strerror}") from error
    except SyntaxError as error:
        where = f"{file}:{error.lineno}" if error.lineno else file
        raise UsageError(f"{where}: {error.msg}") from error
    except ValueError as error:
        raise UsageError(f"{file!r} is no Python: {error}") from error
    module = ModuleType(f"{package}+{stem}")
    module.__file__ = file
    known = set(sys.modules)
    sys.modules[module.__name__] = module
    with blamed(file, ""):
        exec(code, vars(module))
    digest = hashlib.sha256(text)
    brought = _brought.setdefault(file, set())
    brought |= set(sys.modules) - known - {module.__name__}
    for name in sorted(brought):
        with suppress(OSError, TypeError):
            digest.update(Path(inspect.getfile(sys.modules[name])).read_bytes())
    return module, digest.hexdigest()


def place_of(file: str, function: Callable[..., Any]) -> str:
    """Where a function of a file begins, for the beginning of a line that says what is wrong."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{file}:{code.co_firstlineno}:" if code else f"{file}:"


@contextmanager
def blamed(file: str, name: str) -> Iterator[None]:
    """Turns what is raised meanwhile, in the function `name`, into one line that names the place in
    the user's file. What it prints is no part of a report."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        lines = []
        at = error.__traceback__
        while at is not None:
            if at.tb_frame.f_code.co_filename == file:
                lines.append(at.tb_lineno)
            at = at.tb_next
        where = f"{file}:{lines[-1]}:" if lines else f"{file}:"
        told = str(error).strip() or "no message"
        hint = next((f"; {better}" for sign, better in _HINTS.items() if sign in told), "")
        inside = f" in {name}:" if name else ""
        raise UsageError(f"{where}{inside} {type(error).__name__}: {told}{hint}") from error
