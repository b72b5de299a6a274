"""A page table entry in a few words."""

from __future__ import annotations

from counterexamples.trace import ENTRY_WORDS, entry_flags, pte_state
from model.kernel.editions import Edition

_KINDS = ENTRY_WORDS | {"present": "", "protnone": "", "swap": "swap", "migrating": "migr"}
_SHORT = {"SOFT_DIRTY": "SD", "UFFD_WP": "WP", "SAVED_DIRTY": "SAVED", "PROTNONE": "NONE",
          "SPECIAL": "ZERO", "EXCLUSIVE": "EX"}
_HIDDEN = {"US", "A", "NX", "P", "PAT"}


def entry_words(edition: Edition, pte: int) -> str:
    """What the entry is where it maps no page, and its flags that matter: RW, or RO of a page and a
    migration entry, D, SD, WP, ... (a marker has but one)."""
    state, flags = pte_state(pte), entry_flags(edition, pte)
    shown = [_SHORT.get(f, f) for f in flags if f not in _HIDDEN]
    if state in ("present", "migrating") and "RW" not in flags:
        shown.insert(0, "RO")
    return " ".join(filter(None, [_KINDS[state], *(shown if state != "marker" else ())]))
