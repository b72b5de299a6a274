"""The operations of a mapping with several pages: OP, OP@I or OP@I-J.

Without pages an operation is one of the whole mapping, a load or store of its first page.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial

from model.kernel.bits import VM_EXEC, VM_READ, VM_UFFD_MISSING, VM_UFFD_WP, VM_WRITE
from model.kernel.editions import Edition, UsageError, shortened
from model.kernel.records import Mapping
from model.system.actions import ranges
from model.system.actions.operations import OPERATIONS
from model.system.actions.ranges import Ranged
from model.system.actions.themes import modelled
from model.system.state.mappings import MOST_PAGES
from model.system.state.pages import Pages


@dataclass(frozen=True)
class Span:
    """An operation and the pages that it is of, from `first` to `last`."""

    name: str
    op: str
    first: int
    last: int

    def run(self, ed: Edition, s: Pages) -> Ranged:
        return _RUN[self.op](ed, s, self.first, self.last)


def _mprotect(prot: int) -> Callable[..., Ranged]:
    return partial(ranges.mprotect, prot=prot)


def _register(mode: int) -> Callable[..., Ranged]:
    return partial(ranges.register, mode=mode)


_RW = VM_READ | VM_WRITE
_BY_PAGE: dict[str, Callable[..., Ranged]] = {
    "store": partial(ranges.access, loads=False),
    "load": partial(ranges.access, loads=True),
    "clear_refs": ranges.clear_refs,
    "register": _register(VM_UFFD_WP),
    "register:missing": _register(VM_UFFD_MISSING),
    "register:wp+missing": _register(VM_UFFD_WP | VM_UFFD_MISSING),
    "unregister": ranges.unregister,
    "wp": ranges.writeprotect,
    "unwp": ranges.writeprotect,
    "mprotect:none": _mprotect(0),
    "mprotect:r": _mprotect(VM_READ),
    "mprotect:rw": _mprotect(_RW),
    "mprotect:w": _mprotect(VM_WRITE),
    "mprotect:rx": _mprotect(VM_READ | VM_EXEC),
    "mprotect:rwx": _mprotect(_RW | VM_EXEC),
    "close": ranges.close,
    "open": ranges.opened,
    "dontneed": ranges.dontneed,
    "fork": ranges.everywhere,
    "fork:child": ranges.fork_child,
    "mremap": ranges.mremap,
}
"""Those that do to each page what they do to a mapping that has no other."""
MUNMAP = "munmap"
_RUN: dict[str, Callable[..., Ranged]] = {
    **{op: partial(run, run=OPERATIONS[op].run) for op, run in _BY_PAGE.items()},
    "mmap": ranges.mmap, MUNMAP: ranges.munmap,
    **{f"mmap:{page}": partial(ranges.mmap, of_file=page) for page in range(MOST_PAGES)}}
OF_FILE = tuple(op for op in _RUN if op.startswith("mmap:"))
"""mmap of the pages of the file from that one on."""
OPERATIONS_OF_SEVERAL = tuple(op for op in _RUN if op not in OF_FILE)
OF_SEVERAL_ALONE = tuple(op for op in _RUN if op not in OPERATIONS)
"""Those that a mapping of one page does not have."""
_WHOLE = ("clear_refs", "close", "open", "fork", "fork:child", "mremap")
"""Calls that take no range, or are of the whole mapping here."""
_FORM = "OP, OP@I or OP@I-J"


def find_span(name: str, pages: int) -> Span:
    """The operation of a mapping with so many pages that is called so. Raises UsageError."""
    op, at, where = name.partition("@")
    if op not in _RUN:
        told = (f"{op!r} is modelled for a mapping of one page alone so far" if op in OPERATIONS
                else f"unknown operation {shortened(op)!r}")
        near = get_close_matches(op, OPERATIONS_OF_SEVERAL, 1) if op not in OPERATIONS else []
        hint = (f"did you mean {near[0]!r}?" if near else
                f"several pages have {', '.join(OPERATIONS_OF_SEVERAL)}")
        raise UsageError(f"{told}; {hint}")
    access = op in OPERATIONS and bool(OPERATIONS[op].access)
    if not at and op in OF_FILE[1:]:
        raise UsageError(f"{op!r}: where? as {op}@0")
    if not at:
        return Span(name, op, 0, 0 if access else pages - 1)
    if op in _WHOLE:
        raise UsageError(f"{shortened(name)!r}: {op} is of the whole mapping: no pages behind it")
    ends = where.split("-")
    if len(ends) > 2 or not all(end.isascii() and end.isdigit() and len(end) < 9 for end in ends):
        raise UsageError(f"{shortened(name)!r} is not {_FORM}, pages being counted from 0")
    if access and len(ends) > 1:
        raise UsageError(f"{shortened(name)!r}: a {op} is of one page")
    first, last = int(ends[0]), int(ends[-1])
    if last >= pages or first >= pages:
        raise UsageError(f"{shortened(name)!r}: the pages are 0 to {pages - 1}")
    if op in OF_FILE and _beyond(op, first, last, pages):
        raise UsageError(f"{shortened(name)!r}: the file has pages 0 to {pages - 1}")
    if first > last:
        raise UsageError(f"{shortened(name)!r}: the first page comes first, as in "
                         f"{op}@{last}-{first}")
    return Span(name, op, first, last)


def _beyond(op: str, first: int, last: int, pages: int) -> bool:
    return int(op.partition(":")[2]) + last - first >= pages


def plain_op(name: str) -> str:
    """The operation, without the pages that it is of."""
    return name.partition("@")[0]


def plain_ops(names: Iterable[str]) -> tuple[str, ...]:
    """The operations of these, without their pages."""
    return tuple(map(plain_op, names))


def modelled_of_several(ed: Edition, mapping: Mapping) -> tuple[str, ...]:
    """The operations that an edition and a mapping with several pages model, plainest first."""
    known = modelled(ed, mapping)
    return tuple(op for op in _RUN if op in known or (op in OF_SEVERAL_ALONE and not (
        op in OF_FILE and mapping.anonymous)))


def spans(pages: int, ops: Collection[str] = OPERATIONS_OF_SEVERAL) -> Iterable[str]:
    """Each of these operations of every range of a mapping with so many pages, by its plainest
    name, the plainest first."""
    for op in filter(set(ops).__contains__, _RUN):
        if op in _WHOLE:
            yield op
            continue
        access = op in OPERATIONS and bool(OPERATIONS[op].access)
        for first in range(pages):
            for last in range(first, first + 1 if access else pages):
                if op in OF_FILE and _beyond(op, first, last, pages):
                    continue
                yield f"{op}@{first}" if first == last else f"{op}@{first}-{last}"
