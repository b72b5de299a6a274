"""A second statement of the kernel's rules, to test the model against.

Plain Python over booleans, one page and one VMA, written from the reference on the semantics and
not from the model: no bit vectors, no solver, no function of model.kernel. A present entry is a
handful of flags; `encode` alone knows where the kernel keeps them. Kinds of memory: private
anonymous (``shared`` false) and shared anonymous (shmem).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from model.kernel.records import Outcome
from model.system.relation.compiled import Values
from model.system.relation.kernel import KernelSystem, Step


@dataclass(frozen=True)
class Rules:
    """What tells the kernels apart, as far as one page can tell."""

    patched: bool
    """uffd_wp_range() keeps to vm_page_prot and may ask for a write upgrade (6.3)."""
    clean_upgrade: bool
    """A private page need not be dirty to be upgraded (6.2)."""
    marker_needs_uw: bool
    """Markers are made in registered VMAs only, and anonymous ones are understood (6.4)."""
    saved_dirty: bool
    """A read-only entry keeps its dirty bit in another place (6.6)."""
    marker_type: int = 31


RULES = {
    "v6.1": Rules(False, False, False, False, marker_type=30),
    "before": Rules(False, True, False, False),
    "v6.3": Rules(True, True, False, False),
    "v6.12": Rules(True, True, True, True),
}

KINDS = ("anon", "shmem")

OPS = ("store", "load", "clear_refs", "register", "unregister", "wp", "unwp",
       "mprotect:none", "mprotect:r", "mprotect:rw")

NEVER = ("anon_vma", "wp_unpopulated", "wp_async", "cache_dirty", "cache_swapped",
         "cache_in_child", "cache_reclaim", "cache_small", "ksm", "astray", "pinned", "in_child",
         "slot_in_child", "in_swap_cache", "huge", "large", "partially_mapped",
         "no_tables", "unused", "lazyfree", "page_dirty", "poison", "guard",
         "protected_async", "stored_since_wp", "poisoned", "mergeable", "maybe_guard",
         "minor", "twin_in_child", "twin_in_slot",
         "uffd_rwp", "rwp", "rwp_async", "rw_protected", "events", "guarded",
          "content", "changed", "beneath", "barred")
"""Facts that these operations do not need."""

Form = Literal["none", "marker", "page"]
Content = Literal["", "zero", "own", "file"]


@dataclass(frozen=True)
class World:
    """The VMA (first line), its stored protection, the entry, and what the promises remember."""

    shared: bool
    r: bool = True
    w: bool = True
    dirty_vma: bool = True
    uw: bool = False
    pp_rw: bool = False
    pp_open: bool = True
    form: Form = "none"
    content: Content = ""
    open: bool = False
    rw: bool = False
    d: bool = False
    sd: bool = False
    uwp: bool = False
    stored: bool = False
    protected: bool = False
    populated: bool = False


def fresh(shared: bool) -> World:
    return with_page_prot(World(shared))


# --- vm_page_prot ---------------------------------------------------------------------------------


def with_page_prot(s: World) -> World:
    """A shared writable mapping is mapped writable from the start unless somebody wants to hear of
    stores: soft-dirty tracking or uffd-wp."""
    listeners = not s.dirty_vma or s.uw
    return replace(s, pp_rw=s.shared and s.w and not listeners, pp_open=s.r or s.w)


def asks_for_upgrade(s: World) -> bool:
    """With the flags of `s` and the protection that happens to be stored."""
    if not s.shared:
        return s.w
    untouched = s.pp_rw == s.w and s.pp_open == (s.r or s.w)
    return s.w and untouched and (not s.dirty_vma or s.uw)


# --- change of protection -------------------------------------------------------------------------


def may_upgrade(k: Rules, s: World) -> bool:
    if not s.w or not s.open:
        return False
    if not s.dirty_vma and not s.sd:
        return False
    if s.uw and s.uwp:
        return False
    return s.d if s.shared else s.content == "own" and (s.d or k.clean_upgrade)


def change(k: Rules, s: World, rw: bool, is_open: bool, upgrade: bool,
           uwp: bool | None = None) -> World:
    """A present entry; `uwp` protects (True), un-protects (False) or leaves alone (None)."""
    if uwp is not None:
        s = replace(s, uwp=uwp)
    s = replace(s, open=is_open, rw=rw and uwp is not True)
    return replace(s, rw=True) if upgrade and may_upgrade(k, s) else s


def wp_range(k: Rules, s: World, on: bool) -> World:
    if s.form == "marker":
        return s if on else replace(s, form="none")
    if s.form == "none":
        marks = on and s.shared and (s.uw or not k.marker_needs_uw)
        return replace(s, form="marker") if marks else s
    if k.patched:
        return change(k, s, s.pp_rw, s.pp_open, not on and asks_for_upgrade(s), on)
    return change(k, s, s.shared and s.w, s.r or (s.w and not on), False, on)


def mprotect(k: Rules, s: World, r: bool, w: bool) -> World:
    if (r, w) == (s.r, s.w):
        return s
    s = replace(s, r=r, w=w)
    upgrade = asks_for_upgrade(s)
    s = with_page_prot(s)
    return change(k, s, s.pp_rw, s.pp_open, upgrade) if s.form == "page" else s


# --- userfaultfd, clear_refs ----------------------------------------------------------------------


def set_uw(s: World, uw: bool) -> World:
    changed = replace(s, uw=uw)
    return with_page_prot(changed) if s.shared and uw != s.uw else changed


def unregister(k: Rules, s: World) -> World:
    if s.uw:
        s = set_uw(wp_range(k, s, False), False)
    return replace(s, protected=False, populated=False)


def clear_refs(s: World) -> World:
    if s.dirty_vma:
        s = with_page_prot(replace(s, dirty_vma=False))
    return replace(s, rw=False, sd=False, stored=False)


# --- faults ---------------------------------------------------------------------------------------


def fault(s: World, write: bool) -> World | None:
    """The world after one fault; None where the fault ends in an event."""
    if s.form == "page":
        assert not s.rw, "an access that needs no fault"
        if s.uw and s.uwp:
            return None
        recorded = replace(s, d=True, sd=True, rw=s.w)
        if s.shared or s.content == "own":
            return recorded
        return replace(recorded, content="own", uwp=False, open=s.pp_open)
    marked = s.form == "marker"
    if marked and not s.uw:
        return replace(s, form="none")
    content: Content = "file" if s.shared else "own" if write else "zero"
    rw = s.w if write else s.pp_rw
    return replace(s, form="page", content=content, open=s.pp_open, rw=rw and not marked,
                   d=write, sd=write, uwp=marked)


def access(s: World, write: bool) -> tuple[World, str, int]:
    for faults in range(4):
        if s.form == "page" and s.open and (s.rw or not write):
            return (replace(s, d=True, stored=True) if write else s), "ok", faults
        if not (s.w or (s.r and not write)):
            return s, "segv", faults
        after = fault(s, write)
        if after is None:
            return s, "event", faults
        s = after
    return s, "refault", 4


def step(k: Rules, s: World, op: str) -> tuple[World, str, int]:
    """The world, the outcome and the number of minor faults after `op`."""
    if op in ("store", "load"):
        return access(s, op == "store")
    if op in ("wp", "unwp"):
        if not s.uw:
            return s, "ENOENT", 0
        on = op == "wp"
        s = wp_range(k, s, on)
        return replace(s, protected=on, populated=on and s.form == "page"), "ok", 0
    if op == "clear_refs":
        return clear_refs(s), "ok", 0
    if op == "register":
        return set_uw(s, True), "ok", 0
    if op == "unregister":
        return unregister(k, s), "ok", 0
    letters = {"mprotect:none": "", "mprotect:r": "r", "mprotect:rw": "rw"}[op]
    return mprotect(k, s, "r" in letters, "w" in letters), "ok", 0


# --- what it looks like ---------------------------------------------------------------------------


def observe(s: World, op: str, outcome: str, faults: int) -> dict[str, Any]:
    """What a program sees after a step, in the shape of KernelSystem.observe()."""
    page, marker = s.form == "page", s.form == "marker"
    letters = {"rd": s.r, "wr": s.w, "sh": s.shared, "mw": True, "uw": s.uw, "sd": s.dirty_vma}
    return {
        "op": op, "outcome": outcome, "faults": faults,
        "pagemap": {"present": page, "swap": marker, "file": page and s.content == "file",
                    "exclusive": page and s.content != "zero",
                    "uffd_wp": marker or (page and s.uwp),
                    "soft_dirty": s.dirty_vma or (page and s.sd)},
        "vm_flags": sorted(name for name, there in letters.items() if there),
    }


def encode(k: Rules, s: World) -> dict[str, int | bool]:
    """The state's leaves by name, as the kernel's bits; numbers from the reference."""
    flags = 0x70 | s.r | s.w << 1 | (0x88 if s.shared else 0) | s.uw << 12 | s.dirty_vma << 27
    pte = 0
    if s.form == "marker":
        pte = k.marker_type << 59 | (~1 & (1 << 50) - 1) << 9
    elif s.form == "page":
        dirty_bit = 58 if k.saved_dirty and not s.rw else 6
        pte = (_pgprot(s.open, s.rw) | s.d << dirty_bit | s.sd << 11 | s.uwp << 10
               | (s.content == "zero") << 9)
    own = s.form == "page" and s.content == "own"
    return {"vm_flags": flags, "vm_page_prot": _pgprot(s.pp_open, s.pp_rw), "pte": pte,
            "anon": own, "anon_exclusive": own,
            "zero_page": s.form == "page" and s.content == "zero",
            "in_cache": s.form == "page" and s.content == "file", "uffd_open": True,
            "stored": s.stored,
            "protected": s.protected, "protected_populated": s.populated,
            **dict.fromkeys(NEVER, False)}


def _pgprot(is_open: bool, rw: bool) -> int:
    return 0x8000000000000025 | rw << 1 if is_open else 0x120


# --- comparing ------------------------------------------------------------------------------------


def run(k: Rules, shared: bool, ops: Sequence[str]) -> list[dict[str, Any]]:
    """What a program sees of each of `ops`, from a fresh mapping."""
    s, seen = fresh(shared), []
    for op in ops:
        s, outcome, faults = step(k, s, op)
        seen.append(observe(s, op, outcome, faults))
    return seen


def difference(kernel: KernelSystem, k: Rules, bits: bool) -> str:
    """The first edge of the graph where model and oracle disagree; empty where there is none.

    Both are walked in step from the fresh mapping, so that every reachable pair of states is met.
    With `bits` every bit of the state must agree, else only what a program can observe.
    """
    machine, shared = kernel.machine, kernel.mapping.shared
    todo: list[tuple[Values, World, tuple[str, ...]]] = [(machine.initial, fresh(shared), ())]
    seen = {(machine.initial, fresh(shared))}
    if bits and dict(zip(kernel.names, machine.initial, strict=True)) != encode(k, todo[0][1]):
        return "the fresh mapping"
    for values, world, path in todo:
        for op in OPS:
            after, (code, minor) = machine.step(values, op)
            expected, outcome, faults = step(k, world, op)
            model = kernel.observe(Step(op, Outcome(code).name, minor, after))
            model.pop("scan", None)  # tests/kernel/test_categories.py
            if model != observe(expected, op, outcome, faults):
                return f"{' '.join((*path, op))}: {model}"
            if bits and dict(zip(kernel.names, after, strict=True)) != encode(k, expected):
                return f"{' '.join((*path, op))}: bits {after}, not {encode(k, expected)}"
            if (after, expected) not in seen:
                seen.add((after, expected))
                todo.append((after, expected, (*path, op)))
    return ""
