"""Is a leaf function of a tree the model's? Proved for all inputs, or an input that tells."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import z3

from model.kernel.bits import PTE_FLAG_NAMES, VM_FLAG_NAMES
from model.kernel.editions import Edition
from model.kernel.logic import BV, WORD, Bool, as_term, conj, negate
from model.source import correspond
from model.source.cparse import Unit
from model.source.interpret import Interpreter
from model.source.leaves import LEAVES, Leaf
from model.source.preprocess import preprocess
from model.source.values import CannotInterpret, Int, Struct, Value, WrongArguments, decided, holds

EQUAL, DIFFERS, UNKNOWN = "equal", "differs", "unknown"
_MILLISECONDS = 20_000


@dataclass(frozen=True)
class Proof:
    """Whether a leaf function and the model's are equal.

    `presumed` in words; `followed` are the functions of the tree that were run, with their places,
    `facts` what was taken from the table of correspondences. Where they differ, `inputs` by name
    and both answers; where it is unknown, `reason` says why.
    """

    verdict: str
    presumed: tuple[str, ...] = ()
    ignored_bits: int = 0
    followed: tuple[tuple[str, str], ...] = ()
    facts: tuple[str, ...] = ()
    inputs: tuple[tuple[str, int | bool], ...] = ()
    tree: int | bool = False
    model: int | bool = False
    reason: str = ""


class Prover:
    """Proves `leaves` of one tree equal to the functions of one edition.

    Raises UsageError where the tools to read C with are missing, or the tree is no C.
    """

    def __init__(self, read: Callable[[str], str | None], edition: Edition,
                 leaves: Collection[Leaf] = tuple(LEAVES.values())) -> None:
        self._edition = edition
        self._inputs = correspond.inputs()
        expressions = dict.fromkeys((*(c for leaf in leaves for c in leaf.c),
                                     *(p.c for leaf in leaves for p in leaf.presumed)))
        self._numbers = {c: f"ptecheck_{n}" for n, c in enumerate(expressions)}
        self._unit = Unit(preprocess(read, [f"int {name}(void) {{ return {c}; }}"
                                            for c, name in self._numbers.items()]))

    def prove(self, leaf: Leaf) -> Proof:
        """Equal for all inputs, or an input on which they differ."""
        presumed = [p for p in leaf.presumed if p.needed(self._edition)]
        words = tuple(p.words for p in presumed)
        interpreter = self._interpreter()
        try:
            tree = self._answer(interpreter, leaf)
            given = conj(*(holds(self._interpreter().run(self._numbers[p.c])) for p in presumed))
        except CannotInterpret as error:
            return Proof(UNKNOWN, words, reason=f"cannot interpret {error}")
        told = Proof(EQUAL, words, leaf.ignoring, tuple(sorted(interpreter.functions.items())),
                     tuple(sorted(interpreter.used)))
        kept = self._kept(interpreter, leaf)
        return _compare(told, tree, leaf.model(self._edition, self._inputs), as_term(given), kept)

    def _kept(self, interpreter: Interpreter, leaf: Leaf) -> Bool:
        """Of the VMA nothing is changed that the leaf does not write."""
        before = correspond.objects(self._inputs)["vma"].fields
        after = interpreter.objects["vma"].fields
        return conj(*(decided(_word(after[n]) == _word(before[n]))
                      for n in ("vm_flags", "vm_page_prot") if n not in leaf.writes))

    def _answer(self, interpreter: Interpreter, leaf: Leaf) -> Value:
        """Of the spellings, the one that fits how the tree declares the function."""
        for c in leaf.c[:-1]:
            try:
                return interpreter.run(self._numbers[c])
            except WrongArguments:
                continue
        return interpreter.run(self._numbers[leaf.c[-1]])

    def _interpreter(self) -> Interpreter:
        i = self._inputs
        return Interpreter(self._unit, correspond.names(i), correspond.facts(i),
                           correspond.objects(i))


def _compare(told: Proof, tree: Value, model: Bool | BV, given: z3.BoolRef,
             kept: Bool) -> Proof:
    """The proof, with its verdict: are `tree` and `model` one, and does `kept` hold, wherever
    `given` does?"""
    if isinstance(model, z3.BitVecRef):
        mask = z3.BitVecVal(~told.ignored_bits, WORD)
        left, right = _word(tree) & mask, model & mask
        differ = left != right
    else:
        left, right = as_term(holds(tree)), as_term(model)
        differ = z3.Xor(left, right)
    solver = z3.Solver()
    solver.set("timeout", _MILLISECONDS)
    solver.add(given)
    if solver.check() == z3.unsat:
        return replace(told, verdict=UNKNOWN, reason="no input is left by what is presumed")
    solver.add(z3.Or(differ, as_term(negate(kept))))
    match solver.check():
        case z3.unsat:
            return told
        case z3.unknown:
            return replace(told, verdict=UNKNOWN, reason=f"Z3: {solver.reason_unknown()}")
    symbols = sorted({s for t in (differ, given, as_term(kept)) for s in _symbols(t)}, key=str)
    point = _plainest(solver, symbols)

    def at(term: z3.ExprRef) -> int | bool:
        value = z3.simplify(z3.substitute(term, *point.items()))
        return int(value.as_long()) if isinstance(value, z3.BitVecNumRef) else bool(
            z3.is_true(value))

    same = "" if at(differ) else "the tree's function changes the VMA, the model's does not"
    return replace(told, verdict=DIFFERS, tree=at(left), model=at(right), reason=same,
                   inputs=tuple((str(s), at(s)) for s in symbols if at(s) or not _unset(s)))


def _word(value: Value) -> BV:
    """The 64 bits of an entry, a pgprot or a number."""
    match value:
        case Struct(fields) if len(fields) == 1:
            return _word(next(iter(fields.values())))
        case Int(_, term) if term.size() == WORD:
            return term
    raise TypeError(f"{value!r} is no 64-bit word")


def _unset(symbol: z3.ExprRef) -> bool:
    """A variable of the tree's before it has a value; none of its inputs."""
    return str(symbol).startswith("unset")


def _symbols(term: z3.ExprRef) -> set[z3.ExprRef]:
    return set(z3.z3util.get_vars(term))


def _plainest(solver: z3.Solver, symbols: list[z3.ExprRef]) -> dict[z3.ExprRef, z3.ExprRef]:
    """An input that satisfies the solver, with every bit 0 and every fact false that may be."""
    bits = [b for s in symbols for b in (
        [s] if z3.is_bool(s) else [z3.Extract(n, n, s) == 1 for n in reversed(range(s.size()))])]
    for bit in bits:
        solver.push()
        solver.add(z3.Not(bit))
        if solver.check() != z3.sat:
            solver.pop()
            solver.add(bit)
    solver.check()
    found = solver.model()
    return {s: found.eval(s, model_completion=True) for s in symbols}


def bits(name: str, value: int | bool) -> str:
    """An input or an answer in words: its bits by their names."""
    if isinstance(value, bool):
        return str(value).lower()
    table = VM_FLAG_NAMES if name in ("vm_flags", "flags") else PTE_FLAG_NAMES
    named = [table.get(1 << n, f"bit {n}") for n in range(WORD) if value >> n & 1]
    return "|".join(named) or "0"
