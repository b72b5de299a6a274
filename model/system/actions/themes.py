"""Which operations an edition and mapping model, and which are explored together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase

from model.kernel.editions import Edition, UsageError, unknown
from model.kernel.records import Mapping
from model.system.actions.operations import CORE, OPERATIONS, find_operation

_ANY = ("dontneed", "fork", "mremap")
THEMES: dict[str, tuple[str, ...]] = {
    "calls": ("mprotect:w", "mprotect:rx", "mprotect:rwx", "register:missing",
              "register:wp+missing", "close", "open", "mmap",
              "mremap:dontunmap", *_ANY),
    "features": ("close", "open", "open:unpopulated", "open:async", "copy", "copy:wp",
                 "register:missing", "dontneed"),
    "scans": ("close", "open", "open:async", "scan:wp", "register:missing", "dontneed"),
    "holes": ("remove", "truncate", "dontneed", "mremap", "register:missing", "register:wp+missing",
              "fork:stay"),
    "others": ("other:unwp", "other:unregister", "register:missing", "close", "open:async"),
    "fills": ("copy", "copy:wp", "zeropage", "poison", "register:missing", "register:wp+missing",
              "dontneed"),
    "small": ("copy", "poison", "collapse", "register:missing", "dontneed"),
    "minor": ("register:minor", "register:wp+minor", "continue", "continue:wp",
              "register:missing", "dontneed", "pageout"),
    "moves": ("move:in", "move:in:wp", "move:out", "register:missing", "dontneed", "pageout",
              "close", "open:async"),
    "moved": ("move:in", "move:out", "fork:stay", "pin", "migrate", "poison"),
    "moved-rwp": ("move:in", "move:in:wp", "move:out", "register:missing", "close", "open:rwp",
                  "open:rwp-async", "register:rwp", "rwp", "unrwp"),
    "guards": ("guard", "unguard", "dontneed", "mremap", "register:missing", "poison"),
    "frees": ("free", "pageout", "swapoff", "migrate", "process_vm_writev"),
    "held": ("free", "pageout", "pin", "unpin", "pin:write", "fork:stay"),
    "aliases": ("alias:store", "truncate", "dontneed", "pageout", "writeback", "fork:stay",
                "register:missing"),
    "rwp": ("close", "open:rwp", "open:rwp-async", "register:rwp", "rwp", "unrwp",
            "register:missing", "dontneed", "mremap"),
    "rwp-pages": ("close", "open:rwp", "open:rwp-async", "register:rwp", "rwp", "unrwp",
                  "pageout", "swapoff", "migrate", "fork", "process_vm_readv"),
    "events": ("close", "open:events", "dontneed", "remove", "mmap", "mremap", "fork",
               "fork:child", "fork:stay"),
    "events-modes": ("close", "open", "open:events", "register:missing", "mremap", "fork:child",
                     "fork:stay"),
    "users": ("close", "open:user", "register:missing", "read", "write", "process_vm_readv",
              "process_vm_writev"),
    "kernel": ("read", "write", "process_vm_readv", "process_vm_writev", "fork", "fork:stay"),
    "children": ("fork:stay", "fork:write", "pageout", *_ANY),
    "heirs": ("fork:child", "open", "pageout", "swapoff", "dontneed"),
    "migration": ("migrate", "migrate:begin", "migrate:end", "numa", "fork", "dontneed",
                  "writeback"),
    "pages": ("ksm", "pin", "unpin", "pin:write", "pageout", "writeback", "dontneed"),
    "pins": ("pin", "unpin", "pin:write", "fork:child", "open", "migrate"),
    "twins": ("ksm", "fork:stay", "dontneed", "mremap"),
    "huge": ("split", "collapse", "migrate", "pageout", *_ANY),
}
"""Operations beyond the core that are explored together: all of them at once have too many states
to take every transition. Each is in one theme at the least."""

ALL = "all"
"""Every operation together, which is no theme of its own: for random runs."""
_SPOKEN_OF = {"huge": "split", "small": "collapse", "twins": "ksm", "minor": "register:minor",
              "moves": "move:in", "moved": "move:in", "moved-rwp": "move:in",
              "frees": "free", "held": "free", "aliases": "alias:store", "rwp": "rwp",
              "rwp-pages": "rwp", "pins": "pin", "events": "open:events",
              "events-modes": "open:events"}
"""Themes that are there only with the operation that they are about."""

_OF_HUGE_PAGES = {"split", "collapse"}
_OF_FILES = {"writeback"}
_OF_NAMED_FILES = {"alias:store", "truncate"}
"""For memory of a file that a program has, or may have, a descriptor of: not for anonymous memory,
that of hugetlb among it, though the kernel has a file for that."""
_OF_SMALL_PAGES = {"numa", "ksm"}


def modelled(ed: Edition, mapping: Mapping) -> tuple[str, ...]:
    """The operations that an edition and mapping model, plainest first. Not modelled, of
    transparent huge pages of shared memory, is reclaim."""
    left_out: set[str] = set()
    if (mapping.hugetlb and not mapping.shared and ed.has("60d5b473d61b") is True
            and ed.has("5a2f8d22ace4") is False):
        left_out |= {"fork:write"}  # the store of the child may fault for ever
    if not mapping.thp:
        left_out |= _OF_HUGE_PAGES
    if mapping.thp or mapping.anonymous or (mapping.hugetlb and not mapping.shared):
        left_out |= _OF_NAMED_FILES
    if mapping.thp or mapping.hugetlb:
        left_out |= _OF_SMALL_PAGES
    if (mapping.thp and mapping.anonymous and ed.has("folio-mk-pmd") is not False
            and ed.has("move-zero-pmd") is not True):
        left_out |= {"move:in", "move:in:wp", "move:out"}  # of zeroes a PMD of no page is made
    if (mapping.hugetlb and ed.has("60d5b473d61b") is True and ed.has("hugetlb-leftover") is False
            and ed.has("c88033efe9a3") is False):
        left_out |= {"open:events"}  # after its end the store of a child may fault for ever
    if mapping.shared and mapping.thp:
        left_out |= {"pageout", "swapoff"}
    if not mapping.regular:
        left_out |= _OF_FILES
    return tuple(name for name in OPERATIONS if name not in left_out)


def allowing(ed: Edition, mapping: Mapping, extra: Iterable[str]) -> tuple[str, ...]:
    """The core operations and those of `extra`, plainest first. Raises UsageError for one that the
    edition and mapping do not model."""
    wanted: Collection[str] = {find_operation(name).name for name in extra}
    known = modelled(ed, mapping)
    for name in OPERATIONS:
        if name in wanted and name not in known:
            raise UsageError(f"{name!r} is not modelled for {mapping.name} in {ed.name}")
    return tuple(name for name in known if name in wanted or OPERATIONS[name].core)


def themes(ed: Edition, mapping: Mapping) -> dict[str, tuple[str, ...]]:
    """The core with each theme that has operations modelled there; all of it plainest first."""
    known = modelled(ed, mapping)
    found = {}
    for theme, names in THEMES.items():
        there = tuple(name for name in names if name in known)
        if there and _SPOKEN_OF.get(theme, there[0]) in there:
            found[theme] = allowing(ed, mapping, there)
    return found


def themes_named(patterns: Sequence[str], ed: Edition,
                 mapping: Mapping) -> dict[str, tuple[str, ...]]:
    """As `themes`, of those that are named by names or globs; `core` is the one without more.
    Raises UsageError for a name that no theme has."""
    for pattern in patterns:
        if not any(fnmatchcase(theme, pattern) for theme in ("core", *THEMES)):
            raise unknown("theme", pattern, ["core", *THEMES])
    there = {"core": CORE, **themes(ed, mapping)}
    return {theme: actions for theme, actions in there.items()
            if any(fnmatchcase(theme, pattern) for pattern in patterns)}


def themes_asked(patterns: Sequence[str], ed: Edition,
                 mapping: Mapping) -> dict[str, tuple[str, ...]]:
    """As `themes_named`, and `all` for everything that is modelled there."""
    found = {ALL: modelled(ed, mapping)} if ALL in patterns else {}
    return found | themes_named([p for p in patterns if p != ALL], ed, mapping)
