"""What a program sees after a step: of the model, of a real kernel, and where the two differ."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from model.system.relation.kernel import KernelSystem, Step

PAGEMAP = ("present", "swap", "file", "exclusive", "uffd_wp", "soft_dirty")
"""The pagemap bits in the order in which the agent prints them: 63 62 61 56 57 55."""
SCAN = ("wpallowed", "written", "file", "present", "swapped", "pfnzero", "huge", "soft_dirty",
        "guard", "accessed")
"""The PAGEMAP_SCAN categories, lowest bit first (include/uapi/linux/fs.h)."""
_STEP = re.compile(r"(ok|event|segv|bus|refault|never|E[A-Z0-9]+) (\d+) ([01]{6})"
                   r"(?:\+([0-9a-f]+))? (-|[a-z]{2}(?:,[a-z]{2})*)")


@dataclass(frozen=True)
class Seen:
    """One step: `pagemap` has the bits of PAGEMAP that are set, `vm_flags` the smaps letters,
    `scan` the categories of SCAN; None where the kernel has no PAGEMAP_SCAN, or nobody asked it."""

    outcome: str
    faults: int
    pagemap: frozenset[str]
    vm_flags: frozenset[str]
    scan: frozenset[str] | None = None

    def as_json(self, op: str) -> dict[str, Any]:
        """The step as `model.simulate` prints it."""
        scan = {} if self.scan is None else {"scan": sorted(self.scan)}
        return {"op": op, "outcome": self.outcome, "faults": self.faults,
                "pagemap": {bit: bit in self.pagemap for bit in PAGEMAP}, **scan,
                "vm_flags": sorted(self.vm_flags)}


@dataclass(frozen=True)
class Difference:
    """A field in which the model and the kernel differ."""

    field: str
    model: str
    kernel: str

    def __str__(self) -> str:
        return f"{self.field}: model {self.model}, kernel {self.kernel}"


def seen_by_model(kernel: KernelSystem, step: Step) -> Seen:
    bits = kernel.pagemap(step.values)
    return Seen(step.outcome, step.faults, frozenset(b for b in PAGEMAP if bits[b]),
                frozenset(kernel.vm_flags(step.values)),
                frozenset(kernel.scan(step.values)) if kernel.scans else None)


@cache
def seen_by_kernel(text: str) -> Seen:
    """One step as the agent prints it. Raises ValueError for anything else."""
    match = _STEP.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a step")
    outcome, faults, bits, scan, flags = match.groups()
    categories = int(scan or "0", 16)
    return Seen(outcome, int(faults),
                frozenset(name for name, bit in zip(PAGEMAP, bits, strict=True) if bit == "1"),
                frozenset(flags.split(",")) - {"-"},
                None if scan is None else frozenset(
                    name for i, name in enumerate(SCAN) if categories >> i & 1))


def run_by_kernel(line: str) -> tuple[Seen, ...]:
    """The steps of a run as the agent prints it: one without VmFlags has those of the step before.
    Raises ValueError for anything else."""
    seen = []
    flags = ""
    for text in line.split("|"):
        if text.count(" ") == 2:
            text += flags
        flags = text[text.rfind(" "):]
        seen.append(seen_by_kernel(text))
    return tuple(seen)


def difference(model: Seen, kernel: Seen, ignored: Collection[str] = ()) -> Difference | None:
    """The first field that differs; `ignored` are bits and letters that this kernel lacks."""
    return next(differences(model, kernel, ignored), None)


def differences(model: Seen, kernel: Seen, ignored: Collection[str] = ()) -> Iterator[Difference]:
    """Each field that differs, as `difference`."""
    if model == kernel:
        return
    for field in ("outcome", "faults"):
        told, found = str(getattr(model, field)), str(getattr(kernel, field))
        if told != found:
            yield Difference(field, told, found)
    sets = [("pagemap", PAGEMAP), ("vm_flags", sorted(model.vm_flags | kernel.vm_flags))]
    if model.scan is not None and kernel.scan is not None:
        sets.append(("scan", SCAN))
    for field, names in sets:
        for name in names:
            told, found = (str(name in getattr(seen, field)).lower() for seen in (model, kernel))
            if told != found and name not in ignored:
                yield Difference(f"{field}.{name}", told, found)
