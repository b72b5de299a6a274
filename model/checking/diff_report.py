"""Comparisons of two editions as text and JSON."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model.checking.difference import (
    FIX,
    GAINED,
    LOST,
    NEUTRAL,
    REGRESSION,
    Comparison,
    DifferenceClass,
    Field,
    apart,
)
from model.cli import tool
from model.kernel.editions import Edition

WIDTH = 72
KINDS = (REGRESSION, FIX, LOST, GAINED, NEUTRAL)
COLOURS = {REGRESSION: "31", FIX: "32", LOST: "33", GAINED: "32", NEUTRAL: "36"}


@dataclass(frozen=True)
class Written:
    """Where the traces of a class were written: a path for each side."""

    a: str
    b: str


Paths = Mapping[tuple[int, int], Written]
"""By the number of the comparison and of the class in it, from 0; empty where none was written."""


def as_json(a: Edition, b: Edition, comparisons: Sequence[Comparison], paths: Paths) -> str:
    """One object: {"tool", "a", "b", "results"}, a result for each mapping and set of operations.

    A field of a class has its values on both sides: {"faults": [0, 1]}. `only` is "a" or "b" where
    that side alone has the call, and `alike` what else it shows, by what was there before.
    """
    results: list[dict[str, Any]] = [{
        "mapping": c.mapping, **({"allow": list(c.allow)} if c.allow else {}),
        "complete": c.complete, "pairs": c.pairs, "diameter": c.diameter,
        **({"reason": c.reason} if c.reason else {}),
        "classes": [_class_json(found, paths.get((number, place)))
                    for place, found in enumerate(c.classes)],
    } for number, c in enumerate(comparisons)]
    return json.dumps({"tool": tool(), "a": a.name, "b": b.name, "results": results}, indent=1)


def _class_json(found: DifferenceClass, written: Written | None) -> dict[str, Any]:
    return {"kind": found.kind, "mends": list(found.mends), "breaks": list(found.breaks),
            "operations": list(found.operations),
            "fields": {f.name: [f.a, f.b] for f in found.fields}, "a": found.a, "b": found.b,
            "members": found.members, "causes": list(found.causes), "only": found.only or None,
            "alike": [{"operations": list(c.operations), "members": c.members,
                       "fields": {f.name: [f.a, f.b] for f in c.fields}} for c in found.alike],
            "trace": written and {"a": written.a, "b": written.b}}


def as_text(a: Edition, b: Edition, comparisons: Sequence[Comparison], *, asked: int,
            colour: bool) -> str:
    """What lies between the editions, then each mapping's classes, then the sum. A class that other
    operations on the same mapping have shown before, by the same calls, is only counted. `asked`
    is how many comparisons there would be, had no signal come."""
    head = textwrap.wrap(f"From {a.name} to {b.name} ({signed(a, b)}):", WIDTH,
                         break_on_hyphens=False, break_long_words=False)
    parts, told = ["\n".join(head)], set[tuple[object, ...]]()
    for c in comparisons:
        fresh = [found for found in c.classes if _key(c, found) not in told]
        told |= {_key(c, found) for found in fresh}
        parts.append(_comparison(c, fresh, colour))
    return "\n\n".join([*parts, _sum(a, b, comparisons, asked)])


def signed(a: Edition, b: Edition) -> str:
    """What lies between two editions."""
    return ", ".join(apart(a, b)) or "no change"


def _key(c: Comparison, found: DifferenceClass) -> tuple[object, ...]:
    return c.mapping, found.kind, found.operations, found.fields


def _comparison(c: Comparison, fresh: Sequence[DifferenceClass], colour: bool) -> str:
    count = len(c.classes)
    told = f"{count} class{'es'[:2 * (count != 1)]} of difference" if count else "no difference"
    if not c.complete:
        told += f" so far, not complete: {c.reason}"
    elif not count:
        told += ", proved"
    lines = textwrap.wrap(f"{c.scope}: {told} ({c.pairs} pairs of states, up to {c.diameter} calls "
                          "deep)", WIDTH, break_on_hyphens=False)
    wide = max(len(c.a), len(c.b))
    for found in fresh:
        kind = f"\033[{COLOURS[found.kind]}m{found.kind}\033[0m" if colour else found.kind
        lines += [f"  {kind}: {', '.join(found.operations) or 'the fresh mapping'}",
                  f"    {c.a:{wide}}  {_side(found.fields, 'a')}",
                  f"    {c.b:{wide}}  {_side(found.fields, 'b')}"]
        lines += [f"    {edition} breaks {', '.join(names)}" for edition, names in
                  ((c.a, found.mends), (c.b, found.breaks)) if names]
        lines += _new(c, found)
        lines += textwrap.wrap(f"by {', '.join(found.causes)}", WIDTH, initial_indent="    ",
                               subsequent_indent="      ", break_on_hyphens=False,
                               break_long_words=False)
    if len(fresh) < count:
        lines.append(f"  {count - len(fresh)} as above" if fresh else "  all as above")
    return "\n".join(lines)


def _new(c: Comparison, found: DifferenceClass) -> list[str]:
    """Of a call that one side alone has: that, and what else it shows."""
    if not found.only:
        return []
    has, lacks, at = (c.a, c.b, 0) if found.only == "a" else (c.b, c.a, 1)
    call = found.operations[-1]
    refusals, ends = (dict.fromkeys(pair[side] for pair in found.outcomes)
                      for side in (1 - at, at))
    told = (f"{has} alone has {call}, which {lacks} refuses always ({', '.join(refusals)}); it "
            f"ends with {' or '.join(ends)}")
    if found.alike:
        count = len(found.alike)
        told += (f"; so after {count} other list{'s'[:count != 1]} of calls, which show what it "
                 "does to what was there (--format json has them)")
    return textwrap.wrap(told, WIDTH, initial_indent="    ", subsequent_indent="      ",
                         break_on_hyphens=False)


def _side(fields: Sequence[Field], side: str) -> str:
    return ", ".join(f"{f.name} {_value(getattr(f, side))}" for f in fields)


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def headline(c: Comparison, found: DifferenceClass) -> str:
    """The class in one line, for the trace that stands for it."""
    told = "; ".join(f"{f.name} {_value(f.a)} in {c.a} and {_value(f.b)} in {c.b}"
                     for f in found.fields)
    return f"{found.kind} from {c.a} to {c.b}: {told}"


def _sum(a: Edition, b: Edition, comparisons: Sequence[Comparison], asked: int) -> str:
    counts = Counter(kind for _, kind, *_ in {_key(c, f) for c in comparisons for f in c.classes})
    kinds = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind])
    whole = len(comparisons) == asked and all(c.complete for c in comparisons)
    if kinds:
        told = f"classes: {kinds}; " + ("these are all" if whole else "there may be more")
        told += "; each trace ends at the first difference"
    elif whole:
        told = f"no list of these calls, of any length, tells {a.name} from {b.name}: proved"
    else:
        told = "no difference found, which is not a proof"
    return "\n".join(textwrap.wrap(told, WIDTH, break_on_hyphens=False))
