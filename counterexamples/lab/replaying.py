"""One list of calls on one kernel beside one edition's model, and how that ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from counterexamples import itf
from counterexamples.lab.compare import BY_KERNEL, Row, abilities, model_of, rows
from counterexamples.lab.errors import CannotRun
from counterexamples.lab.kernels import Kernel, edition_said
from counterexamples.lab.observe import Difference, Seen, differences, seen_by_model
from counterexamples.lab.session import Session
from counterexamples.sides import DIFFERENCE
from counterexamples.trace import SCANNING, run_trace
from counterexamples.words.fixed import fixed_edition
from counterexamples.words.visible import made_visible
from model.cli import patched
from model.kernel import records
from model.kernel.editions import Edition, UsageError, unknown
from model.kernel.records import Outcome
from model.system.actions.themes import allowing
from model.system.relation.kernel import kernel_system, whole_system
from model.system.relation.replay import violates
from model.system.state.mappings import find_mapping
from properties import PROPERTIES
from properties.base import Property
from properties.claims import CLAIMS
from properties.own.never import named

CONFIRMED, FAILED, SKIP = 0, 1, 4
"""Exit codes, as in kselftest."""
Telling = Mapping[int, frozenset[str] | None]


@dataclass(frozen=True)
class Plan:
    """The calls, and the edition to run them in. The last `shown` of them belong to no trace: they
    make a violation visible to a program. `prop` is empty without one.

    `telling` has the promise's own steps, from 1, each with the fields that tell whether it is
    broken (None: all fields); it is None where all of the run is asked for. `needs` are
    features of the kernel that the promise speaks of, whatever the calls."""

    edition: Edition
    mapping: str
    prop: str
    ops: tuple[str, ...]
    shown: int = 0
    telling: Telling | None = None
    needs: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return f"{self.prop} on {self.mapping}" if self.prop else self.mapping


def plan_of(calls: itf.Calls, edition: Edition | None = None, patch: str | None = None,
            promises: Sequence[Property] = ()) -> Plan:
    """The calls of a trace, in `edition` or the trace's own, with the user's file `patch`;
    `promises` are the user's own. Raises UsageError, also where its own edition runs them otherwise
    than the trace says."""
    own, mapping = calls.edition(patch), find_mapping(calls.mapping)
    allowing(own, mapping, calls.ops)  # what is not modelled there is said of this edition
    calls.agree(run_trace(kernel_system(own, mapping, calls.ops), calls.ops, prop="", claim=""))
    promise = _broken(own, mapping, calls, promises)
    near = fixed_edition(own, mapping, promise, calls.ops) if promise else None
    extra = made_visible(whole_system(own, mapping),
                         whole_system(near, mapping) if near else None, calls.ops)
    beside = own if edition is None and own.patch else patched(edition or own, patch)
    return Plan(beside, mapping.name, calls.prop, calls.ops + extra, len(extra),
                _telling(own, near, mapping, calls.ops, extra) if promise else None,
                ("soft-dirty",) if promise and promise.own and promise.own.of_soft_dirty else ())


def _broken(own: Edition, mapping: records.Mapping, calls: itf.Calls,
            promises: Sequence[Property]) -> Property | None:
    """The promise that the trace breaks; None for a trace of none. Raises UsageError."""
    promise = _promise(calls, {p.name: p for p in promises})
    if promise is None:
        return None
    kernel = kernel_system(own, mapping, (*promise.about, *calls.ops), promise.follows)
    if not violates(kernel.machine, promise.question(kernel), calls.ops):
        raise UsageError(f"the trace is no counterexample: its last call does not break "
                         f"{promise.name} in {own.name}; to run its calls, give them in its place")
    return promise


def _promise(calls: itf.Calls, own: Mapping[str, Property]) -> Property | None:
    """The promise that a trace is of, one of a user's `own` or of all; None for a trace of none.
    Raises UsageError."""
    if calls.prop in own:
        return own[calls.prop]
    if calls.promise:
        raise UsageError(f"this is a trace of {calls.prop}, a promise of {calls.promise}: give it "
                         f"by --promise {calls.promise}" if not own else
                         f"this is a trace of {calls.prop}, a promise of {calls.promise}, which "
                         f"defines {', '.join(own)} now")
    if calls.prop in ("", DIFFERENCE, *CLAIMS):
        return None
    promise = PROPERTIES.get(calls.prop) or named(calls.prop)
    if promise is None:
        raise unknown("property", calls.prop, list(PROPERTIES))
    return promise


def _telling(own: Edition, near: Edition | None, mapping: records.Mapping, ops: tuple[str, ...],
             extra: tuple[str, ...]) -> Telling:
    """From the last step of the trace on, what differs where the promise is kept, in `near`; all
    fields without such an edition, and where nothing does."""
    steps = range(len(ops), len(ops + extra) + 1)
    told: dict[int, frozenset[str] | None] = {}
    if near is not None:
        (one, broken), (other, kept) = ((kernel, kernel.run(ops + extra)) for kernel in (
            kernel_system(edition, mapping, ops + extra) for edition in (own, near)))
        told = {n: fields for n in steps if (fields := frozenset(
            d.field for d in differences(seen_by_model(one, broken[n - 1]),
                                         seen_by_model(other, kept[n - 1]))))}
    return told or dict.fromkeys(steps)


@dataclass(frozen=True)
class Verdict:
    """How a replay ended: the exit code, one word and one line; `step` and `difference` say where
    the kernel parted from the model, `beside` where else it did, beside the promise."""

    code: int
    word: str
    line: str
    step: int | None = None
    difference: Difference | None = None
    beside: tuple[tuple[int, Difference], ...] = ()


def skipped(reason: str) -> Verdict:
    return Verdict(SKIP, "skip", f"SKIP: {reason}")


def failed(reason: str) -> Verdict:
    """The kernel gave no answer."""
    return Verdict(FAILED, "failed", reason)


@dataclass(frozen=True)
class Replay:
    """A plan on a kernel; `rows` are empty and `release` is None where it could not be run.
    `ignored` are the bits and letters that this kernel does not show."""

    plan: Plan
    kernel: Kernel
    release: str | None
    rows: Sequence[Row]
    verdict: Verdict
    ignored: frozenset[str] = frozenset()


def replay(plan: Plan, kernel: Kernel, session: Session, *, claimed: bool = False) -> Replay:
    """Run `plan`; `claimed` says that the user holds the plan's edition to be this kernel's.

    Raises CannotRun where the kernel lacks what the calls need, KernelFailed.
    """
    able = abilities(session, plan.mapping)
    able.require(plan.ops, plan.needs)
    model = model_of(plan.edition, plan.mapping, plan.ops)
    for step in model.run(plan.ops):
        if step.op in BY_KERNEL and step.outcome == Outcome.refault.name:
            raise CannotRun(f"{step.op} would never return, and no signal could end it")
    base = plan.edition.patch.base if plan.edition.patch else plan.edition
    own = (kernel.edition == plan.edition.name if kernel.edition
           else claimed and edition_said(session.release, session.version) == base.name)
    seen: Sequence[Seen] = session.run(plan.mapping, plan.ops)
    if not own and SCANNING.isdisjoint(plan.ops):  # of which nobody there would ask
        seen = [step.without_scan for step in seen]
    compared = list(rows(model, plan.ops, seen, able.ignored))
    other = "" if own or kernel.edition or not claimed else (
        f"; the kernel says that it is {session.release}: {base.name} is another's model")
    verdict = (_verdict(compared, None, "model wrong") if own
               else _verdict(compared, plan.telling, "not reproduced", other))
    if able.ignored and verdict.code == CONFIRMED:
        verdict = replace(verdict, line=f"{verdict.line}; not compared: {able.not_shown}")
    return Replay(plan, kernel, session.release, compared, verdict, able.ignored)


def _verdict(compared: Sequence[Row], telling: Telling | None, word: str,
             more: str = "") -> Verdict:
    """`telling` as in Plan. A call that goes otherwise is never beside the promise."""

    def tells(step: int, found: Difference) -> bool:
        if telling is None or found.field == "outcome":
            return True
        fields = telling.get(step, frozenset())
        return fields is None or found.field in fields

    found = [(step, d) for step, row in enumerate(compared, start=1) for d in row.differences]
    beside = tuple(each for each in found if not tells(*each))
    parted = next((each for each in found if tells(*each)), None)
    if parted:
        step, first = parted
        return Verdict(FAILED, word, f"{word} at step {step}: {first}{more}", step, first, beside)
    where = ", ".join(f"{d.field} at step {step}" for step, d in beside)
    return Verdict(CONFIRMED, "confirmed",
                   f"confirmed; beside the promise differ: {where}" if where else "confirmed",
                   beside=beside)
