"""The model beside a kernel: the same calls, step by step, field by field."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from counterexamples.lab.errors import CannotRun
from counterexamples.lab.observe import Difference, Seen, System, differences, seen_by_model
from counterexamples.lab.session import Session
from model.kernel.editions import Edition
from model.kernel.records import Mapping as Memory
from model.system.actions.operations import KERNEL_LOADS, KERNEL_STORES
from model.system.actions.spans import plain_ops
from model.system.relation.kernel import kernel_system
from model.system.relation.ranges import system_of_calls
from model.system.state.mappings import find_memory
from properties import PROPERTIES

ENDLESS = "access-completes"
"""The promise whose breach is an access that faults for ever."""
_NEEDED_FOR = {
    "soft-dirty": ("clear_refs",), "second-node": ("migrate",), "ksm": ("ksm",),
    "swap": ("pageout", "swapoff", "move:in:wp"),
    "uffd-wp": ("register", "register:missing", "register:wp+missing", "unregister", "wp", "unwp",
                "copy", "copy:wp", "zeropage", "poison", "close", "open", "open:unpopulated",
                "open:async", "open:rwp", "open:rwp-async", "open:events", "open:user",
                "register:rwp", "rwp", "unrwp", "scan:wp", "other:unwp", "other:unregister",
                "register:minor", "register:wp+minor", "continue", "continue:wp", "move:in",
                "move:in:wp", "move:out"),
    "pins": ("pin", "unpin", "pin:write"), "map-files": ("alias:store", "truncate")}
"""The operations that need a feature."""
UNFORCED = frozenset({"migrate:begin", "migrate:end", "numa"})
"""Steps of the kernel that no program can ask for at a time of its choice."""
_SHOWS = {"soft-dirty": frozenset({"soft_dirty", "sd"}), "uffd-wp-bit": frozenset({"uffd_wp"})}
"""What a program cannot see on a kernel that lacks a feature."""


BY_KERNEL = frozenset((*KERNEL_STORES, *KERNEL_LOADS, "pin"))
"""Loads, stores and faults by the kernel."""


def forced(edition: Edition, mapping: Memory, ops: Iterable[str]) -> tuple[str, ...]:
    """Those that a program can ask for, and come back from: where an access may fault for ever,
    one by the kernel does so out of reach of every signal."""
    asked = tuple(op for op in ops if op not in UNFORCED)
    endless = PROPERTIES[ENDLESS].expected(edition, mapping, asked) != "proved"
    return tuple(op for op in asked if not (endless and op in BY_KERNEL))


def model_of(edition: Edition, mapping: str, ops: Sequence[str]) -> System:
    """The model beside runs of these operations on a mapping by name. Raises UsageError."""
    memory, pages = find_memory(mapping)
    return (kernel_system(edition, memory, ops) if pages is None
            else system_of_calls(edition, memory, pages, ops))


@dataclass(frozen=True)
class Row:
    """One step on both sides."""

    op: str
    model: Seen
    kernel: Seen
    differences: tuple[Difference, ...]

    @property
    def difference(self) -> Difference | None:
        """The first."""
        return next(iter(self.differences), None)


def rows(model: System, ops: Sequence[str], seen: Sequence[Seen],
         ignored: Collection[str] = ()) -> Iterator[Row]:
    """Each step of a run; whether later ones are worth a look after a difference is not said."""
    for step, kernel in zip(model.run(ops), seen, strict=True):
        told = seen_by_model(model, step)
        yield Row(step.op, told, kernel, tuple(differences(told, kernel, ignored)))


def first_difference(compared: Sequence[Row]) -> tuple[int, Difference] | None:
    """The number of the first step that differs, from 1, and the field."""
    return next(((number, row.difference) for number, row in enumerate(compared, start=1)
                 if row.difference is not None), None)


@dataclass(frozen=True)
class Abilities:
    """What a kernel was found to lack for a mapping: `lacks` has the reason for each feature.

    `without` are the operations that need it, `ignored` the bits that do not show.
    """

    release: str
    mapping: str
    lacks: Mapping[str, str]

    @property
    def without(self) -> frozenset[str]:
        return UNFORCED.union(*(_NEEDED_FOR.get(feature, ()) for feature in self.lacks))

    @property
    def ignored(self) -> frozenset[str]:
        return frozenset().union(*(_SHOWS.get(feature, frozenset()) for feature in self.lacks))

    @property
    def not_shown(self) -> str:
        """The features that do not show, each with the reason."""
        return "; ".join(f"{feature} ({reason})" for feature, reason in self.lacks.items()
                         if feature in _SHOWS)

    @property
    def no_mapping(self) -> str | None:
        """Why there is nothing to be tried, if so."""
        reason = self.lacks.get("mapping")
        return reason and self._lacking("mapping", reason)

    def _lacking(self, feature: str, reason: str) -> str:
        return f"Linux {self.release} lacks {feature} on {self.mapping}: {reason}"

    def require(self, ops: Collection[str], told: Collection[str] = ()) -> None:
        """Raises CannotRun where `ops` need what is lacking, or it is a feature of `told`."""
        ops = plain_ops(ops)
        for op in ops:
            if op in UNFORCED:
                raise CannotRun(f"no program can ask for {op} at a time of its choice")
        for feature, reason in self.lacks.items():
            if feature in ("mapping", *told) or {*_NEEDED_FOR.get(feature, ())} & {*ops}:
                raise CannotRun(self._lacking(feature, reason))


def abilities(session: Session, mapping: str) -> Abilities:
    """Found by trying each feature."""
    return Abilities(session.release, mapping, session.probe(mapping))
