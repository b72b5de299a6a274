"""drift on the source of 7.3.4, fetched from Debian's archive by the name of its package."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from model import drift
from model.debian.source import archive_of
from model.kernel.editions import find_edition
from model.source.digests import wanted_files
from model.source.leaves import LEAVES
from model.source.prove import Prover
from model.source.tree import open_tree

TREE = "linux-source-7.3"
WRITTEN_OUT = {"is_swap_pte", "pte_none_mostly"}
"""Leaf functions that have no name of their own any more; what is written for them is proved."""
WRONG = (
    ("include/linux/leafops.h", r"(?<=SWP_MIGRATION_READ:\n\t\treturn )SOFTLEAF_MIGRATION_READ;",
     "SOFTLEAF_MIGRATION_WRITE;", "is_readable_migration_entry"),
    ("include/linux/leafops.h", r"type_num < MAX_SWAPFILES", "type_num <= MAX_SWAPFILES",
     "non_swap_entry"),
    ("include/linux/leafops.h", r"\tcase SOFTLEAF_MIGRATION_READ_EXCLUSIVE:\n(?=\tcase)", "",
     "is_migration_entry"),
    ("include/linux/mm.h", r"BIT\(UFFD_WP, 12\)", "BIT(UFFD_WP, 11)", "userfaultfd_wp"),
    ("include/linux/mm.h", r"bitmap_andnot\((?=bitmap, bitmap, bitmap_to_clear)", "bitmap_and(",
     "vma_set_page_prot"),
    ("mm/mmap.c", r"(?<=vma_flags_clear\(&vma_flags, VMA_)SHARED", "WRITE", "vma_set_page_prot"),
    ("mm/vma.c", r"vma_test_all(?=\(vma, VMA_WRITE_BIT, VMA_SHARED_BIT\))", "vma_test_any",
     "vma_wants_writenotify"),
    ("mm/shmem.c", r"(static bool shmem_can_userfault.*\n\{\n\treturn )true", r"\1false",
     "vma_can_userfault"),
)
"""A file, an expression that fits once, what stands there instead, and the leaf that tells."""


def test_every_digest_is_recorded_and_every_leaf_is_proved_equal(
        capsys: pytest.CaptureFixture[str]) -> None:
    """And nothing is compiled out."""
    code = drift.main([TREE, "--edition", "v7.3", "--format", "json"])
    told = json.loads(capsys.readouterr().out)
    found = {f["name"]: f for f in told["functions"]}
    assert {n for n, f in found.items() if f["text"] == "absent"} == WRITTEN_OUT
    assert {f["text"] for f in found.values()} == {"same", "absent"}
    proofs = {n: f["proof"]["verdict"] for n, f in found.items() if f["proof"]}
    assert proofs == dict.fromkeys(LEAVES, "equal")
    assert len(proofs) >= 98
    assert code == 0


def test_what_has_become_of_the_functions_of_6_12_is_said(
        capsys: pytest.CaptureFixture[str]) -> None:
    assert drift.main([TREE, "--edition", "v6.12", "--digests", "--format", "json"]) == 1
    words = {f["name"]: f["words"] for f in json.loads(capsys.readouterr().out)["functions"]}
    assert words["uffd_wp_range"] == words["can_change_pmd_writable"] == "same"
    assert words["userfaultfd_release"] == "moved to mm/userfaultfd.c"
    assert words["hpage_collapse_scan_pmd"] == "renamed collapse_scan_pmd, changed"
    assert words["change_pte_range"].startswith("split into change_present_ptes, change_softleaf")
    assert words["dup_mmap"] == "moved to mm/mmap.c, changed"
    gone = {n for n, said in words.items() if said.startswith("gone")}
    assert gone <= WRITTEN_OUT | {"pte_install_uffd_wp_if_needed"}


def test_a_wrong_leaf_is_told() -> None:
    """An edit of one line of the new helpers is shown with an input that tells."""
    read = open_tree(str(archive_of(TREE, print)), wanted_files()).read

    def edited(path: str, old: str, new: str) -> Callable[[str], str | None]:
        text = read(path) or ""
        assert len(re.findall(old, text)) == 1, (path, old)
        changed = re.sub(old, new, text)
        return lambda other: changed if other == path else read(other)

    for path, old, new, name in WRONG:
        leaf = LEAVES[name]
        proof = Prover(edited(path, old, new), find_edition("v7.3"), [leaf]).prove(leaf)
        assert (name, proof.verdict) == (name, "differs")
