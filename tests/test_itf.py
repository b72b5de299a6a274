"""What is given in place of a trace ends in one short line, whatever it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from counterexamples import gallery, itf, replay, stress
from counterexamples.lab.replaying import plan_of
from model.kernel.editions import UsageError

FIVE = Path(gallery.__file__).parent / "softdirty-complete/v6.1/shmem" / itf.FILE
CHANGES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "no calls": (lambda t: t.update(states=t["states"][:1]), "no calls to run"),
    "no states": (lambda t: t.update(states=[]), "it does not start from 'mmap'"),
    "cut in front": (lambda t: t.update(states=t["states"][1:]), "it does not start from 'mmap'"),
    "numbers": (lambda t: t.update(states=[1, 2]), "its 'states' are no list of objects"),
    "text": (lambda t: t.update(states="mmap"), "its 'states' are no list of objects"),
    "no meta": (lambda t: t.update({"#meta": []}), "it has no '#meta'"),
    "no mapping": (lambda t: t["#meta"].pop("mapping"), "names no mapping"),
    "list of promises": (lambda t: t["#meta"].update(property=["a"]), r"its property is \['a'\]"),
    "odd letters": (lambda t: t["#meta"].update(property="\ud800"), "its property is"),
    "no name": (lambda t: t["#meta"].update(kernel=None), "its kernel is None"),
    "long name": (lambda t: t["#meta"].update(mapping="x" * 10**6), "its mapping is 'xxx"),
    "number": (lambda t: t["states"][2].update(op=5), "its op of state 2 is 5"),
    "without op": (lambda t: t["states"][2].pop("op"), "its op of state 2 is None"),
    "long op": (lambda t: t["states"][2].update(op="y" * 10**6), "its op of state 2 is 'yyy"),
    "unknown op": (lambda t: t["states"][2].update(op="stroe"), "did you mean 'store'"),
    "many": (lambda t: t.update(states=t["states"][:1] + t["states"][1:2] * 10**5),
             "100000 calls are more than one run may have: 1000"),
    "patch of a list": (lambda t: t["#meta"].update(patch=["a"]), r"its patch is \['a'\]"),
}


def said(text: str) -> str:
    with pytest.raises(UsageError) as caught:
        itf.calls(text)
    line = str(caught.value)
    assert len(line) < 250
    assert "\n" not in line
    return line


@pytest.mark.parametrize("kind", CHANGES)
def test_a_trace_that_is_not_one_is_refused(kind: str) -> None:
    change, wanted = CHANGES[kind]
    trace = json.loads(FIVE.read_text())
    assert itf.calls(json.dumps(trace)).ops
    change(trace)
    with pytest.raises(UsageError, match=wanted):
        itf.calls(json.dumps(trace))
    said(json.dumps(trace))


@pytest.mark.parametrize("text", ["", "NaN", "[" * 100_000, '{"a":' * 100_000, "9" * 5000, "\0"])
def test_text_that_is_no_json_is_refused(text: str) -> None:
    assert said(text).startswith("not an ITF trace of this tool: ")


def test_a_call_that_is_not_modelled_is_said_of_the_trace_s_own_edition() -> None:
    trace = json.loads(FIVE.read_text())
    trace["states"][2]["op"] = "collapse"
    with pytest.raises(UsageError, match=r"^'collapse' is not modelled for shmem in v6\.1$"):
        plan_of(itf.calls(json.dumps(trace)))


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "_MOST", 1000)
    (tmp_path / "large.json").write_text(" " * 1001)
    with pytest.raises(UsageError, match="has more than 1,000 characters"):
        replay.main([str(tmp_path / "large.json"), "--kernel", "host"])


@pytest.mark.parametrize(("option", "most"), stress.MOST.items())
def test_stress_names_its_limits(option: str, most: int) -> None:
    """The compiler's words and its caret came instead."""
    for number in (most + 1, 99999999999999999999):
        with pytest.raises(UsageError, match=f"^--{option} is at most {most}$"):
            stress.main([f"--{option}", str(number)])
