"""Stores through another mapping of the file, truncation, and an old place that stays mapped."""

from __future__ import annotations

import pytest

from model.kernel.editions import UsageError, find_edition
from model.kernel.releases import NEWEST
from model.system.actions.themes import allowing, modelled
from model.system.relation.kernel import whole_system
from model.system.state.mappings import MAPPINGS, find_mapping
from properties import PROPERTIES
from properties.base import ALIASED
from tests.survey import verdict

FILES = ("shmem", "private-shmem", "file", "private-file", "hugetlb")
KERNELS = ("v6.1", "v6.12", "v7.3")


def after(mapping: str, calls: str, edition: str = NEWEST) -> dict[str, object]:
    """The facts of the entry in the end, with the outcome's name under `outcome`."""
    kernel = whole_system(find_edition(edition), find_mapping(mapping))
    *_, step = kernel.run(calls.split())
    return {**dict(zip(kernel.names, step.values, strict=True)),
            **kernel.pagemap(step.values), "outcome": step.outcome, "faults": step.faults}


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_what_has_no_file_has_no_second_mapping(mapping: str) -> None:
    known = modelled(find_edition(NEWEST), MAPPINGS[mapping])
    for op in ("alias:store", "truncate"):
        assert (op in known) == (mapping in FILES)
    if mapping not in FILES:
        with pytest.raises(UsageError, match="'truncate' is not modelled"):
            allowing(find_edition(NEWEST), MAPPINGS[mapping], ["truncate"])


@pytest.mark.parametrize("edition", KERNELS)
@pytest.mark.parametrize("mapping", FILES)
def test_the_page_is_there_and_no_entry_is_asked(mapping: str, edition: str) -> None:
    for before in ("store", "load", "clear_refs store mprotect:none", "register"):
        was = after(mapping, before, edition)
        now = after(mapping, f"{before} alias:store", edition)
        assert (now["outcome"], now["faults"], now["pte"]) == ("ok", 0, was["pte"])
        assert now["in_cache"]
        assert not now["cache_swapped"]
        assert now["anon"] == was["anon"]
        assert now["cache_dirty"] or mapping == "hugetlb"


@pytest.mark.parametrize("mapping", FILES)
def test_it_is_a_store_to_shared_memory_alone(mapping: str) -> None:
    shared = MAPPINGS[mapping].shared
    told = after(mapping, "clear_refs close open:async register wp alias:store")
    assert (told["stored"], told["stored_since_wp"], told["soft_dirty"]) == (shared, shared, False)


@pytest.mark.parametrize("edition", KERNELS)
@pytest.mark.parametrize("mapping", FILES)
def test_truncation_takes_private_copies_and_leaves_markers_but_of_hugetlb(
        mapping: str, edition: str) -> None:
    gone = after(mapping, "store truncate", edition)
    assert (gone["pte"], gone["anon"], gone["in_cache"]) == (0, False, False)
    if not MAPPINGS[mapping].regular:
        kept = after(mapping, "store register wp truncate", edition)
        assert kept["uffd_wp"] == (mapping != "hugetlb")
    if "guard" in modelled(find_edition(edition), MAPPINGS[mapping]):
        guarded = find_edition(edition).has("f807123d578d") and mapping != "hugetlb"
        assert after(mapping, "guard truncate", edition)["guard"] == guarded


def test_poison_is_truncated() -> None:
    for mapping in ("shmem", "private-shmem", "hugetlb"):
        told = after(mapping, "register poison truncate")
        assert not told["poison"]
        assert not told["poisoned"]


def test_a_dirty_page_of_a_disk_is_not_dropped_before_it_is_written() -> None:
    told = after("private-file", "load alias:store pageout")
    assert (told["pte"], told["in_cache"], told["cache_dirty"], told["cache_swapped"]) == (
        0, True, True, False)
    assert after("private-file", "load alias:store pageout load")["faults"] == 1
    assert after("private-file", "load pageout load")["faults"] == 0  # a major one


@pytest.mark.parametrize(("edition", "mapping", "outcome"), [
    ("v5.7", "anon", "ok"), ("v5.7", "shmem", "EINVAL"), ("v5.14", "private-file", "ok"),
    ("v7.3", "file", "ok"), ("v7.3", "hugetlb", "EINVAL"), ("v7.3", "private-hugetlb", "EINVAL")])
def test_mremap_that_leaves_the_old_place(edition: str, mapping: str, outcome: str) -> None:
    told = after(mapping, "store clear_refs mremap:dontunmap", edition)
    assert told["outcome"] == outcome
    if outcome == "ok":
        moved = after(mapping, "store clear_refs mremap", edition)
        assert moved == told


def test_by_design_is_excused_and_no_more() -> None:
    """A store to the file behind private memory breaks nothing."""
    edition = find_edition(NEWEST)
    for mapping in FILES:
        for name in ("softdirty-complete", "uffd-wp-complete", "private-isolated", "data-kept"):
            prop = PROPERTIES[name]
            if not prop.concerns(edition, MAPPINGS[mapping]) or (name, mapping) == (
                    "softdirty-complete", "hugetlb"):
                continue
            found = verdict(prop, edition, MAPPINGS[mapping], (*prop.about, "alias:store"))
            by_design = MAPPINGS[mapping].shared and "complete" in name
            assert found == ("violated" if by_design else "proved"), (name, mapping)
            assert (ALIASED in [v.because for v in prop.causes(
                edition, MAPPINGS[mapping], ("alias:store",))]) == by_design
