"""The search for minimal sets of changes, on toys with known answers and on the kernel."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from functools import cache
from itertools import chain, combinations

import pytest
import z3

from model.backport import Exit, main
from model.checking.backport_report import answers_json, answers_text
from model.checking.backporting import COMMITS, Answer, Bench, answer, breaks_now, member
from model.checking.cells import Cell
from model.checking.series import BAD, GOOD, SILENT, course
from model.engines.base import Limits, OutOfTime, says
from model.engines.minimal import minimal_sets
from model.kernel.editions import EDITIONS, UsageError, choice, find_change, find_edition
from model.kernel.releases import NEWEST
from model.system.actions.operations import CORE
from model.system.relation.family import Family
from model.system.relation.kernel import kernel_system
from model.system.relation.transition import decided
from model.system.state.mappings import MAPPINGS
from properties import PROPERTIES

Works = Callable[[frozenset[str]], bool]


# --- toys -----------------------------------------------------------------------------------------


def subsets(names: str) -> list[frozenset[str]]:
    return [frozenset(s) for s in chain.from_iterable(
        combinations(names, n) for n in range(len(names) + 1))]


def by_hand(names: str, works: Works, requires: dict[str, str]) -> set[frozenset[str]]:
    """The minimal sets by trying all."""
    good = [s for s in subsets(names)
            if all(r in s for c, r in requires.items() if c in s) and works(s)]
    return {s for s in good if not any(other < s for other in good)}


def searched(names: str, works: Works, requires: dict[str, str], wide: bool) -> tuple[
        list[frozenset[str]], int]:
    """What the search finds, and how often it asked. A reason speaks of that set alone, or with
    `wide` of all that differ from it in nothing that matters."""
    choices = {n: z3.Bool(n) for n in names}
    asked = 0

    def reason(s: frozenset[str]) -> z3.BoolRef:
        told = [n for n in names if not wide or works(s) != works(s ^ {n})]
        own = z3.And([choices[n] if n in s else z3.Not(choices[n]) for n in told])
        # only where no other choice of the untold makes it work is the short reason true
        rest = [n for n in names if n not in told]
        if any(works((s & frozenset(told)) | extra) for extra in subsets("".join(rest))):
            own = z3.And([choices[n] if n in s else z3.Not(choices[n]) for n in names])
        return own

    def judge(s: frozenset[str]) -> z3.BoolRef | None:
        nonlocal asked
        asked += 1
        return None if works(s) else reason(s)

    rules = [z3.Implies(choices[c], choices[r]) for c, r in requires.items()]
    return list(minimal_sets(choices, rules, judge, Limits())), asked


TOYS: dict[str, tuple[str, Works, dict[str, str], set[str]]] = {
    "one change": ("abc", lambda s: "b" in s, {}, {"b"}),
    "either of two": ("abc", lambda s: "a" in s or "c" in s, {}, {"a", "c"}),
    "two sets that overlap": ("abcd", lambda s: {"a", "b"} <= s or {"b", "c", "d"} <= s, {},
                              {"ab", "bcd"}),
    "a member needs another": ("abc", lambda s: "a" in s, {"a": "b", "b": "c"}, {"abc"}),
    "what is needed conflicts": ("abc", lambda s: "a" in s and "b" not in s, {"a": "b"}, set()),
    "a conflict": ("abc", lambda s: ("a" in s or "b" in s) and not {"a", "c"} <= s, {}, {"a", "b"}),
    "a fix that breaks without its fellow": (
        "abc", lambda s: "a" in s and ("b" not in s or "c" in s), {}, {"a"}),
    "alone worse than none": ("ab", lambda s: len(s) != 1, {}, {""}),
    "only all together": ("abcd", lambda s: len(s) == 4, {}, {"abcd"}),
    "odd numbers": ("abcd", lambda s: len(s) % 2 == 1, {}, {"a", "b", "c", "d"}),
    "nothing helps": ("abc", lambda s: False, {}, set()),
    "nothing needed": ("abc", lambda s: True, {}, {""}),
}


@pytest.mark.parametrize("wide", [False, True], ids=["narrow", "wide"])
@pytest.mark.parametrize("toy", TOYS)
def test_toy(toy: str, wide: bool) -> None:
    names, works, requires, known = TOYS[toy]
    found, asked = searched(names, works, requires, wide)
    assert {"".join(sorted(s)) for s in found} == known
    assert set(found) == by_hand(names, works, requires)
    assert len(found) == len(set(found))
    assert [len(s) for s in found] == sorted(len(s) for s in found)
    assert asked <= 2 ** len(names)


def test_random_judges_of_any_shape() -> None:
    """Most of these are not monotone at all."""
    rng = random.Random(5)
    for _ in range(40):
        good = {s for s in subsets("abcde") if rng.random() < 0.25}
        requires = {"d": "a"} if rng.random() < 0.5 else {}
        found, _ = searched("abcde", good.__contains__, requires, rng.random() < 0.5)
        assert set(found) == by_hand("abcde", good.__contains__, requires)


def test_a_judge_whose_reason_is_not_true_of_the_set_is_found_out() -> None:
    choices = {"a": z3.Bool("a")}
    with pytest.raises(ValueError, match="does not speak of that set"):
        list(minimal_sets(choices, [], lambda _: choices["a"], Limits()))


def test_a_search_ends_with_its_time() -> None:
    limits = Limits(seconds=1e-9)
    with pytest.raises(OutOfTime):
        list(minimal_sets({"a": z3.Bool("a")}, [], lambda _: z3.BoolVal(True), limits))


# --- the kernel -----------------------------------------------------------------------------------


@cache
def bench(edition: str, known: tuple[str, ...], allow: tuple[str, ...]) -> Bench:
    return Bench(find_edition(edition), known, allow)


@cache
def found(edition: str, prop: str, mappings: str, *, allow: tuple[str, ...] = (),
          may_drop: bool = False, keep: bool = False, offer: tuple[str, ...] = ()) -> Answer:
    base = find_edition(edition)
    known = tuple(dict.fromkeys((*COMMITS, *offer)))
    may_change = [c for c in offer or COMMITS if c not in base.changes or may_drop]
    return answer(bench(edition, known, allow), PROPERTIES[prop],
                  [MAPPINGS[m] for m in mappings.split()], may_change, Limits(), keep)


def holds(edition: str, prop: str, mapping: str, allow: tuple[str, ...] = ()) -> bool:
    """Asked of the edition itself, by its name: no family, no search."""
    return breaks_now(Cell(find_edition(edition), MAPPINGS[mapping], PROPERTIES[prop], allow),
                      Limits()) is None


CASES = [
    ("v6.1", "softdirty-complete", "shmem anon", (), "+931298e103c2"),
    ("v6.12-931298e103c2-76aefad628aa", "softdirty-complete", "anon shmem", (),
     "+76aefad628aa +931298e103c2"),
    ("v5.19", "no-stale-uffd-wp", "shmem", ("close",), "+f369b07c8614 +c88033efe9a3"),
]


@pytest.mark.parametrize(("edition", "prop", "mappings", "allow", "known"), CASES,
                         ids=[c[0] for c in CASES])
def test_minimal_sets(edition: str, prop: str, mappings: str, allow: tuple[str, ...],
                      known: str) -> None:
    """Each is proved as an edition, and none of its members can be spared there."""
    got = found(edition, prop, mappings, allow=allow)
    (only,) = got.sets
    assert " ".join(only.members) == known
    assert not got.hopeless
    assert only.proved
    assert not only.contradicted
    made = find_edition(only.edition)
    assert made.changes == find_edition(edition).changes | set(only.added)
    assert all(holds(made.name, prop, m, allow) for m in mappings.split())
    for change in only.added:
        breach = only.without[change]
        assert not holds(made.without_change(change).name, breach.prop, breach.mapping, allow)


def test_every_subset_of_a_few_changes_tried_by_hand() -> None:
    """The answer from v5.19 among three changes, against eight editions that are each asked."""
    names = ("f369b07c8614", "51d3d5eb74ff", "931298e103c2")
    letters = dict(zip("abc", names, strict=True))
    base = EDITIONS["v5.19"]

    def works(s: frozenset[str]) -> bool:
        return holds(member(base, {letters[x] for x in s}).name, "uffd-wp-armed", "shmem")

    got = found("v5.19", "uffd-wp-armed", "shmem", offer=names)
    assert {frozenset(f.added) for f in got.sets} == {
        frozenset(letters[x] for x in s) for s in by_hand("abc", works, {})}


def test_what_may_be_dropped_is_an_answer_too() -> None:
    """6.1.192 took c88033efe9a3 without its fellow."""
    got = found("v6.1", "close-keeps-armed", "shmem", may_drop=True)
    assert {f.members for f in got.sets} == {("+931298e103c2",), ("-c88033efe9a3",)}
    assert all(f.proved for f in got.sets)
    price = {f.members: {b.prop for b in f.breaks} for f in got.sets}
    assert "no-stale-uffd-wp" in price["-c88033efe9a3",]


def test_a_fix_is_taken_with_the_fellow_that_it_needs() -> None:
    """What would have kept 6.1 from its regression: c88033efe9a3 breaks a promise alone."""
    careless = found("v5.19", "no-stale-uffd-wp", "shmem", allow=("close",))
    assert "close-keeps-armed" in {b.prop for b in careless.sets[0].breaks}
    careful = found("v5.19", "no-stale-uffd-wp", "shmem", allow=("close",), keep=True)
    (only,) = careful.sets
    assert set(only.added) == {"f369b07c8614", "931298e103c2", "c88033efe9a3"}
    assert only.without["931298e103c2"].prop == "close-keeps-armed"
    assert only.proved
    assert not only.breaks


def test_a_conflict_is_named() -> None:
    got = found("v6.3", "unprotect-precise", "shmem", offer=("as-described", "no-try"))
    (only,) = got.sets
    assert only.added == ("as-described",)
    assert set(only.conflicts) == {"no-try"}
    assert "76aefad628aa" in only.leans_on


@pytest.mark.parametrize(("edition", "prop", "mappings", "allow", "known"), [
    ("v6.12", "access-completes", "hugetlb", ("register:missing",),
     {"register-ebusy", "hugetlb-leftover"}),
    ("v6.18", "access-completes", "private-hugetlb", ("register:missing",),
     {"register-ebusy", "hugetlb-leftover"}),
    ("v6.18", "no-stale-uffd-wp", "anon shmem", ("register:missing",), {"register-ebusy"}),
    ("v6.12", "uffd-wp-armed", "shmem", ("register:missing",), {"register-ebusy"}),
    ("v6.12", "mremap-marks-moved", "thp", (), {"1ced09e0331f"}),
])
def test_what_the_newest_has_and_an_older_lacks(edition: str, prop: str, mappings: str,
                                                allow: tuple[str, ...], known: set[str]) -> None:
    """The newest keeps the promise; each set is one change of its own."""
    assert all(holds(NEWEST, prop, m, allow) for m in mappings.split())
    got = found(edition, prop, mappings, allow=allow)
    assert not got.hopeless
    assert {f.added for f in got.sets} == {(find_change(c).id,) for c in known}
    assert all(f.proved for f in got.sets)
    assert known <= EDITIONS[NEWEST].changes


def test_what_the_newest_has_lost() -> None:
    got = found(NEWEST, "softdirty-precise", "shmem-thp", may_drop=True,
                offer=("cac1db8c3aad", "4e92030c05dc", "6375e95f381e"))
    assert {f.members for f in got.sets} == {("-cac1db8c3aad",)}


def test_what_no_change_mends() -> None:
    """It does not hide what another mapping needs."""
    got = found("v6.1", "unprotect-precise", "anon private-hugetlb")
    assert set(got.broken) == {"anon", "private-hugetlb"}
    assert got.hopeless == ("private-hugetlb",)
    (refutation,) = got.alone["private-hugetlb"].refutations
    assert refutation.trace == ("store", "register", "unregister")
    assert [f.members for f in got.sets] == [("+931298e103c2",)]


def test_a_trace_says_exactly_which_editions_it_breaks() -> None:
    """The formula of a trace against the simulator, for editions of every kind."""
    edition, mapping, prop = EDITIONS["v6.1"], MAPPINGS["shmem"], PROPERTIES["softdirty-complete"]
    family = Family(edition, mapping, CORE, COMMITS)
    ops = ("store", "clear_refs", "register", "unregister", "store")
    formula = family.breaking(prop.question(family.kernel), ops)
    for other in map(EDITIONS.get, ("v5.18", "v5.19", "v6.1.170", "v6.2", "v6.3", "v6.12")):
        assert other is not None
        told = z3.simplify(z3.substitute(formula, *(
            (choice(c), z3.BoolVal(c in other.changes)) for c in COMMITS)))
        kernel = kernel_system(other, mapping)
        safe = kernel.machine.predicate(prop.question(kernel).safe)
        assert z3.is_true(told) == (not all(safe(s.values) for s in kernel.run(ops))), other.name


def test_the_last_good_and_the_first_bad() -> None:
    editions = [EDITIONS[n] for n in ("v5.18", "v6.1.170", "v6.1", "v6.12")]
    got = course(editions, PROPERTIES["close-keeps-armed"], MAPPINGS["shmem"], (), Limits())
    assert [s.verdict for s in got.stops] in ([SILENT, GOOD, BAD, GOOD], [GOOD, GOOD, BAD, GOOD])
    lost, mended = got.turns
    assert got.first_lost == lost
    assert (lost.before, lost.after, lost.lost) == ("v6.1.170", "v6.1", True)
    assert lost.between == ("+c88033efe9a3", "+0cef0bb836e3", "+83abe2fd5b3a",
                            "+fe6cf984939d")
    assert lost.by == (("+c88033efe9a3",),)
    assert ("+931298e103c2",) in mended.by
    assert lost.good.verdict == mended.good.verdict == "proved"


# --- the command ----------------------------------------------------------------------------------


def test_command(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["v6.1", "--property", "softdirty-complete", "--mapping", "hugetlb"]
    assert main(asked) == Exit.NO_SET
    assert "clear_refs, store breaks softdirty-complete whichever are taken" \
        in capsys.readouterr().out
    assert main([*asked, "--format", "json"]) == Exit.NO_SET
    (row,) = json.loads(capsys.readouterr().out)["answers"]
    assert row["hopeless"] == ["hugetlb"]
    assert main([*asked[:-1], "anon"]) == Exit.ANSWERED
    assert "holds already on anon" in capsys.readouterr().out


def test_reports() -> None:
    got = found("v6.1", "softdirty-complete", "shmem anon")
    told = answers_text([got])
    assert "take 931298e103c2" in told
    assert "holds already on anon" in told
    assert "proved on shmem at every depth" in told
    assert "it breaks unprotect-precise on shmem: store, register, unregister" in told
    (row,) = json.loads(answers_json([got]))["answers"]
    (only,) = row["sets"]
    assert only["added"] == ["931298e103c2"]
    assert only["proofs"][0]["verdict"] == "proved"
    assert only["without"]["931298e103c2"]["trace"] == row["broken"]["shmem"]


def test_exit_codes_of_bisect(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--bisect", "--property", "softdirty-complete", "--mapping", "shmem"]
    assert main(["v6.3", *asked]) == 0
    capsys.readouterr()
    assert main(["v6.1", *asked, "--format", "json"]) == 1
    (row,) = json.loads(capsys.readouterr().out)["results"]
    assert (row["kernel"], row["verdict"]) == ("v6.1", "violated")
    assert main(["--series", "v6.3", "v6.1", *asked]) == 1
    assert main(["v6.3", *asked, "--timeout", "0.000001"]) == 125
    capsys.readouterr()


@pytest.mark.parametrize(("argv", "told"), [
    ([], "which edition"),
    (["v6.1", "v6.2"], "--series takes several"),
    (["--series", "v6.1"], "two editions or more"),
    (["v6.l"], "unknown edition"),
    (["v6.1", "--property", "softdirty-complet"], "did you mean"),
    (["v6.1", "--property", "softdirty-complete", "--mapping", "shmem", "--offer", "c88033efe9a3"],
     "has c88033efe9a3 already"),
    (["v6.1", "--property", "softdirty-complete", "--may-drop", "931298e103c2"],
     "nothing to drop"),
    (["v5.18", "--property", "uffd-wp-complete", "--mapping", "shmem"], "says nothing of"),
])
def test_wrong_usage_is_one_line(argv: list[str], told: str) -> None:
    with pytest.raises(UsageError, match=told) as error:
        main(argv)
    assert "\n" not in str(error.value)


def test_what_z3_was_stopped_before_it_had_said_is_no_answer(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluation that Ctrl-C stops raises, or leaves a formula as it is; neither is "false"."""
    a, b = z3.Bools("a b")
    solver = z3.Solver()
    solver.add(a)
    assert solver.check() == z3.sat
    assert (says(solver.model(), a), says(solver.model(), z3.Not(a))) == (True, False)

    def stopped(*_: object, **__: object) -> z3.ExprRef:
        raise z3.Z3Exception(b"canceled")

    monkeypatch.setattr(z3.ModelRef, "eval", stopped)
    with pytest.raises(KeyboardInterrupt):
        list(minimal_sets({"a": a}, [], lambda _: None, Limits()))
    monkeypatch.setattr(z3.ModelRef, "eval", lambda *_, **__: z3.Or(a, b))
    with pytest.raises(KeyboardInterrupt):
        list(minimal_sets({"a": a}, [], lambda _: None, Limits()))
    with pytest.raises(KeyboardInterrupt):
        decided(z3.Or(a, b))
