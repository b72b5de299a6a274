"""Certificates: two more solvers accept them, and nobody accepts a damaged one."""

from __future__ import annotations

import re
from functools import cache

import bitwuzla
import cvc5
import pytest
import z3

from model.certificate import QUERIES, Certifier
from model.engines.base import Limits, Proof
from model.engines.explicit import explicit
from model.engines.registry import Auto
from model.engines.spacer import spacer
from model.kernel.editions import EDITIONS
from model.system.relation.kernel import KernelSystem, kernel_system
from model.system.relation.transition import Lemma
from model.system.state.mappings import MAPPINGS
from properties import PROPERTIES
from properties.lemmas import LEMMAS
from tests.engines.cells import CELLS
from tests.engines.toys import N, ask, number


def candidates(kernel: KernelSystem) -> list[Lemma]:
    promises = [p.question(kernel) for p in PROPERTIES.values()]
    return [*(s.lemma(kernel) for s in LEMMAS), *(Lemma(q.name, q.safe) for q in promises)]


def cvc5_answers(text: str) -> list[str]:
    """What cvc5 prints for an SMT-LIB file."""
    terms = cvc5.TermManager()
    solver = cvc5.Solver(terms)
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text, "certificate")
    symbols = parser.getSymbolManager()
    printed: list[str] = []
    while not (command := parser.nextCommand()).isNull():
        printed.append(command.invoke(solver, symbols).strip())
    return [line for line in printed if re.fullmatch(r"sat|unsat|unknown", line)]


@cache
def bitwuzla_answer(query: str) -> str:
    """Promises of one invariant have queries in common."""
    parser = bitwuzla.Parser(bitwuzla.TermManager(), bitwuzla.Options())
    parser.parse(query, True, False)
    return str(parser.bitwuzla().check_sat())


def test_what_a_promise_leans_on_does_not_depend_on_what_was_asked_before() -> None:
    """Workers settle other cells before it."""
    kernel = kernel_system(EDITIONS["after"], MAPPINGS["hugetlb"])
    auto, shared = Auto(lambda: candidates(kernel)), Certifier()
    leaning = 0
    for prop in PROPERTIES.values():
        if not prop.speaks_of(kernel.edition, kernel.mapping):
            continue
        question = prop.question(kernel)
        proof = auto(question, Limits()).proof
        if proof is not None:
            cert = shared.certificate(question, proof)
            alone = Certifier().check(cert).leans_on
            assert shared.check(cert).leans_on == alone, prop.name
            leaning += bool(alone)
    assert leaning > 1


@pytest.mark.lab
@pytest.mark.parametrize(("edition", "mapping"), CELLS)
def test_bitwuzla_answers_unsat_to_every_query_of_every_proof(edition: str, mapping: str) -> None:
    """Its parser is strict, too: what it reads is SMT-LIB and not a dialect."""
    kernel = kernel_system(EDITIONS[edition], MAPPINGS[mapping])
    auto = Auto(lambda: candidates(kernel))
    certifier = Certifier()
    checked = 0
    for promise in PROPERTIES.values():
        question = promise.question(kernel)
        proof = auto(question, Limits()).proof
        if proof is not None:
            cert = certifier.certificate(question, proof)
            assert certifier.check(cert).failed == ""
            assert {name: bitwuzla_answer(cert.query(name)) for name in QUERIES} \
                == dict.fromkeys(QUERIES, "unsat")
            checked += 1
    assert checked >= 7


@pytest.mark.lab
def test_cvc5_answers_unsat_to_the_file_of_a_proof() -> None:
    kernel = kernel_system(EDITIONS["after"], MAPPINGS["shmem"])
    question = PROPERTIES["softdirty-complete"].question(kernel)
    proof = Auto(lambda: candidates(kernel))(question, Limits()).proof
    assert proof is not None
    cert = Certifier().certificate(question, proof)
    assert cvc5_answers(cert.text({})) == ["unsat"] * len(QUERIES)


def test_the_proofs_of_spacer_and_of_the_exhausted_graph_are_checked_the_same_way() -> None:
    kernel = kernel_system(EDITIONS["after"], MAPPINGS["shmem"])
    question = PROPERTIES["page-prot-armed"].question(kernel)
    lemmas = [s.lemma(kernel) for s in LEMMAS]
    certifier = Certifier()
    for verdict in (spacer(question, Limits(), lemmas), explicit(question, Limits())):
        assert verdict.proof is not None
        assert certifier.check(certifier.certificate(question, verdict.proof)).failed == ""


@pytest.mark.parametrize(("invariant", "query"), [
    (z3.ULE(N, number(0)), "consecution"),
    (number(1) == N, "initiation"),
    (z3.BoolVal(True), "safety"),
])
def test_a_damaged_proof_is_refused_by_name(invariant: z3.BoolRef, query: str) -> None:
    question = ask(safe=z3.ULE(N, number(10)))
    certifier = Certifier()
    cert = certifier.certificate(question, Proof((Lemma("wrong", invariant),)))
    assert certifier.check(cert).failed == query
    assert "sat" in cvc5_answers(cert.text({}))


def test_the_file_says_each_lemma_in_english() -> None:
    question = ask(safe=z3.ULE(N, number(10)))
    cert = Certifier().certificate(question, Proof((Lemma("bounded", question.safe),)))
    text = cert.text({"bounded": "n is at most ten."}, Certifier().check(cert).leans_on)
    assert "; * bounded: n is at most ten." in text
