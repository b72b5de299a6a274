"""What a kernel lacks: the calls that need it are skipped, with the reason; the rest goes on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest

from counterexamples.lab import guest
from counterexamples.lab.campaign import Campaign
from counterexamples.lab.compare import UNFORCED, Abilities, abilities
from counterexamples.lab.errors import CannotRun
from counterexamples.lab.kernels import named
from counterexamples.lab.observe import Seen
from counterexamples.lab.replaying import Plan, replay
from counterexamples.lab.session import Run
from model.kernel.editions import find_edition
from model.system.relation.kernel import KernelSystem, kernel_system
from model.system.state.mappings import find_mapping
from tests.lab.fake_agent import session
from tests.lab.test_conform import ModelRunner

PROBED = """
say('agent 6.12.0 | #1')
hear()
say('lacks soft-dirty: a store does not make a page soft-dirty; has uffd-wp; has mapping')
hear()
say('ok 1 111100 wr|ok 0 111100 wr')
hear()
"""


def model() -> KernelSystem:
    return kernel_system(find_edition("v6.12"), find_mapping("anon"))


def plan(*ops: str) -> Plan:
    return Plan(find_edition("v6.12"), "anon", "", ops)


def test_calls_that_need_it_are_not_tried() -> None:
    with session(PROBED) as talk, pytest.raises(
            CannotRun, match=r"^Linux 6\.12\.0 lacks soft-dirty on anon: a store does not make"):
        replay(plan("store", "clear_refs"), named("debian:6.12.117"), talk)


def test_other_calls_are_and_what_does_not_show_is_not_compared() -> None:
    """The bit soft_dirty and the flag sd differ and are passed over; swap is not."""
    with session(PROBED) as talk:
        done = replay(plan("store", "load"), named("debian:6.12.117"), talk)
    assert done.verdict.line.startswith("model wrong at step 1: pagemap.swap: model false, kernel")


class WithoutSoftDirty(ModelRunner):
    """The model in the place of a kernel on which soft-dirty never shows."""

    def answers(self, runs: Iterable[Run]) -> Iterator[tuple[Run, tuple[Seen, ...]]]:
        for run, seen in super().answers(runs):
            assert "clear_refs" not in run.ops
            yield run, tuple(replace(step, pagemap=step.pagemap - {"soft_dirty"},
                                     vm_flags=step.vm_flags - {"sd"}) for step in seen)


def test_a_campaign_leaves_out_what_needs_it() -> None:
    able = Abilities("6.12.0", "anon", {"soft-dirty": "a store does not make a page soft-dirty"})
    runs = Campaign(model(), theme="core", extra=0, runs=50, steps=10, seed=1)
    tally = runs.run(WithoutSoftDirty(model()), ignored=able.ignored, without=able.without)
    assert tally.divergence is None
    assert 0 < tally.guided < len(runs.guided)
    assert tally.runs == tally.guided + 50


def test_features_are_found_by_trying() -> None:
    with session(PROBED) as talk:
        able = abilities(talk, "anon")
    assert able.without == UNFORCED | {"clear_refs"}
    assert able.ignored == {"soft_dirty", "sd"}
    able.require(["store", "wp"])


def test_without_userfaultfd_nothing_of_it_is_asked_for() -> None:
    """What of it had no entry was asked for all the same, and the model called wrong."""
    text = (guest.AGENT / "uffd.c").read_text()
    ops = re.findall(r'strcmp\(op, "([^"]+)"\)', text.partition(
        "const char *operate_uffd(")[2].partition("\n}")[0])
    assert len(ops) > 10
    assert set(ops) <= Abilities("5.4.0", "anon", {"uffd-wp": "no userfaultfd"}).without


def test_a_mapping_that_is_lacking_is_said() -> None:
    able = Abilities("7.1.13", "file", {"mapping": "there is no RAM disk"})
    assert able.no_mapping == "Linux 7.1.13 lacks mapping on file: there is no RAM disk"
    with pytest.raises(CannotRun, match=able.no_mapping):
        able.require(["store"])
    assert Abilities("7.1.13", "anon", {"swap": "there is no RAM disk"}).no_mapping is None
