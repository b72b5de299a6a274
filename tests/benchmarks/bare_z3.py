"""The baseline: the five-call loss of soft-dirty, by bare Z3 in a hand-made model of six bits.

No editions, no bit positions, no fault path: what the question costs with nothing around it.
"""

from __future__ import annotations

import sys

import z3

OPS = ("store", "clear_refs", "register", "unregister")
BITS = ("present", "rw", "sd", "tracked", "uw", "lost")


def step(s: dict[str, z3.BoolRef], op: z3.BitVecRef, patched: bool) -> dict[str, z3.BoolRef]:
    """The next state: bits of the entry, tracking, registration, and whether a store was lost."""
    store, clear, reg, unreg = (op == i for i in range(4))
    fault = z3.And(store, z3.Not(z3.And(s["present"], s["rw"])))
    silent = z3.And(store, s["present"], s["rw"], s["tracked"], z3.Not(s["sd"]))
    opened = z3.And(unreg, s["uw"], s["present"], z3.BoolVal(not patched))
    return {
        "present": z3.Or(s["present"], store),
        "rw": z3.If(clear, z3.BoolVal(False), z3.Or(s["rw"], fault, opened)),
        "sd": z3.If(clear, z3.BoolVal(False), z3.Or(s["sd"], fault)),
        "tracked": z3.Or(s["tracked"], clear),
        "uw": z3.If(unreg, z3.BoolVal(False), z3.Or(s["uw"], reg)),
        "lost": z3.Or(s["lost"], silent),
    }


def main() -> int:
    solver = z3.SolverFor("QF_FD")
    state = {b: z3.BoolVal(False) for b in BITS}
    for depth in range(1, 9):
        op = z3.BitVec(f"op{depth}", 2)
        after = {b: z3.Bool(f"{b}{depth}") for b in BITS}
        solver.add(*(after[b] == t for b, t in step(state, op, patched=False).items()))
        state = after
        if solver.check(state["lost"]) == z3.sat:
            model = solver.model()
            print([OPS[model.eval(z3.BitVec(f"op{i}", 2), model_completion=True).as_long()]
                   for i in range(1, depth + 1)])
            return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
