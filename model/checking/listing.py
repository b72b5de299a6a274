"""--list: everything that can be named, in sections."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from importlib.resources import files

from model.engines.registry import ENGINES
from model.kernel.changes import CHANGES
from model.kernel.editions import EDITIONS
from model.kernel.mirror import MIRRORS
from model.system.actions.operations import OPERATIONS
from model.system.actions.themes import THEMES
from model.system.patching.named import parameters
from model.system.state.mappings import MAPPINGS
from properties import PROPERTIES

SCHEMA = "results.schema.json"
_LEAST, _MOST = 24, 30  # columns: of text beside a name, and of a name that has text beside it

_Row = tuple[str, ...]
"""A name, and what is said of it, in paragraphs."""


def _operations(core: bool) -> Iterator[_Row]:
    return ((o.name, o.call) for o in OPERATIONS.values() if o.core == core)


def _functions() -> Iterator[_Row]:
    for name, mirror in sorted(MIRRORS.items()):
        yield f"{name}({', '.join(parameters(mirror.function).parameters)}), {mirror.path}",


_PARTS: dict[str, tuple[tuple[str, Callable[[], Iterator[_Row]]], ...]] = {
    "editions": (("editions", lambda: ((e.name, e.title) for e in EDITIONS.values())),),
    "mappings": (("mappings", lambda: ((m.name, m.title) for m in MAPPINGS.values())),),
    "properties": (("properties", lambda: ((p.name, p.claim) for p in PROPERTIES.values())),),
    "operations": (("operations", lambda: _operations(True)),
                   ("operations beyond the core (for --allow)", lambda: _operations(False))),
    "themes": (("themes of operations (for conform)",
                lambda: ((theme, " ".join(ops)) for theme, ops in THEMES.items())),),
    "changes": (("changes (for --with and --without)",
                 lambda: ((c.id, f"{c.since}: {c.title}", c.effect) for c in CHANGES.values())),),
    "functions": (("kernel functions (for --patch)", _functions),),
    "engines": (("engines", lambda: ((name,) for name in ("auto", *ENGINES))),),
}
ALL, SECTIONS = "all", (*_PARTS, "schema")


def listing(section: str, width: int) -> str:
    """One of SECTIONS, or ALL but `schema`, in lines of at most `width` columns where names allow
    it."""
    if section == "schema":
        return (files("model.checking") / SCHEMA).read_text().rstrip()
    parts = [part for name in (_PARTS if section == ALL else [section]) for part in _PARTS[name]]
    return "\n\n".join("\n".join([title, *_rows(list(rows()), width)]) for title, rows in parts)


def _rows(rows: list[_Row], width: int) -> Iterator[str]:
    longest = max(len(name) for name, *_ in rows)
    margin = 4 + longest if longest <= min(_MOST, width - _LEAST) else 6
    for name, *texts in rows:
        first = f"  {name}"
        if not texts or len(first) + 2 > margin:
            yield from _wrapped(first, width, "", " " * 6)
            first = ""
        for text in texts:
            yield from _wrapped(text, width, first.ljust(margin), " " * margin)
            first = ""


def _wrapped(text: str, width: int, first: str, others: str) -> list[str]:
    return textwrap.wrap(text, max(width, len(others) + _LEAST), break_on_hyphens=False,
                         break_long_words=False, initial_indent=first, subsequent_indent=others)
