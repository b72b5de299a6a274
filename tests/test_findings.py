"""The findings and their remedies: the table says what the model proves."""

from __future__ import annotations

import inspect
from functools import cache
from pathlib import Path

import pytest

from counterexamples import gallery
from model import findings
from model.checking.remedies import (
    PACKAGE,
    PROVED,
    VIOLATED,
    Judge,
    functions,
    has,
    last,
    spanned,
    spans,
)
from model.engines.explicit import first_violation
from model.kernel import remedies
from model.kernel.editions import Edition, find_edition
from model.kernel.hugetlb import huge_pte_mkwrite
from model.kernel.logic import BV, ite
from model.kernel.mirror import MIRRORS
from model.kernel.pgtable import pte_present
from model.kernel.records import CpFlags, Entry, Vma
from model.kernel.releases import KERNELS, NEWEST
from model.kernel.remedies import words
from model.system.actions.operations import CORE, with_needed
from model.system.actions.themes import modelled
from model.system.relation.kernel import kernel_system
from model.system.relation.reach import explore
from model.system.state.mappings import MAPPINGS, find_mapping
from properties import PROPERTIES
from properties.designed import DESIGNED
from properties.findings import FINDINGS, Finding

FILES = sorted(p.stem for p in Path(remedies.__file__).parent.glob("*.py") if p.stem != "__init__")
TABLE = Path(gallery.__file__).parent / "FINDINGS.md"


def test_each_remedy_is_of_a_finding_and_fits_the_kernel_function() -> None:
    assert {f.remedy for f in FINDINGS} == set(FILES)
    for name in FILES:
        replaced = functions(name)
        assert replaced, name
        for key, function in replaced.items():
            assert list(inspect.signature(function).parameters) == list(
                inspect.signature(MIRRORS[key].function).parameters), f"{PACKAGE}.{name}: {key}"


def test_every_expected_violation_has_a_remedy() -> None:
    """Of all promises, mappings and operations, each by itself, on the newest edition; or it is so
    by design."""
    edition = find_edition(NEWEST)
    mended = {(promise, mapping, frozenset(b.allow))
              for b in (*(b for f in FINDINGS if last(f) == NEWEST for b in f.broken),
                        *(b for d in DESIGNED for b in d.broken))
              for promise in b.promises.split() for mapping in b.mappings.split()}
    for mapping in MAPPINGS.values():
        for prop in PROPERTIES.values():
            if not prop.concerns(edition, mapping):
                continue
            for op in (None, *modelled(edition, mapping)):
                allow = with_needed(op) if op and op not in CORE else ()
                if prop.expected(edition, mapping, allow) == VIOLATED:
                    here = (prop.name, mapping.name)
                    assert any(a <= {*allow, "migrate:end"} for p, m, a in mended
                               if (p, m) == here), here


@cache
def unmended(edition: Edition, behind: tuple[str, ...]) -> Judge:
    """What several findings ask about."""
    return Judge(edition, behind)


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda f: f.remedy)
def test_the_promise_is_broken_and_the_remedy_keeps_it(finding: Finding) -> None:
    """Of each finding the promises on one mapping, a small one if there is; the command does
    all of them, and looks for what else a remedy might break."""
    edition = find_edition(last(finding))
    for broken in finding.broken:
        mapping = find_mapping(min(broken.mappings.split(), key=lambda name: "thp" in name))
        before = unmended(edition, broken.behind)
        after = Judge(edition, (*broken.behind, finding.remedy))
        for promise in broken.promises.split():
            prop = PROPERTIES[promise]
            assert before.answer(prop, mapping, broken.allow).verdict == VIOLATED
            assert after.answer(prop, mapping, broken.allow).verdict == PROVED


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda f: f.remedy)
def test_the_kernels_that_have_it_begin_and_end_where_it_says(finding: Finding) -> None:
    """Those at both ends of each row, and their neighbours; the command asks every edition."""
    for shown in finding.shown:
        stated = [name in spanned(shown.kernels) for name in KERNELS]
        for number, name in enumerate(KERNELS):
            near = stated[max(0, number - 1):number + 2]
            if name == NEWEST or len({*near}) > 1:
                assert has(find_edition(name), finding, shown) == stated[number], name


