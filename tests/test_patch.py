"""A user's own kernel functions: what is accepted, what is said of mistakes, and what they do."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import z3

from counterexamples import itf
from counterexamples.folder import Where, with_fixed
from counterexamples.lab.replaying import plan_of
from counterexamples.trace import run_trace
from model import check, simulate
from model.checking.cells import bisect_code, exit_code, judged, plan
from model.checking.formats import as_ktap
from model.checking.run import run
from model.checking.settle import Options
from model.cli import patched, with_patch
from model.kernel.editions import EDITIONS, Edition, UsageError, find_edition
from model.kernel.mirror import MIRRORS
from model.kernel.releases import NEWEST
from model.system.asking.coverage import Coverage
from model.system.patching.files import _first_calls, load
from model.system.relation.kernel import KernelSystem, kernel_system, whole_system
from model.system.state.mappings import MAPPINGS
from model.system.state.state import flatten
from tests.lab.test_conform import ModelRunner, campaign

ROOT = Path(__file__).parent.parent
ORIGINAL = "from model.kernel.mprotect import can_change_pte_writable as original\n"
FORGETS = """
from model.kernel.logic import conj, negate
from model.kernel.pgtable import pte_dirty, pte_protnone
from model.kernel.userfaultfd_k import userfaultfd_pte_wp

def can_change_pte_writable(ed, vma, entry):
    return conj(negate(pte_protnone(entry.pte)), pte_dirty(ed, entry.pte), entry.anon_exclusive,
                negate(userfaultfd_pte_wp(vma, entry.pte)))
"""
"""can_change_pte_writable() of private mappings without the check for soft-dirty."""
MENDS = """
from model.kernel.mprotect import change_protection
from model.kernel.records import CpFlags

def uffd_wp_range(ed, vma, entry, enable_wp):
    cp = CpFlags(uffd_wp=enable_wp, uffd_wp_resolve=not enable_wp)
    return change_protection(ed, vma, entry, vma.vm_page_prot, cp)
