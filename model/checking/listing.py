"""--list: everything that can be named, in sections."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import NamedTuple

from model.engines.registry import ENGINES
from model.kernel.changes import CHANGES
from model.kernel.editions import EDITIONS
from model.kernel.mirror import MIRRORS
from model.system.actions.operations import OPERATIONS
from model.system.actions.themes import THEMES
from model.system.asking.expression import NAMES, STEP_WORDS
from model.system.patching.named import parameters
from model.system.state.mappings import MAPPINGS
from properties import PROPERTIES

SCHEMAS = {"schema": "results.schema.json", "simulate-schema": "steps.schema.json"}
"""By section: of what `check`, and `simulate`, print as JSON."""
_LEAST, _MOST = 24, 30  # columns: of text beside a name, and of a name that has text beside it

class _Row(NamedTuple):
    """A name, what is said of it in paragraphs, how it is written where that is not its name, and
    what programs are told besides."""

    name: str
    texts: tuple[str, ...] = ()
    written: str = ""
    more: Mapping[str, object] = MappingProxyType({})


def _operations(core: bool) -> Iterator[_Row]:
    return (_Row(o.name, (o.call,), more={"core": core})
            for o in OPERATIONS.values() if o.core == core)


def _functions() -> Iterator[_Row]:
    for name, mirror in sorted(MIRRORS.items()):
        takes = list(parameters(mirror.function).parameters)
        yield _Row(name, written=f"{name}({', '.join(takes)}), {mirror.path}",
                   more={"parameters": takes, "path": mirror.path})


def _names() -> Iterator[_Row]:
    return (_Row(name, (word.text,)) for name, word in NAMES.items())


_PARTS: dict[str, tuple[tuple[str, Callable[[], Iterator[_Row]]], ...]] = {
    "editions": (("editions", lambda: (_Row(e.name, (e.title,)) for e in EDITIONS.values())),),
    "mappings": (("mappings", lambda: (_Row(m.name, (m.title,)) for m in MAPPINGS.values())),),
    "properties": (("properties",
                    lambda: (_Row(p.name, (p.claim,)) for p in PROPERTIES.values())),),
    "operations": (("operations", lambda: _operations(True)),
                   ("operations beyond the core (for --allow)", lambda: _operations(False))),
    "themes": (("themes of operations (for conform)",
                lambda: (_Row(theme, (" ".join(ops),), more={"operations": list(ops)})
                         for theme, ops in THEMES.items())),),
    "changes": (("changes (for --with and --without)",
                 lambda: (_Row(c.id, (f"{c.since}: {c.title}", c.effect),
                               more={"since": c.since, "requires": list(c.requires)})
                          for c in CHANGES.values())),),
    "functions": (("kernel functions (for --patch)", _functions),),
    "names": (("names of a state (for --never)", _names),
              ("and of a step, after which the others are of the state after it",
               lambda: (_Row(word, (text,)) for word, text in STEP_WORDS.items()))),
    "engines": (("engines", lambda: (_Row(name) for name in ("auto", *ENGINES))),),
}
ALL, SECTIONS = "all", (*_PARTS, *SCHEMAS)


def listing(section: str, width: int) -> str:
    """One of SECTIONS, or ALL but the schemas, in lines of at most `width` columns where names
    allow it."""
    if section in SCHEMAS:
        return _schema(section)
    parts = [part for name in _named(section) for part in _PARTS[name]]
    return "\n\n".join("\n".join([title, *_rows(list(rows()), width)]) for title, rows in parts)


def as_json(section: str) -> str:
    """The same as one object: section -> [{"name", "text", ...}]; a schema as it is."""
    if section in SCHEMAS:
        return _schema(section)
    return json.dumps({name: [{"name": row.name, "text": "\n".join(row.texts) or row.written,
                               **row.more}
                              for _, rows in _PARTS[name] for row in rows()]
                       for name in _named(section)}, indent=1)


def _schema(section: str) -> str:
    return (files("model.checking") / SCHEMAS[section]).read_text().rstrip()


def _named(section: str) -> list[str]:
    return list(_PARTS) if section == ALL else [section]


def _rows(rows: list[_Row], width: int) -> Iterator[str]:
    longest = max(len(row.written or row.name) for row in rows)
    margin = 4 + longest if longest <= min(_MOST, width - _LEAST) else 6
    for row in rows:
        first = f"  {row.written or row.name}"
        if not row.texts or len(first) + 2 > margin:
            yield from _wrapped(first, width, "", " " * 6)
            first = ""
        for text in row.texts:
            yield from _wrapped(text, width, first.ljust(margin), " " * margin)
            first = ""


def _wrapped(text: str, width: int, first: str, others: str) -> list[str]:
    return textwrap.wrap(text, max(width, len(others) + _LEAST), break_on_hyphens=False,
                         break_long_words=False, initial_indent=first, subsequent_indent=others)
