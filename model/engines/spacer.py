"""Z3's Spacer: property-directed reachability over Horn clauses, with an invariant of its own.

Komuravelli, Gurfinkel, Chaki: SMT-Based Model Checking for Recursive Programs (CAV 2014). The bits
of the state become Booleans first, and those that always move together become one, because Spacer
is weak on bit vectors.
"""

from __future__ import annotations

from collections.abc import Sequence

import z3

from model.engines.base import PROVED, UNKNOWN, VIOLATED, Limits, OutOfTime, Proof, Verdict
from model.engines.bmc import bmc
from model.engines.induction import houdini
from model.system.relation.compiled import Machine
from model.system.relation.transition import Lemma, Question, TransitionSystem, substitute

NAME = "spacer"
TRACE_DEPTH = 64
SAMPLES = 256
"""States looked at to guess which bits move together."""


def spacer(question: Question, limits: Limits, lemmas: Sequence[Lemma] = ()) -> Verdict:
    """Prove or refute one promise."""
    try:
        return Spacer(question.system, lemmas, limits).solve(question, limits)
    except OutOfTime as stop:
        return Verdict(UNKNOWN, NAME, reason=str(stop))


class Spacer:
    """Spacer for many promises of one system: the work on the bits of the state is done once."""

    def __init__(self, system: TransitionSystem, lemmas: Sequence[Lemma], limits: Limits) -> None:
        """Raises OutOfTime."""
        self._bits = _Bits(system, lemmas, limits)

    def solve(self, question: Question, limits: Limits) -> Verdict:
        """Prove or refute. The trace of a refutation is bounded model checking's, so canonical."""
        if not question.system.at_init(question.safe):
            return Verdict(VIOLATED, NAME, 0, ())
        try:
            result, invariant = _query(self._bits, question, limits)
        except OutOfTime as stop:
            return Verdict(UNKNOWN, NAME, reason=str(stop))
        if result == z3.sat:
            found = bmc(question, limits.within(depth=TRACE_DEPTH))
            return Verdict(found.status, NAME, found.depth, found.trace, reason=found.reason)
        assert invariant is not None
        return Verdict(PROVED, NAME, proof=Proof((*self._bits.proved, Lemma("spacer", invariant))))


class _Bits:
    """A system's state as Booleans: one for each group of bits that always move together.

    Bits that no step changes become constants, and bits that are equal (or opposite) in every
    reachable state become one; both are guessed from sample runs and proved together by induction
    (van Eijk: Sequential Equivalence Checking Based on Structural Similarities, 2000).
    """

    def __init__(self, system: TransitionSystem, lemmas: Sequence[Lemma], limits: Limits) -> None:
        places = [(var, i) for var in system.variables for i in range(_width(var))]
        leaders, guesses = _guess(system, places)
        while True:
            proved = houdini(system, [*guesses.values(), *lemmas], limits)
            kept = {lemma.name for lemma in proved}
            if all(lemma.name in kept for lemma in guesses.values()):
                break
            for place in [p for p, lemma in guesses.items() if lemma.name not in kept]:
                leaders[place] = None
                del guesses[place]
        self.system = system
        self.proved = proved
        self.moving = [(z3.Bool(f"{var}[{i}]"), var, i) for var, i in places
                       if leaders[str(var), i] is None]
        self.vector = [_assemble(var, [self._value(leaders, str(var), i)
                                       for i in range(_width(var))]) for var in system.variables]
        start = dict(zip(map(str, system.variables), system.initial, strict=True))
        self.start = [z3.simplify(_bit(start[str(v)], i)) for _, v, i in self.moving]
        self.known = self.over_bits(z3.And([lemma.formula for lemma in proved]))
        self.steps = [self._moved(branch) for branch in system.branches]

    def _moved(self, branch: Sequence[z3.ExprRef]) -> list[z3.BoolRef]:
        """The moving bits after a step."""
        after = dict(zip(map(str, self.system.variables), branch, strict=False))
        return [self.over_bits(_bit(after[str(v)], i)) for _, v, i in self.moving]

    @staticmethod
    def _value(leaders: _Leaders, name: str, i: int) -> z3.BoolRef:
        leader = leaders[name, i]
        if leader is None:
            return z3.Bool(f"{name}[{i}]")
        if isinstance(leader, bool):
            return z3.BoolVal(leader)
        (other, j), opposite = leader
        value = z3.Bool(f"{other}[{j}]")
        return z3.Not(value) if opposite else value

    def over_bits(self, formula: z3.BoolRef) -> z3.BoolRef:
        """A formula over the variables as one over the moving bits, and no vector left in it:
        Spacer generalises badly over what is packed into one and taken out again."""
        goal = z3.Goal()
        goal.add(substitute(formula, self.system.variables, self.vector))
        return z3.Then("simplify", "bit-blast", "simplify")(goal).as_expr()


