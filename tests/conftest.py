"""Tests ask every question anew: an answer of an earlier run would prove nothing. How many cells
they have settled is said at the end."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import pytest

from model.checking.proofs import OFF
from tests.survey import CELLS

os.environ[OFF] = "1"
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False  # hundreds of processes import the model: it is compiled once
gc.set_threshold(200_000)  # as in model/cli.py
LAB = Path(__file__).parent / "lab"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What stands in tests/lab/ is of the lab, and what reads the kernel's sources."""
    for item in items:
        if LAB in item.path.parents or "unpacked" in getattr(item, "fixturenames", ()):
            item.add_marker("lab")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    settled = sum(int(str(value)) for report in terminalreporter.getreports("passed")
                  for name, value in report.user_properties if name == CELLS)
    if settled:
        terminalreporter.write_line(f"{settled} cells settled as expected")
