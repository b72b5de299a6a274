"""The state that is explored: one VMA, one page-table entry, and the history the promises need.

A state is a tree of records, and of tuples of them. `flatten` gives its leaves in a fixed order;
the engines see only that tuple, so that a state with more pages or more VMAs is more records, not
another engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import lru_cache
from typing import Any, TypeVar

import z3

from model.kernel.logic import Bool, as_term, word
from model.kernel.records import Entry, Mapping, Vma
from model.kernel.terms import lean


@dataclass(frozen=True)
class History:
    """What has happened that a promise speaks of; no kernel keeps it.

    `stored`: a store has completed since clear_refs last returned (or since mmap).
    `protected`: `wp` has returned ok, and nothing since that ends it by its own documentation:
    `unwp`, `unregister`, `close`, `guard`, registering anew without the mode, or `mremap` and going
    on in a child, where the userfaultfd is told of neither.
    `protected_populated`: likewise, and the page was mapped when that `wp` returned.
    `protected_async`: likewise, with WP_ASYNC, where a store raises no event; `stored_since_wp`: a
    store has completed since the last such `wp`. `poisoned`: `poison` has returned ok, and nothing
    since that gives the memory up or fills it, as does going on in a child whose memory is shared.
    `rw_protected`: `rwp` has returned ok without RWP_ASYNC where a page was mapped, in swap or
    migrating, and nothing since that ends it by its documentation: `unrwp`, what ends a
    registration, and what drops the page, but for MADV_DONTNEED of a page of a file.
    `guarded`: `guard` has returned ok, and nothing since that ends it by its documentation.

    Of what a load would read (OF_CONTENT; actions/content.py). `changed`: it is other than at the
    last clear_refs (or mmap); `beneath`: so is what would be there once the program's own is given
    up, which is zeroes, or of private memory what the file has; `content`: the two are not the
    same. `barred`: at that clear_refs a load got a signal, from poison or a guard region.
    """

    stored: Bool
    protected: Bool
    protected_populated: Bool
    protected_async: Bool = False
    stored_since_wp: Bool = False
    poisoned: Bool = False
    rw_protected: Bool = False
    guarded: Bool = False
    content: Bool = False
    changed: Bool = False
    beneath: Bool = False
    barred: Bool = False


REMEMBERED = frozenset(f.name for f in fields(History))
OF_CONTENT = ("content", "changed", "beneath", "barred")
FOLLOWED = (*OF_CONTENT, "guarded")
"""Facts of the history that no operation needs: kept where a promise speaks of them."""


def fresh_history(mapping: Mapping) -> History:
    """Nothing has happened; a shared file has content that a hole would take."""
    filled = mapping.filled and mapping.shared
    return History(False, False, False, content=filled, beneath=filled)


@dataclass(frozen=True)
class State:
    """`uffd_open`: the process has an open userfaultfd.

    `entry` maps the page that is observed. Where the others of the mapping count, `rest` stands for
    each of them, which no load or store touches: they have all seen the same calls. While one PMD
    maps them all, both are that PMD.
    """

    vma: Vma
    entry: Entry
    rest: Entry | None
    uffd_open: Bool
    history: History


R = TypeVar("R")


def fresh_entry(mapping: Mapping) -> Entry:
    """What a mapping is before it is touched: nothing is mapped, and a file has its content."""
    return Entry(word(0), anon=False, anon_exclusive=False, zero_page=False,
                 in_cache=mapping.filled, huge=mapping.thp, no_tables=mapping.thp,
                 cache_dirty=mapping.filled and not mapping.regular)


def _leaves(record: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for f in fields(record):
        value = getattr(record, f.name)
        if isinstance(value, tuple):
            for number, part in enumerate(value):
                yield from _leaves(part, f"{prefix}{number}.")
        elif is_dataclass(value) and not isinstance(value, Mapping):
            yield from _leaves(value, "rest." if f.name == "rest" else prefix)
        elif value is not None and not isinstance(value, Mapping):
            yield prefix + f.name, value


def leaves(record: Any) -> tuple[Any, ...]:
    """The leaves of a record, depth first, as they stand."""
    return tuple(value for _, value in _leaves(record))


def flatten(record: Any) -> tuple[z3.ExprRef, ...]:
    """The leaves of a record, depth first, as Z3 terms."""
    return tuple(as_term(v) if isinstance(v, bool) else v for _, v in _leaves(record))


def leaf_names(record: Any) -> tuple[str, ...]:
    """The field names of the leaves, in the order of `flatten`."""
    return tuple(name for name, _ in _leaves(record))


def rebuild(shape: R, values: Sequence[Any]) -> R:
    """A record of the shape of `shape` with `values` for its leaves, in the order of `flatten`."""
    rest = iter(values)

    def build(record: Any) -> Any:
        return type(record)(**{f.name: part(getattr(record, f.name)) for f in fields(record)})

    def part(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(build, value))
        if is_dataclass(value) and not isinstance(value, Mapping):
            return build(value)
        return value if value is None or isinstance(value, Mapping) else next(rest)

    result: R = build(shape)
    return result


def variables_like(shape: R) -> R:
    """The same record with a Z3 constant named after its field for every leaf."""
    return rebuild(shape, [_constant(name, as_term(v).sort()) for name, v in _leaves(shape)])


@lru_cache(maxsize=10_000)
def _constant(name: str, sort: z3.SortRef) -> z3.ExprRef:
    return lean(z3.Const(name, sort))
