"""The interpreter of C, on C of our own: against gcc, and against known answers."""

from __future__ import annotations

import random
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import z3

from model.kernel.editions import UsageError, find_edition
from model.kernel.logic import word
from model.kernel.pgtable import pte_mkwrite
from model.source.cparse import Unit
from model.source.interpret import Interpreter
from model.source.leaves import LEAVES, Leaf, Presumed
from model.source.preprocess import preprocess
from model.source.prove import DIFFERS, EQUAL, UNKNOWN, Proof, Prover
from model.source.values import ULONG, CannotInterpret, Int, Pointer, Struct, convert

# Each takes two 64-bit numbers. What they are after: truncation to int, promotion of narrow types,
# signed and unsigned comparison, shifts, _Bool, short circuits with effects, records by value.
C = """
typedef unsigned long ul;
typedef _Bool flag;
typedef struct { ul val; } box;
struct pair { ul left; int right; };
enum { FIRST = 3, SECOND = 1 << 4 };
static const ul table[4] = { [0] = 7, [1 | 2] = 9, [2] = 11 };
static const box boxes[2] = { [1] = { .val = 5 } };

static inline box wrap(ul v) { return (box) { .val = v }; }
static inline box wrap_in_order(ul v) { return (box) { v }; }
static inline ul unwrap(box b) { return b.val; }
static inline int bump(int *unused, ul *also) { return 1; }
static flag is_odd(ul v) { return v & 1; }
static flag is_high(ul v) { return v & (1UL << 58); }
static int high_as_int(ul v) { return v & (1UL << 58); }

ul f0(ul a, ul b) { return high_as_int(a) + (is_high(a) << 1); }
ul f1(ul a, ul b) { int x = a; return x; }
ul f2(ul a, ul b) { unsigned int x = a; return x; }
ul f3(ul a, ul b) { int x = a; return x >> 3; }
ul f4(ul a, ul b) { return (a >> (b & 63)) ^ (a << (b & 31)); }
ul f5(ul a, ul b) { return (long)a < (long)b ? a : b; }
ul f6(ul a, ul b) { return a < b ? a : b; }
ul f7(ul a, ul b) { int x = a; unsigned int y = b; return x < y; }
ul f8(ul a, ul b) { signed char c = a; unsigned short s = b; return c + s; }
ul f9(ul a, ul b) { unsigned char c = ~a; return ~c; }
ul f10(ul a, ul b) { int x = 0; if (a & 1 && (x = 5)) b += x; else b -= 2; return b + x; }
ul f11(ul a, ul b) { int x = 1; flag f = a & 2 || (x = 0); return f * 16 + x; }
ul f12(ul a, ul b) {
    if (is_odd(a)) { if (b > 5) return 1; a ^= b; } else if (a == b) return 2;
    else { a += 3; if (!(a & 4)) return a; }
    return a * 7;
}
ul f13(ul a, ul b) { box x = wrap(a); x.val |= b; box y = x; y.val = 1; return unwrap(x) - y.val; }
ul f14(ul a, ul b) { struct pair p = { .right = b, .left = a }; p.left -= p.right; return p.left; }
ul f15(ul a, ul b) { return table[a & 3] + boxes[b & 1].val + wrap_in_order(b).val; }
ul f16(ul a, ul b) { ul r = 0; do { if (a & 8) { r = b; } } while (0); return r; }
ul f17(ul a, ul b) { return ({ ul t = a; t ^= b; t + 1; }); }
ul f18(ul a, ul b) { return !a + !!b + -(int)(a & 7) + FIRST + SECOND; }
ul f19(ul a, ul b) { return (a & 1) ? (int)-1 : b; }
ul f20(ul a, ul b) { return (a & 1) ? -1 : 0u; }
ul f21(ul a, ul b) { return 0x80000000 + 2147483647 + 010 + (a & 0xffffffffff); }
ul f22(ul a, ul b) { ul x; if (a & 1) x = 2; else x = b; return (x, x + 1); }
ul f23(ul a, ul b) { flag f = 256; f |= a; return f == 1; }
ul f24(ul a, ul b) { return (ul)(a) >= (b) == 1 != 0; }
ul f25(ul a, ul b) { int x = a -1, y = b-2; return x +1 ^ y - -3; }

enum kind { NONE, SOME, MANY = 7, MORE };
typedef struct { ul words[1]; } map;
typedef int bit;
static void set(map *m, bit n) { ul *w = m->words; *w |= 1UL << n; }
static map made(map m, int count, const bit *bits)
{ int i; for (i = 0; i < count; i++) set(&m, bits[i]); return m; }
static ul first(const map *m) { const ul *w = m->words; return w[0]; }
static enum kind kind(ul v)
{ switch (v & 7) { case 0: return NONE; case 1: case 2: return SOME; case 3: v = MANY; break;
  case 4: v = 1; default: v++; } return v & 1 ? MANY : MORE; }
ul f26(ul a, ul b)
{ map m = made((map) { }, 3, (const bit []) { 1, 5, 63 }); return first(&m) & a; }
ul f27(ul a, ul b)
{ map m = (map) { }; if (a & 1) set(&m, 3); else set(&m, 4); return m.words[0] + b; }
ul f28(ul a, ul b) { return kind(a) * 100 + kind(b); }
ul f29(ul a, ul b) { ul x[3] = { a, b }, *p = x; p[2]++; ++x[0]; return x[0] - x[1]-- + *p + x[2]; }
ul f30(ul a, ul b) { ul s = 0; for (int i = 7; i >= 0; i -= 2) if (a >> i & 1) s += i; return s; }
ul f31(ul a, ul b) { int n = 0; do { n += 2; } while (n < 5); while (n) n--; return n + 6; }
ul f32(ul a, ul b) { ul *p = a & 1 ? &a : 0; if (p) *p = b; return a; }
ul f33(ul a, ul b) { for (int i = 0; i < 3; i++) { if (i == 2) return a + i; } return b; }
"""
FUNCTIONS = 34
_DRIVER = """
#include <stdio.h>
int main(void) {
    ul a, b;
    while (scanf("%lu %lu", &a, &b) == 2) { CALLS }
    return 0;
}
"""


