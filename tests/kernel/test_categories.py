"""PAGEMAP_SCAN beside its documentation (Documentation/admin-guide/mm/pagemap.rst), stated here for
each form that an entry can have, and what a scan that protects leaves of it.

Each test is a law of one of EDITIONS, so that a mutated one can be put to it too (test_mutants.py);
of others it says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from itertools import product

import pytest
import z3

from model.kernel.editions import Edition, find_edition
from model.kernel.logic import word
from model.kernel.records import Entry, Mapping, Outcome, Vma
from model.kernel.task_mmu import Categories, do_pagemap_scan, pagemap_scan_pmd_entry
from model.system.state.mappings import MAPPINGS, fresh_vma
from tests.kernel.test_pgtable import RW, SD, UWP, P

EDITIONS = ("v6.7", "v6.12.100", "v6.12", "v6.18", "v7.3")
editions = pytest.mark.parametrize(
    "ed", [pytest.param(find_edition(name), id=name, marks=[pytest.mark.lab] * (name != "v7.3"))
           for name in EDITIONS])
WP, SOFTDIRTY = 12, 27
SWP_UWP, SWP_SD = 2, 1
MARKER = 31 << 59 | ((1 << 50) - 2) << 9
SLOT = 1 << 9
MIGRATION = 28 << 59 | 1 << 9


@dataclass(frozen=True)
class Form:
    """An entry as a reader thinks of it. `page`: "anon", "file" or "zero" where one is mapped."""

    kind: str
    page: str = ""
    protected: bool = False
    soft_dirty: bool = False
    huge: bool = False

    @property
    def entry(self) -> Entry:
        bits = {"none": 0, "marker": MARKER, "swap": SLOT, "migrating": MIGRATION,
                "present": 1 << P | (0 if self.protected else 1 << RW)}[self.kind]
        marks = ((UWP, SD) if self.kind == "present" else (SWP_UWP, SWP_SD))
        if self.kind not in ("none", "marker"):
            bits |= self.protected << marks[0] | self.soft_dirty << marks[1]
        return Entry(word(bits), anon=self.page == "anon", anon_exclusive=False,
                     zero_page=self.page == "zero", in_cache=self.page == "file", huge=self.huge)


def forms(mapping: Mapping) -> list[Form]:
    found = [Form("none"), Form("marker", protected=True)]
    for protected, soft_dirty in product((False, True), repeat=2):
        found += [Form("present", page, protected, soft_dirty) for page in ("anon", "file", "zero")]
        found += [Form("migrating", page, protected, soft_dirty) for page in ("anon", "file")]
        found.append(Form("swap", "", protected, soft_dirty))
    if mapping.hugetlb:
        return [f for f in found if f.kind != "swap" and f.page != "zero"]
    if mapping.thp:
        found += [replace(f, huge=True) for f in found if f.kind not in ("marker", "swap")]
    return found


def said(ed: Edition, mapping: Mapping, form: Form, registered: bool, tracked: bool) -> set[str]:
    """What the documentation has PAGEMAP_SCAN say."""
    hole = form.huge and form.kind == "none"
    names = {name for name, there in {
        "present": form.kind == "present",
        "swapped": form.kind in ("marker", "swap", "migrating"),
        "file": form.page == "file" and not (mapping.hugetlb and form.kind == "migrating"),
        "pfnzero": form.page == "zero" and (not form.huge or ed.name not in ("v6.7",)),
        "huge": mapping.hugetlb or (form.huge and not hole),
        "soft_dirty": form.soft_dirty or not tracked,
        "wpallowed": registered}.items() if there}
    asked = registered or ed.name != "v7.3"
    if form.kind != "none":
        written = not form.protected and asked
    elif hole:
        written = registered and ed.name in ("v6.12", "v7.3")
    else:
        written = not mapping.hugetlb and asked and ed.name in ("v6.12", "v7.3")
    return names | ({"written"} if written else set())


def vma_of(ed: Edition, mapping: Mapping, registered: bool, tracked: bool) -> Vma:
    fresh = fresh_vma(ed, mapping)
    flags = int(str(z3.simplify(fresh.vm_flags)))
    flags = (flags & ~(1 << SOFTDIRTY)) | (not tracked) << SOFTDIRTY | registered << WP
    return replace(fresh, vm_flags=word(flags), wp_async=True, wp_unpopulated=True)


def known_to(ed: Edition) -> tuple[Mapping, ...]:
    """The mappings that the laws speak of."""
    return tuple(MAPPINGS.values()) if ed.name in EDITIONS else ()


def true(term: z3.BoolRef | bool) -> bool:
    return term if isinstance(term, bool) else z3.is_true(z3.simplify(term))


def names(found: Categories) -> set[str]:
    return {f.name for f in fields(found) if true(getattr(found, f.name))}


@editions
def test_each_form_of_an_entry_is_called_what_it_is(ed: Edition) -> None:
    for mapping in known_to(ed):
        for form, registered, tracked in product(forms(mapping), (False, True), (False, True)):
            vma = vma_of(ed, mapping, registered, tracked)
            assert names(do_pagemap_scan(ed, vma, form.entry)) == said(
                ed, mapping, form, registered, tracked), (mapping.name, form, registered)


@editions
def test_what_was_written_is_protected(ed: Edition) -> None:
    """And nothing else changes; of hugetlb memory, and before v6.12.107 of what has no page table,
    an empty place stays as it is."""
    for mapping in known_to(ed):
        vma = vma_of(ed, mapping, registered=True, tracked=True)
        for form in forms(mapping):
            entry, result = pagemap_scan_pmd_entry(ed, vma, form.entry)
            assert z3.simplify(result).as_long() == Outcome.ok
            before = said(ed, mapping, form, True, True)
            after = names(do_pagemap_scan(ed, vma, entry))
            assert "written" not in after, (mapping.name, form)
            left = form.kind == "none" and (mapping.hugetlb or (
                form.huge and "written" not in before))
            assert true(entry.pte == form.entry.pte) == (left or form.protected), form
            if form.kind != "none":
                assert after == before - {"written"}
                assert all(true(getattr(entry, fact)) == getattr(form.entry, fact)
                           for fact in ("anon", "zero_page", "in_cache"))
            if form.kind == "present":
                assert not true(entry.pte & word(1 << RW) != word(0))


@editions
def test_who_has_not_registered_with_wp_async_is_refused(ed: Edition) -> None:
    for mapping in known_to(ed):
        for registered, asynchronous in ((False, True), (True, False)):
            vma = replace(vma_of(ed, mapping, registered, True), wp_async=asynchronous)
            for form in forms(mapping):
                entry, result = pagemap_scan_pmd_entry(ed, vma, form.entry)
                assert z3.simplify(result).as_long() == Outcome.EPERM
                assert true(entry.pte == form.entry.pte)


def test_there_was_none_before_6_7() -> None:
    ed, form = find_edition("v6.6"), Form("present", "anon")
    vma = vma_of(ed, MAPPINGS["anon"], registered=True, tracked=True)
    entry, result = pagemap_scan_pmd_entry(ed, vma, form.entry)
    assert z3.simplify(result).as_long() == Outcome.ENOTTY
    assert true(entry.pte == form.entry.pte)
