"""Settling one cell: the engine's verdict, and the check of its evidence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial

from model.certificate import Answers, Certifier
from model.checking.cells import CONTRADICTION, VACUOUS, Cell, CellResult
from model.checking.news import news
from model.checking.untested import makes_true
from model.engines.base import PROVED, UNKNOWN, VIOLATED, Engine, Limits, OutOfTime, Verdict
from model.engines.explicit import NAME as EXPLICIT
from model.engines.explicit import Exhausted, reaches
from model.engines.induction import Kept
from model.engines.registry import ENGINES, Auto, of_several
from model.system.actions.operations import CORE
from model.system.actions.spans import modelled_of_several, plain_ops
from model.system.asking.frames import place_matters
from model.system.relation.kernel import KernelSystem, kernel_system
from model.system.relation.ranges import RangeSystem, range_system
from model.system.relation.reach import TooManyStates
from model.system.relation.replay import violates
from model.system.relation.transition import Lemma, Question
from properties import PROPERTIES
from properties.lemmas import LEMMAS

CLAIMS = {s.name: s.claim for s in LEMMAS} | {p.name: p.claim for p in PROPERTIES.values()}


@dataclass(frozen=True)
class Options:
    """`engine` by name; `depth` in steps and `timeout` in seconds a cell, None for no limit;
    `earlier` is what the solver has answered in earlier runs, where that may be believed; `causes`
    says whether all that breaks a promise is looked for."""

    engine: str = "auto"
    depth: int | None = None
    timeout: float | None = None
    jobs: int = 1
    earlier: Answers | None = None
    causes: bool = False


@cache
def _shared_certifier(earlier: Answers | None) -> Certifier:
    """Editions and mappings have steps and invariants in common."""
    return Certifier(earlier)


@cache
def _kept() -> Kept:
    return Kept()


def _kernel(cell: Cell) -> KernelSystem | RangeSystem:
    """What the cell is asked of."""
    if cell.pages is None:
        return kernel_system(cell.edition, cell.mapping, cell.operations, cell.prop.follows)
    known = modelled_of_several(cell.edition, cell.mapping)
    return range_system(cell.edition, cell.mapping, cell.pages,
                        [op for op in known if op in CORE or op in cell.operations],
                        cell.follows)


class CellSystem:
    """What the cells of one edition, mapping and set of operations share."""

    def __init__(self, cell: Cell, options: Options) -> None:
        self.kernel = _kernel(cell)
        self.certifier = _shared_certifier(options.earlier)
        self.exhausted = Exhausted(self.kernel.machine)
        auto = (Auto(self.candidates, self.exhausted, _kept()) if cell.pages is None else
                of_several(self.exhausted, cell.pages))
        self.engine: Engine = auto if options.engine == "auto" else ENGINES[options.engine]

    def candidates(self) -> list[Lemma]:
        """The stated invariants, and what the promises themselves say of every state."""
        return [*(s.lemma(self.kernel) for s in LEMMAS),
                *(p.lemma(self.kernel) for p in PROPERTIES.values()
                  if p.speaks_of(self.kernel.edition, self.kernel.mapping))]

    def counted(self, result: CellResult) -> CellResult:
        """The result with the size of the reachable graph, where that is known."""
        if self.exhausted.size is None:
            return result
        states, diameter = self.exhausted.size
        return replace(result, states=states, diameter=diameter)


def settled(cell: Cell, system: CellSystem, options: Options, limits: Limits) -> CellResult:
    question = cell.prop.question(system.kernel)
    lemmas = () if options.engine == "auto" else system.candidates()
    try:
        verdict = system.engine(question, limits, lemmas)
        result = news(cell, system.kernel,
                      _checked(cell, system, question, verdict, limits), limits)
        if result.verdict == VIOLATED and not (result.news or result.open):
            result = replace(result, open=place_matters(system.kernel))
        if options.causes and result.verdict == VIOLATED and cell.pages is None:
            from model.checking.causes import with_causes  # slow to import, for one cell

            result = with_causes(cell, result, partial(_asked_again, options, limits))
    except (OutOfTime, TooManyStates) as stop:
        result = as_result(cell, Verdict(UNKNOWN, options.engine, reason=str(stop)), 0.0)
    return system.counted(result)


def _asked_again(options: Options, limits: Limits, cell: Cell) -> CellResult:
    """The verdict on `cell`, whose causes are another's: by its graph, where that can be
    exhausted."""
    system = _system(cell, options)
    try:
        if options.engine == "auto" and options.depth is None:
            trace = system.exhausted.violation(cell.prop.question(system.kernel), limits)
            status = VIOLATED if trace is not None else \
                VACUOUS if _untested(cell, system, limits) else PROVED
            why = place_matters(system.kernel) if status == PROVED else ""
            return as_result(cell, Verdict(UNKNOWN if why else status, EXPLICIT, trace=trace,
                                           reason=why), 0.0)
    except TooManyStates:
        pass
    return settled(cell, system, replace(options, causes=False), limits)


@lru_cache(maxsize=64)
def _system(cell: Cell, options: Options) -> CellSystem:
    return CellSystem(cell, options)


def _checked(cell: Cell, system: CellSystem, question: Question, verdict: Verdict,
             limits: Limits) -> CellResult:
    """The verdict as a result, after its evidence has been checked.

    A violation must happen again in the simulator; a proof's certificate must convince a fresh
    solver; and a promise that is not broken must have been put to the test (its witness reachable).
    """
    if verdict.status == VIOLATED:
        assert verdict.trace is not None
        if not violates(system.kernel.machine, question, verdict.trace):
            verdict = replace(verdict, status=CONTRADICTION,
                              reason="the simulator does not repeat the violation")
        return as_result(cell, verdict, 0.0)
    if verdict.status == UNKNOWN:
        return as_result(cell, verdict, 0.0)
    if why := place_matters(system.kernel):
        verdict = replace(verdict, status=UNKNOWN, depth=None, proof=None, reason=why)
        return as_result(cell, verdict, 0.0)
    if untested := _untested(cell, system, limits):
        verdict = replace(verdict, status=VACUOUS, proof=None, reason=untested)
        return as_result(cell, verdict, 0.0)
    if verdict.status != PROVED or cell.pages is not None:
        return as_result(cell, verdict, 0.0)
    assert verdict.proof is not None
    cert = system.certifier.certificate(question, verdict.proof)
    checked = system.certifier.check(cert)
    if checked.failed:
        verdict = replace(verdict, status=CONTRADICTION,
                          reason="a fresh solver does not accept the certificate: "
                          + checked.failed)
        return as_result(cell, verdict, 0.0)
    claims = CLAIMS | {cell.prop.name: cell.prop.claim}
    return replace(as_result(cell, verdict, 0.0), certificate=cert.text(claims, checked.leans_on),
                   lemmas=checked.leans_on, cached=checked.cached)


def _untested(cell: Cell, system: CellSystem, limits: Limits) -> str:
    """Why nothing puts the promise to the test, where nothing does."""
    if cell.pages is not None and cell.pages > 2:
        return ""
    graph = system.exhausted.graph(limits)
    dead = [words for words, test in cell.prop.tests(system.kernel)
            if not reaches(system.kernel.machine, graph, test)]
    parts = [words for words in dead if words]
    if not parts:
        return "no reachable step puts the promise to the test" if dead else ""
    with_more = {words: op for words in parts if (op := makes_true(cell, words, limits))}
    told = ", ".join(words for words in parts if words not in with_more)
    if with_more:
        told += "; " * bool(told) + "without more operations: " + ", ".join(
            f"{words} (--allow {op} makes it so)" for words, op in with_more.items())
    return f"part of it is never true there{', ' if told.startswith('without') else ': '}{told}"


def as_result(cell: Cell, verdict: Verdict, seconds: float) -> CellResult:
    ops = plain_ops(verdict.trace or ())
    return CellResult(
        kernel=cell.edition.name, mapping=cell.memory, prop=cell.prop.name,
        verdict=verdict.status, depth=verdict.depth, engine=verdict.engine,
        expected=cell.prop.expected(cell.edition, cell.mapping, cell.allow, cell.pages),
        because=cell.prop.reason(cell.edition, cell.mapping, ops, cell.pages), seconds=seconds,
        trace=verdict.trace, reason=verdict.reason, allow=cell.allow,
        loss=cell.prop.loss(ops), pages=cell.pages,
        base=cell.edition.base.name if cell.edition.patch else "",
        patch=cell.edition.patch.file if cell.edition.patch else "",
        promise=cell.prop.own.file if cell.prop.own else "", role=cell.prop.role)
