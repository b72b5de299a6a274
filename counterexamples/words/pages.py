"""A run on a mapping with several pages as plain text: the VMAs and their pages after each call."""

from __future__ import annotations

from collections.abc import Sequence

from counterexamples.words.entry import entry_words
from model.kernel.bits import PAGE_PRESENT, PAGE_RW
from model.system.relation.compiled import Values
from model.system.relation.kernel import Step
from model.system.relation.ranges import RangeSystem

_AREA = "VmFlags prot"


def pages_table(kernel: RangeSystem, ops: Sequence[str]) -> list[str]:
    """What the columns are; for each call a line with its outcome and minor faults, then a line for
    each page: the VMA where one begins, with its flags and vm_page_prot, and the PTE."""
    fresh = Step("mmap", "ok", 0, kernel.machine.initial)
    steps = []
    for step in [fresh, *kernel.run(ops)]:
        seen = kernel.observe(step)
        steps.append((f"{step.op}: {step.outcome}{_faults(seen['faults'])}",
                      _rows(kernel, step.values, seen["vmas"])))
    width = max(len(_AREA), *(len(vma) for _, rows in steps for _, vma, _ in rows))
    lines = [" # call: outcome", f"  page {_AREA.ljust(width)}  pte    (a VMA begins at each |)"]
    for number, (told, rows) in enumerate(steps):
        lines += [f"{number:>2} {told}", *(
            f"   {'|' if vma else ' '}{page:>2} {vma.ljust(width)}  {entry}"
            for page, vma, entry in rows)]
    return lines


def _faults(count: int) -> str:
    return f", {count} minor fault{'s'[:count != 1]}" if count else ""


def _rows(kernel: RangeSystem, values: Values,
          vmas: Sequence[dict[str, object]]) -> list[tuple[str, str, str]]:
    """Of each page its number, the VMA where one begins, and the entry."""
    state = dict(zip(kernel.names, values, strict=True))
    starts = {vma["first"]: vma for vma in vmas}
    rows = []
    for page in range(kernel.pages):
        if not state[f"{page}.mapped"]:
            rows.append((str(page), "", "nothing"))
            continue
        vma = ""
        if page in starts:
            prot = state[f"{page}.vm_page_prot"]
            shown = "none" if not prot & PAGE_PRESENT else "rw" if prot & PAGE_RW else "ro"
            vma = " ".join([*_shown(starts[page]["vm_flags"]), shown])
        rows.append((str(page), vma, entry_words(kernel.edition, int(state[f"{page}.pte"]))))
    return rows


def _shown(flags: object) -> list[str]:
    assert isinstance(flags, list)
    return [flag for flag in flags if flag not in ("mw", "sh")]