"""
"""uffd_wp_range() with the one idea of 931298e103c2."""
LOSS = ("store", "clear_refs", "register", "unregister", "store")


def write(folder: Path, text: str, name: str = "mine.py") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def edition(folder: Path, text: str, base: str = "v6.12") -> Edition:
    return patched(find_edition(base), write(folder, text))


def checked(*args: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, Any]]]:
    """The exit code and the results of a check."""
    code = check.main([*args, "--format", "json", "--jobs", "1"])
    return code, json.loads(capsys.readouterr().out)["results"]


@pytest.mark.parametrize(("text", "told"), [
    ("def can_change_pte_writeable(ed, vma, entry):\n    return True\n",
     ":1: no kernel function 'can_change_pte_writeable' is modelled, did you mean "
     "'can_change_pte_writable'?"),
    ("\ndef vma_soft_dirty_enabled(vma):\n    return False\n",
     ":2: vma_soft_dirty_enabled is a helper of the model, which cannot be replaced; replace what "
     "calls it: can_change_pmd_writable, can_change_pte_writable, "),
    ("X = 1\n_helper = print\n", " replaces no kernel function: define one under its name"),
    (ORIGINAL, " replaces no kernel function"),
    ("pte_mkwrite = 4\n", ": pte_mkwrite is 4; it should be a function"),
    ("def pte_mkwrite(ed, pte:\n", ":1: '(' was never closed"),
    ("a = b'\0'\n", "source code string cannot contain null bytes"),
    ("async def pte_mkwrite(ed, pte):\n    return pte\n",
     ":1: pte_mkwrite is a coroutine, and returns nothing when it is called: write def "
     "pte_mkwrite(ed, pte):"),
    ("a = 1\0\n", "mine.py: source code string cannot contain null bytes"),
    ("import nothing_of_this_name\n", ":1: ModuleNotFoundError: "),
    ("\nraise SystemExit(3)\n", ":2: SystemExit: 3"),
    ("def pte_mkwrite(ed):\n    return True\n",
     ":1: pte_mkwrite(ed) does not take what the kernel's takes: write def pte_mkwrite(ed, pte):"),
    ("def pte_mkwrite(ed, entry):\n    return True\n", "write def pte_mkwrite(ed, pte):"),
    ("def pte_mkwrite(ed, *, pte):\n    return True\n", "write def pte_mkwrite(ed, pte):"),
    ("def pte_mkwrite(ed, pte=None):\n    return True\n", "write def pte_mkwrite(ed, pte):"),
    ("def pte_is_pinned(_, vma, entry):\n    return True\n",
     "write def pte_is_pinned(ed, vma, entry):"),
    ("def pte_is_pinned(ed, vma, _vma):\n    return True\n",
     "write def pte_is_pinned(ed, vma, entry):"),
    ("def can_change_pte_writable(ed, vma, entry):\n    return entry\n",
     ":1: can_change_pte_writable returns a record Entry; it should be a Boolean"),
    ("def pte_mkwrite(ed, pte):\n    return 3\n",
     "returns a Python int; it should be a vector of 64 bits; word(N) of model.kernel.logic makes "
     "a vector of a number"),
    ("def pte_mkwrite(ed, pte):\n    pass\n", "returns None; it should be a vector of 64 bits"),
    ("def do_mprotect_pkey(ed, vma, entry, prot):\n    return vma, entry, entry.pte\n",
     "returns a vector of 64 bits as part 3 of the tuple; it should be a vector of 5 bits"),
    ("def do_mprotect_pkey(ed, vma, entry, prot):\n    return vma, entry\n",
     "returns a tuple (a record Vma, a record Entry); it should be a tuple (a record Vma, a record "
     "Entry, a vector of 5 bits)"),
    ("def change_pte_range(ed, vma, entry, newprot, cp):\n    return entry.with_pte(True)\n",
     "returns a Boolean as Entry.pte; it should be a vector of 64 bits"),
    ("def pte_mkwrite(ed, pte):\n    return _set(pte)\n\ndef _set(pte):\n    return pte.rw\n",
     ":5: in pte_mkwrite: AttributeError: "),
    ("def can_change_pte_writable(ed, vma, entry):\n    return not entry.anon\n",
     ":2: in can_change_pte_writable: Z3Exception: Symbolic expressions cannot be cast to concrete "
     "Boolean values.; conditions are joined and chosen by with conj, disj, negate and ite"),
    ("def pte_mkwrite(ed, pte):\n    return pte_mkwrite(ed, pte)\n",
     ":2: in pte_mkwrite: RecursionError: "),
    ("import z3\ndef can_change_pte_writable(ed, vma, entry):\n    return z3.Bool('luck')\n",
     ":2: can_change_pte_writable makes up luck: it may depend on nothing but its arguments"),
])
def test_a_mistake_is_one_line_with_its_place(text: str, told: str, tmp_path: Path) -> None:
    known = dict(MIRRORS)
    with pytest.raises(UsageError) as raised:
        edition(tmp_path, text)
    assert str(tmp_path / "mine.py") in str(raised.value)[:len(str(tmp_path)) + 10]
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)
    assert known == MIRRORS


@pytest.mark.parametrize(("name", "told"), [
    ("none.py", "No such file"), ("", "no name for a patch file"),
    ("a b.py", "no name for a patch file"), ("mine.c", "no name for a patch file"),
    ("no-try.py", "is named as a commit"),
    ("931298e103c2.py", "is named as a commit"),
])
def test_a_file_that_cannot_be_one_is_named(name: str, told: str, tmp_path: Path) -> None:
    for other in ("a b.py", "mine.c", "no-try.py", "931298e103c2.py"):
        write(tmp_path, FORGETS, other)
    with pytest.raises(UsageError, match=told):
        load(str(tmp_path / name))


@pytest.mark.parametrize("taken", ["ed, vma, entry", "_ed, vma, entry", "_ed, _vma, _entry"])
def test_what_a_function_makes_no_use_of_may_be_marked_so(taken: str, tmp_path: Path) -> None:
    """By Python's ``_``, whether the model's own has it or not."""
    own = edition(tmp_path, f"def pte_is_pinned({taken}):\n    return False\n")
    assert not alike(kernel_system(own, MAPPINGS["anon"], ("pin",)),
                     kernel_system(own.base, MAPPINGS["anon"], ("pin",)))


def test_every_kernel_function_can_be_tried() -> None:
    """The model of an edition calls them all, those of later commits too, whose answers it drops:
    a function that is never called could not be checked."""
    for name in ("v5.7", "v6.12"):
        assert set(_first_calls(EDITIONS[name], set(MIRRORS))) == set(MIRRORS)


LATE = ORIGINAL + """
def can_change_pte_writable(ed, vma, entry):
    if vma.mapping.shared:
        raise KeyError("shared")
    return original(ed, vma, entry)
