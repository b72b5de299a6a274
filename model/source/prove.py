"""Is a leaf function of a tree the model's? Proved for all inputs, or an input that tells."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

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
        asked = [f"int {name}(void) {{ return {c}; }}" for c, name in self._numbers.items()]
        self._unit = Unit(preprocess(read, [correspond.DEFINITIONS, *asked]))
        self._bitmap = "vma_flags_t" in self._unit.typedefs

    def flags(self) -> dict[int, str]:
        """The names that the tree gives the bits of vm_flags in an enum; empty where it has none.
        """
        found: dict[int, str] = {}
        interpreter = self._interpreter()
        for name in self._unit.constants:
            match = re.fullmatch(r"VMA_(\w+)_BIT", name)
            if match:
                found.setdefault(interpreter.constant(name), f"VM_{match[1]}")
        return found

    def prove(self, leaf: Leaf) -> Proof:
        """Equal for all inputs, or an input on which they differ."""
        words: tuple[str, ...] = ()
        interpreter = self._interpreter()
        try:
            tree = self._answer(interpreter, leaf)
            presumed = {p.words: holds(self._interpreter().run(self._numbers[p.c]))
                        for p in leaf.presumed if p.needed(self._edition)}
            given = conj(*presumed.values())
            words = tuple(w for w, held in presumed.items() if held is not True)
        except CannotInterpret as error:
            return Proof(UNKNOWN, words, reason=f"cannot interpret {error}")
        told = Proof(EQUAL, words, leaf.ignoring, tuple(sorted(interpreter.functions.items())),
                     tuple(sorted(interpreter.used)))
        kept = self._kept(interpreter, leaf)
        return _compare(told, tree, leaf.model(self._edition, self._inputs), as_term(given), kept)

    def _kept(self, interpreter: Interpreter, leaf: Leaf) -> Bool:
        """Of the VMA nothing is changed that the leaf does not write."""
        before, after = self._interpreter().objects["vma"], interpreter.objects["vma"]
        return conj(*(decided(_word(part(after)) == _word(part(before)))
                      for name, part in (("vm_flags", correspond.vm_flags),
                                         ("vm_page_prot", correspond.vm_page_prot))
                      if name not in leaf.writes))

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
                           correspond.objects(i, bitmap=self._bitmap), correspond.OVERLAID,
                           correspond.METHODS)


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
    if _check(given)[0] == z3.unsat:
        return replace(told, verdict=UNKNOWN, reason="no input is left by what is presumed")
    wrong = z3.And(given, z3.Or(differ, as_term(negate(kept))))
    answer, found = _check(wrong)
    if found is None:
        return told if answer == z3.unsat else replace(told, verdict=UNKNOWN, reason="Z3 gave up")
    symbols = sorted({s for t in (differ, given, as_term(kept)) for s in _symbols(t)}, key=str)
    point = _plainest(wrong, symbols, found)

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
    found, seen, left = set(), set(), [term]
    while left:
        each = left.pop()
        if each.get_id() not in seen:
            seen.add(each.get_id())
            left += each.children()
            if z3.is_const(each) and each.decl().kind() == z3.Z3_OP_UNINTERPRETED:
                found.add(each)
    return found


def _check(term: z3.BoolRef) -> tuple[z3.CheckSatResult, z3.ModelRef | None]:
    """Z3's answer, and an input where there is one. A fresh solver is faster than an incremental
    one here."""
    solver = z3.SolverFor("QF_BV")
    solver.set("timeout", _MILLISECONDS)
    solver.set("ctrl_c", False)  # what a signal does is model/processes.py's affair
    solver.add(term)
    answer = solver.check()
    return answer, solver.model() if answer == z3.sat else None


def _plainest(wrong: z3.BoolRef, symbols: list[z3.ExprRef],
              found: z3.ModelRef) -> dict[z3.ExprRef, z3.ExprRef]:
    """An input that satisfies `wrong`, as `found` does, in which no bit that is 1 and no fact that
    is true can be dropped by itself."""
    point = {s: found.eval(s, model_completion=True) for s in symbols}

    for symbol in symbols:
        others = [(s, v) for s, v in point.items() if not s.eq(symbol)]
        alone = z3.simplify(z3.substitute(wrong, *others))
        for smaller in _smaller(point[symbol]):
            value = smaller(point[symbol])
            if z3.is_true(z3.simplify(z3.substitute(alone, (symbol, value)))):
                point[symbol] = value
    return point


def _smaller(value: z3.ExprRef) -> Iterator[Callable[[z3.ExprRef], z3.ExprRef]]:
    """What makes a value smaller: all at once, then bit by bit."""
    if isinstance(value, z3.BitVecNumRef):
        yield lambda _: z3.BitVecVal(0, value.size())
        for bit in reversed([n for n in range(value.size()) if value.as_long() >> n & 1]):
            yield partial(_without, bit)
    elif z3.is_true(value):
        yield lambda _: z3.BoolVal(False)


def _without(bit: int, value: z3.BitVecNumRef) -> z3.ExprRef:
    return z3.BitVecVal(value.as_long() & ~(1 << bit), value.size())


def bits(name: str, value: int | bool, flags: Mapping[int, str]) -> str:
    """An input or an answer in words: its bits by their names; of vm_flags, those of `flags`."""
    if isinstance(value, bool):
        return str(value).lower()
    table = PTE_FLAG_NAMES
    if name in ("vm_flags", "flags"):
        table = {1 << n: word for n, word in flags.items()} or VM_FLAG_NAMES
    named = [table.get(1 << n, f"bit {n}") for n in range(WORD) if value >> n & 1]
    return "|".join(named) or "0"
