"""What campaigns on a mapping with several pages try: themes, as those of one page."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from model.system.actions.spans import plain_op
from model.system.actions.themes import ALL
from model.system.relation.ranges import RangeSystem

GUIDED = 2
"""Pages, of which there may be guided runs."""
_SEEN = ("store", "clear_refs")
THEMES: dict[str, tuple[str, ...]] = {
    "core": (*_SEEN, "load", "register", "unregister", "wp", "unwp",
             "mprotect:none", "mprotect:r", "mprotect:rw"),
    "maps": (*_SEEN, "register", "wp", "mprotect:r", "mprotect:rw", "mmap", "munmap", "dontneed"),
    "modes": (*_SEEN, "register", "register:missing", "register:wp+missing", "unregister", "wp",
              "close", "open"),
    "moves": (*_SEEN, "register", "mprotect:r", "mmap", "munmap", "mremap", "fork", "fork:child"),
}
"""Operations that are explored together, each of every range. All of them at once have too many
states, for those of one page and of another multiply; a theme has what meets in the borders, flags
and anon_vma of VMAs: protection and registration, holes, modes, and who moves or is a child."""


def themes_of(patterns: Sequence[str], model: RangeSystem) -> dict[str, tuple[str, ...]]:
    """The actions of each theme that is asked for by name or glob; of `all` every one."""
    found = {ALL: model.actions} if ALL in patterns else {}
    for name, ops in THEMES.items():
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            found[name] = tuple(action for action in model.actions if plain_op(action) in ops)
    return found
