"""drift on small trees of our own: what moved, was renamed, split or left out, and the C of 7.x."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model import drift
from model.kernel.editions import UsageError, find_edition
from model.source import digests
from model.source.conditions import gaps
from model.source.leaves import LEAVES
from model.source.names import RENAMED, REPLACED, definitions_for, oldest
from model.source.prove import DIFFERS, EQUAL, UNKNOWN, Proof, Prover, bits

Told = dict[str, dict[str, Any]]
Run = Callable[..., tuple[int, Told]]

OLD = {
    "Makefile": "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 1\n",
    "arch/x86/include/asm/pgtable.h": """
static inline int pte_uffd_wp(pte_t pte)
{
	return pte.pte & _PAGE_UFFD_WP;
}
static inline pte_t pte_mkuffd_wp(pte_t pte)
{
	return pte_set_flags(pte, _PAGE_UFFD_WP);
}
static inline int pte_protnone(pte_t pte)
{
	return pte.pte & 1;
}
""",
    "include/linux/swapops.h": """
static inline int is_swap_pte(pte_t pte)
{
	return !pte_none(pte) && !pte_present(pte);
}
""",
    "fs/userfaultfd.c": """
static int userfaultfd_release(int a)
{
	return pte_uffd_wp(a);
}
static int userfaultfd_api(int a)
{
	return a;
}
""",
    "mm/mprotect.c": """
static long change_pte_range(int a)
{
	return a + 1;
}
long change_protection(int a)
{
	return 2;
}
""",
    "mm/khugepaged.c": """
static int hpage_collapse_scan_pmd(int a)
{
	return a;
}
""",
    "mm/ksm.c": """
int ksm_madvise(int a)
{
	return use(a);
}
""",
}
NEW = {
    "Makefile": "VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 1\n",
    "arch/x86/include/asm/pgtable.h": """
static inline int pte_uffd(pte_t pte)
{
	return pte.pte & _PAGE_UFFD;
}
static inline pte_t pte_mkuffd(pte_t pte)
{
	return pte_set_flags(pte, _PAGE_UFFD | 1);
}
#ifdef CONFIG_ARCH_HAS_SOMETHING_NEW
static inline int pte_protnone(pte_t pte)
{
	return pte.pte & 1;
}
#else
static inline int pte_protnone(pte_t pte)
{
	return 0;
}
#endif
""",
    "mm/userfaultfd.c": """
static int userfaultfd_release(int a)
{
	return pte_uffd(a);
}
static int userfaultfd_api(int a)
{
	return a - 1;
}
""",
    "mm/mprotect.c": """
static void change_present_ptes(int a)
{
}
static long change_pte_range(int a)
{
	return change_present_ptes(a);
}
""",
    "mm/khugepaged.c": OLD["mm/khugepaged.c"].replace("hpage_collapse", "collapse"),
    "mm/ksm.c": OLD["mm/ksm.c"],
}
CHOSEN = ("pte_uffd_wp", "pte_mkuffd_wp", "pte_protnone", "is_swap_pte", "userfaultfd_release",
          "userfaultfd_api", "change_pte_range", "change_protection", "hpage_collapse_scan_pmd",
          "ksm_madvise")


def tree(folder: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Compares a tree with the old one, which v6.12 was read from."""
    monkeypatch.setattr(digests, "RECORDS", tmp_path / "digests.json")
    monkeypatch.setattr(drift, "resting", lambda *_: {})
    digests.RECORDS.write_text("{}")
    assert drift.main([str(tree(tmp_path / "old", OLD)), "--record"]) == 0
    capsys.readouterr()

    def command(files: dict[str, str], *more: str, edition: str = "v6.12") -> tuple[int, Told]:
        code = drift.main([str(tree(tmp_path / "new", files)), "--digests", "--edition", edition,
                           "--format", "json", *more])
        return code, {f["name"]: f for f in json.loads(capsys.readouterr().out)["functions"]}

    return command


def functions(*names: str) -> list[str]:
    return [word for name in names for word in ("--function", name)]


