"""What a program sees after a step: of the model, of a real kernel, and where the two differ."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any, TypeAlias

from model.system.relation.compiled import Values
from model.system.relation.kernel import KernelSystem, Step
from model.system.relation.ranges import RangeSystem
from model.system.state.mappings import MOST_PAGES, memory_name

PAGEMAP = ("present", "swap", "file", "exclusive", "uffd_wp", "soft_dirty")
"""The pagemap bits in the order in which the agent prints them: 63 62 61 56 57 55."""
SCAN = ("wpallowed", "written", "file", "present", "swapped", "pfnzero", "huge", "soft_dirty",
        "guard", "accessed")
"""The PAGEMAP_SCAN categories, lowest bit first (include/uapi/linux/fs.h)."""
_PAGE = r"[01]{6}(?:\+[0-9a-f]+)?"
_FLAGS = r"(?:-|[a-z]{2}(?:,[a-z]{2})*)"
_VMA = rf"\d-\d,{_FLAGS}"
_STEP = re.compile(rf"(ok|event|segv|bus|refault|never|E[A-Z0-9]+) (\d+) "
                   rf"(?:({_PAGE}) ({_FLAGS})|"
                   rf"((?:{_PAGE}|\.)(?:/(?:{_PAGE}|\.))*) (\.|{_VMA}(?:;{_VMA})*))")


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


    @property
    def without_scan(self) -> Seen:
        return replace(self, scan=None)


@dataclass(frozen=True)
class SeenPage:
    """One of several pages."""

    pagemap: frozenset[str]
    scan: frozenset[str] | None = None

    def as_json(self) -> dict[str, Any]:
        scan = {} if self.scan is None else {"scan": sorted(self.scan)}
        return {**{bit: bit in self.pagemap for bit in PAGEMAP}, **scan}


@dataclass(frozen=True)
class SeenVma:
    """A VMA of several pages, by its first and last."""

    first: int
    last: int
    vm_flags: frozenset[str]

    def as_json(self) -> dict[str, Any]:
        return {"first": self.first, "last": self.last, "vm_flags": sorted(self.vm_flags)}

    def shown(self, ignored: Collection[str] = ()) -> str:
        return f"{self.first}-{self.last} {','.join(sorted(self.vm_flags.difference(ignored)))}"


@dataclass(frozen=True)
class SeenPages(Seen):
    """One step of several pages, None where nothing is mapped; what Seen has of one page is empty.
    Faults are told of accesses that end well."""

    pages: tuple[SeenPage | None, ...] = ()
    vmas: tuple[SeenVma, ...] = ()

    def as_json(self, op: str) -> dict[str, Any]:
        return {"op": op, "outcome": self.outcome, "faults": self.faults,
                "pages": [page and page.as_json() for page in self.pages],
                "vmas": [vma.as_json() for vma in self.vmas]}

    @property
    def without_scan(self) -> Seen:
        return replace(self, pages=tuple(page and replace(page, scan=None) for page in self.pages))


System: TypeAlias = KernelSystem | RangeSystem
"""The model of one page, or of several."""


def mapping_name(model: System) -> str:
    """As a user types it."""
    return memory_name(model.mapping,
                       model.pages if isinstance(model, RangeSystem) else None)


@dataclass(frozen=True)
class Difference:
    """A field in which the model and the kernel differ."""

    field: str
    model: str
    kernel: str

    def __str__(self) -> str:
        return f"{self.field}: model {self.model}, kernel {self.kernel}"


def seen_by_model(model: System, step: Step) -> Seen:
    if isinstance(model, RangeSystem):
        return _of_several(model, step)
    bits = model.pagemap(step.values)
    return Seen(step.outcome, step.faults, frozenset(b for b in PAGEMAP if bits[b]),
                frozenset(model.vm_flags(step.values)),
                frozenset(model.scan(step.values)) if model.scans else None)


def _of_several(model: RangeSystem, step: Step) -> SeenPages:
    """What `model.simulate` prints of the step."""
    faults = step.faults if step.outcome == "ok" else 0
    return SeenPages(step.outcome, faults, frozenset(), frozenset(), None,
                     *_pages_and_vmas(model, step.values))


@lru_cache(200_000)
def _pages_and_vmas(model: RangeSystem, values: Values
                    ) -> tuple[tuple[SeenPage | None, ...], tuple[SeenVma, ...]]:
    told = model.told(values)
    return (tuple(page and SeenPage(
                frozenset(b for b in PAGEMAP if page[b]),
                frozenset(page["scan"]) if "scan" in page else None) for page in told["pages"]),
            tuple(SeenVma(vma["first"], vma["last"], frozenset(vma["vm_flags"]))
                  for vma in told["vmas"]))


@cache
def seen_by_kernel(text: str) -> Seen:
    """One step as the agent prints it, with all that is as before. Raises ValueError for anything
    else."""
    match = _STEP.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a step")
    outcome, faults, page, flags, pages, vmas = match.groups()
    if page:
        seen = _page(page)
        return Seen(outcome, int(faults), seen.pagemap, _letters(flags), seen.scan)
    return SeenPages(
        outcome, int(faults) if outcome == "ok" else 0, frozenset(), frozenset(),
        pages=tuple(None if each == "." else _page(each) for each in pages.split("/")),
        vmas=tuple(_vma(each) for each in vmas.split(";")) if vmas != "." else ())


@cache
def _page(text: str) -> SeenPage:
    bits, plus, scan = text.partition("+")
    categories = int(scan or "0", 16)
    return SeenPage(
        frozenset(name for name, bit in zip(PAGEMAP, bits, strict=True) if bit == "1"),
        frozenset(name for i, name in enumerate(SCAN) if categories >> i & 1) if plus else None)


@cache
def _vma(text: str) -> SeenVma:
    pages, _, flags = text.partition(",")
    first, last = map(int, pages.split("-"))
    return SeenVma(first, last, _letters(flags))


def _letters(flags: str) -> frozenset[str]:
    return frozenset(flags.split(",")) - {"-"}


def run_by_kernel(line: str) -> tuple[Seen, ...]:
    """The steps of a run as the agent prints it: one without VmFlags has those of the step before,
    and so has one of several pages that is empty, or missing at the end. Raises ValueError for
    anything else."""
    seen: list[Seen] = []
    flags, pages = "", [""] * MOST_PAGES
    for text in line.split("|"):
        words = text.split(" ")
        if len(words) == 3:
            words.append(flags)
        if len(words) != 4:
            raise ValueError(f"{text!r} is not a step")
        flags = words[3]
        new = words[2].split("/")
        pages = ([each or old for each, old in zip(new, pages, strict=False)]
                 + (pages[len(new):] if seen else []))
        words[2] = "/".join(pages)
        seen.append(seen_by_kernel(" ".join(words)))
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
    if isinstance(model, SeenPages) and isinstance(kernel, SeenPages):
        yield from _of_pages(model, kernel, ignored)
        return
    sets = [("pagemap", PAGEMAP), ("vm_flags", sorted(model.vm_flags | kernel.vm_flags))]
    if model.scan is not None and kernel.scan is not None:
        sets.append(("scan", SCAN))
    for field, names in sets:
        yield from _of_names(field, names, getattr(model, field), getattr(kernel, field), ignored)


def _of_names(field: str, names: Sequence[str], model: Collection[str], kernel: Collection[str],
              ignored: Collection[str]) -> Iterator[Difference]:
    for name in names:
        told, found = (str(name in seen).lower() for seen in (model, kernel))
        if told != found and name not in ignored:
            yield Difference(f"{field}.{name}", told, found)


def _of_pages(model: SeenPages, kernel: SeenPages,
              ignored: Collection[str]) -> Iterator[Difference]:
    for at, (told, found) in enumerate(zip(model.pages, kernel.pages, strict=True)):
        if told is None or found is None:
            if told != found:
                yield Difference(f"pages.{at}", *("nothing" if page is None else "mapped"
                                                  for page in (told, found)))
            continue
        yield from _of_names(f"pages.{at}", PAGEMAP, told.pagemap, found.pagemap, ignored)
        if told.scan is not None and found.scan is not None:
            yield from _of_names(f"pages.{at}.scan", SCAN, told.scan, found.scan, ignored)
    vmas = ["; ".join(vma.shown(ignored) for vma in seen.vmas) or "none"
            for seen in (model, kernel)]
    if vmas[0] != vmas[1]:
        yield Difference("vmas", *vmas)
