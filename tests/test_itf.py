"""What is given in place of a trace ends in one short line, whatever it is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from counterexamples import gallery, itf, replay
from counterexamples.lab.replaying import plan_of
from model.kernel.editions import UsageError, find_edition

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
    "many": (lambda t: t.update(states=t["states"][:1] + t["states"][1:2] * 5000),
             "5000 calls are more than one run may have: 1000"),
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


FALSE: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "outcome": (lambda t: t["states"][3].update(outcome="EIO"),
                "step 3 of the trace says outcome 'EIO', and the model of v6.1 'ok': it was "),
    "faults": (lambda t: t["states"][1].update(faults={"#bigint": "7"}), "says faults '7'"),
    "no number": (lambda t: t["states"][1].update(faults=[]), r"says faults \[\], and"),
    "pagemap": (lambda t: t["states"][-1].update(pagemap_soft_dirty=True),
                "step 5 of the trace says pagemap_soft_dirty True"),
    "flags": (lambda t: t["states"][0].update(vm_flags={"#bigint": "9" * 5000}),
              "step 0 of the trace says vm_flags '999"),
    "another call": (lambda t: t["states"][4].update(op="wp"), "step 4 of the trace says vm_flags"),
    "cut": (lambda t: t.update(states=t["states"][:3]),
            r"no counterexample: its last call does not break softdirty-complete in v6\.1"),
    "another promise": (lambda t: t["#meta"].update(property="writable-allowed"),
                        "does not break writable-allowed"),
    "no promise": (lambda t: t["#meta"].update(property="soft-dirty"), "unknown property"),
    "another edition": (lambda t: t["#meta"].update(kernel="v6.12"), "and the model of v6.12 '1'"),
}


@pytest.mark.parametrize("kind", FALSE)
def test_what_its_own_model_does_not_do_is_no_evidence(kind: str) -> None:
    """Whichever kernel it is tried on, it would be called confirmed for another's claim."""
    change, wanted = FALSE[kind]
    trace = json.loads(FIVE.read_text())
    change(trace)
    with pytest.raises(UsageError, match=wanted) as caught:
        plan_of(itf.calls(json.dumps(trace)), find_edition("v6.12"))
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("prop", ["", "difference", "five-step-loss"])
def test_a_trace_need_not_be_of_a_promise(prop: str) -> None:
    trace = json.loads(FIVE.read_text())
    trace["#meta"]["property"] = prop
    assert plan_of(itf.calls(json.dumps(trace))).prop == prop


@pytest.mark.parametrize(("words", "wanted"), [
    (["no/such/trace"], "cannot read 'no/such/trace': No such file or directory"),
    (["trace.itf.json"], "cannot read 'trace.itf.json': No such file or directory"),
    ([str(FIVE.parent)], "shmem' is a folder: name the trace.itf.json in it"),
    (["store", "a.json"], "'a.json' is a file: give one trace, or operations"),
    ([str(FIVE), str(FIVE)], "is a file: give one trace, or operations"),
])
def test_a_name_of_a_file_is_not_taken_for_a_call(words: list[str], wanted: str) -> None:
    with pytest.raises(UsageError, match=re.escape(wanted)):
        replay.main([*words, "--kernel", "host", "--edition", "v6.12"])


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "_MOST", 1000)
    (tmp_path / "large.json").write_text(" " * 1001)
    with pytest.raises(UsageError, match="has more than 1,000 characters"):
        replay.main([str(tmp_path / "large.json"), "--kernel", "host"])


