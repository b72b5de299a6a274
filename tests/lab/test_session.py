"""The session keeps its word when the kernel's side does not: one clear line, in time."""

from __future__ import annotations

from pathlib import Path

import pytest

from counterexamples.lab.errors import KernelFailed
from counterexamples.lab.session import WINDOW, Run
from tests.lab.fake_agent import session

HELLO = "say('agent 6.1.0 | #1 Debian 6.1.192-2')\n"
STEP = "ok 1 101101 mw,rd,sd"


def test_answers_come_back_in_order_with_their_runs() -> None:
    script = HELLO + f"while (line := hear()) != 'end':\n  say('|'.join(['{STEP}'] * " \
        "len(line.split()[2:])))"
    runs = [Run("anon", ("store",) * n) for n in range(1, 40)]
    with session(script) as talk:
        assert (talk.release, talk.version) == ("6.1.0", "#1 Debian 6.1.192-2")
        answers = list(talk.answers(runs))
    assert [run for run, _ in answers] == runs
    assert [len(seen) for _, seen in answers] == list(range(1, 40))
    seen = answers[0][1][0]
    assert (seen.outcome, seen.faults) == ("ok", 1)
    assert seen.vm_flags == {"mw", "rd", "sd"}
    assert seen.pagemap == {"present", "file", "exclusive", "soft_dirty"}


def test_no_more_is_sent_ahead_than_the_line_holds() -> None:
    """A guest that reads nothing for a while must not lose input."""
    script = HELLO + f"""
import os, select
pending, most = b'', 0
while True:
    time.sleep(0.002)
    pending += os.read(0, 1 << 20)
    most = max(most, len(pending))
    line, _, pending = pending.partition(b'\\n')
    if line == b'end':
        break
    say('{STEP}' if most <= {WINDOW} else 'flooded')
    while b'\\n' in pending:
        line, _, pending = pending.partition(b'\\n')
        say('{STEP}')
"""
    with session(script) as talk:
        assert len(list(talk.answers([Run("anon", ("mprotect:none",))] * 200))) == 200


def test_answers_that_nobody_waited_for_do_not_reach_the_next_question() -> None:
    script = HELLO + f"while (line := hear()) != 'end':\n" \
        f"  say('{STEP}' if 'load' in line else '{STEP.replace('1', '0', 1)}')"
    with session(script) as talk:
        for run, _ in talk.answers([Run("anon", ("store",))] * 20):
            assert run.ops == ("store",)
            break
        assert talk.run("anon", ["load"])[0].faults == 1


@pytest.mark.parametrize(("script", "said"), [
    ("time.sleep(60)", "hung: the first word of the agent did not come within 0.3 s"),
    ("say('login:')\ntime.sleep(9)", "said 'login:' instead of the first word of the agent"),
    ("sys.exit('no bios')", r"ended \(no bios\) before the first word of the agent"),
    (HELLO + "hear()\ntime.sleep(60)", "hung: an answer to 'run anon store' did not come"),
    (HELLO + "hear()\nsay('ok 1 xx')", "said 'ok 1 xx' instead of an answer to 'run anon store'"),
    (HELLO + f"hear()\nsay('{STEP}|{STEP}')", "instead of an answer to 'run anon store'"),
    (HELLO + "hear()", "ended before an answer to 'run anon store'"),
    (HELLO + "hear()\nsay('error mmap fails')", r"mmap fails \('run anon store'\)"),
])
def test_each_failure_is_one_line_in_time(script: str, said: str) -> None:
    limit = 0.3 if "hung" in said else 5.0
    with pytest.raises(KernelFailed, match=said) as caught, session(script, limit=limit) as talk:
        talk.run("anon", ["store"])
    assert "\n" not in str(caught.value)


def test_a_panic_is_told_from_the_console_and_the_log_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    log.write_text("[ 1.0] Kernel panic - not syncing: Attempted to kill init!\n[ 1.1] CPU: 0\n")
    with pytest.raises(KernelFailed, match=r"panicked \(Kernel panic - not syncing: Attempted to "
                       r"kill init!\) before the first word.*console log: .*console\.log"):
        session("", console=log)
    assert log.exists()


def test_the_log_goes_away_when_all_went_well(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    log.touch()
    with session(HELLO + "hear()", console=log):
        pass
    assert not log.exists()


def test_what_a_kernel_lacks_comes_with_its_reason() -> None:
    script = HELLO + "hear()\nsay('lacks soft-dirty: a store does not; has uffd-wp; has mapping')"
    with session(script) as talk:
        assert talk.probe("anon") == {"soft-dirty": "a store does not"}


def test_a_program_tells_its_lines_and_its_status() -> None:
    script = HELLO + "hear()\nsay('TAP version 13')\nsay('not ok 1')\nsay('exit 1')"
    lines: list[str] = []
    with session(script) as talk:
        assert talk.execute("/repro", lines.append) == 1
    assert lines == ["TAP version 13", "not ok 1"]
