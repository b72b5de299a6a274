"""A tree against the model: what has changed, what is equal all the same, and the lines."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from model.kernel.editions import Edition
from model.source.digests import (
    ABSENT,
    CHANGED,
    DRIFT,
    HARMLESS,
    MISSING,
    NEW,
    SAME,
    SPLIT,
    UNRECORDED,
    Item,
    Part,
    Source,
    recorded,
)
from model.source.names import role, spelled_out
from model.source.prove import DIFFERS, EQUAL, UNKNOWN, Proof, Prover
from model.source.reader import digest
from model.source.tree import Tree


@dataclass(frozen=True)
class Finding:
    """One function of the kernel: its definitions against the record, the proof of a leaf, and the
    lines that differ, as a unified diff, where the old text is at hand."""

    item: Item
    parts: tuple[Part, ...]
    homes: Mapping[str, str] = field(default_factory=dict)
    """Of what is gone from all places that are known: by name, the file that has it now."""
    proof: Proof | None = None
    diff: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """The worst of its definitions."""
        found = [p.status for p in self.parts]
        return next((s for s in (*DRIFT, *HARMLESS) if s in found), found[0])

    @property
    def drifted(self) -> bool:
        return self.status in DRIFT or (self.proof is not None and self.proof.verdict != EQUAL)

    @property
    def absent(self) -> bool:
        """Neither the tree nor the edition has it, nor is its C written out where it was called."""
        return self.status == ABSENT and self.proof is None

    @property
    def place(self) -> str:
        return next((p.found[0].place for p in self.parts if p.found), "")

    @property
    def words(self) -> str:
        """What has become of it, in words."""
        return ", ".join(dict.fromkeys(self._words()))

    def _words(self) -> Iterator[str]:
        if self.status in (SAME, ABSENT, UNRECORDED):
            yield self.status
        for part in self.parts:
            path = part.found[0].path if part.found else ""
            if part.name != self.item.name == role(part.name) \
                    and part.recorded_name in ("", part.name):
                yield f"as {part.name}"
            if path and part.recorded_path and path != part.recorded_path:
                yield f"moved to {path}"
            if path and part.recorded_name and part.name != part.recorded_name:
                yield f"renamed {part.name}"
        split = [p.name for p in self.parts if p.status == SPLIT]
        if split:
            yield f"split into {', '.join(split)}"
        for part in self.parts:
            if part.status in (CHANGED, NEW):
                yield part.status
            elif part.status == MISSING:
                home = self.homes.get(part.name)
                yield (f"{part.name} is gone" if len(self.parts) > 1 else "gone") + (
                    f" (there is one in {home})" if home else "")
            elif part.left_out:
                yield f"compiled out: {part.left_out}"
        now = "" if self.place else spelled_out(self.item.name)
        if now and (self.proof is not None or self.status == MISSING):
            yield f"written as {now}"


@dataclass(frozen=True)
class Comparison:
    """A tree against an edition. `release` is what the digests of the edition were taken from, or
    empty; `old` says where the old text is from, or why there is none; `flags` are the tree's names
    of bits of vm_flags, where it has a table of them."""

    tree: Tree
    edition: Edition
    release: str
    findings: tuple[Finding, ...]
    old: str = ""
    flags: Mapping[int, str] = field(default_factory=dict)

    @property
    def drifted(self) -> bool:
        return any(f.drifted for f in self.findings)

    @property
    def idle(self) -> bool:
        """Nothing was compared: no digest is recorded, and nothing proved."""
        return not self.release and all(f.proof is None for f in self.findings)


def compare(tree: Tree, edition: Edition, chosen: Iterable[Item], against: Tree | None = None, *,
            proofs: bool = True) -> Comparison:
    """Digests of all, and proofs of the leaf functions that the tree has. Raises UsageError where
    the tools for proofs are missing."""
    release, record = recorded(edition) or ("", None)
    source = Source(tree.read)
    findings = [Finding(item, tuple(source.parts(item, record))) for item in chosen]
    homes = tree.homes({p.name for f in findings for p in f.parts if p.status == MISSING})
    findings = [replace(f, homes=homes) for f in findings]
    flags: Mapping[int, str] = {}
    if proofs and any(_provable(f) for f in findings):
        prover = Prover(tree.read, edition)
        flags = prover.flags()
        findings = [replace(f, proof=_proof(prover, f)) for f in findings]
    read_old, old = _old_text(tree, release, against)
    if read_old is not None:
        before = Source(read_old)
        findings = [replace(f, diff=_diff(f, before, old)) if f.status in (CHANGED, MISSING) else f
                    for f in findings]
    return Comparison(tree, edition, release, tuple(findings), old, flags)


def _provable(finding: Finding) -> bool:
    return finding.item.leaf is not None and (any(p.found for p in finding.parts)
                                              or bool(spelled_out(finding.item.name)))


def _proof(prover: Prover, finding: Finding) -> Proof | None:
    """Of a leaf that the tree has, by whatever name, or writes out where it was called."""
    if finding.item.leaf is None or not _provable(finding):
        return None
    proof = prover.prove(finding.item.leaf)
    there = proof.verdict != UNKNOWN or any(p.found for p in finding.parts)
    return proof if there else None


def _old_text(tree: Tree, release: str,
              against: Tree | None) -> tuple[Callable[[str], str | None] | None, str]:
    if against is not None:
        return against.read, f"Linux {against.version} of {against.name!r}"
    history = tree.history(release) if release else None
    if history is not None:
        return history, f"v{release} of the tree's own history"
    return None, ("the old text is not at hand: --against OLDTREE, or a git checkout that has the "
                  f"tag v{release}, shows the lines that differ" if release else "")


def _diff(finding: Finding, before: Source, old: str) -> tuple[str, ...]:
    lines: list[str] = []
    for part in finding.parts:
        was = before.at((part.recorded_path, part.recorded_name)) if part.recorded_path else ()
        if part.status not in (CHANGED, MISSING) or not was:
            continue
        if digest(was) != part.recorded_digest:
            lines.append(f"({old} is not what the model was read from either)")
        new = [line for d in part.found for line in d.text.splitlines()]
        place = part.found[0].place if part.found else "(not there)"
        lines += difflib.unified_diff([line for d in was for line in d.text.splitlines()], new,
                                      f"{was[0].place} ({old})", place, lineterm="")
    return tuple(lines)


def with_properties(comparison: Comparison,
                    resting: Callable[[Collection[str]], dict[str, list[str]]]) -> Comparison:
    """The same, where each finding that has drifted names the promises that rest on it."""
    functions = {f.item.function for f in comparison.findings if f.drifted}
    if not functions:
        return comparison
    by_function = resting(functions)
    return replace(comparison, findings=tuple(
        replace(f, properties=tuple(by_function.get(f.item.function, ()))) if f.drifted else f
        for f in comparison.findings))


def differs(finding: Finding) -> bool:
    """Whether an input tells the tree's function from the model's."""
    return finding.proof is not None and finding.proof.verdict == DIFFERS
