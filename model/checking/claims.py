"""Deciding claims: each by exhaustion of the reachable states, or by the solver for all inputs.

A claim is put to an edition and all the mappings that it speaks of; the condition of its exceptions
is one formula for all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import z3

from model.engines.base import Limits, OutOfTime, solve
from model.engines.conditions import (
    Cube,
    NotTold,
    Observation,
    as_formula,
    holds,
    minimal_dnf,
    observations,
)
from model.engines.explicit import first_violation
from model.kernel.editions import EDITIONS, Edition
from model.kernel.records import Mapping
from model.system.asking.frames import any_place_matters
from model.system.asking.language import as_term
from model.system.asking.point import Course, Point
from model.system.relation.apart import first_apart
from model.system.relation.compiled import compile_terms
from model.system.relation.kernel import KernelSystem, kernel_system
from model.system.relation.reach import StateGraph, explore
from model.system.relation.replay import violates
from properties import PROPERTIES
from properties.claims.base import (
    EXCEPT,
    FALSE,
    TRUE,
    Always,
    Claim,
    Loses,
    Mends,
    Same,
)
from properties.claims.words import KINDS

UNDECIDED, VACUOUS = "undecided", "vacuous"
REACHABLE, INPUTS = "every reachable state", "all inputs"
_PROMISE = PROPERTIES["softdirty-complete"]


@dataclass(frozen=True)
class Answer:
    """A claim's verdict on one mapping.

    `ops` are the calls that show an exception, or for a loss that is claimed the loss; run in the
    edition `kernel`, and beside it in `beside`, where there is one. `instances` says how many
    cases the claim spoke of.
    """

    mapping: str
    verdict: str
    expected: str
    because: str
    kernel: str
    ops: tuple[str, ...] | None = None
    beside: str = ""
    instances: int = 0
    reason: str = ""

    @property
    def met(self) -> bool:
        return self.verdict == self.expected


@dataclass(frozen=True)
class Judged:
    """A claim's verdict in one edition, over all mappings asked for.

    `condition` are the exceptions, a disjunction of conjunctions of words, exact over `domain`; of
    a claim about whole runs, which one exception makes false, the mappings that have one. `kernel`
    may be `base` with a user's file `patch`, of which the same is expected.
    """

    claim: Claim
    kernel: str
    verdict: str
    answers: tuple[Answer, ...]
    condition: tuple[tuple[str, ...], ...] = ()
    domain: str = ""
    reason: str = ""
    seconds: float = 0.0
    base: str = ""
    patch: str = ""

    @property
    def met(self) -> bool:
        return (self.verdict not in (UNDECIDED, VACUOUS) and all(a.met for a in self.answers))


class Systems:
    """What the claims of one edition share: its systems, and their reachable states; and the limits
    of the claim at hand."""

    def __init__(self, edition: Edition) -> None:
        self.edition = edition
        self.limits = Limits()
        self._graphs: dict[str, tuple[KernelSystem, StateGraph]] = {}

    def reached(self, mapping: Mapping) -> tuple[KernelSystem, StateGraph]:
        """The system of the mapping and its graph."""
        if mapping.name not in self._graphs:
            kernel = kernel_system(self.edition, mapping)
            graph = explore(kernel.machine, tick=self.limits.remaining)
            self._graphs[mapping.name] = kernel, graph
        return self._graphs[mapping.name]


def judge(claims: Sequence[Claim], edition: Edition, mappings: Sequence[Mapping],
          seconds: float | None = None,
          stopped: Callable[[], bool] = lambda: False) -> Iterator[Judged]:
    """The claims that speak of the edition and of one of the mappings, in order; one that takes
    more than `seconds` is undecided. Raises KeyboardInterrupt once stopped."""
    systems = Systems(edition)
    for claim in claims:
        concerned = [m for m in mappings if claim.speaks_of(edition, m)]
        if not concerned:
            continue
        start = time.monotonic()
        systems.limits = Limits(seconds=seconds, stopped=stopped)
        try:
            judged = _judged(claim, systems, concerned)
            kernels = (kernel_system(edition, mapping) for mapping in concerned)
            if judged.verdict != FALSE and (why := any_place_matters(kernels)):
                judged = Judged(claim, edition.name, UNDECIDED, (), reason=why)
        except OutOfTime as stop:
            judged = Judged(claim, edition.name, UNDECIDED, (), reason=str(stop))
        base, patch = (edition.base.name, edition.patch.file) if edition.patch else ("", "")
        yield replace(judged, seconds=round(time.monotonic() - start, 3), base=base, patch=patch)


def _judged(claim: Claim, systems: Systems, mappings: Sequence[Mapping]) -> Judged:
    says = claim.says
    if isinstance(says, Always):
        return _always(claim, says, systems, mappings)
    answers = tuple(_run(claim, says, systems, m) for m in mappings)
    wrong = {_facts(m) for m, a in zip(mappings, answers, strict=True) if a.verdict != TRUE}
    judged = Judged(claim, systems.edition.name, FALSE if wrong else TRUE, answers,
                    domain=REACHABLE)
    right = {_facts(m) for m in mappings} - wrong
    if not wrong or not right:
        return judged
    dnf = minimal_dnf(wrong, right, systems.limits)
    return replace(judged, condition=_in_words(dnf, KINDS))


def _facts(mapping: Mapping) -> Observation:
    return tuple(holds(mapping) for holds in KINDS.values())


def _in_words(dnf: Sequence[Cube], names: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    told = list(names)
    return tuple(tuple(told[i] if value else f"not {told[i]}" for i, value in cube)
                 for cube in dnf)


def _answer(claim: Claim, systems: Systems, mapping: Mapping, verdict: str, *,
            ops: tuple[str, ...] | None = None, kernel: str = "", beside: str = "",
            instances: int = 1, reason: str = "") -> Answer:
    return Answer(mapping.name, verdict, claim.expected(systems.edition, mapping),
                  claim.because(systems.edition, mapping), kernel or systems.edition.name, ops,
                  beside, instances, reason)


# --- runs and comparisons -------------------------------------------------------------------------


def _run(claim: Claim, says: Loses | Mends | Same, systems: Systems, mapping: Mapping) -> Answer:
    edition = systems.edition
    match says:
        case Loses():
            lost = _loses(edition, mapping, says.ops)
            if lost and says.shortest:
                kernel, graph = systems.reached(mapping)
                first = first_violation(kernel.machine, graph, _PROMISE.question(kernel))
                lost = first is not None and len(first) == len(says.ops)
            return _answer(claim, systems, mapping, TRUE if lost else FALSE, ops=says.ops)
        case Mends():
            kernel, graph = systems.reached(mapping)
            without = _with_or_without(edition, says.change)
            broken = first_violation(kernel.machine, graph, _PROMISE.question(kernel))
            if broken is not None:
                return _answer(claim, systems, mapping, FALSE, ops=broken, beside=without.name)
            kept = next((r for r in says.runs if not _loses(without, mapping, r)), None)
            verdict = TRUE if kept is None else FALSE
            return _answer(claim, systems, mapping, verdict, ops=kept, kernel=without.name,
                           beside=edition.name)
        case Same():
            other = _with_or_without(edition, says.change)
            parted = first_apart(kernel_system(edition, mapping), kernel_system(other, mapping),
                                 systems.limits.remaining)
            return _answer(claim, systems, mapping, FALSE if parted else TRUE, ops=parted,
                           beside=other.name)


def _with_or_without(edition: Edition, change: str) -> Edition:
    """The edition without the change if it has it, else with it; by its own name where it has
    one."""
    near = (edition.without_change if edition.has(change) else edition.with_change)(change)
    return next((e for e in EDITIONS.values()
                 if e.changes == near.changes and not edition.overrides), near)


def _loses(edition: Edition, mapping: Mapping, ops: tuple[str, ...]) -> bool:
    kernel = kernel_system(edition, mapping)
    return violates(kernel.machine, _PROMISE.question(kernel), ops)


# --- invariants, and their exceptions -------------------------------------------------------------


@dataclass(frozen=True)
class _Sentence:
    """A claim about one call, as terms over the variables of a system."""

    call: str
    given: z3.BoolRef
    holds: z3.BoolRef
    atoms: tuple[z3.BoolRef, ...]


@dataclass
class _Seen:
    """What was observed on one mapping: where the claim holds, where it does not, and the first
    calls that lead to an exception."""

    true: set[Observation] = field(default_factory=set)
    false: set[Observation] = field(default_factory=set)
    instances: int = 0
    exceptions: int = 0
    ops: tuple[str, ...] | None = None

    @property
    def verdict(self) -> str:
        """Of a mapping by itself: what the claim says nothing of, it says nothing wrong of."""
        if not self.exceptions:
            return TRUE
        return FALSE if self.exceptions == self.instances else EXCEPT


def _sentences(says: Always, before: Point) -> list[_Sentence]:
    start = before.under(says.under) if says.under else before
    found = []
    for call in says.by or ("",):
        after = start.then(call) if call else before
        found.append(_Sentence(
            call, _simple(says.given(before, after)), _simple(says.holds(before, after)),
            (*(_simple(atom.holds(before)) for atom in says.atoms),
             *(z3.BoolVal(call == other) for other in says.by[1:]))))
    return found


def _words(says: Always) -> list[str]:
    """The names of the atoms of a sentence; the last say which of several calls it is about."""
    return [*(atom.name for atom in says.atoms), *(f"by-{call}" for call in says.by[1:])]


def _simple(formula: z3.BoolRef | bool) -> z3.BoolRef:
    simplified = z3.simplify(as_term(formula))
    assert isinstance(simplified, z3.BoolRef)
    return simplified


def _always(claim: Claim, says: Always, systems: Systems, mappings: Sequence[Mapping]) -> Judged:
    domain = INPUTS if says.inputs else REACHABLE
    seen = {m: _observed(says, systems, m) for m in mappings}
    run_in = systems.edition.with_change(says.under) if says.under else systems.edition
    answers = tuple(_answer(claim, systems, m, s.verdict, ops=s.ops, instances=s.instances,
                            kernel=run_in.name,
                            reason=_unreached(says, s)) for m, s in seen.items())
    judged = Judged(claim, systems.edition.name, TRUE, answers, domain=domain)
    if not any(s.instances for s in seen.values()):
        return replace(judged, verdict=VACUOUS,
                       reason="nothing that can happen puts the claim to the test")
    if not any(s.exceptions for s in seen.values()):
        return judged
    if all(s.exceptions == s.instances for s in seen.values()):
        return replace(judged, verdict=FALSE)
    try:
        dnf = minimal_dnf(set().union(*(s.false for s in seen.values())),
                          set().union(*(s.true for s in seen.values())), systems.limits)
    except NotTold as error:
        return replace(judged, verdict=UNDECIDED, reason=f"its words cannot say when: {error}")
    if not all(_exact(says, systems, m, s, dnf) for m, s in seen.items()):
        return replace(judged, verdict=UNDECIDED, reason="the condition found is not exact")
    return replace(judged, verdict=EXCEPT,
                   condition=_in_words(dnf, _words(says)))


def _unreached(says: Always, seen: _Seen) -> str:
    return ("no calls lead to an exception" if says.inputs and seen.exceptions and seen.ops is None
            else "")


def _observed(says: Always, systems: Systems, mapping: Mapping) -> _Seen:
    kernel, graph = systems.reached(mapping)
    if not says.inputs:
        return _walk(says, kernel, graph)
    seen, limits = _Seen(), systems.limits
    for s in _sentences(says, Point(kernel)):
        true, false = _sides(s)
        kept, broken = _possible(true, limits), _possible(false, limits)
        seen.instances += kept + broken
        seen.exceptions += broken
        if broken:
            seen.true |= observations(s.atoms, true, limits)
            seen.false |= observations(s.atoms, false, limits)
    if seen.exceptions:
        seen.ops = _walk(says, kernel, graph).ops
    return seen


def _sides(s: _Sentence) -> tuple[z3.BoolRef, z3.BoolRef]:
    return z3.And(s.given, s.holds), z3.And(s.given, z3.Not(s.holds))


def _possible(formula: z3.BoolRef, limits: Limits) -> bool:
    solver = z3.SolverFor("QF_BV")
    solver.add(formula)
    return solve(solver, limits)


def _walk(says: Always, kernel: KernelSystem, graph: StateGraph) -> _Seen:
    """Every reachable state observed, the nearest first."""
    seen, course = _Seen(), Course(kernel)
    sentences = _sentences(says, course.start)
    terms = [term for s in sentences for term in (s.given, s.holds, *s.atoms)]
    function, width = compile_terms(course.variables, terms), len(_words(says)) + 2
    for number, state in enumerate(graph.states):
        told = list(map(bool, function(course.values(state))))
        for at, s in enumerate(sentences):
            given, true, *atoms = told[at * width:(at + 1) * width]
            if not given:
                continue
            seen.instances += 1
            seen.exceptions += not true
            (seen.true if true else seen.false).add(tuple(atoms))
            if not true and seen.ops is None:
                path = (kernel.actions[a] for a in graph.path(number))
                seen.ops = (*path, *filter(None, (s.call,)), *says.shown)
    return seen


def _exact(says: Always, systems: Systems, mapping: Mapping, seen: _Seen,
           dnf: Sequence[Cube]) -> bool:
    """The condition and the exceptions are the same: asked of a fresh solver for all inputs."""
    if not says.inputs:
        return (all(holds(dnf, o) for o in seen.false)
                and not any(holds(dnf, o) for o in seen.true))
    kernel, _ = systems.reached(mapping)
    return not any(
        _possible(z3.And(s.given, as_formula(dnf, s.atoms) == s.holds), systems.limits)
        for s in _sentences(says, Point(kernel)))