def test_what_has_become_of_each_function_is_said(run: Run) -> None:
    code, told = run(NEW, *functions(*CHOSEN))
    assert {name: (f["text"], f["words"]) for name, f in told.items()} == {
        "pte_uffd_wp": ("renamed", "renamed pte_uffd"),
        "pte_mkuffd_wp": ("changed", "renamed pte_mkuffd, changed"),
        "pte_protnone": ("compiled out",
                         "compiled out: CONFIG_ARCH_HAS_SOMETHING_NEW is not set"),
        "is_swap_pte": ("missing", "gone, written as (!pte_none(pte) && !pte_present(pte))"),
        "userfaultfd_release": ("moved", "moved to mm/userfaultfd.c"),
        "userfaultfd_api": ("changed", "moved to mm/userfaultfd.c, changed"),
        "change_pte_range": ("split", "split into change_present_ptes, changed"),
        "change_protection": ("missing", "gone"),
        "hpage_collapse_scan_pmd": ("renamed", "renamed collapse_scan_pmd"),
        "ksm_madvise": ("same", "same"),
    }
    assert code == 1
    [part] = told["pte_uffd_wp"]["definitions"]
    assert (part["name"], part["recorded"]["name"]) == ("pte_uffd", "pte_uffd_wp")
    assert part["sha256"] == part["recorded"]["sha256"]


def test_a_place_that_the_table_does_not_know_is_searched_for(run: Run) -> None:
    """In a folder, among the files of memory management; a call or a declaration is none."""
    calls = "long change_protection(int a);\nint f(int a)\n{\n\treturn change_protection(a);\n}\n"
    body = "\nlong\nchange_protection(int a, int b)\n{\n\treturn 2;\n}\n"
    for text, words in ((calls, "gone"), (calls + body, "gone (there is one in mm/new/protect.c)")):
        _, told = run(NEW | {"mm/new/protect.c": text}, "--function", "change_protection")
        assert told["change_protection"]["words"] == words


def test_other_places_and_names_alone_are_no_drift(run: Run) -> None:
    code, told = run(NEW, *functions("pte_uffd_wp", "userfaultfd_release", "ksm_madvise",
                                     "hpage_collapse_scan_pmd"))
    assert code == 0
    assert not any(f["drift"] for f in told.values())


