"""The commands on real kernels: Debian's 6.1 and 6.12 in QEMU."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from counterexamples import conform, gallery, replay
from counterexamples.gallery import __main__ as gallery_command
from counterexamples.lab import guest
from counterexamples.lab.compare import UNFORCED
from counterexamples.lab.errors import CannotRun, NotTried
from counterexamples.lab.kernels import at_hand, named
from counterexamples.lab.session import Session
from counterexamples.lab.tools import static_program
from model.kernel.editions import UsageError, find_edition
from model.system.actions.themes import modelled
from model.system.state.mappings import MAPPINGS
from properties import PROPERTIES

GALLERY = Path(gallery.__file__).parent
TRACES = sorted(GALLERY.rglob("trace.itf.json"))
FIVE_CALLS = "softdirty-complete/v6.1/shmem/trace.itf.json"


def image(name: str) -> Path:
    path = at_hand(named(name), print).image
    assert path is not None
    return path


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str]:
    code = replay.main([*args, "--quiet"])
    return code, capsys.readouterr().out


def test_the_five_calls_lose_a_write_on_6_1_and_none_on_6_12(
        capsys: pytest.CaptureFixture[str]) -> None:
    trace = str(GALLERY / FIVE_CALLS)
    assert run(capsys, trace, "--kernel", "debian:6.1.192")[0] == 0
    code, text = run(capsys, trace, "--kernel", "debian:6.12.117", "--format", "json")
    told = json.loads(text)
    assert (code, told["verdict"], told["step"]) == (1, "not reproduced", 5)
    assert told["difference"] == {"field": "faults", "model": "0", "kernel": "1"}
    assert told["steps"][4]["kernel"]["pagemap"]["soft_dirty"]
    assert not told["steps"][4]["model"]["pagemap"]["soft_dirty"]
    assert re.fullmatch(r"[0-9a-f]{64}", told["kernel"]["sha256"])


def test_a_model_of_another_kernel_is_not_called_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever says that this image is of edition v6.12: it says itself what it is."""
    ops = ["store", "register", "unregister", "store"]
    where = ["--kernel", f"bzimage:{image('debian:6.1')}", "--mapping", "anon"]
    code, text = run(capsys, *ops, *where, "--edition", "v6.12", "--format", "ktap")
    assert code == 1
    *lines, last = text.splitlines()
    assert lines == ["KTAP version 1", "1..4", "ok 1 store", "ok 2 register", "ok 3 unregister",
                     "not ok 4 store # faults: model 0, kernel 1"]
    assert re.fullmatch(r"# not reproduced at step 4: faults: model 0, kernel 1; the kernel says "
                        r"that it is 6\.1\.0-\S+: v6\.12 is another's model", last)
    assert run(capsys, *ops, *where, "--edition", "v6.1")[0] == 0


def test_the_kernel_of_this_machine_answers_or_says_what_it_lacks(
        capsys: pytest.CaptureFixture[str]) -> None:
    code, text = run(capsys, "--kernel", "host", "--edition", "v6.12", "clear_refs", "store",
                     "--format", "ktap")
    assert code == 0 or (code == 4 and re.search(r"^1\.\.0 # SKIP Linux \S+ lacks ", text,
                                                 re.MULTILINE))


def test_what_the_kernel_of_this_machine_does_not_show_is_blank(
        capsys: pytest.CaptureFixture[str]) -> None:
    """Without soft-dirty the columns differed, and the verdict was "confirmed"."""
    args = ["--kernel", "host", "--edition", "v6.12", "--mapping", "anon", "store", "load"]
    code, text = run(capsys, *args)
    told = json.loads(run(capsys, *args, "--format", "json")[1])
    if told["not_compared"]:
        assert re.search(r"^confirmed; not compared: soft-dirty \(", text, re.MULTILINE)
        assert re.search(r"^ 1  store +ok +1 P--X-  rd wr +ok +1 P--X-  rd wr$", text, re.MULTILINE)
    else:
        assert "\nconfirmed\n" in text
    assert code == 0


