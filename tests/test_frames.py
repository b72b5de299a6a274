"""No step depends on where in memory a page lies, and what would is found out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from model import diff
from model.checking.claims import judge
from model.cli import with_patch
from model.kernel.changes import CHANGES
from model.kernel.editions import Edition, find_edition
from model.kernel.logic import BV, Bool, disj, has, ite
from model.kernel.mremap import move_soft_dirty_pte
from model.kernel.pgtable import pte_dirty, pte_uffd_wp
from model.kernel.releases import NEWEST
from model.system.actions.themes import modelled
from model.system.asking.frames import REPORTS, dependence
from model.system.relation.kernel import KernelSystem
from model.system.state.mappings import MAPPINGS
from properties.claims import CLAIMS
from tests.test_patch import checked, write


def every_edition() -> Edition:
    """All that any choice of changes makes, at once."""
    return replace(find_edition(NEWEST), undecided=frozenset(CHANGES))


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_no_step_depends_on_the_frame_number(mapping: str) -> None:
    edition = every_edition()
    operations = modelled(find_edition(NEWEST), MAPPINGS[mapping])
    kernel = KernelSystem(edition, MAPPINGS[mapping], operations)
    assert [found for op in (REPORTS, *operations) if (found := dependence(kernel, op))] == []


def _frame_taken_for_dirty(ed: Edition, pte: BV) -> Bool:
    plain = replace(ed, overrides=MappingProxyType({}))
    return disj(pte_dirty(plain, pte), has(pte, 1 << 20))


def _migration_taken_for_present(ed: Edition, pte: BV) -> BV:
    """What says uffd-wp in a present entry is the frame number's in one that migrates."""
    plain = replace(ed, overrides=MappingProxyType({}))
    return ite(pte_uffd_wp(pte), pte, move_soft_dirty_pte(plain, pte))


@pytest.mark.parametrize(("name", "wrong", "op"), [
    ("pte_dirty", _frame_taken_for_dirty, "migrate:begin"),
    ("move_soft_dirty_pte", _migration_taken_for_present, "mremap"),
])
def test_a_step_that_reads_the_frame_number_is_found(
        name: str, wrong: Callable[..., object], op: str) -> None:
    edition = replace(find_edition(NEWEST), overrides=MappingProxyType({name: wrong}))
    kernel = KernelSystem(edition, MAPPINGS["anon"], modelled(edition, MAPPINGS["anon"]))
    found = dependence(kernel, op)
    assert found is not None
    assert found.op == op
    assert found.bits


MISREADS = """
from model.kernel.logic import disj, has
from model.kernel.mprotect import can_change_pte_writable as own
def can_change_pte_writable(ed, vma, entry):
    return disj(own(ed, vma, entry), has(entry.pte, 1 << 20))
"""


def test_a_patch_that_reads_the_frame_number_is_not_proved(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the frame number that the model has, it changes nothing."""
    code, (base, own) = checked("--patch", write(tmp_path, MISREADS), "--mapping", "anon",
                                "--property", "softdirty-complete", capsys=capsys)
    assert code == 30
    assert (base["verdict"], own["verdict"], own["depth"]) == ("proved", "unknown", None)
    assert "depends on the frame number" in own["reason"]
    assert "0x100000" in own["reason"]


def test_no_other_answer_is_a_proof_then(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of diff, of a claim, and of a promise that both break by the same calls, of which another
    place might break it by fewer."""
    mine = write(tmp_path, MISREADS)
    assert diff.main([NEWEST, NEWEST, "--patch", mine, "--mapping", "anon"]) == 30
    assert "depends on the frame number" in " ".join(capsys.readouterr().out.split())
    code, (base, own) = checked("--patch", mine, "--mapping", "shmem", "--allow", "pageout",
                                "--property", "softdirty-complete", capsys=capsys)
    assert code == 30
    assert (base["verdict"], own["verdict"]) == ("violated", "violated")
    assert (base["rest"], own["rest"]) == ("proved", "unknown")
    edition = with_patch([find_edition("v6.12")], mine)[-1]
    claim = CLAIMS["stores-are-recorded"]
    judged, = judge([claim], edition, [MAPPINGS["anon"]])
    assert (judged.verdict, "frame number" in judged.reason) == ("undecided", True)
