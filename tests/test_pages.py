"""Mappings with several pages: the runs recorded on real kernels, one page against today's system,
and what holds of every state."""

from __future__ import annotations

import json
import lzma
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from model import diff, simulate
from model.kernel.editions import EDITIONS, UsageError, find_edition
from model.system.actions.spans import OPERATIONS_OF_SEVERAL, find_span, spans
from model.system.relation.kernel import whole_system
from model.system.relation.ranges import RangeSystem, range_system
from model.system.state.mappings import MAPPINGS, SEVERAL, find_memory

DATA = Path(__file__).parent / "data"
KERNELS = {"v6.1": "6.1.192", "v6.12": "6.12.117", "v7.3": "7.3.4"}
"""Runs on 4 pages: the first page aligned to 64K, nothing of the mapping beside it, huge pages off,
a process that began with exec. `shmem` is a memfd without content there. Faults of a load or store
that did not end `ok` were not counted. 199 were made twice, with the same answers; 150 more, at
random (c22), have what those have not: close, open, fork:child, mremap of several VMAs."""
STEPS = 1835 + 1500


@cache
def recorded(kernel: str) -> list[dict[str, Any]]:
    with lzma.open(DATA / f"pages-{kernel}.jsonl.xz", "rt") as file:
        return [json.loads(line) for line in file]


def observed(kernel: RangeSystem, ops: list[str]) -> list[dict[str, Any]]:
    """What the model says of a run, less PAGEMAP_SCAN."""
    steps = [kernel.observe(step) for step in kernel.run(ops)]
    return [step | {"pages": [_bits(page) for page in step["pages"]]} for step in steps]


def _bits(page: dict[str, Any] | None) -> dict[str, Any] | None:
    return page and {name: bit for name, bit in page.items() if name != "scan"}


@pytest.mark.parametrize("mapping", SEVERAL)
@pytest.mark.parametrize("edition", KERNELS)
def test_the_model_observes_what_the_kernel_showed(edition: str, mapping: str) -> None:
    runs = [run for run in recorded(KERNELS[edition]) if run["mapping"] == f"{mapping}:4"]
    kernel = range_system(EDITIONS[edition], *find_several(f"{mapping}:4"))
    assert runs
    for run in runs:
        assert observed(kernel, [step["op"] for step in run["steps"]]) == run["steps"], run["id"]


def find_several(name: str) -> tuple[Any, int]:
    mapping, pages = find_memory(name)
    assert pages is not None
    return mapping, pages


def test_the_recordings_are_whole() -> None:
    assert {k: sum(len(run["steps"]) for run in recorded(k)) for k in KERNELS.values()} == \
        dict.fromkeys(KERNELS.values(), STEPS)


def walk(seed: int, runs: int, steps: int, pages: int) -> Iterator[list[str]]:
    """Random runs."""
    rng = random.Random(seed)
    names: dict[str, list[str]] = {}
    for name in spans(pages):
        names.setdefault(find_span(name, pages).op, []).append(name)
    for _ in range(runs):
        yield [rng.choice(names[rng.choice(list(names))]) for _ in range(steps)]


@pytest.mark.parametrize("mapping", SEVERAL)
@pytest.mark.parametrize("edition", KERNELS)
def test_one_page_of_one_is_as_a_mapping_of_one_page(edition: str, mapping: str) -> None:
    """But for mmap, which maps the same file here, and munmap, which is not there."""
    several = range_system(EDITIONS[edition], MAPPINGS[mapping], 1)
    single = whole_system(EDITIONS[edition], MAPPINGS[mapping])
    ops = [op for op in OPERATIONS_OF_SEVERAL if op not in ("mmap", "munmap")]
    rng = random.Random(7)
    for _ in range(60):
        run = rng.choices(ops, k=12)
        for one, other in zip(several.run(run), single.run(run), strict=True):
            told = single.observe(other)
            page, *_ = several.observe(one)["pages"]
            vma, *_ = several.observe(one)["vmas"]
            scan = {"scan": told["scan"]} if single.scans else {}
            assert (one.outcome, one.faults) == (other.outcome, other.faults), run
            assert page == told["pagemap"] | scan, run
            assert vma["vm_flags"] == told["vm_flags"], run