@pytest.mark.parametrize("kernel", ["debian:6.1.192", "debian:6.12.117", "debian:7.3.4"])
def test_a_short_campaign_finds_no_divergence(kernel: str,
                                              capsys: pytest.CaptureFixture[str]) -> None:
    """Every transition of two graphs and every branch that calls can take; then random runs."""
    code = conform.main(["--kernel", kernel, "--runs", "500", "--seed", "1", "--jobs", "1",
                         "--mapping", "anon", "--mapping", "private-hugetlb", "--theme", "core",
                         "--tour",
                         "--format", "json", "--quiet"])
    told = json.loads(capsys.readouterr().out)
    assert (code, told["verdict"]) == (0, "same")
    for result in told["results"]:
        assert result["transitions"]["taken"] == result["transitions"]["of"]
        assert result["runs"] == result["guided"] + 500
        assert result["steps"] > 5_000
        assert not [b for c in result["coverage"].values() for b in c["missed"]]


SOME = ("anon", "shmem", "hugetlb")


@pytest.mark.parametrize(("kernel", "mappings"), [
    ("debian:6.1.192", MAPPINGS), ("debian:6.12.117", MAPPINGS), ("debian:7.3.4", MAPPINGS),
    ("debian:6.1.170", SOME), ("debian:6.12.100", SOME)])
def test_runs_of_all_operations_together_agree(kernel: str, mappings: Sequence[str],
                                               capsys: pytest.CaptureFixture[str]) -> None:
    """No theme has them all side by side: what conform does where no theme is named. The long
    campaigns are in counterexamples/records."""
    runs = 40
    words = [word for name in mappings for word in ("--mapping", name)]
    code = conform.main(["--kernel", kernel, *words, "--runs", str(runs), "--steps", "14",
                         "--seed", "1", "--jobs", "1", "--timeout", "60", "--format", "json",
                         "--quiet"])
    told = json.loads(capsys.readouterr().out)
    assert (code, told["verdict"]) == (0, "same")
    assert [r["mapping"] for r in told["results"]] == list(mappings)
    for result in told["results"]:
        assert (result["theme"], result["lacks"]) == ("all", {})
        assert set(result["left_out"]) <= UNFORCED
        assert (result["runs"], result["steps"]) == (runs, 14 * runs)
        assert result["transitions"]["taken"] > 5 * runs
        assert result["transitions"]["of"] is None


def test_a_divergence_is_shrunk_and_can_be_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    """The model of 6.1 on a 6.12: what the patch does to private memory, in four calls."""
    code = conform.main(["--kernel", "debian:6.12.117", "--edition", "v6.1", "--mapping", "anon",
                         "--theme", "core", "--quiet"])
    text = capsys.readouterr().out
    assert code == 1
    alone = next(line for line in text.splitlines() if line.startswith("alone: "))
    assert alone.endswith("--mapping anon store register unregister store")
    assert "4  store       faults: model 1, kernel 0" in text


