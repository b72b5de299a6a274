"""The rules of the house that a program can check."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = [p for top in ("model", "properties", "counterexamples")
           for p in sorted((ROOT / top).rglob("*.py"))]

# What a package may import of the project; "model" alone stands for the commands beside check.py.
MAY_IMPORT = {
    "model.kernel": {"model.kernel"},
    "model.kernel.remedies": {"model.kernel"},
    "model.system.state": {"model.kernel", "model.system.state"},
    "model.system.actions": {"model.kernel", "model.system.state", "model.system.actions"},
    "model.system.relation": {"model.kernel", "model.system.state", "model.system.actions",
                              "model.system.relation"},
    "model.system.asking": {"model.kernel", "model.system.state", "model.system.actions",
                            "model.system.relation", "model.system.asking"},
    "model.system.patching": {"model.files", "model.kernel", "model.system.state",
                              "model.system.actions", "model.system.relation",
                              "model.system.patching", "model.processes"},
    "model.debian": {"model.debian", "model.files", "model.kernel", "model.machine",
                     "model.processes"},
    "model.source": {"model.debian", "model.files", "model.kernel", "model.machine",
                     "model.processes", "model.source"},
    "model.engines": {"model.system", "model.engines"},
    "properties": {"model.system", "properties"},
    "properties.claims": {"model.system", "properties"},
    "properties.own": {"model.kernel", "model.system", "properties"},
    "counterexamples": {"model.kernel", "model.system", "model.cli", "model.files",
                        "model.processes", "model.promises", "properties", "counterexamples"},
    "counterexamples.lab": {"model.debian", "model.kernel", "model.system", "model.cli",
                            "model.files", "model.machine", "model.processes", "model.smtlib",
                            "properties", "counterexamples"},
    "counterexamples.words": {"model.kernel", "model.system", "properties", "counterexamples"},
    "counterexamples.pictures": {"model.kernel", "model.system", "counterexamples"},
    "counterexamples.reproducer": {"model.kernel", "model.system", "counterexamples"},
    "counterexamples.gallery": {"model.kernel", "model.system", "model.checking", "model.cli",
                                "model.files", "model.processes",
                                "properties", "counterexamples"},
}


def imports(path: Path) -> set[str]:
    """The project's modules that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {m for m in found if m.split(".")[0] in ("model", "properties", "counterexamples")}


def package(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).parent.parts)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    allowed = MAY_IMPORT.get(package(path))
    for module in imports(path) if allowed else ():
        assert any(module == a or module.startswith(a + ".") for a in allowed or ()), module


def test_no_mask_is_a_number_outside_the_bit_table() -> None:
    """A literal with one high bit, or a shift of 1, is a mask; bits.py alone has them."""
    for path in SOURCES:
        if package(path).startswith(("model.kernel", "model.system", "properties")) \
                or package(path) in ("counterexamples", "counterexamples.pictures",
                                     "counterexamples.words"):
            if path.name == "bits.py":
                continue
            assert not re.search(r"\b0x[0-9a-fA-F]{2,}\b|\b1 << \d", path.read_text()), path


@pytest.mark.parametrize("path", [p for p in SOURCES if package(p).startswith(
    ("model.engines", "model.system"))], ids=lambda p: p.name)
def test_engines_and_system_never_print(path: Path) -> None:
    calls = {n.func.id for n in ast.walk(ast.parse(path.read_text()))
             if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    assert "print" not in calls


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_stay_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("command", [["ruff", "check", "--no-cache", "."],
                                     ["mypy", "--cache-dir", "/dev/null"]], ids=lambda c: c[0])
def test_linters_are_content(command: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