def _points() -> list[tuple[int, int]]:
    chance = random.Random(1)
    edges = (0, 1, 7, 255, 1 << 31, 1 << 58, (1 << 64) - 1)
    return [(a, b) for a in edges for b in edges] + [
        (chance.getrandbits(64), chance.getrandbits(64)) for _ in range(20)]


def test_the_interpreter_agrees_with_gcc(tmp_path: Path) -> None:
    """On every function above, at corners and at random."""
    calls = "".join(f'printf("%lu\\n", f{n}(a, b));' for n in range(FUNCTIONS))
    (tmp_path / "c.c").write_text(C + _DRIVER.replace("CALLS", calls))
    subprocess.run(["gcc", "-w", "-o", tmp_path / "c", tmp_path / "c.c"], check=True)
    points = _points()
    said = subprocess.run([tmp_path / "c"], input="\n".join(f"{a} {b}" for a, b in points),
                          capture_output=True, text=True, check=True).stdout.split()
    answers = iter(map(int, said))
    a, b = z3.BitVecs("a b", 64)
    terms = [_result(f"f{n}(a, b)", C) for n in range(FUNCTIONS)]
    for x, y in points:
        for number, term in enumerate(terms):
            at = z3.simplify(z3.substitute(term, (a, word(x)), (b, word(y))))
            assert (number, x, y, at.as_long()) == (number, x, y, next(answers))


def _interpreter(expression: str, code: str) -> Interpreter:
    unit = Unit(f"{code}\nint asked(void) {{ return {expression}; }}\n")
    words = {name: Int(ULONG, z3.BitVec(name, 64)) for name in "ab"}
    return Interpreter(unit, {**words, "object": Pointer(z3.Bool("some"), "object")}, {},
                       {"object": Struct({"field": words["a"]})})


def _result(expression: str, code: str) -> z3.BitVecRef:
    value = convert(_interpreter(expression, code).run("asked"), ULONG)
    assert isinstance(value, Int)
    return value.term


@pytest.mark.parametrize(("code", "reason"), [
    ("int f(int a) { while (a) a = 1; return a; }", "a loop"),
    ("int f(int a) { for (;;) return a; }", "a loop"),
    ("int f(int a) { do a = 1; while (a); return a; }", "a loop"),
    ("int f(int a) { goto out; out: return a; }", "goto"),
    ("int f(int a) { return g(a); }", r"g\(\), which is not in the files"),
    ("int f(int a) { return UNKNOWN_FLAG & a; }", "the name UNKNOWN_FLAG"),
    ("int f(int a) { return f(a); }", "called too deeply"),
    ("int f(int a, int b) { return a; }", r"the arguments of f\(\)"),
    ("int f(int a) { return 1.5; }", "the number 1.5"),
    ("int f(int a) { return a / 2; }", "the operator /"),
    ("int f(int a) { int *p; return *p; }", "an unknown object points to"),
    ("int f(int a) { int x[2] = {1, 2}; return x[a]; }", "what is no constant"),
    ("int f(int a) { int *p = &a; return p[1]; }", "an element of what is no array"),
    ("int f(int a) { int x[2]; return x[2]; }", "the field 2"),
    ("int f(int a) { int x[a]; return 1; }", "an array"),
    ("int f(int a) { int i; for (i = 0; i < a; i++) a--; return i; }", "end depends on the input"),
    ("int f(int a) { while (1) a = 1; return a; }", "too many rounds"),
    ("int f(int a) { while (1) { if (a) break; } return a; }", "a break out of a loop"),
    ("int f(int a) { switch (a) { default: return 1; case 2: return 2; } }", "a switch"),
    ("int f(int a) { return a->b(); }", r"a->b\(\), which is not in the files"),
])
def test_what_it_does_not_know_it_names(code: str, reason: str) -> None:
    """Never a guess."""
    with pytest.raises(CannotInterpret, match=reason):
        _result("f(a)", code)


