"""The kernels that can be named as debian:VERSION: offered, at hand, and what models each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from counterexamples.lab import debian
from counterexamples.lab.errors import CannotRun
from counterexamples.lab.kernels import models
from model.debian.index import (
    AGAIN,
    DAY,
    Index,
    Package,
    Progress,
    known,
    line_of,
    numbers,
)
from model.debian.source import here, is_source
from model.kernel.editions import UsageError, nearest
from model.kernel.releases import ALIASES


@dataclass(frozen=True)
class Offer:
    """One release. `suites` have it (none: it is in the cache alone); without `modules` it boots
    and has no disk; `edition` models it, else `near` is the nearest before it, and `hint` says
    so."""

    package: Package
    suites: tuple[str, ...]
    modules: bool
    cached: bool
    edition: str | None
    near: str | None
    hint: str

    @property
    def line(self) -> str:
        return line_of(self.package.release)


@dataclass(frozen=True)
class Source:
    """A package of kernel sources: `at_hand` where it is installed, or has been fetched."""

    package: Package
    suites: tuple[str, ...]
    at_hand: bool


@dataclass(frozen=True)
class Listing:
    """What there is as the archive was `asked` (seconds since 1970; None where it never was);
    `trouble` says why it cannot be, `notes` what there is to say of suites."""

    asked: float | None
    kernels: Sequence[Offer]
    sources: Sequence[Source]
    notes: Sequence[str]
    trouble: str | None


def kernels(wanted: str | None, progress: Progress, *, every: bool, refresh: bool) -> Listing:
    """The kernels of a release or line `wanted`, or all: the newest of each line, or `every` one.
    What the archive did not have some minutes ago it is asked for anew.

    Raises UsageError where it has no such kernel.
    """
    line = wanted and line_of(wanted)
    for age in (0.0 if refresh else DAY, AGAIN):
        index, trouble = None, None
        try:
            index = known(progress, refresh=age)
        except CannotRun as error:
            trouble = str(error)
        found = [o for o in _offers(index, every=every or wanted != line)
                 if wanted in (None, o.line, o.package.release)]
        if found or trouble or not wanted:
            break
    else:
        raise UsageError(debian.not_offered(wanted or "", {
            o.package.release for o in _offers(index, every=True)}))
    return Listing(index.asked if index else None, found, [s for s in _sources(index) if line in (
        None, s.package.name.removeprefix("linux-source-"))],
        [*([trouble] if trouble else []), *_notes(index)], trouble)


def _notes(index: Index | None) -> list[str]:
    """Of suites of which the same is said, together."""
    suites: dict[str, list[str]] = {}
    for suite in index.suites if index else ():
        if suite.note:
            suites.setdefault(suite.note, []).append(suite.name)
    return [f"{', '.join(names)}: {note}" for note, names in suites.items()]


def _offers(index: Index | None, *, every: bool) -> list[Offer]:
    """The newest release of each line, or `every` one, oldest first; of what is packaged twice the
    one that `debian:` takes. Without an index what is in the cache."""
    cached = [c for c in debian.in_cache() if c.is_whole()]
    there = {c.package: c for c in cached}
    packages = [*(debian.images(index) if index else []), *there]
    best: dict[str, Offer] = {}
    for release in sorted({p.release for p in packages}, key=lambda r: (numbers(r), "~" not in r)):
        package = debian.best_first(release, packages, list(there))[0]
        offer = _offer(package, index, there.get(package))
        best[release if every else offer.line] = offer
    return list(best.values())


def _offer(package: Package, index: Index | None, cached: debian.Cached | None) -> Offer:
    near, hint = nearest("v" + package.release)
    edition = near if models(package.release) else None
    return Offer(package, tuple(index.suites_of(package)) if index else (),
                 bool(cached.files[1]) if cached else _has_modules(package, index),
                 cached is not None, edition, near, "" if edition else hint)


def _has_modules(package: Package, index: Index | None) -> bool:
    """Older packages have the modules beside the image."""
    return not package.name.startswith("linux-binary-") or (
        index is not None and debian.modules_of(package, index) is not None)


def _sources(index: Index | None) -> list[Source]:
    """The newest package of each name."""
    newest = {p.name: p for p in (index.packages() if index else ()) if is_source(p.name)}
    return [Source(p, tuple(index.suites_of(p)), here(p.name) is not None)
            for p in newest.values() if index]


def modelled_as(offer: Offer) -> str:
    """In words, for a table."""
    if offer.edition:
        return ALIASES.get(offer.edition, offer.edition)
    return f"not modelled; nearest {offer.near}" if offer.near else "not modelled"