"""


@pytest.mark.parametrize("command", [
    "model.check --kernel v6.12 --property softdirty-complete --mapping anon --mapping shmem "
    "--jobs 2",
    "model.simulate --mapping shmem store"])
def test_a_mistake_that_shows_late_is_one_line_too(command: str, tmp_path: Path) -> None:
    """In a mapping that the trial does not reach, and in another process."""
    write(tmp_path, LATE)
    done = subprocess.run([sys.executable, "-m", *command.split(), "--patch", "mine.py"],
                          cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)},
                          capture_output=True, text=True, check=False)
    prog = command.split()[0]
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{prog}: mine.py:5: in can_change_pte_writable: KeyError: 'shared'\n"


def every_function() -> str:
    """A patch file that replaces all there are, each by a call of the kernel's own, which must not
    come back to it: inside a replacement the name means the kernel's own."""
    lines = ["_running = set()"]
    for name, mirror in MIRRORS.items():
        bare = [p.replace(annotation=p.empty)
                for p in inspect.signature(mirror.function).parameters.values()]
        lines += [f"from {mirror.function.__module__} import {name} as _{name}",
                  f"def {name}{inspect.Signature(bare)}:",
                  f"    assert {name!r} not in _running",
                  f"    _running.add({name!r})",
                  f"    result = _{name}({', '.join(p.name for p in bare)})",
                  f"    _running.remove({name!r})",
                  "    return result"]
    return "\n".join(lines)


def terms(kernel: KernelSystem) -> Iterator[z3.ExprRef]:
    for effect in kernel.effects:
        yield from (*flatten(effect.state), effect.outcome, effect.faults)


def alike(one: KernelSystem, other: KernelSystem) -> bool:
    """The operations do the same in both, from any state."""
    solver = z3.Solver()
    solver.add(z3.Or([a != b for a, b in zip(terms(one), terms(other), strict=True)
                      if not a.eq(b)]))
    return bool(solver.check() == z3.unsat)


@pytest.mark.parametrize("mapping", [
    pytest.param(name, marks=[pytest.mark.lab] * (name != "hugetlb"))
    for name in ("hugetlb", "anon", "shmem-thp")])
def test_a_patch_that_changes_nothing_gives_the_same_model(mapping: str, tmp_path: Path) -> None:
    """Of every function: the verdicts cannot but be the same. None runs inside itself."""
    base = find_edition("v6.12")
    same = edition(tmp_path, every_function())
    assert set(same.overrides) == set(MIRRORS)
    assert alike(whole_system(base, MAPPINGS[mapping]), whole_system(same, MAPPINGS[mapping]))


def test_the_others_stay_in_force_inside_a_replacement(tmp_path: Path) -> None:
    """A replacement that calls the kernel's own: that calls what else is replaced."""
    never = "def can_change_pte_writable(ed, vma, entry):\n    return False\n"
    calling = ("from model.kernel.mprotect import change_pte_range as own\n"
               "def change_pte_range(ed, vma, entry, newprot, cp):\n"
               "    return own(ed, vma, entry, newprot, cp)\n")
    one, both = (kernel_system(edition(tmp_path, text), MAPPINGS["anon"])
                 for text in (never, never + calling))
    right = kernel_system(find_edition("v6.12"), MAPPINGS["anon"])
    assert alike(one, both)
    assert not alike(one, right)


