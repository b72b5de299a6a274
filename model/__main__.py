"""python -m model: what commands there are; `python -m model COMMAND ...` runs one.

A folder `model` of your own with an __init__.py hides this one from Python where you stand:
`python -P -m model.check` looks only where packages are installed.
"""

from __future__ import annotations

import ast
import runpy
import sys
import textwrap
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from model.cli import Parser, columns, entry
from model.kernel.editions import UsageError, unknown

PROG = "model"
COMMANDS = ("model.check", "model.simulate", "model.diff", "model.backport", "model.findings",
            "model.drift", "model.mutants", "counterexamples.kernels", "counterexamples.replay",
            "counterexamples.conform", "counterexamples.differ", "counterexamples.stress",
            "counterexamples.gallery")
"""In the order in which somebody meets them."""


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    if words and not words[0].startswith("-"):
        return _run(words[0], words[1:])
    parser = Parser(prog=f"python -m {PROG}", usage="python -m %(prog)s".replace("%(prog)s", PROG)
                    + " [COMMAND ...]", description=__doc__, allow_abbrev=False)
    parser.parse_args(words)
    print(overview(columns(sys.stdout)))
    return 0


def _run(name: str, words: list[str]) -> int:
    """Run a command as `python -m` does; it ends the process itself."""
    known = {command.rpartition(".")[2]: command for command in COMMANDS}
    command = known.get(name, name)
    if command not in COMMANDS:
        raise UsageError(f"{unknown('command', name, list(known))}; "
                         f"python -m {PROG} says what each does")
    sys.argv = [command, *words]
    runpy.run_module(command, run_name="__main__", alter_sys=True)
    return 0


def overview(width: int) -> str:
    """A line for each command, and where to read on."""
    margin = max(map(len, COMMANDS)) + 4
    lines = ["python -m COMMAND [OPTION ...], where COMMAND is one of"]
    for command in COMMANDS:
        lines += textwrap.wrap(_purpose(command), max(width, margin + 24),
                               initial_indent=f"  {command}".ljust(margin),
                               subsequent_indent=" " * margin)
    return "\n".join([*lines, *textwrap.wrap(
        "--help after a command says its options, --version its version; python -m model.check "
        "--list says what can be named", width, break_on_hyphens=False)])


def _purpose(command: str) -> str:
    """What the first paragraph of its docstring says; nothing is imported, which is slow."""
    spec = find_spec(command)
    assert spec is not None
    if spec.submodule_search_locations:
        spec = find_spec(f"{command}.__main__")
    assert spec is not None
    assert spec.origin is not None
    told = ast.get_docstring(ast.parse(Path(spec.origin).read_text())) or ""
    return " ".join(told.split("\n\n")[0].partition(": ")[2].split())


if __name__ == "__main__":
    entry(PROG, main)
