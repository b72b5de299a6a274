"""Kernels from source trees, on a toy tree whose Makefile answers as the kernel's does.

A toy object is a copy of its source, and the toy image all of them in a row, so that an image says
what it was built from; the file `compiled` in the build folder says what make compiled.
"""

from __future__ import annotations

import difflib
import os
import shutil
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from counterexamples.lab import tree
from counterexamples.lab.errors import CannotRun

MAKEFILE = r"""
VERSION = 6
PATCHLEVEL = 1
SUBLEVEL = 0
EXTRAVERSION = -toy

OBJECTS = $(patsubst %.c,$(O)/%.o,$(sort $(wildcard mm/*.c)))
LACKS = $(shell cat Kconfig)

allnoconfig:
	@sed '/^CONFIG_$(LACKS)=/d' $(KCONFIG_ALLCONFIG) > $(O)/.config

bzImage: $(OBJECTS)
	@mkdir -p $(O)/arch/x86/boot
	@cat $(OBJECTS) > $(O)/arch/x86/boot/bzImage

$(O)/%.o: %.c
	@echo '  CC      $*.o'; echo $* >> $(O)/compiled
	@if grep -q '^#error' $<; then echo '$(CURDIR)/$<:1:2: error: #error' >&2; exit 1; fi
	@mkdir -p $(@D); cp $< $@

mrproper:
	@rm -f mm/generated.c
"""
A, B = "".join(f"a{n}\n" for n in range(20)), "b1\nb2\nb3\n"
OLD = (1_000_000_000, 1_000_000_000)


@pytest.fixture(autouse=True)
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The toy needs no compiler: tools that do nothing stand in for the kernel's."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("gcc", "flex", "bison", "bc"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """A toy tree, of a time long before any build."""
    source = tmp_path / "linux"
    (source / "mm").mkdir(parents=True)
    for name, text in {"Makefile": MAKEFILE, "Kconfig": "NOTHING", "Kbuild": "", "mm/a.c": A,
                       "mm/b.c": B, "scripts/run.sh": "#!/bin/sh\n"}.items():
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text(text)
        os.utime(source / name, OLD)
    (source / "scripts/run.sh").chmod(0o755)
    (source / "README").symlink_to("Makefile")
    return source


def build(source: Path, *patches: Path) -> str:
    """The text of the image, which is that of the sources."""
    return image(source, *patches).read_text()


def image(source: Path, *patches: Path) -> Path:
    return tree.build(source, patches, source.parent / "cache", lambda line: None)


def error(source: Path, *patches: Path) -> str:
    with pytest.raises(CannotRun) as raised:
        image(source, *patches)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def compiled(source: Path) -> list[str]:
    """What make compiled since this was last asked."""
    [log] = (source.parent / "cache").glob("trees/*/build/compiled")
    done = sorted(log.read_text().split())
    log.write_text("")
    return done


def patch_file(folder: Path, name: str, path: str, before: str | None, after: str | None) -> Path:
    """A patch, as git writes it, from one content of a file to another; None is no file."""
    diff = difflib.unified_diff((before or "").splitlines(True), (after or "").splitlines(True),
                                "/dev/null" if before is None else f"a/{path}",
                                "/dev/null" if after is None else f"b/{path}")
    (folder / name).write_text("Why it is done.\n\n" + "".join(diff))
    return folder / name


