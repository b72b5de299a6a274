"""What a replay says where the kernel parts from the model: at the promise's step, or beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from counterexamples import gallery, itf
from counterexamples.lab.errors import NotTried
from counterexamples.lab.kernels import Kernel, edition_said
from counterexamples.lab.observe import PAGEMAP, Seen, seen_by_model
from counterexamples.lab.replay_report import as_json
from counterexamples.lab.replaying import Plan, Replay, plan_of, replay
from model.kernel.editions import find_edition
from model.system.relation.kernel import kernel_system
from model.system.state.mappings import find_mapping
from tests.lab.fake_agent import session

FIVE = Path(gallery.__file__).parent / "softdirty-complete/v6.1/shmem/trace.itf.json"
HAS = "has soft-dirty; has uffd-wp; has mapping"


def five() -> Plan:
    return plan_of(itf.calls(FIVE.read_text()))


def modelled(plan: Plan) -> list[Seen]:
    model = kernel_system(plan.edition, find_mapping(plan.mapping), plan.ops)
    return [seen_by_model(model, step) for step in model.run(plan.ops)]


def on(kernel: Kernel, plan: Plan, seen: Sequence[Seen], hello: str, *,
       claimed: bool = True) -> Replay:
    """The replay on a kernel that shows `seen` and says `hello` of itself."""
    line = "|".join(f"{s.outcome} {s.faults} {''.join('01'[bit in s.pagemap] for bit in PAGEMAP)} "
                    f"{','.join(sorted(s.vm_flags)) or '-'}" for s in seen)
    said = "".join(f"hear()\nsay({answer!r})\n" for answer in (HAS, line))
    with session(f"say('agent {hello}')\n{said}hear()\n") as talk:
        return replay(plan, kernel, talk, claimed=claimed)


def without(seen: Sequence[Seen], step: int, bit: str) -> list[Seen]:
    """`seen` with another value of a pagemap bit after `step`, from 1."""
    return [replace(s, pagemap=s.pagemap ^ {bit}) if n == step else s
            for n, s in enumerate(seen, start=1)]


def test_the_promise_s_own_step_decides_on_another_kernel() -> None:
    """A kernel that shows pagemap.file otherwise loses the write all the same."""
    plan, image = five(), Kernel("bzimage:other")
    done = on(image, plan, without(modelled(plan), 1, "file"), "7.3.4 | #1")
    assert (done.verdict.code, done.verdict.line) == (
        0, "confirmed; beside the promise differ: pagemap.file at step 1")
    assert json.loads(as_json(done))["beside"] == [
        {"step": 1, "field": "pagemap.file", "model": "true", "kernel": "false"}]
    lost = without(without(modelled(plan), 1, "file"), len(plan.ops), "soft_dirty")
    assert on(image, plan, lost, "7.3.4 | #1").verdict.line == (
        "not reproduced at step 5: pagemap.soft_dirty: model false, kernel true; the kernel says "
        "that it is 7.3.4: v6.1 is another's model")


def test_a_call_that_goes_otherwise_decides() -> None:
    plan = five()
    seen = modelled(plan)
    seen[2] = replace(seen[2], outcome="EINVAL")
    done = on(Kernel("debian:6.12", "v6.12"), plan, seen, "6.12.0 | #1", claimed=False)
    assert done.verdict.line == "not reproduced at step 3: outcome: model ok, kernel EINVAL"


@pytest.mark.parametrize(("kernel", "hello"), [
    (Kernel("debian:6.1", "v6.1"), "6.1.0 | #1"),
    (Kernel("bzimage:own"), "6.1.0-56-cloud-amd64 | #1 SMP Debian 6.1.192-2"),
    (Kernel("bzimage:own"), "6.1.192-mine | #1"),
])
def test_a_kernel_s_own_model_answers_for_everything(kernel: Kernel, hello: str) -> None:
    plan = five()
    done = on(kernel, plan, without(modelled(plan), 1, "file"), hello)
    assert done.verdict.line == "model wrong at step 1: pagemap.file: model true, kernel false"


def test_operations_without_a_promise_are_compared_in_all() -> None:
    plan = Plan(find_edition("v6.12"), "shmem", "", five().ops)
    done = on(Kernel("bzimage:other"), plan, without(modelled(plan), 1, "file"), "7.3.4 | #1")
    assert done.verdict.line.startswith("not reproduced at step 1: pagemap.file: model true")


@pytest.mark.parametrize(("release", "version", "edition"), [
    ("6.1.0-56-cloud-amd64", "#1 SMP Debian 6.1.192-2", "v6.1"), ("6.1.170", "#1", "v6.1.170"),
    ("6.12.117+", "#1", "v6.12"), ("9.9.9", "#1", None), ("", "", None)])
def test_a_kernel_says_what_it_is(release: str, version: str, edition: str | None) -> None:
    assert edition_said(release, version) == edition


def test_what_the_agent_cannot_do_could_not_be_tried() -> None:
    plan = five()
    with session(f"say('agent 6.1.0 | #1')\nhear()\nsay({HAS!r})\nhear()\nsay('error mmap fails')\n"
                 ) as talk, pytest.raises(NotTried, match="mmap fails"):
        replay(plan, Kernel("host"), talk)
