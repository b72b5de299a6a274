"""A page table entry in a few words."""

from __future__ import annotations

from counterexamples.trace import ENTRY_WORDS, entry_flags, pte_state
from model.kernel.editions import Edition

_KINDS = ENTRY_WORDS | {"present": "", "protnone": "", "swap": "swap", "migrating": "migr"}
_SHORT = {"RW": "RW", "PROTNONE": "NONE", "D": "D", "SAVED_DIRTY": "D", "SOFT_DIRTY": "SD",
          "UFFD_WP": "WP", "SPECIAL": "ZERO", "EXCLUSIVE": "EX"}
"""In the order in which they are told; to the kernel an entry is dirty by either bit."""


def entry_words(edition: Edition, pte: int) -> str:
    """What the entry is where it maps no page, and its flags that matter: RW, or RO of a page and a
    migration entry, NONE of a PROT_NONE one, then D, SD, WP, ... (a marker has but one)."""
    state, flags = pte_state(pte), entry_flags(edition, pte)
    shown = list(dict.fromkeys(short for flag, short in _SHORT.items() if flag in flags))
    if state in ("present", "migrating") and "RW" not in flags:
        shown.insert(0, "RO")
    return " ".join(filter(None, [_KINDS[state], *(shown if state != "marker" else ())]))
