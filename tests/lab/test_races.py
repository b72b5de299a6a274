"""The stress program of the races, on real kernels with two CPUs.

How often a race is lost is the machine's affair; asserted is what each kernel never does, and that
every case was run.
"""

from __future__ import annotations

import re

import pytest

from counterexamples import stress

CASE = re.compile(r"(not ok|ok) (\d+) (.+) # (\d+) of (\d+) stores lost, in (\d+) of (\d+) rounds, "
                  r"(\d+) pages moved, (\d+) s")
SAFE = {"clear_refs, anon, nothing moves", "wp, anon, stored", "wp, shmem, stored",
        "mprotect, anon, stored"}
"""No race, or one that change_pte_range() wins: it makes writable migration entries readable."""
MAY_LOSE = {"clear_refs, anon, stored", "clear_refs, shmem, stored", "clear_refs, shmem, loaded",
            "clear_refs, private-shmem, stored", "clear_refs, file, stored",
            "clear_refs, private-file, stored", "clear_refs, shmem-thp, loaded"}


def test_the_races_are_run_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    status = stress.main(["--kernel", "debian:6.12.117", "--seconds", "1", "--pages", "64"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["KTAP version 1", "1..11"]
    found = [CASE.fullmatch(line) for line in lines[2:]]
    assert all(found)
    cases = {m[3]: (m[1], [int(n) for n in m.groups()[3:]]) for m in found if m}
    assert set(cases) == SAFE | MAY_LOSE
    for name, (word, (lost, stores, hit, rounds, moved, _)) in cases.items():
        assert stores == rounds * (8 if "thp" in name else 64) > 0
        assert (moved == 0) == name.endswith("nothing moves")
        assert (word == "not ok") == (lost > 0) == (hit > 0)
        assert lost == 0 or name in MAY_LOSE
    assert status == any(numbers[0] for _, numbers in cases.values())


def test_wrong_usage_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        stress.main(["--seconds", "0"])
    assert stop.value.code == 2
    assert capsys.readouterr().err == ("counterexamples.stress: argument --seconds: '0' is not "
                                       "a whole number from 1 to 86400\n")
