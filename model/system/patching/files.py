"""A user's own kernel functions, from a file, in the place of an edition's.

The file is a Python module, and it is executed. A function in it that bears the name of a mirrored
kernel function replaces that one; names that begin with ``_`` and what it imports are its own
affair. Inside a replacement the kernel function of its name means the edition's own again, so that
it can be imported and called. The guide is model/kernel/PATCHING.md.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf
from pathlib import PurePath
from types import FunctionType, MappingProxyType, ModuleType
from typing import Any

from model.kernel.editions import Edition, UsageError, find_change
from model.kernel.mirror import MIRRORS
from model.kernel.task_mmu import pagemap_read
from model.system.actions.themes import modelled
from model.system.patching.executed import blamed, executed, place_of
from model.system.patching.misfit import Shape, identity, misfit, shape, strangers
from model.system.patching.named import not_mirrored, parameters
from model.system.patching.trial import limited
from model.system.relation.kernel import KernelSystem
from model.system.relation.ranges import RangeSystem
from model.system.state.mappings import MAPPINGS, SEVERAL

PACKAGE = "model.kernel."
"""Coverage looks into modules whose name begins so (model/system/asking/coverage.py)."""


@dataclass(frozen=True)
class PatchFile:
    """A patch file that has been read: `file` as it was named, `digest` of it and of what it
    imports, and its `functions` by the name of the kernel function that each replaces."""

    file: str
    digest: str
    functions: Mapping[str, FunctionType]

    def applied(self, edition: Edition, seconds: float = inf) -> Edition:
        """`edition` with these functions, each tried once on what the model gives it. A call of one
        that takes longer than `seconds` ends a process whose last words are kept.

        Raises UsageError for a function that fails, and one that returns something else than the
        kernel function does.
        """
        calls = _first_calls(edition.base, set(self.functions))
        chosen = MappingProxyType({
            name: _Replacement(name, function, self.file, calls[name].returned, seconds)
            for name, function in self.functions.items()})
        patched = edition.with_patch(self.file, self.digest, chosen)
        for name, call in calls.items():
            result = chosen[name](patched, *call.args, **call.kwargs)
            if found := strangers(result, (call.args, call.kwargs)):
                raise UsageError(f"{chosen[name].place} {name} makes up {', '.join(found)}: it may "
                                 "depend on nothing but its arguments")
        return patched


def load(file: str) -> PatchFile:
    """Read and execute a patch file. Raises UsageError: one line that says what is wrong."""
    if _names_a_change(PurePath(file).stem):
        raise UsageError(f"{file!r} is named as a commit, which an edition may have too: give the "
                         "file another name")
    with _marks_kept():
        module, digest = executed(file, "patch file", PACKAGE)
    return PatchFile(file, digest, _replacements(file, module))


def _names_a_change(stem: str) -> bool:
    try:
        return bool(find_change(stem))
    except UsageError:
        return False


def _replacements(file: str, module: ModuleType) -> dict[str, FunctionType]:
    """The functions that a patch file defines, by name. Raises UsageError."""
    found: dict[str, FunctionType] = {}
    for name, value in vars(module).items():
        if not isinstance(value, FunctionType):
            if name in MIRRORS:
                raise UsageError(f"{file}: {name} is {value!r}; it should be a function, by def")
            continue
        if value.__module__ != module.__name__:
            continue
        function: FunctionType = inspect.unwrap(value)
        if name in MIRRORS:
            _check_signature(file, name, function)
            found[name] = function
        elif not name.startswith("_"):
            raise UsageError(f"{place_of(file, function)} {not_mirrored(name)}; as a helper of "
                             f"your own call it _{name}")
    if not found:
        raise UsageError(f"{file} replaces no kernel function: define one under its name, as in "
                         "'def can_change_pte_writable(ed, vma, entry):'")
    return found


def _check_signature(file: str, name: str, function: FunctionType) -> None:
    right, wrong = (parameters(f) for f in (MIRRORS[name].function, function))
    if inspect.iscoroutinefunction(function):
        raise UsageError(f"{place_of(file, function)} {name} is a coroutine, and returns nothing "
                         f"when it is called: write def {name}{right}:")
    if wrong != right:
        raise UsageError(f"{place_of(file, function)} {name}{wrong} does not take what the "
                         f"kernel's takes: write def {name}{right}:")


@contextmanager
def _marks_kept() -> Iterator[None]:
    """A file may mark its functions with `mirrors`, as the model does; the model's stay marked."""
    kept = dict(MIRRORS)
    try:
        yield
    finally:
        MIRRORS.clear()
        MIRRORS.update(kept)


@dataclass(frozen=True)
class _Replacement:
    """A user's function in the place of the kernel function `name`, which returns `returned`; a
    call may take `seconds`.

    `answers` has what it was asked, so that it exists as long, and what it answered.
    """

    name: str
    function: FunctionType
    file: str
    returned: Shape
    seconds: float
    answers: dict[Hashable, tuple[Any, Any]] = field(default_factory=dict)

    @cached_property
    def _spelt(self) -> dict[str, str]:
        """The function's parameters as it spells them, by the kernel's names."""
        return dict(zip(parameters(self.function).parameters,
                        inspect.signature(self.function).parameters, strict=True))

    @property
    def place(self) -> str:
        return place_of(self.file, self.function)

    def __call__(self, ed: Edition, /, *args: Any, **kwargs: Any) -> Any:
        """The function's result. Raises UsageError where it fails, the result has not the shape of
        the kernel function's, or it has answered the same before in another way."""
        others = {n: f for n, f in ed.overrides.items() if n != self.name}
        own = replace(ed, overrides=MappingProxyType(others))
        asked = args, tuple(kwargs.items())
        key = identity((ed.changes, ed.undecided, frozenset(others), asked))
        if key not in self.answers:
            self.answers[key] = asked, self._answer(own, args, kwargs)
        result = self._answer(own, args, kwargs)
        if identity(result) != identity(self.answers[key][1]):
            raise UsageError(f"{self.place} {self.name} gives two answers to the same arguments: "
                             "it may depend on nothing else")
        return result

    def _answer(self, ed: Edition, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        with limited(self.seconds), blamed(self.file, self.name):
            result = self.function(ed, *args, **{self._spelt[key]: value
                                                 for key, value in kwargs.items()})
        if wrong := misfit(self.returned, result):
            raise UsageError(f"{self.place} {self.name} returns {wrong}")
        return result


@dataclass(frozen=True)
class _Call:
    """The arguments after the edition, and the shape of what was returned."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    returned: Shape


def _first_calls(edition: Edition, names: set[str]) -> dict[str, _Call]:
    """How the model of `edition` first calls each of the kernel functions."""
    calls: dict[str, _Call] = {}

    def listening(name: str) -> Callable[..., Any]:
        def call(ed: Edition, /, *args: Any, **kwargs: Any) -> Any:
            result = MIRRORS[name].function(ed, *args, **kwargs)
            calls.setdefault(name, _Call(args, kwargs, shape(result)))
            if set(calls) == names:
                raise _Enough
            return result
        return call

    heard = replace(edition, overrides=MappingProxyType({n: listening(n) for n in names}))
    with suppress(_Enough):
        for mapping in MAPPINGS.values():
            system = KernelSystem(heard, mapping, modelled(heard, mapping))
            _ = system.effects
            pagemap_read(heard, system.before.vma, system.before.entry)
        for name in SEVERAL:
            pages = RangeSystem(heard, MAPPINGS[name], 2)
            _ = list(pages.system.branches)
    return calls


class _Enough(Exception):
    """All that was wanted has been heard."""
