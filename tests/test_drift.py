"""Kernel trees against the model. The trees are those of the linux-source packages, the few files
that matter, unpacked once for all workers; wrong ones are made from them."""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import z3

from model import drift
from model.kernel.editions import EDITIONS, UsageError
from model.kernel.logic import word
from model.kernel.mirror import MIRRORS
from model.kernel.mprotect import can_change_pte_writable
from model.kernel.records import Entry, Mapping, Vma
from model.source import digests
from model.source.digests import items, wanted_files
from model.source.leaves import LEAVES
from model.source.reader import definitions, digest
from model.source.tree import open_tree

RELEASES = {"6.1": "6.1.192", "6.12": "6.12.117"}
Unpacked = Callable[[str], Path]
Run = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Unpacked:
    """The files that matter of a linux-source package; whoever needs them first unpacks them."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if shared.name.startswith("popen-") else shared

    def folder(release: str) -> Path:
        tree = shared / f"linux-source-{release}"
        with (shared / f"{tree.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not tree.exists():
                half = shared / f"{tree.name}.half"
                source = open_tree(tree.name, wanted_files())
                for path in {*wanted_files(), "Makefile"}:
                    text = source.read(path)
                    if text is not None:
                        (half / path).parent.mkdir(parents=True, exist_ok=True)
                        (half / path).write_text(text)
                half.rename(tree)
        return tree

    return folder


@pytest.fixture
def edited(unpacked: Unpacked, tmp_path: Path) -> Callable[..., Path]:
    """A copy of a tree in which `old` is `new`, which must fit in one place of the file."""

    def copy(release: str, path: str, old: str, new: str) -> Path:
        tree = tmp_path / f"edited-{release}"
        if not tree.exists():
            shutil.copytree(unpacked(release), tree)
        text = (tree / path).read_text()
        assert len(re.findall(old, text)) == 1
        (tree / path).write_text(re.sub(old, new, text))
        return tree

    return copy


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command; gives its exit code and its JSON. What promises rest on has a test of its
    own, for it takes time."""

    def command(*args: object, resting: bool = False) -> tuple[int, dict[str, Any]]:
        if not resting:
            monkeypatch.setattr(drift, "resting", lambda *_: {})
        code = drift.main([*map(str, args), "--format", "json"])
        return code, json.loads(capsys.readouterr().out)

    return command


