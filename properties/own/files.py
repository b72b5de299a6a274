"""--promise FILE.py: promises of a user's own, in a file like those in properties/.

The file is executed. Its promises are what it calls PROPERTY, or PROPERTIES where there are
several. The guide is properties/PROMISES.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from math import inf
from pathlib import PurePath
from types import ModuleType
from typing import Any

from model.kernel.changes import CHANGES
from model.kernel.editions import EDITIONS, UsageError, shortened, unknown
from model.kernel.releases import NEWEST
from model.system.actions.operations import CORE, OPERATIONS
from model.system.asking.step_view import StepView
from model.system.asking.view import View
from model.system.patching.executed import NAME, blamed, executed, place_of
from model.system.patching.misfit import misfit, shape, strangers
from model.system.patching.trial import limited
from model.system.relation.kernel import kernel_system
from model.system.state.mappings import MAPPINGS
from model.system.state.state import FOLLOWED
from properties import PROPERTIES
from properties.base import Own, Property, Violated
from properties.claims import CLAIMS
from properties.data_kept import DIRTY_KEPT
from properties.lemmas import LEMMAS

OPTION = "--promise"
_PACKAGE = "properties."
_LONGEST = 100
"""Characters of a name: folders are called by it."""
_QUESTIONS = ("witness", "safe", "allowed")
_TAKEN = {*PROPERTIES, DIRTY_KEPT.name, *CLAIMS, *(lemma.name for lemma in LEMMAS)}
_ROLES = ("promise", "ground", "precision")


def load(file: str, seconds: float = inf) -> tuple[Property, ...]:
    """Read and execute a file of promises; a call of one of their functions may take `seconds`.
    Raises UsageError: one line that says what is wrong."""
    module, digest = executed(file, "promise file", _PACKAGE)
    own = Own(OPTION, file, digest, file)
    found = [_checked(file, promise) for promise in _defined(file, module)]
    names = [p.name for p in found]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"{file}: two promises are called {name}")
    return tuple(_guarded(replace(p, own=own), seconds) for p in found)


def tried(promise: Property) -> None:
    """Ask its questions once, of the newest edition and the first mapping that it can be put to.
    Raises UsageError."""
    editions = sorted(EDITIONS.values(), key=lambda e: e.name != NEWEST)
    place = next(((e, m) for e in editions for m in MAPPINGS.values() if promise.concerns(e, m)),
                 None)
    if place is None:
        return
    step = _Spelt(kernel_system(*place, promise.about, promise.follows))
    promise.witness(step)
    promise.safe(step.before)
    promise.allowed(step)


class _Spelt(StepView):
    """A step that knows a misspelt operation, which is otherwise one that never happens."""

    def op(self, *names: str) -> Any:
        for name in names:
            if name not in OPERATIONS:
                raise ValueError(str(unknown("operation", name, list(OPERATIONS))))
        return super().op(*names)


def _defined(file: str, module: ModuleType) -> list[Property]:
    one, several = (vars(module).get(name) for name in ("PROPERTY", "PROPERTIES"))
    if one is not None and several is not None:
        raise UsageError(f"{file} defines PROPERTY and PROPERTIES: it should be one of them")
    if isinstance(several, Mapping):
        several = tuple(several.values())
    if several is not None and (not isinstance(several, Iterable) or isinstance(several, str)):
        raise UsageError(f"{file}: PROPERTIES is {shortened(repr(several))}; it should be a tuple "
                         "of Property(...)")
    found = [one] if one is not None else list(several or ())
    if not found:
        raise UsageError(f"{file} defines no promise: PROPERTY = Property(name=..., claim=..., "
                         "origin=..., safe=..., witness=...), of properties.base")
    for promise in found:
        if not isinstance(promise, Property):
            raise UsageError(f"{file}: {shortened(repr(promise))} is no promise; it should be "
                             "Property(name=..., claim=..., ...) of properties.base")
    return found


def _checked(file: str, p: Property) -> Property:
    """The promise, called as the file where it has no name. Raises UsageError."""
    p = replace(p, name=p.name or PurePath(file).stem)
    if not isinstance(p.name, str) or not NAME.fullmatch(p.name) or len(p.name) > _LONGEST:
        raise UsageError(f"{file}: {shortened(repr(p.name))} is no name for a promise: letters, "
                         f"digits, '_', '.' and '-', at most {_LONGEST}")
    if p.name in _TAKEN:
        raise UsageError(f"{file}: {p.name} is a promise that there is already; give yours another "
                         "name")
    for field, right, fits in (
            ("claim", "a sentence", _text(p.claim) and p.claim.strip()),
            ("origin", "a text", _text(p.origin)), ("memory", "a text", _text(p.memory)),
            ("role", f"one of {', '.join(_ROLES)}", p.role in _ROLES),
            ("about", "a tuple of operations", _all(p.about, str)),
            ("follows", f"a tuple of {', '.join(FOLLOWED)}",
             _all(p.follows, str) and set(p.follows) <= {*FOLLOWED}),
            ("violated", 'a tuple of Violated("MAPPING ...", ("-COMMIT", ...), "because")',
             _all(p.violated, Violated) and all(
                 _all((v.mappings, v.because, v.by), str) and _all(v.when, str)
                 for v in p.violated)),
            ("parts", "left out: it is of --never", not p.parts),
            *((name, "a function", callable(getattr(p, name)))
              for name in (*_QUESTIONS, "speaks_of"))):
        if not fits:
            raise UsageError(f"{file}: {field} of {p.name} is "
                             f"{shortened(repr(getattr(p, field)))}; it should be {right}")
    for kind, part, names, known in (
            ("operation", "about", p.about, OPERATIONS),
            ("mapping", "violated", _words(p, "mappings"), MAPPINGS),
            ("operation", "violated", _words(p, "by"), OPERATIONS),
            ("commit", "violated", [w.removeprefix("+").removeprefix("-") for v in p.violated
                                    for w in v.when], CHANGES)):
        for name in names:
            if name not in known:
                raise UsageError(f"{file}: {part} of {p.name}: {unknown(kind, name, list(known))}")
    if unsigned := [w for v in p.violated for w in v.when if w[:1] not in ("+", "-")]:
        raise UsageError(f"{file}: violated of {p.name}: {unsigned[0]!r} has no sign: '+' for an "
                         "edition that has the commit, '-' for one that lacks it")
    return replace(p, about=tuple(op for op in p.about if op not in CORE),
                   memory=p.memory or "what its speaks_of says")


def _words(p: Property, part: str) -> list[str]:
    return [word for v in p.violated for word in getattr(v, part).replace("&", " ").split()]


def _text(value: object) -> bool:
    return isinstance(value, str)


def _all(values: object, kind: type) -> bool:
    return isinstance(values, tuple) and all(isinstance(value, kind) for value in values)


def _guarded(p: Property, seconds: float) -> Property:
    """The same promise, whose functions are blamed by their place in the file."""
    assert p.own is not None
    file = p.own.file

    def guard(part: str, wanted: object) -> _Guarded:
        return _Guarded(file, f"{part} of {p.name}", getattr(p, part), wanted, seconds)

    truth = shape(True)
    return replace(p, witness=guard("witness", truth), safe=guard("safe", truth),
                   allowed=guard("allowed", truth), speaks_of=guard("speaks_of", None))


@dataclass(frozen=True, eq=False)
class _Guarded:
    """A function of a user's: `part` says in words which. Its answer has the shape `wanted`, or is
    a Python bool; a call may take `seconds`."""

    file: str
    part: str
    function: Callable[..., Any]
    wanted: object
    seconds: float

    def __call__(self, *asked: Any) -> Any:
        """Its answer. Raises UsageError where it fails, or the answer is of another shape, or of
        something that it was not given."""
        with limited(self.seconds), blamed(self.file, self.part):
            answer = self.function(*asked)
        wrong = (misfit(self.wanted, answer) if self.wanted else
                 "" if isinstance(answer, bool) else
                 f"{shortened(repr(answer))}; it should be True or False")
        place = place_of(self.file, self.function)
        if wrong:
            raise UsageError(f"{place} {self.part} returns {wrong}")
        if made_up := strangers(answer, [_given(view) for view in asked]):
            raise UsageError(f"{place} {self.part} makes up {', '.join(made_up)}: it may depend on "
                             "nothing but its argument")
        return answer


def _given(view: object) -> tuple[Any, ...]:
    """All that a question to a view can be about."""
    if isinstance(view, StepView):
        return _given(view.before), _given(view.after), view.op(*CORE), view.ok
    return (view.vma, view.entry, view.uffd_open, view.history) if isinstance(view, View) else ()
