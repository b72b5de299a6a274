"""What promises are written in: questions about one step."""

from __future__ import annotations

from functools import cached_property

from model.kernel.logic import (
    Bool,
    as_term,
    conj,
    disj,
    implies,
    negate,
)
from model.kernel.records import Outcome, outcome
from model.system.actions.operations import OPERATIONS
from model.system.asking.view import View
from model.system.relation.kernel import Asked

_MPROTECT = "mprotect:"
_REGISTERING = {"register": ("wp",), **{
    name: tuple(name.partition(":")[2].split("+"))
    for name in OPERATIONS if name.startswith("register:")}}
"""The modes that each call asks for."""


class StepView:
    """One step: the state before, the operation and its outcome, the state after."""

    def __init__(self, kernel: Asked) -> None:
        self._kernel = kernel
        self.before = View(kernel.edition, kernel.before)

    @cached_property
    def after(self) -> View:
        return View(self._kernel.edition, self._kernel.after)

    def op(self, *names: str) -> Bool:
        """The operation is one of `names`."""
        return self._kernel.takes(names)

    def ended(self, *outcomes: Outcome) -> Bool:
        """The outcome is one of `outcomes`."""
        return disj(*(as_term(self._kernel.outcome == outcome(o)) for o in outcomes))

    @property
    def ok(self) -> Bool:
        return self.ended(Outcome.ok)

    def _switched(self, before: Bool, after: Bool, on: Bool, off: Bool) -> Bool:
        """`after` is so because of `on`, or as it was `before` without `off`."""
        return as_term(as_term(after) == as_term(disj(on, conj(before, negate(off)))))

    @property
    def protection_as_called(self) -> Bool:
        """A VMA may be read and written as mmap and the last mprotect that succeeded asked; nothing
        else changes that."""
        calls = {name: name.removeprefix(_MPROTECT) for name in OPERATIONS
                 if name.startswith(_MPROTECT)}
        fresh, called = self.op("mmap"), conj(self.op(*calls), self.ok)

        def granted(before: Bool, after: Bool, letters: str) -> Bool:
            asked = [name for name, prot in calls.items() if set(letters) & set(prot)]
            return self._switched(before, after, disj(fresh, conj(self.op(*asked), self.ok)),
                                  called)

        return conj(granted(self.before.may_write, self.after.may_write, "w"),
                    granted(self.before.may_read, self.after.may_read, "rwx"))

    @property
    def registration_as_called(self) -> Bool:
        """A VMA is registered for the modes that the last UFFDIO_REGISTER that succeeded asked for,
        which takes nothing away where it asks for some of those that stand; until what ends it, as
        mremap and fork do where the userfaultfd asks for no events of theirs."""
        before, after = self.before, self.after
        moved = disj(self.op("mremap", "fork:child"), conj(self.op("mremap:dontunmap"), self.ok))
        ended = disj(conj(self.op("unregister", "other:unregister"), self.ok),
                     conj(moved, negate(before.asked_events)), self.op("close", "mmap"))

        def modes(s: View) -> dict[str, Bool]:
            return {"wp": s.registered, "missing": s.registered_missing,
                    "minor": s.registered_minor, "rwp": s.registered_rwp}

        def registered(mode: str) -> Bool:
            others = disj(*(conj(self.op(call), self.ok, negate(conj(*(
                modes(before)[each] for each in asked))))
                for call, asked in _REGISTERING.items() if mode not in asked))
            return self._switched(
                modes(before)[mode], modes(after)[mode],
                conj(self.op(*(c for c, asked in _REGISTERING.items() if mode in asked)), self.ok),
                disj(ended, others))

        return conj(*(registered(mode) for mode in modes(before)))

    @property
    def tracking_as_called(self) -> Bool:
        """clear_refs begins to track, where it can, and no call but mmap ends it."""
        return disj(self.before.mapping.hugetlb, self.op("mmap"), self._switched(
            self.before.tracked, self.after.tracked, self.op("clear_refs"), False))

    @property
    def stays_dirty(self) -> Bool:
        """A page that stays where it is mapped stays dirty."""
        before, after = self.before, self.after
        stays = conj(after.present, self.op(*(name for name, o in OPERATIONS.items() if o.core)))
        return implies(conj(stays, disj(before.dirty, conj(self.op("store"), self.ok))),
                       after.dirty)
