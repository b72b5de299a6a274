"""Which violations are news: by their calls, beside the edition without a patch file, and beside
the causes that are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from counterexamples import itf
from model import check
from model.checking.cells import Cell, CellResult, Exit, exit_code
from model.checking.news import UNEXPLAINED, news
from model.checking.settle import CellSystem, Options, settled
from model.cli import patched
from model.engines.base import Limits
from model.kernel.editions import Edition, find_edition
from model.system.state.mappings import MAPPINGS
from properties import PROPERTIES
from properties.base import Violated

GALLERY = Path(__file__).parent.parent / "counterexamples" / "gallery"
PINS = "def pte_is_pinned(ed, vma, entry):\n    return False\n"
"""clear_refs asks no longer for pins: what a device writes was lost before, by other calls."""
EARLY = """
from model.kernel.bits import VM_UFFD_WP
from model.kernel.hugetlb import huge_pte_mkuffd_wp
from model.kernel.logic import conj, ite
from model.kernel.pgtable import pte_present
from model.kernel.userfaultfd_k import userfaultfd_wp

def userfaultfd_register_range(ed, vma, entry, mode):
    lost = conj(not mode & VM_UFFD_WP, userfaultfd_wp(vma), pte_present(entry.pte))
    return entry.with_pte(ite(lost, huge_pte_mkuffd_wp(ed, entry.pte), entry.pte))
