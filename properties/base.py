"""What a property is, and how it becomes a question to an engine."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import z3

from model.system.actions.operations import ALIAS_STORES, CORE, STORES
from model.system.actions.spans import modelled_of_several
from model.system.actions.themes import modelled
from model.system.asking.language import Bool, Edition, Mapping, as_term, conj, disj, implies
from model.system.asking.pages_view import PagesStep, PagesView
from model.system.asking.step_view import StepView
from model.system.asking.view import View
from model.system.relation.kernel import Putting
from model.system.relation.ranges import RangeSystem
from model.system.relation.transition import Lemma, Question

GUARDED = ("+662df3e5c376", "+f807123d578d")
"""Of memory of a file, that it can have guard regions."""
OPENING = "mprotect:rw mprotect:w mprotect:rwx"
"""How mprotect allows writing, for `Violated.by`."""
UNPROTECTING = "unwp unregister close"
"""What takes write-protection from entries."""
UNDIRTIED = ("pmd_modify() takes the dirty bit from a writable PMD: a huge page that was stored to "
             "looks clean, and reclaim may drop it")


@dataclass(frozen=True)
class Violated:
    """Where a promise is expected to be broken, and the understanding behind it.

    `mappings` are names, with spaces between. `when` lists changes: ``-id`` for "the edition lacks
    it", ``+id`` for "has it"; all must hold. `by` are the operations it takes, with spaces between,
    one of which must be there; ``close&open`` for both. Without `by` it takes none in particular.
    """

    mappings: str
    when: tuple[str, ...]
    because: str
    by: str = ""
    parts: int = 1
    """How many pages it takes, in VMAs of their own."""

    def applies(self, edition: Edition, mapping: Mapping, ops: Collection[str],
                pages: int | None = None) -> bool:
        """Whether it can be met there with `ops`, all that is allowed or all that was done."""
        return (mapping.name in self.mappings.split()
                and (pages or 1) >= self.parts
                and all(edition.has(w[1:]) == (w[0] == "+") for w in self.when)
                and self.named(ops) is not None)

    def named(self, ops: Collection[str]) -> int | None:
        """How many of `ops` it names, at most; None where those it takes are not among them."""
        causes = [set(cause.split("&")) for cause in self.by.split()] or [set()]
        return max((len(cause) for cause in causes if cause <= set(ops)), default=None)


@dataclass(frozen=True)
class Own:
    """Of a promise of a user's own: the `option` and the `word` after it, a file or an expression,
    that name it on a command line, and the `digest` of what it says. `file` is the word where it is
    one, which is executed; `of_soft_dirty` says that it may speak of soft-dirty."""

    option: str
    word: str
    digest: str
    file: str = ""
    of_soft_dirty: bool = True

    @property
    def argument(self) -> str:
        return f"{self.option} {shlex.quote(self.word)}"


ALIASED = ("a store through another mapping of the file asks that mapping's page tables alone: "
           "write protection and soft-dirty are of a mapping, not of a page")
"""Of `alias:store`, in the words of every promise that it breaks, and by design."""


def stores(t: StepView) -> Bool:
    """A store to the memory, whoever makes it, but a device: by way of the entry, or of another
    mapping's that shares the memory."""
    return conj(t.ok, disj(t.op(*STORES), conj(t.before.mapping.shared, t.op(*ALIAS_STORES))))


def _always(_: object) -> Bool:
    return True


def _everywhere(_: Edition, __: Mapping) -> bool:
    return True


def nowhere(_: Edition, __: Mapping) -> bool:
    """Of a promise that one page cannot break."""
    return False


def registrable(edition: Edition, mapping: Mapping) -> bool:
    """Memory that a userfaultfd write-protects without WP_ASYNC."""
    return mapping.anonymous or (edition.has("b1f9e8768618") is True
                                 and not mapping.regular)


REGISTRABLE = "what a userfaultfd can write-protect there"
"""The words for `registrable`."""


def _anything(_: object) -> Bool:
    return False


@dataclass(frozen=True)
class Among:
    """What a promise asks of several pages together, as Property does of one; `follows` are facts
    of pages that are kept for it. Where it asks nothing of a page by itself, `speaks_of` says of
    which editions and mappings it speaks."""

    safe: Callable[[PagesView], Bool] = _always
    allowed: Callable[[PagesStep], Bool] = _always
    witness: Callable[[PagesStep], Bool] = _anything
    follows: tuple[str, ...] = ()
    speaks_of: Callable[[Edition, Mapping], bool] = _everywhere
    least: int = 2
    """Fewer pages cannot break it."""


