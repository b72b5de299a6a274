"""The lane sheet of a trace: a row per bit, a column per step; as data, and for a terminal."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby, pairwise

from counterexamples.trace import Trace, TraceStep, pte_state, swap_flags
from model.kernel import bits
from model.kernel.editions import Edition

SET, CLEAR, ABSENT = "1", "0", "-"


@dataclass(frozen=True)
class Column:
    """One step's heading; `by` says whose step it was, `bad` that it breaks the promise."""

    op: str
    by: str
    outcome: str
    faults: int
    bad: bool


@dataclass(frozen=True)
class Cell:
    """`value` is "1", "0", "-" (an entry of this kind has no such bit) or a word. `changed` says
    that it differs from the column before, where "-" counts as "0": that an entry came or went,
    the state shows."""

    value: str
    changed: bool


@dataclass(frozen=True)
class Lane:
    """One bit over time. An `idle` lane has nothing to show, and pictures leave it out."""

    group: str
    name: str
    cells: tuple[Cell, ...]
    idle: bool


@dataclass(frozen=True)
class Sheet:
    """A trace as a table. Every sheet has the same lanes in the same order, idle ones included;
    lanes of one group stand together. `name` is edition/mapping."""

    name: str
    columns: tuple[Column, ...]
    lanes: tuple[Lane, ...]


_Read = Callable[[Edition, TraceStep], str]


def _bit(is_set: object) -> str:
    return SET if is_set else CLEAR


def _word(name: str, mask: int) -> _Read:
    return lambda _, step: _bit(step.values[name] & mask)


def _fact(*names: str) -> _Read:
    return lambda _, step: _bit(any(step.values[name] for name in names))


def _pagemap(name: str) -> _Read:
    return lambda _, step: _bit(step.pagemap[name])


def _pte(mask: int) -> _Read:
    """A bit of an entry that maps a page."""
    return lambda _, step: (_bit(step.values["pte"] & mask)
                            if pte_state(step.values["pte"]) in ("present", "protnone") else ABSENT)


def _swap(name: str, *kinds: str) -> _Read:
    """What an entry of these kinds, which maps no page, keeps of it."""
    return lambda edition, step: (_bit(name in swap_flags(edition, step.values["pte"]))
                                  if pte_state(step.values["pte"]) in kinds else ABSENT)


_ROWS: tuple[tuple[str, str, _Read], ...] = (
    ("VMA", "VM_READ", _word("vm_flags", bits.VM_READ)),
    ("VMA", "VM_WRITE", _word("vm_flags", bits.VM_WRITE)),
    ("VMA", "VM_SOFTDIRTY", _word("vm_flags", bits.VM_SOFTDIRTY)),
    ("VMA", "VM_UFFD_WP", _word("vm_flags", bits.VM_UFFD_WP)),
    ("VMA", "VM_UFFD_MISSING", _word("vm_flags", bits.VM_UFFD_MISSING)),
    ("VMA", "VM_UFFD_MINOR", _fact("minor")),
    ("VMA", "VM_UFFD_RWP", _fact("uffd_rwp")),
    ("vm_page_prot", "P", _word("vm_page_prot", bits.PAGE_PRESENT)),
    ("vm_page_prot", "RW", _word("vm_page_prot", bits.PAGE_RW)),
    ("PTE", "state", lambda _, step: pte_state(step.values["pte"])),
    ("PTE", "P", _pte(bits.PAGE_PRESENT)),
    ("PTE", "RW", _pte(bits.PAGE_RW)),
    # Before 6.6 the bit of SAVED_DIRTY is DEVMAP, which no modelled mapping sets.
    ("PTE", "D", _pte(bits.PAGE_DIRTY | bits.PAGE_SAVED_DIRTY)),
    ("PTE", "SOFT_DIRTY", _pte(bits.PAGE_SOFT_DIRTY)),
    ("PTE", "UFFD_WP", _pte(bits.PAGE_UFFD_WP)),
    ("swap PTE", "RW", _swap("RW", "migrating")),
    ("swap PTE", "D", _swap("D", "migrating")),
    ("swap PTE", "SOFT_DIRTY", _swap("SOFT_DIRTY", "migrating", "swap")),
    ("swap PTE", "UFFD_WP", _swap("UFFD_WP", "migrating", "swap", "marker", "poison", "guard")),
    ("swap PTE", "EXCLUSIVE", _swap("EXCLUSIVE", "migrating", "swap")),
    ("page", "pinned", _fact("pinned")),
    ("page", "KSM", _fact("ksm")),
    ("page", "lazyfree", _fact("lazyfree")),
    ("page", "dirty", _fact("page_dirty", "cache_dirty")),
    ("page", "in a child", _fact("in_child", "cache_in_child")),
    ("pagemap", "soft-dirty", _pagemap("soft_dirty")),
    ("pagemap", "uffd-wp", _pagemap("uffd_wp")),
    ("history", "stored", _fact("stored")),
    ("history", "protected", _fact("protected", "protected_async")),
    ("history", "rw-protected", _fact("rw_protected")),
    ("history", "poisoned", _fact("poisoned")),
)
"""A "swap PTE" is what is_swap_pte() says: swap and migration entries, and markers."""