def test_an_old_tree_against_a_newer_edition_is_told_the_same_way(
        run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The old name is the renamed one then, and the parts are gone; of the edition that it was read
    from, a tree is the same, and its names are told."""
    assert drift.main([str(tree(tmp_path / "newer", NEW)), "--record"]) == 0
    capsys.readouterr()
    _, told = run(OLD, *functions("pte_uffd_wp", "userfaultfd_release", "change_pte_range"),
                  edition="v7.3")
    assert {name: f["words"] for name, f in told.items()} == {
        "pte_uffd_wp": "renamed pte_uffd_wp", "userfaultfd_release": "moved to fs/userfaultfd.c",
        "change_pte_range": "changed, change_present_ptes is gone"}
    _, told = run(NEW, *functions("pte_uffd_wp", "change_pte_range"), edition="v7.3")
    assert {name: f["words"] for name, f in told.items()} == {
        "pte_uffd_wp": "same, as pte_uffd", "change_pte_range": "same"}
    with pytest.raises(UsageError, match=r"nothing to compare: no digests are recorded for v7\.2"):
        run(NEW, *functions("pte_uffd_wp"), edition="v7.2")


def test_the_text_has_one_line_for_each_in_groups(run: Run, tmp_path: Path,
                                                  capsys: pytest.CaptureFixture[str]) -> None:
    run(NEW)
    drift.main([str(tmp_path / "new"), "--digests", "--edition", "v6.12", *functions(*CHOSEN)])
    lines = capsys.readouterr().out.splitlines()
    groups = [line for line in lines if line.endswith(")") and line[0] != " " and "(" in line
              and line.split("(")[1][:-1].isdecimal()]
    assert groups == ["compiled out (1)", "gone (2)", "split (1)", "changed (2)", "renamed (2)",
                      "moved (1)", "same (1)"]
    for name in CHOSEN:
        assert len([line for line in lines if line.split("  ")[0] == name]) == 1
    assert lines[-1].startswith("10 functions: ")


def test_a_stub_is_not_what_was_left_out(run: Run) -> None:
    """Where the function is built its stub is not, and nothing is compiled out; a condition that
    speaks of no option may hold."""
    body = OLD["mm/ksm.c"]
    stub = "int ksm_madvise(int a)\n{\n\treturn -EINVAL;\n}\n"
    built = f"#ifdef CONFIG_KSM\n{body}#else\n{stub}#endif\n"
    for text, status in ((built, "changed"), (built.replace("KSM\n", "OTHER\n"), "compiled out"),
                         (f"#ifndef CONFIG_KSM\n{stub}#endif\n{body}", "changed"),
                         (f"#if PAGE_SIZE > 5\n{body}#endif\n", "same"),
                         (f"#if !IS_ENABLED(CONFIG_KSM)\n{body}#endif\n", "same")):
        assert run(NEW | {"mm/ksm.c": text}, "--function", "ksm_madvise")[1]["ksm_madvise"][
            "text"] == status


@pytest.mark.parametrize(("asked", "out"), [
    ("#ifdef CONFIG_A", False), ("#ifndef CONFIG_A", True), ("#ifdef CONFIG_B", True),
    ("#if defined(CONFIG_A) && defined CONFIG_B", True), ("#if !defined(CONFIG_B)", False),
    ("#if defined(CONFIG_B) || \\\n IS_ENABLED(CONFIG_A)", False), ("#if 0", True),
    ("#if 1", False),
    ("#if defined(CONFIG_B) && X > 1", False), ("#if CONFIG_LEVELS > 3", False),
    ("#ifdef __ASSEMBLY__", False), ("#if !(defined(CONFIG_A) || FOO) /* why */", True),
    ("#if FOO && defined(CONFIG_B)", True), ("#if (", False), ("#ifdef CONFIG_B\n#else", False),
    ("#ifdef CONFIG_A\n#else", True), ("#ifdef CONFIG_A\n#elif FOO", True),
    ("#ifdef CONFIG_B\n#elif defined(CONFIG_A)\n#else", True), ("#ifdef FOO\n#else", False),
    ("#ifdef CONFIG_B\n#ifdef CONFIG_A", True), ("#if FOO\n#elif defined(CONFIG_A)\n#else", True),
])
def test_what_options_leave_out(asked: str, out: bool) -> None:
    """Of what is not known, nothing is left out."""
    text = f"{asked}\nhere\n" + "#endif\n" * asked.count("#if")
    line = text.split("\n").index("here") + 1
    assert any(gap.start < line < gap.end for gap in gaps(text, {"A"})) is out


def test_names_are_in_the_table_once() -> None:
    """A new name has one old one, and none is both; a tree that has neither is told of none."""
    assert len(set(RENAMED.values())) == len(RENAMED)
    assert not RENAMED.keys() & RENAMED.values()
    assert all(oldest(new) == old and oldest(old) == old for old, new in RENAMED.items())
    assert definitions_for({}) == []
    assert definitions_for({"x.h": "static inline int pte_uffd(pte_t pte)\n{\n}\n"}) == [
        "#define pte_uffd_wp pte_uffd"]
    assert definitions_for({"x.h": "bool softleaf_is_swap(softleaf_t entry);\n"}) == [
        f"#define non_swap_entry(entry) {REPLACED['non_swap_entry(entry)']}"]
    both = "int pte_uffd(pte_t pte);\n#define pte_uffd_wp(pte) 0\n"
    assert definitions_for({"x.h": both}) == []


TYPES = """
typedef struct { unsigned long pte; } pte_t;
typedef struct { unsigned long pgprot; } pgprot_t;
typedef int __bitwise vma_flag_t;
typedef struct { unsigned long __vma_flags[BITS_TO_LONGS(64)]; } vma_flags_t;
#define DECLARE_VMA_BIT(name, n) VMA_ ## name ## _BIT = ((__force vma_flag_t)n)
enum { DECLARE_VMA_BIT(WRITE, 1), DECLARE_VMA_BIT(SHARED, 3), DECLARE_VMA_BIT(UFFD_WP, 12),
       DECLARE_VMA_BIT(UFFD_MINOR, 41) };
#define EMPTY ((vma_flags_t){ })
static vma_flags_t mk(vma_flags_t flags, int count, const vma_flag_t *bits)
{
	int i;
	unsigned long *map = flags.__vma_flags;
	for (i = 0; i < count; i++)
		__set_bit(bits[i], map);
	return flags;
}
#define flags(...) mk(EMPTY, 1, (const vma_flag_t []){__VA_ARGS__})
static bool any(const vma_flags_t *have, vma_flags_t want)
{
	const unsigned long *a = have->__vma_flags, *b = want.__vma_flags;
	return bitmap_intersects(a, b, 64);
}
"""
ASKS = TYPES + """
_Bool userfaultfd_wp(struct vm_area_struct *vma)
{ return any(&vma->flags, flags(VMA_UFFD_WP_BIT)); }
"""


def proof(name: str, code: str) -> Proof:
    """Of a tree that is one file."""
    leaf = LEAVES[name]
    prover = Prover(lambda path: code if path == "mm/mprotect.c" else None, find_edition("v7.3"),
                    [replace(leaf, presumed=())])
    return prover.prove(replace(leaf, presumed=()))


def test_flags_that_are_a_bitmap_are_read() -> None:
    """As vma->flags or by its first word, vma->vm_flags."""
    assert proof("userfaultfd_wp", ASKS).verdict == EQUAL
    mixed = ASKS.replace("return any", "return vma->vm_flags & 0x1000 && any")
    assert proof("userfaultfd_wp", mixed).verdict == EQUAL
    wrong = proof("userfaultfd_wp", ASKS.replace("(UFFD_WP, 12)", "(UFFD_WP, 13)"))
    assert wrong.verdict == DIFFERS
    assert dict(wrong.inputs)["vm_flags"] in (1 << 12, 1 << 13)


def test_a_change_of_the_bitmap_is_seen() -> None:
    """A function that only asks must leave the VMA as it is."""
    changing = ASKS.replace("{ return any", "{ __set_bit(3, vma->flags.__vma_flags); return any")
    told = proof("userfaultfd_wp", changing)
    assert told.verdict == DIFFERS
    assert "changes the VMA" in told.reason


def test_more_than_one_word_of_flags_is_not_guessed_at() -> None:
    """The bitmap helpers speak of one word."""
    for bits_, expected in ((128, UNKNOWN), (65, UNKNOWN), (64, EQUAL)):
        code = ASKS.replace("BITS_TO_LONGS(64)", f"BITS_TO_LONGS({bits_})").replace(
            "a, b, 64", f"a, b, {bits_}")
        assert proof("userfaultfd_wp", code).verdict == expected
    assert proof("userfaultfd_wp", ASKS.replace("_WP, 12)", "_WP, 64)")).verdict == UNKNOWN


def test_a_renamed_leaf_is_proved_by_its_old_name() -> None:
    code = TYPES + "static inline int pte_uffd(pte_t pte)\n{\n\treturn pte.pte & 1024;\n}\n"
    assert proof("pte_uffd_wp", code).verdict == EQUAL
    assert proof("pte_uffd_wp", code.replace("1024", "512")).verdict == DIFFERS
    gone = proof("pte_uffd_wp", TYPES)
    assert gone.verdict == UNKNOWN
    assert "pte_uffd_wp(), which is not in the files that are read" in gone.reason


def test_bits_have_the_names_that_the_tree_gives_them() -> None:
    prover = Prover(lambda path: ASKS if path == "mm/mprotect.c" else None, find_edition("v7.3"),
                    [])
    assert prover.flags()[41] == "VM_UFFD_MINOR"
    assert bits("vm_flags", 1 << 41 | 1 << 5, prover.flags()) == "bit 5|VM_UFFD_MINOR"
    assert bits("vm_flags", 1 << 27, {}) == "VM_SOFTDIRTY"