def test_what_is_so_by_design_is_as_it_says() -> None:
    for designed in DESIGNED:
        text, kept = findings.by_design(designed)
        assert kept, text


def test_a_remedy_has_words_beside_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    """The beginning of what its file says: of each there is some, which is short."""
    for finding in FINDINGS:
        for name in (finding.remedy, *(n for b in finding.broken for n in b.behind)):
            assert 15 < len(words(name)) < 140, name
    assert words("guard_over_markers") == (
        "MADV_GUARD_INSTALL puts its marker in the place of one of uffd-wp, which a zap leaves")
    findings.main(["--remedy", "guard_over_markers"])
    told = " ".join(capsys.readouterr().out.split())
    assert "model/kernel/remedies/guard_over_markers.py: MADV_GUARD_INSTALL puts its" in told


def test_rows_of_kernels_in_words() -> None:
    first, second, *_, before, _ = KERNELS
    for told in (first, f"{first} to {second}", f"{first} to {second}, {before} on", "v6.3 on"):
        assert spans(spanned(told)) == told.replace(" on", f" to {NEWEST}")
    assert spans(KERNELS) == f"{first} to {NEWEST}"
    assert not spans(())


def test_what_is_mended_is_a_finding_of_the_last_that_has_it() -> None:
    assert {f.remedy for f in FINDINGS if last(f) != NEWEST} == {
        "reregister_cleans", "hugetlb_wp_asks_registration", "huge_copy_asks_vma",
        "fills_spare_guards", "move_refuses_pinned"}


def test_no_promise_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    """One remedy as the command judges it: all that hugetlb keeps it keeps still."""
    assert findings.main(["--remedy", "hugetlb_upgrades"]) == 0
    told = capsys.readouterr().out
    assert told.count("violated, with it proved\n") == 2


def test_a_price_is_named_and_no_loss(capsys: pytest.CaptureFixture[str]) -> None:
    """That of tracking hugetlb memory is what f96f7a40874d saved."""
    assert findings.main(["--remedy", "hugetlb_soft_dirty"]) == 0
    assert "on hugetlb: violated, with it proved; costs hugetlb-mprotect-precise\n" in (
        capsys.readouterr().out)


def test_a_remedy_that_breaks_a_promise_is_told(monkeypatch: pytest.MonkeyPatch,
                                                capsys: pytest.CaptureFixture[str]) -> None:
    """One that makes every entry writable buys precision dearly."""
    right = functions("hugetlb_upgrades")
    change = right["hugetlb_change_protection"]

    def always(ed: Edition, vma: Vma, entry: Entry, newprot: BV, cp: CpFlags) -> Entry:
        changed: Entry = change(ed, vma, entry, newprot, cp)
        pte = changed.pte
        return changed.with_pte(ite(pte_present(pte), huge_pte_mkwrite(ed, pte), pte))

    always.__module__ = change.__module__
    monkeypatch.setattr(f"{change.__module__}.hugetlb_change_protection", always)
    assert findings.main(["--remedy", "hugetlb_upgrades"]) == 1
    assert "BREAKS uffd-wp-complete" in capsys.readouterr().out


def test_the_patch_is_the_remedy_of_v6_1() -> None:
    mapping = find_mapping("shmem")
    for edition, keeps in (("v6.1", False), ("v6.1+931298e103c2", True)):
        kernel = kernel_system(find_edition(edition), mapping)
        question = PROPERTIES["softdirty-complete"].question(kernel)
        graph = explore(kernel.machine)
        assert (first_violation(kernel.machine, graph, question) is None) == keeps


def test_the_gallery_has_the_table_as_it_is() -> None:
    assert TABLE.read_text() == findings.as_markdown() + "\n"