"""
"""Entries become protected where write-protect mode goes: no `wp` is needed any more."""
SAME = "from model.kernel.task_mmu import pte_is_pinned as own\n\n" + PINS.replace(
    "False", "own(ed, vma, entry)")


def cell(edition: Edition, mapping: str, prop: str, *allow: str) -> Cell:
    return Cell(edition, MAPPINGS[mapping], PROPERTIES[prop], allow)


def settle(asked: Cell) -> CellResult:
    return settled(asked, CellSystem(asked, Options()), Options(), Limits())


def patch(folder: Path, text: str) -> Edition:
    path = folder / "mine.py"
    path.write_text(text)
    return patched(find_edition("v6.12"), str(path))


@pytest.mark.parametrize(("text", "mapping", "prop", "allow", "calls"), [
    (PINS, "anon", "softdirty-complete", "pin pin:write", "pin clear_refs pin:write"),
    (EARLY, "hugetlb", "access-completes", "register:missing",
     "store register register:missing store"),
])
def test_calls_that_the_edition_without_the_file_stands_are_news(
        text: str, mapping: str, prop: str, allow: str, calls: str, tmp_path: Path,
        capsys: pytest.CaptureFixture[str]) -> None:
    """Where the edition breaks the promise by others: a change of its own, with its own trace."""
    mine, out = tmp_path / "mine.py", tmp_path / "out"
    mine.write_text(text)
    code = check.main(["--kernel", "v6.12", "--patch", str(mine), "--mapping", mapping,
                       "--property", prop, "--allow",
                       *allow.split(), "--jobs", "1", "--out", str(out), "--no-pictures"])
    listed = ", ".join(calls.split())
    told = " ".join(capsys.readouterr().out.split())
    assert code == 12
    assert (f"-> violated@{len(calls.split())}, NOT EXPECTED: v6.12 does not break it by these "
            f"calls {listed}") in told
    folder = out / prop / "v6.12+mine" / "+".join((mapping, *allow.split()))
    assert itf.calls((folder / itf.FILE).read_text()).ops == tuple(calls.split())
    text = " ".join((folder / "trace.txt").read_text().split())
    assert "In v6.12 the same calls part" in text
    assert "The reason" not in text


def test_a_file_that_changes_nothing_brings_no_news(tmp_path: Path) -> None:
    """The pairs of states are exhausted: nothing hides behind what is known."""
    result = settle(cell(patch(tmp_path, SAME), "anon", "softdirty-complete", "pin", "pin:write"))
    assert (result.verdict, result.met, result.news, result.open) == ("violated", True, "", "")
    assert exit_code([result], strict=False) == Exit.MET


def test_what_was_not_found_out_is_not_as_expected(tmp_path: Path) -> None:
    """The news would be a list of three calls; only two were tried."""
    asked = cell(patch(tmp_path, SAME), "anon", "softdirty-complete", "pin", "pin:write")
    system = CellSystem(asked, Options())
    known = replace(settled(asked, system, Options(), Limits()), trace=("pin",))
    result = news(asked, system.kernel, known, Limits(depth=2))
    assert result.open == ("whether calls that v6.12 stands break it: only lists of up to 2 "
                           "actions were tried")
    assert exit_code([result], strict=False) == Exit.UNDECIDED


def test_a_violation_that_fits_no_known_cause_is_unexpected() -> None:
    """The expectation names causes. Here its only one is another than what is done."""
    asked = cell(find_edition("v6.12"), "hugetlb", "softdirty-complete")
    other = Violated("hugetlb", (), "something that `wp` does", by="wp")
    result = settle(replace(asked, prop=replace(asked.prop, violated=(other,))))
    assert (result.expected, result.verdict, result.because, result.news) == (
        "violated", "violated", "", UNEXPLAINED)
    assert exit_code([result], strict=False) == Exit.UNEXPECTED_VIOLATION


@pytest.mark.parametrize(("kernel", "mapping", "prop", "calls", "reason"), [
    ("v6.1", "shmem", "softdirty-complete", "store migrate:begin clear_refs store",
     "clear_refs takes soft-dirty from a writable migration entry"),
    ("v6.12", "shmem-thp", "softdirty-complete", "load migrate:begin clear_refs store",
     "clear_refs takes soft-dirty from a writable migration entry"),
    ("v6.12", "shmem-thp", "softdirty-complete", "clear_refs store register wp",
     "UFFDIO_WRITEPROTECT splits the PMD"),
    ("v6.12", "shmem-thp", "softdirty-complete", "clear_refs store dontneed", "MADV_DONTNEED"),
    ("v6.12", "shmem-thp", "softdirty-complete", "clear_refs store split", "splitting the PMD"),
    ("v6.12", "shmem", "softdirty-complete", "clear_refs store dontneed", "MADV_DONTNEED"),
    ("v6.12", "shmem", "softdirty-complete", "clear_refs store pageout", "reclaim unmaps"),
    ("v6.1", "shmem", "softdirty-complete", "store clear_refs register unregister store",
     "un-protecting gives entries the protection of vm_flags alone"),
    ("v6.1", "hugetlb", "migrate-precise", "store register mremap migrate",
     "a read-only page comes back read-only, though vm_page_prot is writable: mapped or"),
    ("v6.1", "hugetlb", "migrate-precise", "store register wp mremap migrate",
     "a read-only page comes back read-only, though vm_page_prot is writable: mremap cleared"),
    ("v5.19", "anon", "unprotect-precise", "store register wp unregister", "unregister does not"),
    ("v5.19", "anon", "unprotect-precise", "store register unwp", "private mappings get"),
    ("v6.12", "shmem", "softdirty-complete", "store", ""),
])
def test_the_reason_fits_what_was_done(kernel: str, mapping: str, prop: str, calls: str,
                                       reason: str) -> None:
    """Not what was allowed: of two causes on one mapping the one that the calls show, or none."""
    told = PROPERTIES[prop].reason(find_edition(kernel), MAPPINGS[mapping], calls.split())
    assert told.startswith(reason)
    assert bool(told) == bool(reason)


def test_every_trace_of_the_gallery_fits_a_known_cause() -> None:
    for file in GALLERY.glob(f"*/*/*/{itf.FILE}"):
        calls = itf.calls(file.read_text())
        assert PROPERTIES[calls.prop].reason(find_edition(calls.kernel), MAPPINGS[calls.mapping],
                                             calls.ops), file


@pytest.mark.parametrize(("calls", "loss"), [
    ("pin clear_refs pin:write", "unrecorded by pin:write: the store is never recorded"),
    ("clear_refs store dontneed", "forgetting by dontneed: the record of a store is dropped"),
    ("migrate:begin clear_refs migrate:end store",
     "disarming by migrate:end: the store goes silent"),
])
def test_a_device_is_neither_forgotten_nor_silent(calls: str, loss: str) -> None:
    """Its store asks no page table: nobody ever recorded it."""
    assert PROPERTIES["softdirty-complete"].loss(calls.split()) == loss
