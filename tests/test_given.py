"""What an error shows of what the user gave: that it was empty, and else so much as can be read."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence

import pytest

from counterexamples.lab.errors import CannotRun, KernelFailed, NotTried
from model.__main__ import COMMANDS
from model.cli import Parser, complain, entry, one_line
from model.kernel.editions import UsageError, find_change, find_edition
from model.system.actions.operations import find_operation
from model.system.state.mappings import find_mapping
from tests.test_command_line import refused

VALUES = {"counterexamples.replay": ["--kernel", "host"], "counterexamples.conform": ["--kernel=a"],
          "counterexamples.stress": ["--kernel", "host"], "model.drift": ["TREE"]}
"""What a command asks for in any case."""


def module(command: str) -> object:
    package = command == "counterexamples.gallery"
    return importlib.import_module(f"{command}.__main__" if package else command)


def options() -> list[tuple[str, str]]:
    """Every option of every command that takes a value."""
    return [(command, next(iter(action.option_strings)))
            for command in COMMANDS for action in vars(module(command))["parser"]()._actions
            if action.option_strings and action.nargs != 0]


@pytest.mark.parametrize("empty", ["", " ", "\n"], ids=repr)
@pytest.mark.parametrize(("command", "option"), options())
def test_an_empty_value_is_none(command: str, option: str, empty: str,
                                capsys: pytest.CaptureFixture[str]) -> None:
    """It is never taken for an option that was not given."""
    main: Callable[[Sequence[str]], int] = vars(module(command))["main"]
    others = [] if option == "--kernel" else VALUES.get(command, [])
    line = refused(main, [*others, f"{option}={empty}"], capsys)
    assert line.startswith(f"argument {option}: ")
    assert any(word in line for word in ("empty", "is not a ", "is no "))


@pytest.mark.parametrize(("command", "given", "told"), [
    ("counterexamples.replay", ["--kernel", "host", ""], "an empty argument is no TRACE|OP"),
    ("model.simulate", ["store", "", "store"], "an empty argument is no OP"),
    ("model.diff", ["v6.1", ""], "an empty argument is no A or B"),
    ("model.backport", [" "], "an empty argument is no EDITION"),
    ("model.findings", [""], "an empty argument is one word too many"),
    ("model.check", [""], "an empty argument is one word too many"),
    ("counterexamples.gallery", [""], "an empty argument is one word too many"),
])
def test_an_empty_argument_is_none(command: str, given: list[str], told: str,
                                   capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(vars(module(command))["main"], given, capsys) == f"{told}\n"


@pytest.mark.parametrize(("find", "kind"), [
    (find_edition, "edition"), (find_change, "commit"), (find_operation, "operation"),
    (find_mapping, "mapping")])
def test_an_empty_name_in_a_file_is_told_so(find: Callable[[str], object], kind: str) -> None:
    with pytest.raises(UsageError, match=f"^an empty name is no {kind}; "):
        find("")


GIVEN = ["x" * 5000, "two words " * 900, "\x1b[31mred\x1b[0m", "\u202egnp.exe", "line\nbreak", "\r",
         "b\udcffd", "\x9b2J", "/" + "deep/" * 2000 + "end.py"]


@pytest.mark.parametrize("given", GIVEN, ids=lambda given: ascii(given[:12]))
def test_an_error_is_a_line_that_can_be_read(given: str,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever stands in it: no name moves the cursor, none hides what is wrong with it."""
    message = f"cannot read {given}: No such file or directory"
    complain("prog", message)
    for told in (capsys.readouterr().err.removeprefix("prog: ")[:-1], one_line(message),
                 *(str(error(message)) for error in (CannotRun, KernelFailed, NotTried))):
        assert told.isprintable()
        assert len(told) < 900
        assert told.startswith("cannot read ")
        assert told.endswith(": No such file or directory")


def raising(error: Exception) -> Callable[[], int]:
    def main() -> int:
        raise error
    return main


@pytest.mark.parametrize(("error", "told"), [
    (OSError(2, "No such file or directory", "a\x1b[2J\nb"),
     r"prog: a\x1b[2J\nb: No such file or directory"),
    (UsageError("a\x1b[2J: wrong"), r"prog: a\x1b[2J: wrong"),
    (KeyError("a\x1b[2J"), r"prog: internal error: KeyError: 'a\x1b[2J'; set PTECHECK_TRACEBACK=1 "
     "to see where"),
], ids=["file", "usage", "bug"])
def test_every_end_of_a_command_tells_it_so(error: Exception, told: str,
                                            monkeypatch: pytest.MonkeyPatch,
                                            capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("model.cli.end_on_signals", lambda prog: None)
    monkeypatch.setattr("gc.set_threshold", lambda *n: None)
    with pytest.raises(SystemExit):
        entry("prog", raising(error))
    assert capsys.readouterr().err == f"{told}\n"


def test_a_wrong_argument_is_told_so_too(capsys: pytest.CaptureFixture[str]) -> None:
    parser = Parser(prog="python -m prog")
    parser.add_argument("--count", type=int)
    for words in (["--count=\x1b[31m" + "9" * 5000], ["--\x1b[31m" + "9" * 5000]):
        with pytest.raises(SystemExit):
            parser.parse_args(words)
        told = capsys.readouterr().err
        assert told[:-1].isprintable()
        assert len(told) < 900
