"""What one edition does otherwise than another, as user space sees it, in classes.

Two differences are of one class where the same operation shows them, the same observed fields
change in the same direction, and the same promises tell the editions apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any, Literal

from model.checking.judges import Data, Judge, refused, told_apart
from model.engines.base import Limits
from model.engines.minimal import fewest
from model.engines.product import Difference, Product, Side, product
from model.kernel.changes import CHANGES
from model.kernel.editions import Edition
from model.kernel.records import Mapping, Outcome
from model.system.asking.frames import any_place_matters
from model.system.relation.compiled import Values
from model.system.relation.family import Family
from model.system.relation.kernel import KernelSystem, Step, kernel_system
from model.system.relation.library import library
from properties import PROPERTIES
from properties.base import Property
from properties.data_kept import DIRTY_KEPT

FIX, REGRESSION, NEUTRAL = "fix", "regression", "neutral"
GAINED, LOST = "precision gained", "precision lost"
LOSSES = ("data", "record", "event", "promise")
"""What can be lost by a difference, the worst first: stored data; promises by what they lose."""
FRESH = "mmap"

_Kernels = tuple[KernelSystem, KernelSystem]


@dataclass(frozen=True)
class Field:
    """One observed field that differs, as `model.simulate` names it: ``faults``,
    ``pagemap.soft_dirty``, ``vm_flags.uw``; `a` and `b` are its values on each side."""

    name: str
    a: str | int | bool
    b: str | int | bool

    @property
    def direction(self) -> Hashable:
        """Of faults, more or fewer; of any other field, both values."""
        return int(self.b) > int(self.a) if self.name == "faults" else (self.a, self.b)


@dataclass(frozen=True)
class DifferenceClass:
    """A class by its plainest shortest trace.

    `operations` are its calls, the last of which shows the difference (none where the fresh
    mappings differ); `a` and `b` are that step as each edition shows it, in the form of
    `model.simulate`. `mends` are the promises that decide the kind and that A alone breaks,
    `breaks` those that B alone breaks. `members` counts the steps of the product graph that are
    alike. `causes` are changes of B that are enough for A to show the same at the end of these
    calls, of which none can be left out: +ID that B has, -ID that it lacks, or its patch file.
    `only` is the side that alone has the call, "a" or "b": the other refuses it wherever it was
    tried. Then `alike` are the other classes that say no more than that, of the same kind, causes
    and promises: what the call does to whatever else was there.
    """

    kind: str
    mends: tuple[str, ...]
    breaks: tuple[str, ...]
    operations: tuple[str, ...]
    fields: tuple[Field, ...]
    a: dict[str, Any]
    b: dict[str, Any]
    members: int
    causes: tuple[str, ...] = ()
    only: Literal["", "a", "b"] = ""
    alike: tuple[DifferenceClass, ...] = ()

    @property
    def outcomes(self) -> list[tuple[str, str]]:
        """What the last call ends with on each side, in this class and those alike."""
        return list(dict.fromkeys((c.a["outcome"], c.b["outcome"]) for c in (self, *self.alike)))


@dataclass(frozen=True)
class Comparison:
    """Two editions on one mapping, with `allow` beyond the core operations.

    `pairs` of states were reached that show alike, none more than `diameter` calls from the fresh
    mapping. `complete` says that none was left out: without classes, a proof that no calls tell the
    editions apart. Else `reason` says what cut the search short.
    """

    a: str
    b: str
    mapping: str
    allow: tuple[str, ...]
    classes: tuple[DifferenceClass, ...]
    complete: bool
    pairs: int
    diameter: int
    reason: str
    seconds: float

    @property
    def scope(self) -> str:
        """The mapping, and the operations beyond the core that were allowed."""
        return self.mapping + (f" with {', '.join(self.allow)}" if self.allow else "")


def compare(a: Edition, b: Edition, mapping: Mapping, allow: Sequence[str],
            limits: Limits, own: Sequence[Property] = ()) -> Comparison:
    """Every class of difference, as far as `limits` allow, which a user's `own` promises tell too.
    Raises UsageError for an operation that is not modelled there."""
    start = time.monotonic()
    follows = tuple(dict.fromkeys((*_followed(mapping), *(f for p in own for f in p.follows))))
    kernels = (kernel_system(a, mapping, allow, follows), kernel_system(b, mapping, allow, follows))
    one, other = (Side(k.machine, _observed(k)) for k in kernels)
    found = product(one, other, limits)
    promises = [p for p in (*PROPERTIES.values(), *own)
                if set(p.about) <= set(allow) and set(p.follows) <= set(follows)
                and (p.concerns(a, mapping) or p.concerns(b, mapping))]
    why = any_place_matters(kernels)
    return Comparison(
        a.name, b.name, mapping.name, tuple(allow), tuple(_classes(kernels, found, promises)),
        found.graph.complete and not why, len(found.graph.states), found.graph.diameter,
        found.reason or why,
        round(time.monotonic() - start, 3))


def _followed(mapping: Mapping) -> tuple[str, ...]:
    """What says whether data can be lost is kept on both sides, or the one that keeps it alone
    would seem to have lost less: a page that no entry maps is dirty in the page cache."""
    return ("cache_dirty",) if mapping.shared and not mapping.hugetlb else ()


def _observed(kernel: KernelSystem) -> Callable[[Values, Values | None], Hashable]:
    """All that `kernel.observe` tells, in a form that is quick to compare."""

    @cache
    def of_state(values: Values) -> Hashable:
        return tuple(kernel.pagemap(values).values()), tuple(kernel.vm_flags(values))

    return lambda values, outputs: (outputs, of_state(values))


def _classes(kernels: _Kernels, found: Product,
             promises: Sequence[Property]) -> list[DifferenceClass]:
    """The classes by what is lost, else in the order of their traces: the first member of each has
    the plainest."""
    judges = [Judge(k, promises) for k in kernels] if found.differences else []
    data = [Data(found, side, k) for side, k in enumerate(kernels)] if found.differences else []
    members: dict[Hashable, list[_Judged]] = {}
    for difference in found.differences:
        fields = _fields(*_seen(kernels, difference))
        before = found.pair(difference.before)
        broken = told_apart(judges, before, difference,
                            [judge.broken(state, difference.action)
                             for judge, state in zip(judges, before, strict=True)])
        a, b = (names | lost.by(difference) for names, lost in zip(broken, data, strict=True))
        told = verdict(fields, a, b, promises)
        judged = _Judged(difference, fields, *told, _loss(told[1] + told[2], promises))
        members.setdefault(judged.key, []).append(judged)
    ops = {kernels[0].actions[action] for alike in members.values()
           for action in found.path(alike[0].difference)}
    between = _Between(kernels, ops)
    return _grouped(kernels, found,
                    [_class(kernels, judges, promises, found, alike, between)
                     for alike in sorted(members.values(), key=lambda alike: alike[0].loss)])


def _grouped(kernels: _Kernels, found: Product,
             classes: Sequence[DifferenceClass]) -> list[DifferenceClass]:
    """The classes, those in one that say no more than that one side has a call, by the same
    changes, which the other refuses wherever it was tried, and that it breaks the same promises."""
    @cache
    def has(op: str) -> Literal["", "a", "b"]:
        """The side that alone has the call."""
        action = kernels[0].actions.index(op)
        lacks = [refused(kernel, {pair[side] for pair in map(found.pair, range(
            len(found.graph.states)))}, action) for side, kernel in enumerate(kernels)]
        return "" if lacks[0] == lacks[1] else "b" if lacks[0] else "a"

    groups: dict[Hashable, list[DifferenceClass]] = {}
    for number, c in enumerate(classes):
        side: Literal["", "a", "b"] = ""
        if c.operations and c.fields[0].name == "outcome":
            side = has(c.operations[-1])
        if side:
            ends = c.fields[0].a if side == "a" else c.fields[0].b
            stuck = ends in (Outcome.never.name, Outcome.refault.name)
            groups.setdefault((side, c.operations[-1], c.causes, c.kind, c.mends, c.breaks, stuck),
                              []).append(replace(c, only=side))
        else:
            groups[number] = [c]
    for group in groups.values():
        group.sort(key=lambda c: "ok" not in (c.a["outcome"], c.b["outcome"]))
    return [replace(first, members=sum(c.members for c in (first, *others)), alike=tuple(others))
            for first, *others in groups.values()]


@dataclass(frozen=True)
class _Judged:
    difference: Difference
    fields: tuple[Field, ...]
    kind: str
    mends: tuple[str, ...]
    breaks: tuple[str, ...]
    loss: int
    """The place in LOSSES of the worst that one side alone loses."""

    @property
    def key(self) -> Hashable:
        return (self.difference.action, self.kind, self.mends, self.breaks,
                tuple((f.name, f.direction) for f in self.fields))


def _class(kernels: _Kernels, judges: Sequence[Judge], promises: Sequence[Property],
           found: Product, alike: Sequence[_Judged], between: _Between) -> DifferenceClass:
    first = alike[0]
    path = found.path(first.difference)
    mends, breaks = first.mends, first.breaks
    if first.kind in (GAINED, LOST) and not mends + breaks:
        a, b = (judge.on(path) for judge in judges)
        if first.kind == GAINED:
            mends = _named(a - b, "precision", promises)
        else:
            breaks = _named(b - a, "precision", promises)
    calls = tuple(kernels[0].actions[action] for action in path)
    one, other = _seen(kernels, first.difference)
    return DifferenceClass(first.kind, mends, breaks, calls, first.fields, one, other, len(alike),
                           between.causes(calls, other))


def apart(a: Edition, b: Edition) -> tuple[str, ...]:
    """What lies between two editions: +ID that B alone has, -ID that A alone has, a patch file."""
    changes = [c for c in CHANGES if (c in a.changes) != (c in b.changes)]
    return (*(f"{'+' if c in b.changes else '-'}{c}" for c in changes),
            *([b.patch.file] if b.patch else []))


class _Between:
    """The editions on the way from one side of a comparison to the other, on these operations."""

    def __init__(self, kernels: _Kernels, ops: Collection[str]) -> None:
        self._a, self._b = (k.edition for k in kernels)
        self._mapping = kernels[0].mapping
        self._ops = tuple(op for op in kernels[0].actions if op in ops)
        self._apart = apart(self._a, self._b)

    @cached_property
    def _family(self) -> Family:
        changes = self._a.changes ^ self._b.changes
        return Family(self._a, self._mapping, self._ops, changes)

    def causes(self, calls: tuple[str, ...], shown: dict[str, Any]) -> tuple[str, ...]:
        """The fewest of what lies between that make A show what B shows last."""
        def shows(some: tuple[str, ...]) -> bool:
            last = self._last(self._edition(some), calls)
            return all(last[name] == said for name, said in shown.items() if name != "scan")

        return (fewest(self._apart, shows) if len(self._apart) > 1 and shows(self._apart)
                else self._apart)

    def _edition(self, some: tuple[str, ...]) -> Edition:
        edition = self._a
        for change in some:
            if change[0] in "+-":
                edition = (edition.with_change(change[1:]) if change[0] == "+" else
                           edition.without_change(change[1:]))
            else:
                edition = replace(edition, overrides=self._b.overrides, patch=self._b.patch)
        return edition

    def _last(self, edition: Edition, calls: tuple[str, ...]) -> dict[str, Any]:
        kernel = KernelSystem(edition, self._mapping, self._ops, library())
        machine = kernel.machine if self._b.patch else self._family.member(
            edition.changes & {*self._family.changes})
        values, outcome, faults = machine.initial, int(Outcome.ok), 0
        for op in calls:
            values, (outcome, faults) = machine.step(values, op)
        return kernel.observe(Step(calls[-1] if calls else FRESH, Outcome(outcome).name, faults,
                                   values))


def _seen(kernels: _Kernels, difference: Difference) -> tuple[dict[str, Any], dict[str, Any]]:
    """The step on both sides, in the form of `model.simulate`."""
    name = FRESH if difference.action is None else kernels[0].actions[difference.action]
    one, other = (
        kernel.observe(Step(name, Outcome(outputs[0]).name, outputs[1], after) if outputs
                       else Step(name, Outcome.ok.name, 0, after))
        for kernel, after, outputs in zip(kernels, difference.after, difference.outputs,
                                          strict=True))
    return one, other


def _fields(a: dict[str, Any], b: dict[str, Any]) -> tuple[Field, ...]:
    pairs = [(name, a[name], b[name]) for name in ("outcome", "faults")]
    pairs += [(f"pagemap.{bit}", a["pagemap"][bit], b["pagemap"][bit]) for bit in a["pagemap"]]
    pairs += [(f"vm_flags.{flag}", flag in a["vm_flags"], flag in b["vm_flags"])
              for flag in sorted({*a["vm_flags"], *b["vm_flags"]})]
    return tuple(Field(name, one, other) for name, one, other in pairs if one != other)


def verdict(fields: Sequence[Field], broken_a: frozenset[str], broken_b: frozenset[str],
            promises: Sequence[Property]) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """The kind of a difference in `fields`, given which of the promises each side breaks there; and
    those that decide it: broken by A alone, by B alone.

    Data decides first: where B alone can have lost what was stored it is a regression, where A
    alone can a fix. Then promises to programs: where B alone breaks one it is a regression, else
    where A alone does a fix. Faults alone are precision. Then the ground that promises rest on
    decides likewise, where both sides did the call and so stand on it; then precision; what none of
    them tells apart is neutral.
    """
    names = [f.name for f in fields]
    for role, worse, better in (("data", REGRESSION, FIX), ("promise", REGRESSION, FIX),
                                ("", LOST, GAINED),
                                ("ground", REGRESSION, FIX), ("precision", LOST, GAINED)):
        if role == "ground" and "outcome" in names:
            continue
        mends = _named(broken_a - broken_b, role, promises)
        breaks = _named(broken_b - broken_a, role, promises)
        if mends or breaks:
            return (worse if breaks else better), mends, breaks
        if not role and names == ["faults"]:
            return (worse if fields[0].direction else better), (), ()
    return NEUTRAL, (), ()


def _named(names: frozenset[str], role: str, promises: Sequence[Property]) -> tuple[str, ...]:
    """Those of a role, in the order of reports."""
    if role == "data":
        return (DIRTY_KEPT.name,) if DIRTY_KEPT.name in names else ()
    return tuple(p.name for p in promises if p.role == role and p.name in names)


def _loss(names: Sequence[str], promises: Sequence[Property]) -> int:
    losses: set[str] = {p.loses or p.role for p in promises if p.name in names}
    losses |= {"data"} if DIRTY_KEPT.name in names else set()
    return min((LOSSES.index(loss) for loss in losses if loss in LOSSES), default=len(LOSSES))