def test_code_that_no_path_reaches_may_be_anything() -> None:
    code = "int f(int a) { if (0) { while (1) g(); } return a ? 1 : 0 && g(); }"
    assert z3.is_bv(_result("f(a)", code))


def test_a_variable_without_a_value_may_hold_anything() -> None:
    code = "int f(int a) { int x; if (a) x = 1; return x; }"
    solver = z3.Solver()
    solver.add(z3.BitVec("a", 64) == 0)
    for value in (0, 1, 77):
        assert solver.check(_result("f(a)", code) == value) == z3.sat
    solver.add(_result("f(1)", code) != 1)
    assert solver.check() == z3.unsat
    ends = "int f(int a) { if (a) return 1; }"
    assert z3.Solver().check(_result("f(a)", ends) == 77) == z3.sat


def test_what_a_pointer_points_to_is_read_and_written_on_live_paths() -> None:
    code = """
    struct s { unsigned long field; };
    void f(struct s *p, unsigned long v) { if (p && v > 3) p->field = v; }
    """
    interpreter = _interpreter("(f(object, b), object->field)", code)
    value = interpreter.run("asked")
    assert isinstance(value, Int)
    a, b, some = z3.BitVec("a", 64), z3.BitVec("b", 64), z3.Bool("some")
    wanted = z3.If(z3.And(some, z3.UGT(b, 3)), b, a)
    solver = z3.Solver()
    assert solver.check(value.term != wanted) == z3.unsat
    assert interpreter.functions.keys() == {"f"}


def _proof(code: str, leaf: Leaf) -> Proof:
    """Of a tree that is one file."""
    return Prover(lambda path: code if path == "mm/mprotect.c" else None, find_edition("v6.1"),
                  [leaf]).prove(leaf)


_TYPES = "typedef struct { unsigned long pte; } pte_t;\n"
_LEAF = Leaf("pte_mkwrite", "mm/mprotect.c", ("pte_mkwrite(pte)",), "pte_mkwrite",
             lambda ed, i: pte_mkwrite(ed, i.words["pte"]))


def test_a_proof_is_of_all_inputs_and_a_difference_has_one() -> None:
    right = _TYPES + "pte_t pte_mkwrite(pte_t pte) { pte.pte |= 2; return pte; }"
    assert _proof(right, _LEAF).verdict == EQUAL
    wrong = _TYPES + ("pte_t pte_mkwrite(pte_t pte) "
                      "{ if (pte.pte != 0x8000000000000040) pte.pte |= 2; return pte; }")
    proof = _proof(wrong, _LEAF)
    assert proof.verdict == DIFFERS
    assert dict(proof.inputs) == {"pte": 0x8000000000000040}
    assert (proof.tree, proof.model) == (0x8000000000000040, 0x8000000000000042)


def test_a_proof_holds_only_where_it_presumes() -> None:
    """A presumption that leaves out the difference makes them equal; one that leaves out all is no
    proof."""
    wrong = _TYPES + "pte_t pte_mkwrite(pte_t pte) { if (pte.pte) pte.pte |= 2; return pte; }"
    assert _proof(wrong, _LEAF).verdict == DIFFERS
    some = Presumed("not empty", "pte.pte != 0")
    assert _proof(wrong, replace(_LEAF, presumed=(some,))).verdict == EQUAL
    none = Presumed("nothing", "pte.pte != pte.pte")
    proof = _proof(wrong, replace(_LEAF, presumed=(none,)))
    assert proof.verdict == UNKNOWN
    assert "no input is left" in proof.reason


def test_a_function_that_changes_the_vma_is_not_the_models() -> None:
    code = _TYPES + """
    struct vm_area_struct { unsigned long vm_flags; };
    _Bool userfaultfd_wp(struct vm_area_struct *vma)
    { _Bool r = vma->vm_flags & 0x1000; if (r) vma->vm_flags |= 0x2000; return r; }
    """
    proof = _proof(code, LEAVES["userfaultfd_wp"])
    assert proof.verdict == DIFFERS
    assert "changes the VMA" in proof.reason
    assert dict(proof.inputs)["vm_flags"] == 0x1000


def test_missing_tools_are_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tree_sitter", None)
    with pytest.raises(UsageError, match=r"no tree_sitter .*pip install -e '\.\[drift\]'"):
        Unit("")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match="no gcc to read the tree's C with: apt-get install gcc"):
        preprocess(lambda path: None)


def test_c_that_the_preprocessor_refuses_is_told_in_one_line() -> None:
    with pytest.raises(UsageError, match=r"cannot be read as C: mm/mprotect.c:2:.*unterminated"):
        preprocess(lambda path: "\n#if 1\n" if path == "mm/mprotect.c" else None)
