"""Where values stand while C is interpreted: variables, objects, and the places inside them.

A place is a pointer that is not null. An array is a record whose fields are its indices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from model.kernel.logic import Bool, conj
from model.source.values import (
    VOID,
    CannotInterpret,
    CType,
    Int,
    Pointer,
    PointerType,
    Struct,
    Value,
    choose,
    convert,
    decided,
)


@dataclass
class Frame:
    """One call: where its variables stand, on which of the caller's paths it was called (`outer`),
    where of these it still runs (`live`), and what it has returned elsewhere.

    `breaks` has, for each switch that is being run, the paths that have left it; for a loop, None.
    """

    live: Bool = True
    outer: Bool = True
    returns: CType = VOID
    variables: dict[str, Pointer] = field(default_factory=dict)
    own: set[str] = field(default_factory=set)
    result: Value | None = None
    breaks: list[Bool | None] = field(default_factory=list)

    @property
    def everywhere(self) -> Bool:
        """Where it still runs, of all paths."""
        return decided(conj(self.outer, self.live))


class Memory:
    """Objects by name. `overlaid` are members of unions, by the path of what they lie over."""

    def __init__(self, objects: Mapping[str, Value],
                 overlaid: Mapping[str, tuple[str, ...]]) -> None:
        self.objects = dict(objects)
        self._overlaid = overlaid

    def new(self, name: str, value: Value, frame: Frame) -> Pointer:
        """A new object of the frame, and a pointer to it."""
        target = f"{name}#{len(self.objects)}"
        self.objects[target] = value
        frame.own.add(target)
        return Pointer(True, target)

    def _whole(self, at: Pointer) -> Value:
        if at.target not in self.objects:
            raise CannotInterpret(f"what a pointer to {at.target or 'an unknown object'} points to")
        value = self.objects[at.target]
        for step in at.path:
            if not isinstance(value, Struct) or step not in value.fields:
                raise CannotInterpret(f"the field {step}")
            value = value.fields[step]
        return value

    def load(self, at: Pointer) -> Value:
        """What stands there; for an array, a pointer to its first element."""
        value = self._whole(at)
        if isinstance(value, Struct) and "0" in value.fields:
            return Pointer(True, at.target, (*at.path, "0"))
        return value

    def store(self, at: Pointer, value: Value, frame: Frame) -> Value:
        """Put the value there, on the paths that lead here. Returns it as what stood there is."""
        before = self._whole(at)
        if isinstance(before, Int):
            value = convert(value, before.type)
        elif isinstance(before, Pointer):
            value = convert(value, PointerType())
        live = frame.live if at.target in frame.own else frame.everywhere
        self.objects[at.target] = _put(self.objects[at.target], at.path,
                                       choose(live, value, before))
        return value

    def member(self, at: Pointer, name: str) -> Pointer:
        """The field of the record that stands there."""
        whole = self._whole(at)
        if not isinstance(whole, Struct):
            raise CannotInterpret(f"the field {name} of what is no record")
        steps = (name,) if name in whole.fields else self._overlaid.get(name, (name,))
        return Pointer(True, at.target, (*at.path, *steps))

    @staticmethod
    def element(at: Pointer, index: int) -> Pointer:
        """The element `index` places after the one that stands there."""
        if at.path and at.path[-1].isdecimal():
            return Pointer(True, at.target, (*at.path[:-1], str(int(at.path[-1]) + index)))
        if index:
            raise CannotInterpret("an element of what is no array")
        return at


def _put(whole: Value, path: tuple[str, ...], value: Value) -> Value:
    if not path:
        return value
    assert isinstance(whole, Struct)
    return whole.with_field(path[0], _put(whole.fields[path[0]], path[1:], value))