@pytest.mark.parametrize("mapping", ["anon", "private-shmem"])
@pytest.mark.parametrize("edition", ["v6.1", "v7.3"])
def test_the_places_of_a_vma_are_one(edition: str, mapping: str) -> None:
    """Every place that is joined is mapped, as is the one before it, and its VMA is that."""
    kernel = range_system(EDITIONS[edition], MAPPINGS[mapping], 3)
    fields = [name[2:] for name in kernel.names if name.startswith("0.")]
    area = fields[fields.index("joined") + 1:fields.index("pte")]
    assert {"family", "vm_page_prot"} <= set(area)
    for ops in walk(3, 60, 12, 3):
        for step in kernel.run(ops):
            state = dict(zip(kernel.names, step.values, strict=True))
            assert not state["0.joined"]
            for page in (1, 2):
                if state[f"{page}.joined"]:
                    assert state[f"{page}.mapped"], ops
                    assert state[f"{page - 1}.mapped"], ops
                    for field in area:
                        assert state[f"{page}.{field}"] == state[f"{page - 1}.{field}"], ops
            for page in (0, 1, 2):
                for field in ("family", "pgoff"):
                    assert state[f"{page}.{field}"] <= page + 1, ops


def shown(edition: str, mapping: str, *ops: str) -> list[str]:
    """The outcome of the last operation and the VMAs then, as `0-2 sd uw`."""
    kernel = range_system(find_edition(edition), *find_several(mapping))
    last = observed(kernel, list(ops))[-1]
    return [last["outcome"], *(f"{vma['first']}-{vma['last']} " + " ".join(
        flag for flag in vma["vm_flags"] if flag in ("sd", "um", "uw", "wr"))
        for vma in last["vmas"])]


def test_mremap_of_several_vmas() -> None:
    """EFAULT before 6.17; then each moves, and those that may be one are (copy_vma)."""
    split = ("register@0", "unregister@0", "register@2", "store@3")
    assert shown("v6.12", "anon:4", *split, "mremap")[0] == "EFAULT"
    assert shown("v7.3", "anon:4", *split, "mremap")[0] == "EFAULT"
    apart = ("store@0", "mprotect:r@1", "store@2", "mprotect:rw@1")
    assert shown("v6.1", "anon:3", *apart, "mremap") == ["ok", "0-2 sd wr"]
    holes = ("munmap@1",)
    assert shown("v7.3", "anon:3", *holes, "mremap") == ["ok", "0-0 sd wr", "2-2 sd wr"]
    assert shown("v7.3", "anon:3", "munmap@0", "mremap")[0] == "EFAULT"
    assert shown("v7.3", "anon:3", "munmap@0", "register@1", "mremap")[0] == "EFAULT"


def test_what_moved_before_a_registered_vma_is_gone() -> None:
    assert shown("v7.3", "shmem:3", "register@1-2", "mremap") == ["EFAULT", "1-2 sd uw wr"]


def test_what_is_alike_stays_apart_until_it_changes_where_it_touches() -> None:
    """On 6.1 UFFDIO_REGISTER of a part that does not begin its VMA has the wrong pgoff."""
    ops = ("register@2-3", "register@1")
    assert shown("v6.1", "shmem:4", *ops) == ["ok", "0-0 sd wr", "1-1 sd uw wr", "2-3 sd uw wr"]
    assert shown("v6.12", "shmem:4", *ops) == ["ok", "0-0 sd wr", "1-3 sd uw wr"]