def by_name(told: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {f["name"]: f for f in told["functions"]}


PROVED = set("""
pte_modify pte_mkwrite pte_wrprotect pte_mkdirty pte_mkuffd_wp pte_clear_uffd_wp pte_mksoft_dirty
pte_clear_soft_dirty pte_swp_soft_dirty pte_swp_mksoft_dirty pte_swp_clear_soft_dirty
pte_swp_uffd_wp pte_swp_mkuffd_wp pte_swp_clear_uffd_wp pte_swp_exclusive pte_dirty pte_write
pte_present pte_protnone pte_none pte_special pte_uffd_wp pte_soft_dirty pgprot_modify
vm_get_page_prot maybe_mkwrite vma_wants_writenotify vma_soft_dirty_enabled vma_set_page_prot
userfaultfd_wp userfaultfd_pte_wp userfaultfd_armed can_change_pte_writable huge_pte_mkwrite
huge_pte_mkuffd_wp make_huge_pte is_migration_entry is_writable_migration_entry
make_readable_migration_entry vma_can_userfault userfaultfd_set_vm_flags pmd_modify
""".split())  # noqa: SIM905
SINCE_6_1 = ["vma_wants_manual_pte_write_upgrade", "userfaultfd_wp_use_markers", "pte_mksaveddirty",
             "pte_clear_saveddirty", "can_change_pmd_writable", "pte_needs_soft_dirty_wp",
             "pmd_needs_soft_dirty_wp", "pmd_mksaveddirty", "pmd_clear_saveddirty"]


@pytest.mark.parametrize("release", RELEASES)
def test_the_leaf_functions_of_the_kernels_are_the_models(release: str, unpacked: Unpacked,
                                                          run: Run) -> None:
    """Every one that the kernel has is proved equal, and all digests are those of the record."""
    code, told = run(unpacked(release))
    assert (code, told["drift"]) == (0, False)
    assert (told["version"], told["edition"]) == (RELEASES[release], f"v{release}")
    found = by_name(told)
    proved = {n for n, f in found.items() if f["proof"] and f["proof"]["verdict"] == "equal"}
    expected = set(LEAVES) - (set(SINCE_6_1) if release == "6.1" else set())
    assert proved == expected
    assert proved >= PROVED
    assert {f["text"] for n, f in found.items() if n in proved} == {"same"}
    assert found["change_pte_range"] | {"proof": None, "text": "same"} == found["change_pte_range"]


def test_a_lost_condition_is_shown_with_an_input_that_tells(edited: Callable[..., Path],
                                                            unpacked: Unpacked, run: Run) -> None:
    """The tree above is equal to the model for all inputs, so an input on which the model and the
    edited tree differ tells the two trees apart."""
    lost = r"\tif \(userfaultfd_pte_wp\(vma, pte\)\)\n\t\treturn false;\n"
    for release in RELEASES:
        tree = edited(release, "mm/mprotect.c", lost, "")
        code, told = run(tree, "--function", "can_change_pte_writable", "--function",
                         "change_pte_range", "--against", unpacked(release))
        found = by_name(told)["can_change_pte_writable"]
        assert (code, found["text"], found["proof"]["verdict"]) == (1, "changed", "differs")
        assert not by_name(told)["change_pte_range"]["drift"]
        answer = _model(release, found["proof"]["inputs"])
        assert (found["proof"]["tree"], found["proof"]["model_answer"]) == (True, False)
        assert answer is False
        assert "-\tif (userfaultfd_pte_wp(vma, pte))" in found["diff"]
        assert not [line for line in found["diff"] if re.match(r"\+(?!\+\+ )", line)]


def _model(release: str, at: dict[str, Any]) -> bool:
    vma = Vma(word(at["vm_flags"]), word(0), Mapping("any", "", anonymous=False, shared=False))
    entry = Entry(word(at["pte"]), at["anon"], at["anon_exclusive"], False, False)
    answer = can_change_pte_writable(EDITIONS[f"v{release}"], vma, entry)
    return bool(z3.is_true(z3.simplify(answer)))


WRONG = [
    ("6.12", "arch/x86/include/asm/pgtable.h", r"cond = \(~v >> _PAGE_BIT_RW\) & 1;",
     "cond = (v >> _PAGE_BIT_RW) & 1;", "pte_wrprotect"),
    ("6.12", "mm/vma.h", r"return !!\(vma->vm_flags & VM_WRITE\);",
     "return !!(vma->vm_flags & VM_READ);", "vma_wants_manual_pte_write_upgrade"),
    ("6.1", "arch/x86/mm/pgprot.c", r"(\[VM_SHARED \| VM_WRITE\]\s*= )PAGE_SHARED,",
     r"\1PAGE_READONLY,", "vm_get_page_prot"),
    ("6.1", "include/linux/swapops.h", r"(#define SWP_MIG_DIRTY_BIT\s+\(SWP_PFN_BITS) \+ 1\)",
     r"\1 + 2)", "is_migration_entry_dirty"),
    ("6.1", "mm/mmap.c", r" && !is_vm_hugetlb_page\(vma\)\)", ")", "vma_wants_writenotify"),
]


@pytest.mark.parametrize(("release", "path", "old", "new", "name"), WRONG,
                         ids=[wrong[-1] for wrong in WRONG])
def test_a_wrong_leaf_is_told(release: str, path: str, old: str, new: str, name: str,
                              edited: Callable[..., Path], run: Run) -> None:
    """A macro, a table and a helper count as the function that uses them."""
    code, told = run(edited(release, path, old, new), "--function", name)
    proof = by_name(told)[name]["proof"]
    assert (code, proof["verdict"]) == (1, "differs")
    assert proof["tree"] != proof["model_answer"]


def test_code_that_only_looks_otherwise_is_equal_still(edited: Callable[..., Path],
                                                       run: Run) -> None:
    """Its text has changed, which is told; a comment or white space is no change."""
    edited("6.1", "include/linux/userfaultfd_k.h",
           r"return userfaultfd_wp\(vma\) && pte_uffd_wp\(pte\);",
           "return pte_uffd_wp(pte) && userfaultfd_wp(vma);")
    tree = edited("6.1", "include/linux/mm.h",
                  r"if \(likely\(vma->vm_flags & VM_WRITE\)\)\n(?=\t\tpte = pte_mkwrite)",
                  "if (likely( vma->vm_flags  &  VM_WRITE )) /* as before */\n\n")
    code, told = run(tree, "--function", "userfaultfd_pte_wp", "--function", "maybe_mkwrite")
    found = by_name(told)
    assert code == 1
    assert (found["userfaultfd_pte_wp"]["text"], found["maybe_mkwrite"]["text"]) == ("changed",
                                                                                     "same")
    assert {f["proof"]["verdict"] for f in found.values()} == {"equal"}


def test_gone_new_and_moved_functions_are_told(edited: Callable[..., Path], run: Run) -> None:
    tree = edited("6.1", "mm/mprotect.c", r"change_pte_range\(struct mmu_gather", "gone(struct x")
    body = re.search(r"(?s)^int vma_wants_writenotify.*?^}", (tree / "mm/mmap.c").read_text(), re.M)
    assert body is not None
    edited("6.1", "mm/mmap.c", re.escape(body[0]), "")
    (tree / "mm/vma.c").write_text(body[0] + "\n")
    (tree / "mm/vma.h").write_text("static inline bool vma_wants_manual_pte_write_upgrade(struct "
                                   "vm_area_struct *vma)\n{\n\treturn vma->vm_flags & VM_WRITE;\n}")
    code, told = run(tree, "--digests", "--function", "vma_wants_*", "--function", "change_pte_*")
    texts = {name: f["text"] for name, f in by_name(told).items()}
    assert texts == {"change_pte_range": "missing", "vma_wants_writenotify": "moved",
                     "vma_wants_manual_pte_write_upgrade": "new"}
    assert code == 1
    assert run(tree, "--digests", "--function", "vma_wants_writenotify")[0] == 0


def test_the_promises_that_rest_on_a_function_are_named(edited: Callable[..., Path],
                                                        run: Run) -> None:
    """uffd_wp_range() is in the core; move_soft_dirty_pte() is called by mremap alone."""
    edited("6.12", "mm/mremap.c", r"static pte_t move_soft_dirty_pte\(pte_t pte\)\n\{",
           r"\g<0>\n\tpte = pte;")
    tree = edited("6.12", "mm/userfaultfd.c", r"mm_cp_flags = MM_CP_UFFD_WP;", "mm_cp_flags = 0;")
    _, told = run(tree, "--digests", resting=True)
    found = by_name(told)
    assert {n for n, f in found.items() if f["drift"]} == {"uffd_wp_range", "move_soft_dirty_pte"}
    assert {"softdirty-complete", "uffd-wp-complete"} <= set(found["uffd_wp_range"]["properties"])
    assert found["move_soft_dirty_pte"]["properties"] == ["mremap-marks-moved"]


def test_a_checkouts_own_history_shows_the_lines(edited: Callable[..., Path], run: Run,
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    tree = edited("6.1", "mm/mremap.c", r"\A", "")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "-C", str(tree)]
    for words in (["init", "-q"], ["add", "mm/mremap.c"], ["commit", "-qm", "x"],
                  ["tag", f"v{RELEASES['6.1']}"]):
        subprocess.run([*git, *words], check=True)
    edited("6.1", "mm/mremap.c", r"pte = pte_mksoft_dirty\(pte\);", "pte = pte_mkyoung(pte);")
    code, told = run(tree, "--function", "move_soft_dirty_pte", "--digests")
    diff = by_name(told)["move_soft_dirty_pte"]["diff"]
    assert code == 1
    assert [line for line in diff if re.match(r"[-+]\t", line)] == [
        "-\t\tpte = pte_mksoft_dirty(pte);", "+\t\tpte = pte_mkyoung(pte);"]
    assert drift.main([str(tree), "--function", "move_soft_dirty_pte"]) == 1
    text = capsys.readouterr().out
    assert "differs from the model's move_soft_dirty_pte() on this input" in text
    assert "(v6.1.192 of the tree's own history)" in text


@pytest.mark.parametrize("release", RELEASES)
def test_the_record_is_what_the_trees_say(release: str, unpacked: Unpacked, tmp_path: Path,
                                          monkeypatch: pytest.MonkeyPatch) -> None:
    """--record of both trees makes the file that is kept."""
    kept = json.loads(digests.RECORDS.read_text())
    monkeypatch.setattr(digests, "RECORDS", tmp_path / "digests.json")
    digests.RECORDS.write_text("{}")
    assert drift.main([str(unpacked(release)), "--record"]) == 0
    assert json.loads(digests.RECORDS.read_text()) == {RELEASES[release]: kept[RELEASES[release]]}


def test_the_record_names_every_mirror_and_holds_no_text() -> None:
    """What none of the releases has is no mirror; digests and names are all there is."""
    kept = json.loads(digests.RECORDS.read_text())
    assert [r["edition"] for r in kept.values()] == ["v6.1", "v6.12", "v7.2", "v7.3"]
    names = {name for r in kept.values() for name, found in r["functions"].items() if found}
    assert names == {item.name for item in items()}
    assert names >= set(MIRRORS)
    for release in kept.values():
        for found in release["functions"].values():
            for part in found:
                assert part.keys() == {"name", "path", "sha256"}
                assert re.fullmatch(r"[0-9a-f]{64}", part["sha256"])


FILE = """
/* f() is spoken of here { */
static inline int
f(int a)
{
	return g("}", a); // not the end }
}
#ifdef X
static int f(int a) { return 0; }
#endif
int f(int a);
int calls(void)
{
	return f (1);
}
#define h(x) \\
	((x) + 1)
static const int table[2] __read_mostly = {
	[0] = 1,
};
"""


def test_definitions_are_found_as_the_kernel_writes_them() -> None:
    found = definitions(FILE, "x.c", "f")
    assert [(d.line, d.text.count("\n")) for d in found] == [(3, 4), (9, 0)]
    assert definitions(FILE, "x.c", "h")[0].text.endswith("((x) + 1)")
    assert definitions(FILE, "x.c", "table")[0].place == "x.c:18"
    assert not definitions(FILE, "x.c", "g")
    spaced = FILE.replace("return g(", "return   g (").replace("// not", "/* else */ // not")
    assert digest(definitions(spaced, "x.c", "f")) == digest(found)
    for old, new in (("return 0", "return 1"), ('"}"', '"} "'), ("g(", "gg(")):
        assert digest(definitions(FILE.replace(old, new), "x.c", "f")) != digest(found)


def _makefile(version: str = "6", patchlevel: str = "5") -> str:
    return f"VERSION = {version}\nPATCHLEVEL = {patchlevel}\nSUBLEVEL = 0\n"


@pytest.fixture
def odd_trees(tmp_path: Path) -> Path:
    (tmp_path / "empty").mkdir()
    for name, text in (("other", _makefile()), ("known", _makefile("6", "1"))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Makefile").write_text(text)
    (tmp_path / "broken.tar.xz").write_text("no archive")
    (tmp_path / "file.c").write_text("")
    return tmp_path


@pytest.mark.parametrize(("args", "said"), [
    (["nothing-here"], "no kernel tree 'nothing-here': give a folder"),
    (["{}/file.c"], "is no folder and no .tar.xz"),
    (["{}/empty"], "is no kernel tree: its Makefile gives no VERSION"),
    (["{}/broken.tar.xz"], "cannot be unpacked: "),
    (["{}/other"],
     "is Linux 6.5.0, of which there is no edition: the nearest before it is 'v6.4'; "
     "--edition says which"),
    (["{}/known", "--edition", "v6.13"], "unknown edition 'v6.13'; the nearest before it"),
    (["{}/known", "--function", "can_chang_pte_writable"],
     "unknown function 'can_chang_pte_writable'; did you mean 'can_change_pte_writable'"),
    (["{}/known", "--record", "--function", "pte_dirty"], "--record keeps the digests of all"),
    (["{}/known", "--digests", "--edition", "v6.18"],
     "nothing to compare: no digests are recorded for v6.18, only for v6.1, v6.12"),
])
def test_bad_input_is_told_in_one_line(args: list[str], said: str, odd_trees: Path) -> None:
    with pytest.raises(UsageError) as error:
        drift.main([a.format(odd_trees) for a in args])
    assert said in str(error.value)
    assert "\n" not in str(error.value).strip()


def test_an_edition_without_a_record_is_proved_all_the_same(unpacked: Unpacked, run: Run) -> None:
    """v6.2 has not what 6.12 has; nothing is said of texts that nobody has recorded."""
    code, told = run(unpacked("6.12"), "--edition", "v6.2", "--function", "pte_dirty",
                     "--function", "pte_soft_dirty")
    found = by_name(told)
    assert (code, told["release"]) == (1, None)
    assert {f["text"] for f in found.values()} == {"unrecorded"}
    assert found["pte_soft_dirty"]["proof"]["verdict"] == "equal"
    assert found["pte_dirty"]["proof"]["inputs"] == {"pte": 1 << 58}