def contents(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    return {str(p.relative_to(folder)): (p.read_bytes(), p.stat().st_mtime_ns, p.stat().st_mode)
            for p in folder.rglob("*") if p.is_file()}


def test_the_tree_is_only_read(toy: Path, tmp_path: Path) -> None:
    """The copy is made of links to the tree: a patch must not be written through one."""
    before = contents(toy)
    fix = patch_file(tmp_path, "fix.patch", "mm/a.c", A, A.replace("a5", "fixed"))
    assert build(toy, fix) == A.replace("a5", "fixed") + B
    assert build(toy) == A + B
    assert contents(toy) == before


def test_a_second_variant_compiles_what_differs(toy: Path, tmp_path: Path) -> None:
    """It takes seconds instead of minutes; and an image that was built is not built again."""
    fix = patch_file(tmp_path, "fix.patch", "mm/a.c", A, A.replace("a5", "fixed"))
    first = image(toy)
    assert compiled(toy) == ["mm/a", "mm/b"]
    assert build(toy, fix) == A.replace("a5", "fixed") + B
    assert compiled(toy) == ["mm/a"]
    assert (image(toy), compiled(toy)) == (first, [])
    fix.write_text(fix.read_text().replace("fixed", "fixed again"))
    assert build(toy, fix) == A.replace("a5", "fixed again") + B
    assert compiled(toy) == ["mm/a"]
    other = patch_file(tmp_path, "other.patch", "mm/b.c", B, B.replace("b2", "other"))
    assert build(toy, other) == A + B.replace("b2", "other")
    assert compiled(toy) == ["mm/a", "mm/b"]


def test_patches_build_on_each_other(toy: Path, tmp_path: Path) -> None:
    """tree:PATH+ONE+TWO: files come and go, and the next variant has them as they were."""
    one = patch_file(tmp_path, "one", "mm/c.c", None, "c1\n")
    two = patch_file(tmp_path, "two", "mm/c.c", "c1\n", "c2\n")
    gone = patch_file(tmp_path, "gone", "mm/b.c", B, None)
    assert build(toy, one, two, gone) == A + "c2\n"
    assert build(toy) == A + B
    assert error(toy, two, one).startswith("two does not apply")


@pytest.mark.parametrize("replaced", [False, True], ids=["in-place", "replaced"])
def test_an_edit_of_the_tree_is_seen(toy: Path, replaced: bool) -> None:
    """Even one that make would miss, for it bears a time before the last build."""
    build(toy)
    compiled(toy)
    if replaced:
        (toy / "mm/a.c").unlink()
    (toy / "mm/a.c").write_text("edited\n")
    os.utime(toy / "mm/a.c", (OLD[0] + 1, OLD[1] + 1))
    before = contents(toy)
    assert build(toy) == "edited\n" + B
    assert compiled(toy) == ["mm/a"]
    assert contents(toy) == before


def test_what_a_build_left_in_the_tree_stays_out(toy: Path) -> None:
    """The kernel refuses to build out of a tree that it was built in; make would take its parts."""
    for name in (".config", ".git/HEAD", "include/config/auto.conf", "include/generated/utsrelease",
                 "arch/x86/include/generated/asm.h", "mm/a.o", "mm/.a.o.cmd", "out/.config",
                 "out/include/x.h", "mm/generated.c"):
        (toy / name).parent.mkdir(parents=True, exist_ok=True)
        (toy / name).write_text("product\n")
    assert build(toy) == A + B
    [copy] = (toy.parent / "cache").glob("trees/*/copy")
    assert sorted(contents(copy)) == ["Kbuild", "Kconfig", "Makefile", "README", "mm/a.c", "mm/b.c",
                                      "scripts/run.sh"]
    assert (toy / "mm/generated.c").exists()


def test_an_archive_is_a_tree(toy: Path, tmp_path: Path) -> None:
    """Debian ships sources as linux-source-6.1.tar.xz."""
    archive = tmp_path / "linux-source.tar.xz"
    with tarfile.open(archive, "w:xz") as packed:
        packed.add(toy, "linux-source")
    fix = patch_file(tmp_path, "fix.patch", "mm/a.c", A, A.replace("a5", "fixed"))
    assert tree.version(archive) == tree.version(toy) == "6.1.0-toy"
    assert build(archive) == A + B
    assert build(archive, fix) == A.replace("a5", "fixed") + B


def test_two_processes_do_not_mix(toy: Path, tmp_path: Path) -> None:
    """Each variant is whole, whoever was first; a lock is held by an open file, not a process."""
    fixes = [patch_file(tmp_path, f"{n}.patch", f"mm/{name}.c", text, f"{n}\n")
             for n, (name, text) in enumerate((("a", A), ("b", B)) * 3)]
    with ThreadPoolExecutor(len(fixes)) as threads:
        built = list(threads.map(lambda fix: build(toy, fix), fixes))
    assert built == [f"{n}\n" + B if n % 2 == 0 else A + f"{n}\n" for n in range(len(fixes))]


def test_an_interrupted_change_is_made_good(toy: Path, tmp_path: Path,
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk, or ^C: what was in doubt is written again."""
    fix = patch_file(tmp_path, "fix.patch", "mm/a.c", A, None)
    add = patch_file(tmp_path, "add.patch", "mm/c.c", None, "c\n")
    build(toy, add)

    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(shutil, "copy", full)
        assert "No space left on device" in error(toy, fix)
        broken.setattr(Path, "unlink", full)
        assert "No space left on device" in error(toy)
    assert build(toy, fix) == B
    assert build(toy) == A + B


def test_a_patch_that_does_not_apply(toy: Path, tmp_path: Path) -> None:
    """It names the file and the hunk, and leaves no half of itself behind."""
    was = A.replace("a15", "was")
    two = patch_file(tmp_path, "two.patch", "mm/a.c", was, was.replace("a2", "c").replace("s", "c"))
    assert error(toy, two) == ("two.patch does not apply to this tree with patch -p1 and no fuzz: "
                               "mm/a.c, hunk #2 at line 13")
    assert build(toy) == A + B


def test_other_patches_that_do_not_apply(toy: Path, tmp_path: Path) -> None:
    """Each says why: the tree has it already, has no such file, and what is no patch at all."""
    again = patch_file(tmp_path, "again.patch", "mm/a.c", A.replace("a5", "before"), A)
    assert error(toy, again).endswith(
        "mm/a.c: Reversed (or previously applied) patch detected! Skipping patch.")
    elsewhere = patch_file(tmp_path, "elsewhere.patch", "mm/none.c", A, A.replace("a5", "c"))
    assert "elsewhere.patch does not apply" in error(toy, elsewhere)
    for text in ("", "Nothing but words.\n"):
        (tmp_path / "words.patch").write_text(text)
        assert "words.patch does not apply" in error(toy, tmp_path / "words.patch")


def test_a_patch_for_slightly_other_lines(toy: Path, tmp_path: Path) -> None:
    """patch would guess (fuzz) where the lines around the change differ; a verdict must not rest
    on a guess. Lines that only moved are no guess."""
    fix = patch_file(tmp_path, "fix.patch", "mm/a.c", A, A.replace("a5", "fixed"))
    (toy / "mm/a.c").write_text("new\n" + A)
    assert build(toy, fix) == "new\n" + A.replace("a5", "fixed") + B
    (toy / "mm/a.c").write_text(A.replace("a2", "other"))
    assert error(toy, fix).endswith("mm/a.c, hunk #1 at line 3")


LINK = "diff --git a/{0} b/{0}\nnew file mode 120000\n--- /dev/null\n+++ b/{0}\n@@ -0,0 +1 @@\n" \
       "+{1}\n\\ No newline at end of file\n"


def test_a_patch_cannot_write_outside_the_tree(toy: Path, tmp_path: Path) -> None:
    """Not through a link that an earlier patch makes, nor one of the tree's own, nor by name."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "run.sh").write_text("#!/bin/sh\n")
    (toy / "own").symlink_to(outside)
    link = tmp_path / "link.patch"
    link.write_text(LINK.format("scripts", outside))
    through = patch_file(tmp_path, "through.patch", "scripts/run.sh", "#!/bin/sh\n", "other\n")
    assert error(toy, link, through) == (
        "link.patch is not applied: it makes or changes a symbolic link; a patch may only change "
        "files of the tree")
    for path, said in (("own/run.sh", "it goes through the symbolic link 'own'"),
                       ("../outside/run.sh", "'../outside/run.sh' is not below the tree"),
                       ("mm/../../outside/run.sh", "is not below the tree")):
        own = patch_file(tmp_path, "own.patch", path, "#!/bin/sh\n", "other\n")
        assert said in error(toy, own)
    quoted = patch_file(tmp_path, "quoted.patch", "mm/a.c", A, "")
    quoted.write_text(quoted.read_text().replace("--- a/mm/a.c", '--- "a/\\056\\056/run.sh"'))
    assert "is in quotes" in error(toy, quoted)
    for words in (f"diff --git a/mm/a.c b/x\nrename from mm/a.c\nrename to ../{outside.name}/x\n",
                  f"Index: a/../{outside.name}/run.sh\n--- a\n+++ b\n@@ -1 +1 @@\n-#\n+x\n"):
        (tmp_path / "words.patch").write_text(words)
        assert "is not below the tree" in error(toy, tmp_path / "words.patch")
    assert contents(outside).keys() == {"run.sh"}
    assert (outside / "run.sh").read_text() == "#!/bin/sh\n"


def test_a_name_with_two_slashes_is_one_of_the_tree(toy: Path, tmp_path: Path) -> None:
    """As patch -p1 reads it: `--- a//mm/a.c` was a file of the machine's root."""
    fix = patch_file(tmp_path, "fix.patch", "mm/a.c", A, A.replace("a5", "fixed"))
    fix.write_text(fix.read_text().replace(" a/mm", " a//mm").replace(" b/mm", " /mm"))
    assert build(toy, fix) == A.replace("a5", "fixed") + B
    outside = patch_file(tmp_path, "outside.patch", f"/{tmp_path}/victim", "1\n", "2\n")
    (tmp_path / "victim").write_text("1\n")
    assert "outside.patch does not apply" in error(toy, outside)
    assert (tmp_path / "victim").read_text() == "1\n"


def test_a_patch_runs_nothing(toy: Path, tmp_path: Path) -> None:
    """A script of ed is no patch."""
    (tmp_path / "ed.patch").write_text("Index: a/mm/a.c\n1s/a0/b/\n!touch ran\n.\n")
    assert "ed.patch does not apply" in error(toy, tmp_path / "ed.patch")


def test_a_link_of_the_tree_becomes_a_folder(toy: Path, tmp_path: Path) -> None:
    """What lay behind the link stays."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.h").write_text("x\n")
    (toy / "include").symlink_to(outside)
    build(toy)
    (toy / "include").unlink()
    (toy / "include").mkdir()
    (toy / "include/x.h").write_text("y\n")
    build(toy)
    [copy] = (toy.parent / "cache").glob("trees/*/copy")
    assert (copy / "include/x.h").read_text() == "y\n"
    assert (outside / "x.h").read_text() == "x\n"


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_damaged_note_of_the_copy(toy: Path, tmp_path: Path, text: str) -> None:
    """The copy is made anew."""
    build(toy)
    [note] = (toy.parent / "cache").glob("trees/*/copy.json")
    note.write_text(text)
    fix = patch_file(tmp_path, "fix.patch", "mm/a.c", A, A.replace("a5", "fixed"))
    assert build(toy, fix) == A.replace("a5", "fixed") + B


@pytest.mark.parametrize("kind", ["image", "source"])
def test_what_is_damaged_is_built_anew(kind: str, toy: Path, tmp_path: Path) -> None:
    """A truncated image was no kernel for ever; a truncated source another kernel."""
    archive = tmp_path / "linux-source.tar.xz"
    with tarfile.open(archive, "w:xz") as packed:
        packed.add(toy, "linux-source")
    built = image(archive)
    hurt = built if kind == "image" else built.parents[1] / "source/mm/a.c"
    hurt.unlink()  # what is a link in the copy stays whole there
    hurt.write_text("a")
    assert build(archive) == A + B


def test_a_compile_error(toy: Path, tmp_path: Path) -> None:
    """The compiler's first error and the log; and the next variant is none the worse."""
    wrong = patch_file(tmp_path, "wrong.patch", "mm/b.c", B, "#error\n")
    message, _, log = error(toy, wrong).partition("; log: ")
    assert message == "linux 6.1.0-toy does not build: mm/b.c:1:2: error: #error"
    assert "CC      mm/b.o" in Path(log).read_text()
    assert build(toy) == A + B


def test_a_missing_tool(toy: Path, tools: Path, tmp_path: Path,
                        monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to install; a kernel that was built needs no tool."""
    built = image(toy)
    monkeypatch.setenv("PATH", "")
    assert image(toy) == built
    fix = patch_file(tmp_path, "fix.patch", "mm/a.c", A, "")
    assert error(toy, fix) == (
        "no make, gcc, flex, bison, bc, patch to build a kernel with: "
        "apt-get install make gcc flex bison bc patch libc6-dev libelf-dev")
    (tools / "gcc").write_text("#!/bin/sh\necho '<stdin>:2:10: fatal error: gelf.h: No' >&2\n")
    monkeypatch.undo()
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    assert error(toy, fix).startswith("no gelf.h to build a kernel with: apt-get install ")


def test_an_option_that_the_kernel_lacks(toy: Path) -> None:
    """kconfig drops what it does not know without a word, and the lab would test nothing."""
    (toy / "Kconfig").write_text("MEM_SOFT_DIRTY")
    assert "6.1.0-toy cannot have CONFIG_MEM_SOFT_DIRTY=y" in error(toy)


@pytest.mark.parametrize("part", ["Makefile", "Kconfig", "mm"])
def test_not_a_kernel_tree(toy: Path, part: str) -> None:
    """A folder above or inside the tree, another program's sources, a file."""
    (toy / part).rename(toy / "elsewhere")
    assert "is not a kernel source tree" in error(toy)
    assert "is not a kernel source tree" in error(toy / "README")
    assert "is not a kernel source tree" in error(toy / "nowhere")


def test_a_cache_inside_the_tree(toy: Path) -> None:
    """The tree would be written to, and its copy would hold itself."""
    with pytest.raises(CannotRun, match="lies inside the tree"):
        tree.build(toy, [], toy / "cache", lambda line: None)
    assert not (toy / "cache").exists()