def test_vmas_of_a_child_do_not_grow() -> None:
    """Each has an anon_vma of its own, and a chain of two links; in the parent they are one."""
    ops = ("store@0", "mprotect:r@1", "mprotect:rw@1")
    for edition in KERNELS:
        assert shown(edition, "anon:3", *ops) == ["ok", "0-2 sd wr"]
        child = shown(edition, "anon:3", *ops[:2], "fork:child", ops[2])
        assert child == ["ok", "0-0 sd wr", "1-1 sd wr", "2-2 sd wr"]


def test_close_merges() -> None:
    ops = ("register@1-2", "clear_refs", "close")
    assert shown("v7.3", "shmem:4", *ops) == ["ok", "0-3 wr"]


@pytest.mark.parametrize(("edition", "vmas"), [("v6.18", ["0-2 wr"]), ("v6.19", ["0-2 sd wr"])])
def test_soft_dirty_is_sticky_since_6_19(edition: str, vmas: list[str]) -> None:
    """VMAs merge with one that is new, and so dirty: what comes of that is asked of the survivor
    alone before."""
    ops = ("clear_refs", "mprotect:r@1", "mmap@2", "mprotect:rw@1")
    assert shown(edition, "shmem:3", *ops)[1:] == vmas


@pytest.mark.parametrize(("words", "said"), [
    ("shmem:0 store", "a mapping has 1 to 8 pages"),
    ("shmem:9 store", "a mapping has 1 to 8 pages"),
    ("shmem: store", "a mapping has 1 to 8 pages"),
    ("shmem:\u0663 store", "a mapping has 1 to 8 pages"),
    ("file:2 store", "modelled with one page"),
    ("shem:2 store", "did you mean 'shmem'?"),
    ("shmem store@0", "where their number is named"),
    ("shmem stor@0", "did you mean 'store'?"),
    ("shmem:4 stor@0", "did you mean 'store'?"),
    ("shmem:4 store@4", "the pages are 0 to 3"),
    ("shmem:4 wp@2-1", "the first page comes first, as in wp@1-2"),
    ("shmem:4 wp@1-2-3", "is not OP, OP@I or OP@I-J"),
    ("shmem:4 wp@", "is not OP, OP@I or OP@I-J"),
    ("shmem:4 wp@-1", "is not OP, OP@I or OP@I-J"),
    ("shmem:4 load@0-1", "is of one page"),
    ("shmem:4 fork@0", "of the whole mapping"),
    ("shmem:4 pageout", "of one page alone so far"),
])
def test_what_cannot_be_run_is_an_error_of_one_line(words: str, said: str) -> None:
    mapping, op = words.split()
    with pytest.raises(UsageError, match=said) as error:
        simulate.main(["--mapping", mapping, op])
    assert "\n" not in str(error.value)


def test_other_commands_take_one_page() -> None:
    with pytest.raises(UsageError, match="replay and conform alone take several"):
        diff.main(["v6.1", "v6.12", "--mapping", "shmem:2"])


def test_simulate_tells_pages_and_vmas(capsys: pytest.CaptureFixture[str]) -> None:
    args = ["--kernel", "v7.3", "--mapping", "shmem:2", "store", "munmap@1", "register@0"]
    assert simulate.main([*args, "--format", "json"]) == 0
    last = json.loads(capsys.readouterr().out)[-1]
    assert set(last) == {"op", "outcome", "faults", "pages", "vmas"}
    assert last["pages"][1] is None
    assert "scan" in last["pages"][0]
    assert last["vmas"] == [{"first": 0, "last": 0,
                             "vm_flags": ["mw", "rd", "sd", "sh", "uw", "wr"]}]
    assert simulate.main(args) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[:3] == [" # call: outcome",
                        "  page VmFlags prot    pte    (a VMA begins at each |)", " 0 mmap: ok"]
    assert told[-3:] == [" 3 register@0: ok", "   | 0 rd sd uw wr ro  RW D SD",
                         "     1                 nothing"]
