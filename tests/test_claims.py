"""Claims: the condition finder, the verdicts, and that a wrong kernel turns them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jsonschema
import pytest
import z3

from counterexamples import itf
from model import check
from model.checking.cells import Exit
from model.checking.claims import Judged, judge
from model.checking.claims_report import exit_code, in_words
from model.engines.base import Limits
from model.engines.conditions import NotTold, as_formula, minimal_dnf, observations
from model.kernel.editions import Edition, UsageError, find_edition
from model.kernel.mirror import MIRRORS
from model.kernel.pgtable import pte_mkwrite
from model.kernel.releases import NEWEST
from model.system.asking.language import as_term
from model.system.asking.point import Course, Point
from model.system.relation.apart import first_apart
from model.system.relation.compiled import compile_terms
from model.system.relation.kernel import kernel_system
from model.system.relation.reach import explore
from model.system.relation.replay import violates
from model.system.state.mappings import MAPPINGS
from properties import PROPERTIES
from properties.claims import CLAIMS
from properties.claims.base import PATCH, Always, Claim
from properties.claims.words import unrecorded

FEW = ("anon", "shmem", "hugetlb", "private-hugetlb")


def judged(edition: Edition, *names: str, mappings: tuple[str, ...] = FEW) -> dict[str, Judged]:
    chosen = [CLAIMS[n] for n in names] if names else list(CLAIMS.values())
    return {j.claim.name: j for j in judge(chosen, edition, [MAPPINGS[m] for m in mappings])}


# --- the condition finder -------------------------------------------------------------------------


@pytest.mark.parametrize(("function", "expected"), [
    (lambda a, b, c: (a and b) or not c, "not c or (a and b)"),
    (lambda a, b, c: a != b, "(a and not b) or (not a and b)"),
    (lambda a, b, c: a + b + c >= 2, "(a and b) or (a and c) or (b and c)"),
    (lambda a, b, c: (a and c) or (b and not c) or (a and b), "(a and c) or (b and not c)"),
    (lambda a, b, c: True, "always"),
    (lambda a, b, c: False, ""),
])
def test_minimal_formulas_that_are_known(function: Callable[..., bool], expected: str) -> None:
    seen = list(product((True, False), repeat=3))
    dnf = minimal_dnf([o for o in seen if function(*o)], [o for o in seen if not function(*o)],
                      Limits())
    assert in_words([["abc"[i] if v else f"not {'abc'[i]}" for i, v in cube]
                     for cube in dnf]) == expected


def test_what_never_happens_makes_a_formula_shorter() -> None:
    """a and b are seen only together: the earlier word is taken, and taken alone."""
    assert minimal_dnf([(True, True)], [(False, False)], Limits()) == (((0, True),),)


def test_words_that_do_not_tell_are_said_so() -> None:
    with pytest.raises(NotTold):
        minimal_dnf([(True,)], [(True,), (False,)], Limits())


def test_all_observations_of_a_formula_are_found_and_the_condition_is_exact() -> None:
    """Over all bytes: x is 3 or more exactly where bit 0 and bit 1 are set or a higher one is."""
    x = z3.BitVec("x", 8)
    atoms = [x & 1 != 0, x & 2 != 0, z3.UGE(x, 4)]
    true, false = (observations(atoms, side, Limits()) for side in (z3.UGE(x, 3), z3.ULT(x, 3)))
    assert (len(true), len(false)) == (5, 3)
    dnf = minimal_dnf(true, false, Limits())
    assert dnf == (((2, True),), ((0, True), (1, True)))
    solver = z3.Solver()
    solver.add(as_formula(dnf, atoms) != z3.UGE(x, 3))
    assert solver.check() == z3.unsat


def test_a_condition_is_exact_or_undecided() -> None:
    """A claim whose words do not suffice gets no condition, and that is exit code 30."""
    says = Always(holds=lambda s, _: s.tracked, atoms=())
    (found,) = judge([Claim("vague", "All memory is tracked.", says)], find_edition("after"),
                     [MAPPINGS["anon"]])
    assert (found.verdict, found.condition) == ("undecided", ())
    assert found.reason == "its words cannot say when: 1 observation on both sides"


# --- points ---------------------------------------------------------------------------------------


def test_steps_on_the_way_and_composed_terms_agree() -> None:
    """On every reachable state: what follows, as one term and with variables for each state."""
    kernel = kernel_system(find_edition("before"), MAPPINGS["shmem"])
    course = Course(kernel)
    stepwise = as_term(unrecorded(course.start.then("unwp")))
    composed = as_term(unrecorded(Point(kernel).then("unwp")))
    one = compile_terms(course.variables, (stepwise,))
    other = compile_terms(kernel.system.variables, (z3.simplify(composed),))
    states = explore(kernel.machine).states
    told = [(bool(one(course.values(s))[0]), bool(other(s)[0])) for s in states]
    assert {(True, True), (False, False)} == set(told)


def test_editions_are_told_apart_by_the_shortest_calls_or_not_at_all() -> None:
    before, after = (kernel_system(find_edition(e), MAPPINGS["anon"]) for e in ("before", "after"))
    assert first_apart(before, after) == ("store", "register", "unregister", "store")
    assert first_apart(before, before) is None


# --- verdicts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["before", "after", "v6.3-as-described", "v6.3-no-try"])
def test_every_claim_is_decided_as_expected(name: str) -> None:
    """Every mapping is judged on real kernels' editions by the lab's test of claims."""
    found = judged(find_edition(name))
    assert [j.claim.name for j in found.values() if not j.met] == []
    assert exit_code(list(found.values()), strict=False) == Exit.MET
    told = {a.verdict for j in found.values() for a in j.answers}
    assert {"true", "false", "true except"} == told
    for j in found.values():
        assert (j.verdict == "true except") <= bool(j.condition)
        assert all(a.because and a.ops for a in j.answers if a.verdict != "true")


def test_the_weakest_precondition_of_the_loss() -> None:
    found = judged(find_edition("before"), "unprotect-loses-no-store", "stores-are-recorded",
                   mappings=("anon", "shmem", "private-hugetlb"))
    assert {name: in_words(j.condition) for name, j in found.items()} == {
        "unprotect-loses-no-store":
            "shared and VM_WRITE and registered and tracked and present and not soft-dirty",
        "stores-are-recorded": "tracked and not soft-dirty and pte-write"}
    kernel = kernel_system(find_edition("before"), MAPPINGS["shmem"])
    question = PROPERTIES["softdirty-complete"].question(kernel)
    for j in found.values():
        (ops,) = [a.ops for a in j.answers if a.ops]
        assert violates(kernel.machine, question, ops)


def test_the_message_and_the_code_part_where_the_message_is_read_into_the_code() -> None:
    """What the message says of MM_CP_TRY_CHANGE_WRITABLE is false of the code and true of the
    edition that reads as the message does."""
    for name, verdict in (("after", "false"), ("v6.3-as-described", "true")):
        found = judged(find_edition(name), "try-makes-up-for-it", mappings=("shmem",))
        assert found["try-makes-up-for-it"].verdict == verdict


# --- wrong kernels --------------------------------------------------------------------------------


def old_range(ed: Edition, *args: Any) -> Any:
    return MIRRORS["uffd_wp_range"].function(ed.without_change(PATCH), *args)


def new_range(ed: Edition, *args: Any) -> Any:
    return MIRRORS["uffd_wp_range"].function(ed.with_change(PATCH), *args)


def upgraded(ed: Edition, *args: Any) -> Any:
    entry = MIRRORS["hugetlb_change_protection"].function(ed, *args)
    return entry.with_pte(pte_mkwrite(ed, entry.pte))


def unprotecting(ed: Edition, vma: Any, entry: Any, _: bool) -> Any:
    return MIRRORS["uffd_wp_range"].function(ed, vma, entry, False)


def no(*_: Any) -> bool:
    return False


@pytest.mark.parametrize(("edition", "replaced", "by", "claim", "mapping", "code"), [
    ("after", "uffd_wp_range", old_range, "patch-mends-both", "shmem", 12),
    ("after", "uffd_wp_range", old_range, "unprotect-loses-no-store", "shmem", 12),
    ("after", "uffd_wp_range", old_range, "second-patch-is-a-cleanup", "shmem", 12),
    ("after", "uffd_wp_range", unprotecting, "protecting-needs-no-checks", "anon", 12),
    ("after", "vma_wants_writenotify", no, "page-prot-write-protects", "shmem", 12),
    ("after", "hugetlb_change_protection", upgraded, "hugetlb-never-by-unwp", "hugetlb", 12),
    ("after", "can_change_pte_writable", no, "private-writable-again", "anon", 12),
    ("after", "uffd_wp_range", new_range, "first-patch-is-a-cleanup", "anon", 20),
    ("before", "uffd_wp_range", new_range, "old-ignores-writenotify", "shmem", 12),
    ("before", "uffd_wp_range", new_range, "five-step-loss", "shmem", 12),
    ("before", "uffd_wp_range", new_range, "stores-are-recorded", "shmem", 20),
])
def test_a_wrong_kernel_turns_a_claim(edition: str, replaced: str, by: Callable[..., Any],
                                      claim: str, mapping: str, code: int) -> None:
    wrong = replace(find_edition(edition), overrides=MappingProxyType({replaced: by}))
    found = judged(wrong, claim, mappings=(mapping,))[claim]
    assert not found.met
    assert exit_code([found], strict=False) == code


# --- the command ----------------------------------------------------------------------------------

CLAIM = {
    "type": "object", "additionalProperties": False,
    "required": ["claim", "fact", "of_message", "kernel", "verdict", "condition", "domain", "met",
                 "reason", "seconds", "mappings"],
    "properties": {
        "claim": {"enum": list(CLAIMS)}, "fact": {"type": "string"},
        "of_message": {"type": "boolean"}, "kernel": {"type": "string"},
        "verdict": {"enum": ["true", "false", "true except", "undecided", "vacuous"]},
        "condition": {"type": "array", "items": {"type": "array", "items": {"type": "string"}}},
        "domain": {"enum": ["every reachable state", "all inputs"]},
        "met": {"type": "boolean"}, "reason": {"type": "string"}, "seconds": {"type": "number"},
        "mappings": {"type": "array", "items": {"type": "object", "required": [
            "mapping", "verdict", "expected", "met", "because", "ops", "kernel", "beside",
            "trace"]}},
    },
}


def test_the_command_prints_and_writes_what_it_found(tmp_path: Path,
                                                     capsys: pytest.CaptureFixture[str]) -> None:
    args = ["--claims", "--kernel", "before", "--kernel", "after", "--mapping", "shmem"]
    assert check.main([*args, "--format", "json", "--no-pictures", "--out", str(tmp_path)]) == 0
    told = json.loads(capsys.readouterr().out)
    jsonschema.validate(told["claims"], {"type": "array", "items": CLAIM})
    assert [(row["kernel"], row["condition"]) for row in told["loss"]][1::2] == [
        ("before", [["tracked", "not soft-dirty", "pte-write"]]), ("after", [])]
    written = {Path(m["trace"]).parent for c in told["claims"] for m in c["mappings"] if m["trace"]}
    assert written == {f.parent for f in tmp_path.rglob("trace.itf.json")}
    text = (tmp_path / "try-makes-up-for-it/after/shmem/trace.txt").read_text()
    assert text.startswith("try-makes-up-for-it: false on shmem in after\n")
    assert "promise" not in text
    assert check.main([*args, "--strict"]) == Exit.UNEXPECTED_VIOLATION
    report = capsys.readouterr().out
    assert "The weakest precondition of the loss" in report
    assert "try-makes-up-for-it: false in after" in report


BAD = "def can_change_pte_writable(ed, vma, entry):\n    return True\n"
SAME = """
from model.kernel.mprotect import can_change_pte_writable as _own
def can_change_pte_writable(ed, vma, entry):
    return _own(ed, vma, entry)