def test_the_gallery_is_what_the_command_makes(tmp_path: Path,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    """Every counterexample, byte for byte, and no other; and of some promises what the kernels did
    too, but for their versions: Debian's lines move on."""
    some = ("close-keeps-armed", "mremap-marks-moved", "softdirty-armed", "unprotect-precise")
    work, out = tmp_path / "work", tmp_path / "out"
    folders = gallery_command.found(work, list(PROPERTIES))
    assert {f.relative_to(work) for f in folders} == {t.parent.relative_to(GALLERY) for t in TRACES}
    for folder in folders:
        kept = GALLERY / folder.relative_to(work)
        for name in gallery_command.KEPT:
            assert (folder / name).read_text() == (kept / name).read_text()

    def found_before(to: Path, properties: Sequence[str]) -> list[Path]:
        inside = [folder.relative_to(work) for folder in folders]
        return [shutil.copytree(work / folder, to / folder) for folder in inside
                if folder.parts[0] in properties]

    monkeypatch.setattr(gallery_command, "found", found_before)
    words = [word for name in some for word in ("--property", name)]
    assert gallery_command.main(["--out", str(out), *words]) == 0

    def files(top: Path) -> dict[str, str]:
        return {str(f.relative_to(top)): re.sub(r"^\(linux-\S+-cloud-.*\)$", "", f.read_text(),
                                                flags=re.MULTILINE)
                for name in some for trace in (top / name).rglob("trace.itf.json")
                for f in trace.parent.iterdir()}

    assert files(out) == files(GALLERY)


def seen(trace: Path, kernel: str) -> bool:
    """Whether the kernel did at each call as the model, and the program says that the promise is
    broken."""
    text = (trace.parent / "kernels.txt").read_text()
    columns = re.split(r"(?=^\S+ on \S+: the model of)", text, flags=re.MULTILINE)[1:]
    own, = (column for column in columns if f"beside {kernel}\n" in column)
    return "\nconfirmed\n" in own and "exits 1, the promise is broken" in own


@pytest.mark.parametrize("trace", TRACES, ids=lambda p: "-".join(p.parent.parts[-3:]))
def test_each_kept_trace_is_confirmed_on_its_own_kernel(trace: Path) -> None:
    assert seen(trace, gallery_command.KERNELS[trace.parent.parts[-2]])


@pytest.mark.parametrize(("prop", "name"), sorted({(p.parts[-4], p.parts[-2]) for p in TRACES}))
def test_each_kernel_that_breaks_a_promise_is_seen_to(prop: str, name: str) -> None:
    """By its own trace, or by that of a newer one."""
    mapping, *allow = name.split("+")
    promise, memory = PROPERTIES[prop], MAPPINGS[mapping]
    for edition, kernel in gallery_command.KERNELS.items():
        ed = find_edition(edition)
        by_less = any(promise.expected(ed, memory, less) == "violated"
                      for less in ([], allow[:1], allow[:-1]) if less != allow)
        if promise.concerns(ed, memory) and {*allow} <= {*modelled(ed, memory)} and not by_less \
                and promise.expected(ed, memory, allow) == "violated":
            assert any(seen(trace, kernel)
                       for trace in (GALLERY / prop).glob(f"*/{name}/trace.itf.json")), kernel


INIT = {
    "panics": ("int main(void) { return 0; }",
               r"panicked \(Kernel panic - not syncing: Attempted to kill init!"),
    "hangs": ("#include <unistd.h>\nint main(void) { for (;;) pause(); }",
              "hung: the first word of the agent did not come within 15 s, and it is idle"),
    "spins": ("int main(void) { for (;;); }",
              r"slow: the first word of the agent did not come within 15 s, and it is still at "
              r"work \(it computes, in silence\): --timeout gives it longer"),
    "babbles": ("""
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
int main(void)
{
	mknod("/tty", S_IFCHR | 0600, makedev(4, 65));
	if (write(open("/tty", O_WRONLY), "]]>&#0;\\n", 8) > 0)
		for (;;) pause();
	return 1;
}
""", "said ']]>&#0;' instead of the first word of the agent"),
}


@pytest.mark.parametrize("kind", INIT)
def test_a_kernel_that_fails_ends_in_one_line_with_its_log(kind: str, tmp_path: Path) -> None:
    program, said = INIT[kind]
    source = tmp_path / f"{kind}.c"
    source.write_text(program)
    init = static_program(source, "-static")
    with pytest.raises(NotTried, match=said) as caught:
        guest.boot(image("debian:6.1.192"), init=init,
                   boot_limit=15 if kind in ("hangs", "spins") else 60)
    assert "\n" not in str(caught.value)
    assert caught.value.console is not None
    assert caught.value.console.exists()
    caught.value.console.unlink()


def test_a_panic_before_the_first_word_is_not_yet_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Software emulation fails a good kernel now and then."""
    started, start = [], guest.start

    def panics_once(*given: Any) -> Session:
        started.append(given)
        if len(started) == 1:
            raise NotTried("panicked (Kernel panic) before the first word of the agent",
                           panicked=True)
        return start(*given)

    monkeypatch.setattr(guest, "start", panics_once)
    with guest.boot(image("debian:6.1.192")) as session:
        assert [seen.outcome for seen in session.run("anon", ("store",))] == ["ok"]
    assert len(started) == 2


def test_a_damaged_image_does_not_run_for_ever(tmp_path: Path) -> None:
    """A boot header, and no kernel behind it."""
    damaged = tmp_path / "bzImage"
    damaged.write_bytes(image("debian:6.1.192").read_bytes()[:0x8000])
    with pytest.raises(CannotRun) as caught:
        guest.boot(damaged, boot_limit=10)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "said"), [
    ("debian:6.2.9", "Debian offers no cloud image of Linux 6.2.9; it offers .*6.1"),
    ("debian:trixie", "'trixie' is no kernel version; debian:6.1 is the newest of its line"),
    ("debian:v6.1", "'v6.1' is no kernel version; did you mean '6.1'?"),
    (f"debian:{'9' * 5000}.1", r"'9{200}\.\.\.' is no kernel version; debian:6.1 is"),
    ("debain:6.1", "unknown kernel 'debain:6.1'; did you mean 'debian:VERSION'"),
    ("bzimage:/usr/bin/env", "'/usr/bin/env' is not a kernel image: .* name a bzImage"),
    ("bzimage:+a.ko", "'' does not exist; an image is named bzimage:PATH"),
    ("tree:linux-source-6.1+", "'' does not exist; a tree is named tree:PATH"),
    ("bzimage:/nowhere", "'/nowhere' does not exist; an image is named bzimage:PATH"),
    ("bzimage:/nowhere+a.ko", "'/nowhere' does not exist; an image is named bzimage:PATH"),
    ("tree:linux-source-1.0", "Debian has no package 'linux-source-1.0'; it has .*e-6.1"),
    ("bzimage:/usr/bin/env+a.ko",
     r"'a\.ko' does not exist; an image is named bzimage:PATH\[\+FILE"),
    ("bzimage:/", "'/' is not|cannot read '/': Is a directory"),
    ("tree:/nowhere", "'/nowhere' does not exist; a tree is named tree:PATH"),
    ("tree:", "'tree:' is not one of debian:VERSION, bzimage:PATH"),
    ("host:6.1", "'host:6.1' is not one of"),
])
def test_a_kernel_that_is_none_is_named(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        at_hand(named(name), print)


@pytest.mark.parametrize(("args", "said"), [
    ("replay nowhere.json --kernel host", "cannot read 'nowhere.json': No such file"),
    ("replay stroe --kernel host --edition v6.1", "unknown operation 'stroe'; did you mean"),
    ("replay store --kernel host", "which edition models host is not known: name one"),
    ("replay store --kernel host --edition v6.1 --mapping shmme", "unknown mapping"),
    ("replay pyproject.toml --kernel debian:6.1", "not an ITF trace of this tool"),
    ("conform --kernel host", "which edition models host is not known: name one"),
    ("conform --kernel host --edition v6.1 --mapping shmme", "unknown mapping"),
    ("conform --kernel host --edition v6.1 --runs -1", "a whole number from"),
    ("conform --kernel host --edition v6.1 --seed x", "a whole number from"),
    ("conform --kernel host --edition v6.1 --tour", "--tour asks for guided runs"),
    ("conform --kernel host --edition v6.1 --theme all --extra-states 0",
     "--extra-states asks for guided runs"),
    ("conform --kernel host --edition v6.1 --runs 0", "--runs 0 leaves nothing to do"),
    ("conform --kernel host --edition v6.1 --mapping shmem --theme huge", "has none of these"),
])
def test_bad_input_is_one_line_and_exit_2(args: str, said: str) -> None:
    done = subprocess.run([sys.executable, "-m", *f"counterexamples.{args}".split()], text=True,
                          capture_output=True, check=False,
                          cwd=Path(__file__).parent.parent.parent)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