@dataclass(frozen=True)
class Property:
    """A promise.

    `claim` is one English sentence, `origin` where the promise comes from. It holds when `safe` is
    true of every reachable state and `allowed` of every step. `witness` is a step that must be
    reachable, or the promise says nothing; so must a step of each of its `parts`, which a reader
    knows by their words. It is expected to be proved except where `violated` says otherwise.

    `about` are operations beyond the core that it speaks of: always allowed; `follows` are facts of
    the history that no operation needs. `speaks_of` says of which editions and mappings it speaks,
    `memory` the same in words. `of_stores` marks a promise
    about the record of stores: broken by a store that nobody hears of (disarming), by one of a
    device or another mapping, which asks no page table of this one (unrecorded), or by any other
    step (forgetting).

    `role`: a "promise" to programs; the "ground" that such promises rest on, which no program need
    see; or "precision", what a program may expect to cost nothing. `loses` says what a program
    loses where a promise to it is broken: what was stored, the record of a store, or the event.

    `own` is for a promise of a user's: what is expected of it nobody has said, unless its
    `violated` does.
    """

    name: str
    claim: str
    origin: str
    witness: Callable[[StepView], Bool]
    safe: Callable[[View], Bool] = _always
    allowed: Callable[[StepView], Bool] = _always
    violated: tuple[Violated, ...] = ()
    about: tuple[str, ...] = ()
    follows: tuple[str, ...] = ()
    speaks_of: Callable[[Edition, Mapping], bool] = _everywhere
    memory: str = ""
    of_stores: bool = False
    role: Literal["promise", "ground", "precision"] = "promise"
    loses: Literal["", "data", "record", "event"] = ""
    parts: tuple[tuple[str, Callable[[StepView], Bool]], ...] = ()
    own: Own | None = None
    among: Among | None = None
    """What it asks of several pages together, beside what it asks of each."""

    def concerns(self, edition: Edition, mapping: Mapping, pages: int | None = None) -> bool:
        """Whether it can be put to an edition and mapping: it speaks of them, and all that it is
        about is modelled there. Of several pages no facts are followed that no operation needs."""
        known = (modelled(edition, mapping) if pages is None else
                 () if self.follows else modelled_of_several(edition, mapping))
        speaks = self.speaks_of(edition, mapping) or (
            self.among is not None and pages is not None and pages >= self.among.least
            and self.speaks_of is nowhere and self.among.speaks_of(edition, mapping))
        return bool(known) and speaks and set(self.about) <= set(known)

    @property
    def argument(self) -> str:
        """What names it on a command line."""
        if self.own is None or self.own.file:
            named = f"--property {self.name}"
            return f"{self.own.argument} {named}" if self.own else named
        return self.own.argument

    def expected(self, edition: Edition, mapping: Mapping, allow: Collection[str] = (),
                 pages: int | None = None) -> str | None:
        """"violated" or "proved", from understanding; None where nobody has said. `allow` are
        operations beyond the core, `pages` how many pages there are, where that is told."""
        if self.own and not self.violated:
            return None
        allowed = (*CORE, *self.about, *allow)
        return "violated" if any(v.applies(edition, mapping, allowed, pages)
                                 for v in self.violated) else "proved"

    def causes(self, edition: Edition, mapping: Mapping, ops: Collection[str],
               pages: int | None = None) -> list[Violated]:
        """What is known to break it there and fits the calls `ops` of a violation: first what
        names most of them."""
        return sorted((v for v in self.violated if v.applies(edition, mapping, ops, pages)),
                      key=lambda v: -(v.named(ops) or 0))

    def reason(self, edition: Edition, mapping: Mapping, ops: Collection[str],
               pages: int | None = None) -> str:
        """Why the calls `ops` break it there; empty where no known cause fits them."""
        return next((v.because for v in self.causes(edition, mapping, ops, pages)), "")

    def loss(self, ops: Sequence[str]) -> str:
        """Of a violation by `ops`: whether later stores go silent, a past one is forgotten, or one
        that passes by the page tables was never recorded."""
        if not self.of_stores or not ops:
            return ""
        by = next((op for op in reversed(ops) if op not in CORE), "")
        if ops[-1] in ("pin:write", *ALIAS_STORES):
            return f"unrecorded by {ops[-1]}: the store is never recorded"
        if ops[-1] == "store":
            return f"disarming by {by}: the store goes silent" if by else ""
        return f"forgetting by {ops[-1]}: the record of a store is dropped"

    def lemma(self, kernel: Putting) -> Lemma:
        """What this promise says of every state."""
        return Lemma(self.name, as_term(_of_all(kernel, self.safe)))

    def tests(self, kernel: Putting) -> Iterator[tuple[str, z3.BoolRef]]:
        """Steps that must be reachable, or the promise says nothing: the words of a part, which are
        empty for the witness, and the formula."""
        steps = [StepView(page) for page in kernel.parts]
        for words, part in (("", self.witness), *self.parts):
            found = disj(*(part(step) for step in steps))
            if not words and self.among and isinstance(kernel, RangeSystem):
                found = disj(found, self.among.witness(PagesStep(kernel)))
            yield words, as_term(found)

    def question(self, kernel: Putting) -> Question:
        """This promise, put to one edition and mapping: to each of its pages, where something is
        mapped, and of a step something stays."""
        pages = [(page, StepView(page)) for page in kernel.parts]
        safe = _of_all(kernel, self.safe)
        allowed = conj(*(implies(page.stays, self.allowed(step)) for page, step in pages))
        if self.among and isinstance(kernel, RangeSystem):
            together = PagesStep(kernel)
            safe = conj(safe, self.among.safe(together.before))
            allowed = conj(allowed, self.among.allowed(together))
        witness = next(test for words, test in self.tests(kernel) if not words)
        return Question(self.name, kernel.system, as_term(safe), as_term(allowed), witness)


@dataclass(frozen=True)
class StatedInvariant:
    """A lemma in one English sentence and as a formula; the engines find out whether it is true."""

    name: str
    claim: str
    formula: Callable[[View], Bool]

    def lemma(self, kernel: Putting) -> Lemma:
        return Lemma(self.name, as_term(_of_all(kernel, self.formula)))


def _of_all(kernel: Putting, formula: Callable[[View], Bool]) -> Bool:
    """A question about a state, of every page where something is mapped."""
    return conj(*(implies(page.there, formula(View(page.edition, page.before)))
                  for page in kernel.parts))