"""


def test_a_patch_file_is_one_more_edition(tmp_path: Path,
                                          capsys: pytest.CaptureFixture[str]) -> None:
    """Of which is expected what is of the edition without it; its runs are written by its own
    functions."""
    asked = ["--claims", "--mapping", "anon", "--patch", str(tmp_path / "mine.py")]
    (tmp_path / "mine.py").write_text(BAD)
    out = tmp_path / "out"
    code = check.main([*asked, "--format", "json", "--out", str(out), "--no-pictures"])
    found = {(c["claim"], c["kernel"]): c for c in json.loads(capsys.readouterr().out)["claims"]}
    base, own = (found["unprotect-loses-no-store", f"{NEWEST}{more}"]
                 for more in ("", "+mine"))
    assert code == Exit.UNEXPECTED_VIOLATION
    assert (base["verdict"], base.get("patch")) == ("true", None)
    assert (own["verdict"], own["base"], own["patch"]) == (
        "true except", NEWEST, str(tmp_path / "mine.py"))
    trace = itf.calls(Path(own["mappings"][0]["trace"]).read_text())
    assert (trace.kernel, trace.ops) == (own["kernel"], tuple(own["mappings"][0]["ops"]))


def test_a_patch_file_may_change_nothing_or_a_condition_alone(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--claims", "--kernel", "v6.12", "--mapping", "shmem", "--patch",
             str(tmp_path / "mine.py")]
    (tmp_path / "mine.py").write_text(SAME)
    assert check.main(asked) == Exit.MET
    told = capsys.readouterr().out
    assert told.startswith(f"From v6.12 to v6.12+mine ({tmp_path / 'mine.py'}):\n"
                           "  all verdicts are the same\n")
    (tmp_path / "mine.py").write_text(BAD)
    assert check.main(asked) == Exit.UNEXPECTED_VIOLATION
    told = " ".join(capsys.readouterr().out.split("\n\n")[0].split())
    assert "allowed-where-dirty: except (" in told
    assert "-> not dirty (not as expected)" in told


def test_no_time_is_no_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    args = ["--claims", "--kernel", "after", "--mapping", "shmem", "--timeout", "0.000001"]
    assert check.main(args) == Exit.UNDECIDED
    assert "the time limit of 1e-06 s was reached" in capsys.readouterr().out


@pytest.mark.parametrize(("args", "told"), [
    (["--property", "softdirty-complete"], "--property is not for --claims"),
    (["--each"], "--each is not for --claims"),
    (["--jobs", "2"], "--jobs is not for --claims"),
    (["--engine", "bmc"], "--engine is not for --claims"),
    (["--format", "ktap"], "known: text, json"),
    (["--kernel", "befor"], "did you mean 'before'?"),
    (["--mapping", "shmen"], "did you mean 'shmem'?"),
    (["--mapping", "file"], "no claim speaks of"),
])
def test_bad_input_says_what_would_be_right(args: list[str], told: str) -> None:
    with pytest.raises(UsageError, match=told.replace("?", r"\?")):
        check.main(["--claims", *args])