_Place = tuple[str, int]
_Leaders = dict[_Place, bool | tuple[_Place, bool] | None]
"""For each bit: None if it leads, its constant, or its leader and whether it is the opposite."""


def _guess(system: TransitionSystem,
           places: list[tuple[z3.ExprRef, int]]) -> tuple[_Leaders, dict[_Place, Lemma]]:
    """Which bits are constant or follow another in the first states of a breadth-first search."""
    machine = Machine(system)
    samples = [machine.initial]
    for state in samples:
        if len(samples) >= SAMPLES:
            break
        for action in range(len(system.actions)):
            after, _ = machine.step(state, action)
            if after not in samples:
                samples.append(after)
    column = {str(v): [s[k] for s in samples] for k, v in enumerate(system.variables)}
    leaders: _Leaders = {}
    guesses: dict[_Place, Lemma] = {}
    classes: dict[tuple[bool, ...], tuple[z3.ExprRef, int]] = {}
    for var, i in places:
        values = [bool(x >> i & 1) for x in column[str(var)]]
        opposite = values[0]
        shape = tuple(v != opposite for v in values)
        place, bit = (str(var), i), _bit(var, i)
        if not any(shape):
            leaders[place] = opposite
            guesses[place] = Lemma(f"{var}[{i}] never changes", bit == z3.BoolVal(opposite))
        elif shape not in classes:
            classes[shape] = (var, i)
            leaders[place] = None
        else:
            other, j = classes[shape]
            inverse = opposite != bool(column[str(other)][0] >> j & 1)
            leaders[place] = ((str(other), j), inverse)
            twin = _bit(other, j)
            guesses[place] = Lemma(f"{var}[{i}] follows {other}[{j}]",
                                   bit == (z3.Not(twin) if inverse else twin))
    return leaders, guesses


def _width(var: z3.ExprRef) -> int:
    return var.size() if isinstance(var, z3.BitVecRef) else 1


def _bit(term: z3.ExprRef, i: int) -> z3.BoolRef:
    if isinstance(term, z3.BitVecRef):
        return z3.Extract(i, i, term) == z3.BitVecVal(1, 1)
    assert isinstance(term, z3.BoolRef)
    return term


def _assemble(var: z3.ExprRef, parts: list[z3.BoolRef]) -> z3.ExprRef:
    if not isinstance(var, z3.BitVecRef):
        return parts[0]
    one, zero = z3.BitVecVal(1, 1), z3.BitVecVal(0, 1)
    bits = [z3.If(p, one, zero) for p in reversed(parts)]
    return bits[0] if len(bits) == 1 else z3.Concat(*bits)


def _query(bits: _Bits, question: Question,
           limits: Limits) -> tuple[z3.CheckSatResult, z3.BoolRef | None]:
    """Run Spacer; the invariant, over the system's variables, when there is one."""
    system = question.system
    fp = z3.Fixedpoint()
    fp.set(engine="spacer")
    left = limits.remaining()
    if left is not None:
        fp.set("timeout", max(1, int(left * 1000)))
    moving = [b for b, _, _ in bits.moving]
    reach = z3.Function("reach", *[z3.BoolSort()] * len(moving), z3.BoolSort())
    failed = z3.Function("failed", z3.BoolSort())
    fp.register_relation(reach, failed)
    fp.declare_var(*moving)

    fp.rule(reach(*bits.start))
    for number, after in enumerate(bits.steps):
        fp.rule(reach(*after), [reach(*moving), bits.known])
        chosen = z3.BitVecVal(number, system.action.size())
        bad = z3.substitute(z3.Not(question.good), (system.action, chosen))
        assert isinstance(bad, z3.BoolRef)
        fp.rule(failed(), [reach(*moving), bits.known, bits.over_bits(bad)])
    try:
        result = fp.query(failed())
    except z3.Z3Exception as error:
        limits.remaining()
        raise OutOfTime(f"Spacer stopped: {error}") from error
    if result == z3.unknown:
        why = fp.reason_unknown()
        if "interrupt" in why:
            raise KeyboardInterrupt
        limits.remaining()
        raise OutOfTime(f"Spacer gave up: {why}")
    if result == z3.sat:
        return result, None
    cover = fp.get_cover_delta(-1, reach)
    named = z3.substitute_vars(cover, *[_bit(v, i) for _, v, i in bits.moving])
    assert isinstance(named, z3.BoolRef)
    return result, named
