"""One list of calls on one kernel beside one edition's model, and how that ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from counterexamples import itf
from counterexamples.lab.compare import Row, abilities, first_difference, rows
from counterexamples.lab.kernels import Kernel
from counterexamples.lab.observe import Difference
from counterexamples.lab.session import Session
from counterexamples.words.fixed import fixed_edition
from counterexamples.words.visible import made_visible
from model.cli import patched
from model.kernel.editions import Edition
from model.system.relation.kernel import kernel_system, whole_system
from model.system.state.mappings import find_mapping
from properties import PROPERTIES

CONFIRMED, FAILED, SKIP = 0, 1, 4
"""Exit codes, as in kselftest."""


@dataclass(frozen=True)
class Plan:
    """The calls, and the edition to run them in. The last `shown` of them belong to no trace: they
    make a violation visible to a program. `prop` is empty without one."""

    edition: Edition
    mapping: str
    prop: str
    ops: tuple[str, ...]
    shown: int = 0

    @property
    def title(self) -> str:
        return f"{self.prop} on {self.mapping}" if self.prop else self.mapping


def plan_of(calls: itf.Calls, edition: Edition | None = None, patch: str | None = None) -> Plan:
    """The calls of a trace, in `edition` or the trace's own, with the user's file `patch`.
    Raises UsageError."""
    own, mapping = calls.edition(patch), find_mapping(calls.mapping)
    promise = PROPERTIES.get(calls.prop)
    near = promise and fixed_edition(own, mapping, promise, calls.ops)
    extra = made_visible(whole_system(own, mapping),
                         whole_system(near, mapping) if near else None, calls.ops)
    beside = own if edition is None and own.patch else patched(edition or own, patch)
    return Plan(beside, mapping.name, calls.prop, calls.ops + extra, len(extra))


@dataclass(frozen=True)
class Verdict:
    """How a replay ended: the exit code, one word and one line; `step` and `difference` say where
    the kernel parted from the model."""

    code: int
    word: str
    line: str
    step: int | None = None
    difference: Difference | None = None


def skipped(reason: str) -> Verdict:
    return Verdict(SKIP, "skip", f"SKIP: {reason}")


def failed(reason: str) -> Verdict:
    """The kernel gave no answer."""
    return Verdict(FAILED, "failed", reason)


@dataclass(frozen=True)
class Replay:
    """A plan on a kernel; `rows` are empty and `release` is None where it could not be run."""

    plan: Plan
    kernel: Kernel
    release: str | None
    rows: Sequence[Row]
    verdict: Verdict


def replay(plan: Plan, kernel: Kernel, session: Session, *, claimed: bool = False) -> Replay:
    """Run `plan`; `claimed` says that the user holds the plan's edition to be this kernel's.

    Raises CannotRun where the kernel lacks what the calls need, KernelFailed.
    """
    able = abilities(session, plan.mapping)
    able.require(plan.ops)
    model = kernel_system(plan.edition, find_mapping(plan.mapping), plan.ops)
    compared = list(rows(model, plan.ops, session.run(plan.mapping, plan.ops), able.ignored))
    own = kernel.edition or (plan.edition.name if claimed else None)
    return Replay(plan, kernel, session.release, compared,
                  _verdict(compared, own == plan.edition.name))


def _verdict(compared: Sequence[Row], own: bool) -> Verdict:
    parted = first_difference(compared)
    if parted is None:
        return Verdict(CONFIRMED, "confirmed", "confirmed")
    step, found = parted
    word = "model wrong" if own else "not reproduced"
    return Verdict(FAILED, word, f"{word} at step {step}: {found}", step, found)
