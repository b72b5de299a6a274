"""A patch file is executed by a process of its own first: what it does to that one is told in a
line. And its functions are asked twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from model import check
from model.cli import patched
from model.kernel.editions import UsageError, find_edition
from model.system.patching.files import load
from model.system.patching.trial import tried

DEVICE = "def pte_is_pinned(ed, vma, entry):\n"


@pytest.mark.parametrize(("text", "told"), [
    ("import os\nos._exit(0)\n", "it ended the process that executed it, with exit code 0; a patch "
     "file only defines functions"),
    (f"import os\n{DEVICE}    os._exit(3)\n", "it ended the process that executed it, with exit "
     "code 3"),
    (f"import os\n{DEVICE}    os.kill(os.getpid(), 11)\n", "by signal 11"),
    (f"import os\nos._exit = print\n{DEVICE}    os.abort()\n", "by signal 6"),
    (f"n = 0\n{DEVICE}    global n\n    n += 1\n    return n % 2 == 1\n",
     ":2: pte_is_pinned gives two answers to the same arguments: it may depend on nothing else"),
    (f"import z3\n{DEVICE}    return z3.FreshBool()\n", ":2: pte_is_pinned gives two answers"),
])
def test_what_a_file_does_to_its_process_is_one_line(text: str, told: str, tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text(text)
    with pytest.raises(UsageError) as raised:
        patched(find_edition("v6.12"), str(mine))
    assert str(raised.value).startswith(str(mine))
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_function_that_changes_its_mind_later_is_found_out_too(tmp_path: Path) -> None:
    """What it is asked again it must answer again: every step relation asks of the same terms."""
    mine = tmp_path / "mine.py"
    mine.write_text("from pathlib import Path\n" + DEVICE
                    + f"    return Path({str(tmp_path / 'later')!r}).exists()\n")
    own = patched(find_edition("v6.12"), str(mine))
    (name, function), = own.overrides.items()
    asked, first = next(iter(vars(function)["answers"].values()))
    (tmp_path / "later").touch()
    assert (name, first) == ("pte_is_pinned", False)
    with pytest.raises(UsageError, match="two answers"):
        function(own, *asked[0])


def test_an_endless_loop_is_told_with_its_place() -> None:
    """After the limit, whatever the loop is in."""
    code = compile("\n\nwhile True:\n    pass\n", "mine.py", "exec")
    with pytest.raises(UsageError, match=r"^mine.py:[34]: not done after 0.5 s: is there an"):
        tried("mine.py", lambda: exec(code), 0.5)


def test_what_the_file_prints_is_printed_once(tmp_path: Path,
                                              capfd: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text(f"import os\nos.write(1, b'here')\n{DEVICE}    return False\n")
    patched(find_edition("v6.12"), str(mine))
    assert capfd.readouterr().out == "here"
    assert list(load(str(mine)).functions) == ["pte_is_pinned"]


def test_a_run_without_a_report_is_no_success(tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text("import os\nos._exit(0)\n")
    with pytest.raises(UsageError, match="it ended the process"):
        check.main(["--patch", str(mine), "--mapping", "anon", "--jobs", "1"])