def lanes(trace: Trace, *, violating: bool = True) -> Sheet:
    """The sheet of a trace. Its last step is marked as bad unless `violating` is False."""
    columns = tuple(Column(s.op, s.by, s.outcome, s.faults, violating and s is trace.steps[-1])
                    for s in trace.steps)
    rows = tuple(_lane(trace, group, name, read) for group, name, read in _ROWS)
    return Sheet(f"{trace.kernel}/{trace.mapping}", columns, rows)


def _lane(trace: Trace, group: str, name: str, read: _Read) -> Lane:
    values = [read(trace.edition, step) for step in trace.steps]
    seen = [CLEAR if v == ABSENT else v for v in values]
    changed = [False, *(a != b for a, b in pairwise(seen))]
    cells = tuple(Cell(v, c) for v, c in zip(values, changed, strict=True))
    if (group, name) == ("page", "dirty"):  # of interest where that is forgotten
        return Lane(group, name, cells, idle=(SET, CLEAR) not in pairwise(values))
    if group == "page" or (group, name) == ("vm_page_prot", "P"):
        return Lane(group, name, cells, idle=not any(changed))
    plain = [re.sub("[-_]", "", x.lower()) for x in (name, trace.prop)]
    spoken = name == "RW" or any(all(t in x for x in plain) for t in ("softdirty", "uffdwp"))
    # A page that never leaves has nothing to say of swap entries, whatever the promise speaks of.
    nowhere = group == "swap PTE" and set(values) == {ABSENT}
    return Lane(group, name, cells, idle=set(seen) == {CLEAR} and (nowhere or not spoken))


def shown(*sheets: Sheet) -> list[int]:
    """The lanes that are not idle in every sheet, by index."""
    return [i for i in range(len(sheets[0].lanes)) if not all(s.lanes[i].idle for s in sheets)]


def heading(op: str) -> tuple[str, str]:
    """The name of an operation on two lines of eight letters."""
    if len(op) <= 8:
        return op, ""
    if op.startswith("un"):
        return "un-", op[2:]
    cut = op.find(":") if ":" in op else op.find("_") + 1 or op.find("back")
    return op[:cut], op[cut:cut + 8]


def who(column: Column) -> str:
    """Said of the kernel's own steps alone, which take no faults."""
    return column.by if column.by == "kernel" else ""


# --- the terminal ------------------------------------------------------------------------------


def text(sheet: Sheet, colour: bool = False) -> str:
    """The sheet for a terminal or a mail: [1] has changed, a dot is 0, a dash has no entry.

    At most 72 columns wide for six operations. ANSI colours only if asked for.
    """
    head = [heading(c.op) for c in sheet.columns]
    table = [("", [str(i) for i in range(len(head))]), ("", [h[0] for h in head]),
             ("", [h[1] for h in head]),
             *([("by", [who(c) for c in sheet.columns])]
               if any(map(who, sheet.columns)) else []),
             ("outcome", [c.outcome for c in sheet.columns]),
             ("minor faults", [str(c.faults) if c.faults else "." for c in sheet.columns])]
    for group, members in groupby((sheet.lanes[i] for i in shown(sheet)), lambda m: m.group):
        table += [(group, [""] * len(head)),
                  *((f" {m.name.removeprefix('VM_')}", _texts(m)) for m in members)]
    label = max(len(name) for name, _ in table)
    widths = [max(len(row[i]) for _, row in table) for i in range(len(head))]
    lines = [_line(sheet, name.ljust(label), row, widths, colour) for name, row in table
             if name or any(row)]
    if sheet.columns[-1].bad:
        caret = label + sum(w + 1 for w in widths[:-1]) + 2 + (widths[-1] - 1) // 2
        lines.append(_ansi("the promise breaks here ^".rjust(caret), "31", colour))
    return "\n".join(lines) + "\n"


def _texts(lane: Lane) -> list[str]:
    short = ["." if cell.value == CLEAR else cell.value[:4] for cell in lane.cells]
    return [f"[{v}]" if c.changed else v for v, c in zip(short, lane.cells, strict=True)]


def _line(sheet: Sheet, label: str, row: list[str], widths: list[int], colour: bool) -> str:
    cells = []
    for column, value, width in zip(sheet.columns, row, widths, strict=True):
        # str.center puts the odd space now left, now right; a column wants one side.
        placed = (" " * ((width - len(value)) // 2) + value).ljust(width)
        codes = ["1"] * value.startswith("[") + ["31"] * column.bad
        cells.append(_ansi(placed, ";".join(codes), colour))
    return " ".join([label, *cells]).rstrip()


def _ansi(value: str, codes: str, colour: bool) -> str:
    return f"\x1b[{codes}m{value}\x1b[0m" if colour and codes and value.strip() else value