def test_what_it_breaks_is_told_beside_what_the_edition_keeps(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = write(tmp_path, FORGETS)
    asked = ("--patch", mine, "--mapping", "anon", "--property", "softdirty-complete")
    code, (base, own) = checked(*asked, capsys=capsys)
    assert code == 12
    assert (base["kernel"], base["verdict"], base["met"]) == (NEWEST, "proved", True)
    assert (own["kernel"], own["verdict"], own["depth"], own["met"], own["base"], own["patch"]) == (
        f"{NEWEST}+mine", "violated", len(LOSS), False, NEWEST, mine)
    assert check.main([*asked, "--bisect"]) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert (f"From {NEWEST} to {NEWEST}+mine ({mine}): regression: softdirty-complete on anon: "
            f"proved -> violated@5, NOT EXPECTED: {NEWEST} is expected to keep it "
            + ", ".join(LOSS)) in told


def test_what_it_mends_is_an_expected_violation_not_found(tmp_path: Path) -> None:
    """The edition without it is there for comparison: it makes no exit code."""
    editions = with_patch([find_edition("v6.1")], write(tmp_path, MENDS))
    results = run(plan(editions, ["shmem"], ["softdirty-complete"]), Options(),
                  lambda result: None).results
    assert [r.verdict for r in results] == ["violated", "proved"]
    own = judged(results)
    assert own == results[1:]
    assert as_ktap(results, strict=False).splitlines()[1:] == [
        "1..1", "not ok 1 v6.1+mine.shmem.softdirty-complete # proved; expected of v6.1: violated"]
    assert [exit_code(own, strict=False), exit_code(own, strict=True), bisect_code(own)] == [
        20, 0, 0]


def test_an_edited_file_is_not_taken_for_settled(tmp_path: Path,
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--mapping", "anon", "--property", "softdirty-complete", "--out",
             str(tmp_path / "out"), "--resume", "--no-pictures", "--patch",
             str(tmp_path / "mine.py"))
    write(tmp_path, FORGETS)
    assert checked(*asked, capsys=capsys)[0] == 12
    write(tmp_path, "def can_change_pte_writable(ed, vma, entry):\n    return False\n")
    assert checked(*asked, capsys=capsys)[1][1]["trace"] is None


def test_a_file_that_is_read_again_is_the_same(tmp_path: Path,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it imports, which a process imports once; edited, it is another."""
    monkeypatch.syspath_prepend(str(tmp_path))
    write(tmp_path, "N = 1\n", "brought_along_by_a_patch.py")
    mine = write(tmp_path, "import brought_along_by_a_patch as _own\n" + FORGETS, "again.py")
    first, alone = load(mine).digest, load(write(tmp_path, FORGETS, "alone.py")).digest
    assert load(mine).digest == first != alone
    write(tmp_path, "N = 2\n", "brought_along_by_a_patch.py")
    assert load(mine).digest != first


def test_a_trace_says_the_file_and_is_not_replayed_without_it(tmp_path: Path) -> None:
    own = edition(tmp_path, FORGETS)
    where = Where(own.name, "anon", "softdirty-complete", (), own)
    trace, fixed = with_fixed(where, LOSS)
    mine = str(tmp_path / "mine.py")
    assert fixed is not None
    assert fixed.kernel == "v6.12"
    assert where.selectors.startswith(f"--kernel v6.12 --patch {mine} --mapping anon")
    calls = itf.calls(itf.dumps(trace))
    assert (calls.kernel, calls.base, calls.patch) == ("v6.12+mine", "v6.12", mine)
    with pytest.raises(UsageError, match=f"v6.12 with the functions of {mine}: give it by --patch"):
        plan_of(calls)
    plan = plan_of(calls, patch=mine)
    assert plan.edition == own
    assert plan.ops[:5] == LOSS
    assert run_trace(whole_system(plan.edition, MAPPINGS["anon"]), LOSS, prop="",
                     claim="").steps[-1].pagemap["soft_dirty"] is False
    assert plan_of(calls, find_edition("v6.1"), mine).edition.name == "v6.1+mine"
    with pytest.raises(UsageError, match=r"unknown commit 'mine'.*--patch FILE\.py"):
        find_edition(own.name)


def test_conform_finds_that_the_kernel_has_no_such_patch(tmp_path: Path) -> None:
    own = kernel_system(edition(tmp_path, FORGETS), MAPPINGS["anon"])
    kernel = kernel_system(find_edition("v6.12"), MAPPINGS["anon"])
    runs = campaign(own, extra=0)
    found = runs.run(ModelRunner(kernel)).divergence
    assert found is not None
    assert runs.names(found) == LOSS
    assert campaign(own, extra=0).run(ModelRunner(own)).divergence is None


def test_its_branches_are_covered_under_its_name(tmp_path: Path) -> None:
    found = Coverage(kernel_system(edition(tmp_path, FORGETS), MAPPINGS["anon"])).branches
    assert {b.file for b in found if b.function == "can_change_pte_writable"} == {"mine.py"}


def test_simulate_takes_it_in_batches_too(tmp_path: Path,
                                          capsys: pytest.CaptureFixture[str]) -> None:
    mine, runs = write(tmp_path, FORGETS), tmp_path / "runs"
    runs.write_text(f"a v6.12 anon {' '.join(LOSS)}\n\nb v6.11 anon {' '.join(LOSS)}\n")
    seen = []
    for arguments in ((), ("--patch", mine)):
        assert simulate.main(["--batch", str(runs), *arguments]) == 0
        lines = map(json.loads, capsys.readouterr().out.splitlines())
        seen.append([line["steps"][-1]["pagemap"]["soft_dirty"] for line in lines])
    assert seen == [[True, True], [False, False]]
