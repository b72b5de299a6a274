"""The edition nearest to a violating one that keeps the promise on the same calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model.kernel.changes import CHANGES
from model.kernel.editions import Edition
from model.kernel.records import Mapping
from model.system.actions.themes import modelled
from model.system.relation.kernel import kernel_system
from model.system.relation.replay import keeps
from properties.base import Property


def fixed_edition(edition: Edition, mapping: Mapping, prop: Property,
                  ops: Sequence[str]) -> Edition | None:
    """One change more or less than `edition`, under which `ops` break nothing; None without one.

    Of an edition with a user's patch file, first that without the file. Where known causes fit the
    calls, only the changes that they name are tried; else first one where the calls end as they do
    here, for what is refused there breaks nothing, but mends nothing.
    """
    ends, other = _ends(edition, mapping, prop, ops), None
    for candidate, named in _neighbours(edition, mapping, prop, ops):
        if not set(ops) <= set(modelled(candidate, mapping)):
            continue
        kernel = kernel_system(candidate, mapping, (*prop.about, *ops), prop.follows)
        if keeps(kernel.machine, prop.question(kernel), ops):
            if named or _ends(candidate, mapping, prop, ops) == ends:
                return candidate
            other = other or candidate
    return other


def _ends(edition: Edition, mapping: Mapping, prop: Property, ops: Sequence[str]) -> list[str]:
    """How each call ends."""
    kernel = kernel_system(edition, mapping, (*prop.about, *ops), prop.follows)
    return [step.outcome for step in kernel.run(ops)]


def _neighbours(edition: Edition, mapping: Mapping, prop: Property,
                ops: Sequence[str]) -> Iterator[tuple[Edition, bool]]:
    """Each with whether something is known to make the difference."""
    if edition.patch is not None:
        edition = edition.base
        yield edition, True
    rules = prop.causes(edition, mapping, ops)
    named = dict.fromkeys(w[1:] for v in rules for w in v.when)
    for change in named if rules else [c.id for c in CHANGES.values() if not c.variant]:
        yield (edition.without_change(change) if edition.has(change)
               else edition.with_change(change)), bool(rules)
