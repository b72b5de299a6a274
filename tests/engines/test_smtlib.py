"""The printer: what it prints means what it was given, and depends on nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import z3

from model.smtlib import PRELUDE, Printer
from tests.test_compiled import TERMS, X, Y

ROOT = Path(__file__).parents[2]
W, V = z3.BitVec("w", 64), z3.BitVec("v", 64)
A, B = z3.Bools("a b")
_DECLARED = ("(declare-const x (_ BitVec 8))(declare-const y (_ BitVec 8))"
             "(declare-const w Word)(declare-const v Word)"
             "(declare-const a Bool)(declare-const b Bool)")


def read(text: str, term: z3.ExprRef) -> z3.ExprRef:
    """The term that a definition named `f` gives."""
    sort = "Bool" if z3.is_bool(term) else f"(_ BitVec {term.size()})"
    [equal] = z3.parse_smt2_string(f"{PRELUDE}{_DECLARED}{text}(declare-const result {sort})"
                                   "(assert (= result f))")
    return equal.arg(1)


@pytest.mark.parametrize("term", [
    *TERMS, z3.Not((W & V) == 0), z3.Distinct(W & V, 0), z3.If(A, W, V) | 12345678901,
    z3.Or(z3.And(A, B), z3.And(B, A), z3.Xor(A, z3.And(A, B))),
    z3.If((W & 2) == 0, W | V | 4, z3.If((W & 2) == 0, ~V, W | V | 4)), z3.BoolVal(True),
], ids=str)
def test_what_is_printed_means_the_same(term: z3.ExprRef) -> None:
    lines, names = Printer().definitions("d", [("t", term)])
    sort = "Bool" if z3.is_bool(term) else f"(_ BitVec {term.size()})"
    for text in (Printer().define("f", (), term),
                 "".join(lines) + f"(define-fun f () {sort} {names['t']})"):
        solver = z3.Solver()
        solver.add(read(text, term) != term)
        assert solver.check() == z3.unsat


def test_the_order_in_which_terms_were_made_does_not_show() -> None:
    first = z3.And((W & V) == 0, z3.Or(B, A), (V | W) == (W & V))
    _ = V & 99, z3.Or(A, B)
    other = z3.And((V & W) == (V | W), (V & W) == 0, z3.Or(A, B))
    assert Printer().define("f", (W, V), first) == Printer().define("f", (W, V), other)


def test_an_unknown_operator_is_an_error_and_never_a_guess() -> None:
    with pytest.raises(NotImplementedError, match="no SMT-LIB for the Z3 term"):
        Printer().define("f", (), X % Y)


def test_two_processes_write_the_same_certificates_whatever_they_did_before(
        tmp_path: Path) -> None:
    """One proves a promise alone, the other after those of two other editions."""
    file = Path("softdirty-armed", "after", "shmem", "certificate.smt2")
    texts = []
    for name, more in (("one", []), ("two", ["--kernel", "v6.12", "--kernel", "before"])):
        subprocess.run([sys.executable, "-m", "model.check", "-q", *more, "--kernel", "after",
                        "--mapping", "shmem", "--property", "softdirty-armed",
                        "--out", str(tmp_path / name)], cwd=ROOT, check=False)
        texts.append((tmp_path / name / file).read_bytes())
    assert texts[0] == texts[1]
