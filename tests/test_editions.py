"""Editions by name: one name for one set of changes, and what is said of names that are none."""

from __future__ import annotations

from itertools import product

import pytest

from model.kernel.changes import CHANGES
from model.kernel.editions import EDITIONS, Edition, UsageError, find_change, find_edition
from model.kernel.releases import ALIASES, NEWEST


@pytest.mark.parametrize(("typed", "name"), [
    ("v6.12-931298e103c2", "v6.12-931298e103c2"),
    ("v6.12-931298e103c2+931298e103c2+1ef488edd6c4", "v6.12"),
    ("v6.12-931298e103c2+931298e103c2", "v6.12-1ef488edd6c4"),
    ("v6.12-1ef488edd6c4-931298e103c2", "v6.12-931298e103c2"),
    ("v6.2+931298e103c2", "after"),
    ("after-931298e103c2", "before"),
    ("v6.3+no-try", "v6.3-no-try"),
    ("v6.1.187-83abe2fd5b3a", "v6.1.170"),
    ("v6.12.100+83abe2fd5b3a+scan-unpopulated+scan-hole", "v6.12.107"),
    ("v6.12.113-pmd-modify-dirty", "v6.12.107"),
    ("v6.12-requeue-split+pmd-modify-dirty", "v6.12-8a8ca142a488"),
    ("v6.12.100+83abe2fd5b3a+scan-unpopulated+scan-hole+pmd-modify-dirty", "v6.12.113"),
    ("v6.1+931298e103c2-f369b07c8614", "v6.1-f369b07c8614+931298e103c2"),
    ("v6.12.117-f369b07c8614deadbeef", "v6.12-f369b07c8614"),
])
def test_editions_of_the_same_changes_have_one_name(typed: str, name: str) -> None:
    assert find_edition(typed).name == name


def test_there_and_back_is_where_it_began() -> None:
    """By any two changes: the set is the same, so is the edition, and its name finds it again."""
    seen: dict[frozenset[str], Edition] = {}
    for base, one, other in product(("v6.1", "v6.12", "v6.3-as-described"), CHANGES, CHANGES):
        edition = EDITIONS[base]
        near = (edition.without_change(one) if edition.has(one) else edition.with_change(one))
        near = near.with_change(other)
        assert find_edition(near.name) == near
        assert seen.setdefault(near.changes, near) == near
        there = edition.without_change(other)
        gone = edition.changes - there.changes
        for change in sorted(gone):
            there = there.with_change(change)
        assert there == edition


@pytest.mark.parametrize(("name", "told"), [
    ("v5.15", "the nearest before it is 'v5.14'"),
    ("v6.10", "the nearest before it is 'v6.9'"),
    ("v6.1.173", "the nearest before it is 'v6.1.170'"),
    ("v6.1.171", "the nearest before it is 'v6.1.170'"),
    ("v6.12.114", "the nearest before it is 'v6.12.113'"),
    ("v6.1.50", "the nearest before it is 'v6.0'"),
    *((name, f"not modelled after {NEWEST}, which is the nearest before it") for name in (
        "v7.4", "7.4", "v7.31", "v8.0", "v99.1", "v7.3.9", "7.3.9", "v7.4-rc4", "debian:7.4",
        "linux-7.4", "v7.4-931298e103c2", "7.4.2+deb14-amd64", "7.9.4-1~bpo13+1", "next",
        "linux-next", "next-20261120", "mainline", "mm-unstable")),
    *((f"v6.{n}", "the nearest before it is 'v6.12.118'") for n in (13, 14, 15)),
    ("v6.19.3", "the nearest before it is 'v6.18'"),
    ("v6.18.20", "the nearest before it is 'v6.18'"),
    ("v7.3-rc4", "the nearest before it is 'v7.2'"),
    ("7.3-rc4", "the nearest before it is 'v7.2'"),
    ("7.3.4-1~bpo13+1", "did you mean 'v7.3.4'?"),
    ("v7.3.4-1~bpo13+1", "did you mean 'v7.3.4'?"),
    ("v7.3.4-2", "did you mean 'v7.3.4'?"),
    ("debian:7.3", "did you mean 'v7.3'?"),
    ("6.12.117-amd64", "did you mean 'v6.12.117'?"),
    ("6.12-931298e103c2", "did you mean 'v6.12-931298e103c2'?"),
    ("v4.4", "the oldest that is modelled is 'v5.7'"),
    ("v5.7-rc1", "the oldest that is modelled is 'v5.7'"),
    ("6.12", "did you mean 'v6.12'?"),
    ("v61", "did you mean 'v6.1'?"),
    ("v1." + "9" * 180, "python -m model.check --list editions has them all"),
    ("linux", "python -m model.check --list editions has them all"),
])
def test_of_a_release_that_is_none_the_nearest_before_it_is_named(name: str, told: str) -> None:
    """By number, not by letter: 7.3 is not near 6.3."""
    with pytest.raises(UsageError) as raised:
        find_edition(name)
    assert str(raised.value) == f"unknown edition {name!r}; {told}"


@pytest.mark.parametrize(("name", "told"), [
    ("deadbeef1234", "python -m model.check --list changes has them all"),
    ("931298e103c3", "did you mean '931298e103c2'?"),
    ("saved-dirtyXX", "did you mean 'saved-dirty'?"),
    ("register-ebusi", "did you mean 'register-ebusy'?"),
    ("no-such-word-at-all", "python -m model.check --list changes has them all"),
    ("saved-d", "did you mean 'saved-dirty'?"),
    ("93129", "did you mean '931298e103c2'?"),
    ("931298e103c2xyz", "did you mean '931298e103c2'?"),
])
@pytest.mark.parametrize("derived", [False, True])
def test_a_commit_that_is_none_is_one_short_line(name: str, told: str, derived: bool) -> None:
    """Only a hash has longer and shorter forms; a word has hyphens, in an edition's name too."""
    with pytest.raises(UsageError) as raised:
        find_edition(f"v6.12-931298e103c2-{name}-collapse-ebusy") if derived else find_change(name)
    assert str(raised.value) == f"unknown commit {name!r}; {told}"


def test_a_hash_may_be_longer_or_shorter() -> None:
    for form in ("931298e", "931298e103c2", "931298e103c228c4ce6d13e7b5781aeaaff37ac7"):
        assert find_change(form).id == "931298e103c2"


def test_every_alias_is_an_edition() -> None:
    assert set(ALIASES.values()) <= set(EDITIONS)
    assert not set(ALIASES) & set(EDITIONS)
