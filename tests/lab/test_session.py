"""The session keeps its word when the kernel's side does not: one clear line, in time."""

from __future__ import annotations

from pathlib import Path

import pytest

from counterexamples.lab import pulse
from counterexamples.lab.errors import KernelFailed, NotTried
from counterexamples.lab.pulse import Pulse
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
    ("while True: pass", "slow: the first word of the agent did not come within 1 s, and it is "
     r"still at work \(it computes\): --timeout gives it longer"),
    ("sys.stdout.write('x' * (3 << 20))\nsys.stdout.flush()\ntime.sleep(60)",
     "said 'xxx.*xxx...' instead of the first word"),
    ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "was killed before the first word"),
    ("say('login:')\ntime.sleep(9)", "said 'login:' instead of the first word of the agent"),
    ("sys.exit('no bios')", r"ended \(no bios\) before the first word of the agent"),
    (HELLO + "hear()\ntime.sleep(60)", "hung: an answer to 'run anon store' did not come"),
    (HELLO + "hear()\nsay('ok 1 xx')", "said 'ok 1 xx' instead of an answer to 'run anon store'"),
    (HELLO + f"hear()\nsay('{STEP}|{STEP}')", "instead of an answer to 'run anon store'"),
    (HELLO + "hear()", "ended before an answer to 'run anon store'"),
    (HELLO + "hear()\nsay('error mmap fails')", r"mmap fails \('run anon store'\)"),
])
def test_each_failure_is_one_line_in_time(script: str, said: str) -> None:
    limit = 0.3 if said.startswith("hung") else 1.0 if said.startswith("slow") else 5.0
    with pytest.raises(KernelFailed, match=said) as caught, session(script, limit=limit) as talk:
        talk.run("anon", ["store"])
    assert "\n" not in str(caught.value)


def test_what_is_seen_decides_whether_it_could_be_tried() -> None:
    """A kernel that does not answer the call is one that the call hung, if it is idle then."""
    for script, tried in (("time.sleep(60)", True), ("while True: pass", False),
                          ("say('?')", False), ("", True)):
        with session(f"{HELLO}hear()\n{script}", limit=1.0) as talk:
            with pytest.raises(KernelFailed) as caught:
                talk.run("anon", ["store"])
            assert isinstance(caught.value, NotTried) is not tried
    with pytest.raises(NotTried):
        session("time.sleep(60)", limit=0.3)


def test_waiting_for_a_cpu_is_not_the_guests_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that gives it one second in ten: a limit in seconds of the clock would end it."""
    now = 0.0
    monkeypatch.setattr(pulse, "_now", lambda: now)
    monkeypatch.setattr(Pulse, "_threads", lambda self: {"1": (now * 0.1, now * 0.9),
                                                         "2": (0.0, now * 0.2)})
    seen = Pulse(0, None)
    for seconds in range(1, 101):
        now = float(seconds)
        assert seen.own() == pytest.approx(now / 10)
    assert seen.at_work()


def test_a_console_that_grows_is_work(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.touch()
    script = "from pathlib import Path\nfor n in range(99):\n  time.sleep(0.05)\n" \
        f"  Path({str(log)!r}).write_text('#' * n)"
    with pytest.raises(NotTried, match="slow: "):
        session(script, limit=1.0, console=log)


def test_any_limit_is_one() -> None:
    script = f"{HELLO}hear()\ntime.sleep(0.1)\nsay('{STEP}')\nhear()"
    with session(script, limit=1e300) as talk:
        assert len(talk.run("anon", ["store"])) == 1


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
