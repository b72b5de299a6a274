"""Every numeric option of every command: what is no number of its range is told in a line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import cast

import pytest

from counterexamples import conform, differ, replay, stress
from counterexamples.gallery import __main__ as gallery
from model import backport, check, diff, drift, findings, simulate
from model.kernel.editions import shortened

PARSERS = {module.PROG: module.parser() for module in (
    backport, check, conform, diff, differ, drift, findings, gallery, replay, simulate, stress)}
OPTIONS = {f"{prog} {action.option_strings[0]}": action
           for prog, parser in PARSERS.items() for action in parser._actions
           if action.metavar in ("N", "S", "SECONDS")}
WORDS = ["", " ", "many", "nan", "inf", "-inf", "-1", "+1", " 1", "1 ", "1_000", "\u0663", "\uff11",
         "\u00b2", "0x10", "1,5", "1e", "1e999", "--", "-0", "1\n", "9" * 5000, "1\0"]
"""No number for anybody; int() and float() would take digits of other scripts, spaces and lines."""


def test_these_are_all() -> None:
    """Whoever adds an option in numbers gives it a range."""
    assert set(OPTIONS) == {
        "model.check --depth", "model.check --timeout", "model.check --jobs", "model.diff --depth",
        "model.diff --timeout", "model.backport --timeout", "counterexamples.replay --timeout",
        "counterexamples.differ --timeout", "counterexamples.conform --runs",
        "counterexamples.conform --steps", "counterexamples.conform --seed",
        "counterexamples.conform --extra-states", "counterexamples.conform --jobs",
        "counterexamples.conform --timeout", "counterexamples.stress --seconds",
        "counterexamples.stress --pages"}
    for parser in PARSERS.values():
        assert not {action.type for action in parser._actions} & {int, float}


def parse(action: argparse.Action, text: str) -> float:
    read = cast(Callable[[str], float], action.type)
    return read(text)


@pytest.mark.parametrize("name", OPTIONS)
def test_what_is_no_number_of_the_range_is_refused(name: str) -> None:
    for text in (*WORDS, "1e9", "99999999999999999999", "1000000000000", "1.5.5"):
        with pytest.raises(argparse.ArgumentTypeError) as error:
            parse(OPTIONS[name], text)
        said = str(error.value)
        assert said.startswith(repr(shortened(text)))
        assert " from " in said
        assert len(said) < 300


@pytest.mark.parametrize("name", OPTIONS)
def test_what_is_one_is_taken_as_it_is(name: str) -> None:
    for text in ("1", "007"):
        assert parse(OPTIONS[name], text) == int(text)
    if name.endswith(" --timeout"):
        assert [parse(OPTIONS[name], t) for t in (".5", "2.", "1e3", "0.001")] == [
            .5, 2, 1000, .001]


def test_an_error_names_the_option_and_the_range(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        stress.main(["--pages", "99999999999999999999"])
    assert stop.value.code == 2
    assert capsys.readouterr().err == (
        "counterexamples.stress: argument --pages: '99999999999999999999' is not a whole number "
        "from 1 to 1024\n")
