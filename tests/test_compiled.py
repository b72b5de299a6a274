"""The compiled step relation is the symbolic one: in any state, reachable or not."""

from __future__ import annotations

from typing import Any

import pytest
import z3
from hypothesis import given, settings
from hypothesis import strategies as st

from model.kernel.editions import EDITIONS
from model.system.relation.compiled import compile_terms
from model.system.relation.kernel import whole_system
from model.system.relation.transition import packed
from model.system.state.mappings import MAPPINGS

WORDS = st.integers(0, 2**64 - 1)
# Entries near real ones, so that present, marker and empty entries all come up.
PTES = st.one_of(st.just(0), WORDS, st.sampled_from((0x25, 0x27, 0x867, 0x8000000000000C25)),
                 st.builds(lambda a, b: a ^ b, st.just(30 << 59 | (1 << 59) - 1024), WORDS))


def constant(value: int | bool, like: z3.ExprRef) -> z3.ExprRef:
    if isinstance(like, z3.BitVecRef):
        return z3.BitVecVal(value, like.size())
    return z3.BoolVal(value)


def plain(term: z3.ExprRef) -> int | bool:
    return term.as_long() if isinstance(term, z3.BitVecNumRef) else bool(z3.is_true(term))


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("edition", ["before", "v6.12"])
@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_both_give_one_answer(edition: str, mapping: str, data: Any) -> None:
    kernel = whole_system(EDITIONS[edition], MAPPINGS[mapping])
    system = kernel.system
    draw = {"pte": PTES, "vm_flags": WORDS, "vm_page_prot": WORDS}
    state = tuple(data.draw(draw.get(name, st.booleans())) for name in kernel.names)
    action = data.draw(st.integers(0, len(system.actions) - 1))
    values = [constant(x, v) for x, v in zip(state, system.variables, strict=True)]
    pairs = list(zip(system.variables, values, strict=True))
    results = z3.simplify(z3.substitute(packed(system.branches[action]), *pairs)).children()
    symbolic = tuple(map(plain, results))
    after, outputs = kernel.machine.step(state, action)
    assert (*after, *outputs) == symbolic


X, Y = z3.BitVec("x", 8), z3.BitVec("y", 8)


TERMS = (
    X + Y, X - Y, X * Y, ~X, X ^ Y, z3.LShR(X, Y), X << Y, z3.Extract(6, 2, X),
    z3.Concat(z3.Extract(3, 0, X), z3.Extract(7, 4, Y)), z3.ZeroExt(8, X),
    z3.If(z3.ULT(X, Y), X, Y), z3.If(z3.UGE(X, Y), X, Y), z3.Implies(X == Y, z3.Distinct(X, Y)),
    z3.Xor(X == 3, Y == 3), z3.And(X != Y, z3.Or(z3.ULE(X, Y), z3.UGT(X, Y))),
)


@pytest.mark.parametrize("term", TERMS, ids=str)
def test_every_operator_that_is_printed_means_the_same_in_python(term: z3.ExprRef) -> None:
    function = compile_terms((X, Y), (term,))
    for x in (0, 1, 3, 7, 128, 255):
        for y in (0, 1, 3, 8, 200, 255):
            values = (X, z3.BitVecVal(x, 8)), (Y, z3.BitVecVal(y, 8))
            assert function((x, y))[0] == plain(z3.simplify(z3.substitute(term, *values)))


def test_an_unknown_operator_is_an_error_and_never_a_guess() -> None:
    with pytest.raises(NotImplementedError, match="no Python for the Z3 term"):
        compile_terms((X, Y), (X % Y,))
    with pytest.raises(ValueError, match="not a variable"):
        compile_terms((X,), (Y,))
