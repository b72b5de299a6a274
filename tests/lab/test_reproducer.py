"""The C programs: they compile everywhere, and do on a kernel what the model says of it."""

from __future__ import annotations

import random
import re
import resource
import subprocess
from pathlib import Path

import pytest

from counterexamples import gallery
from counterexamples.lab import guest
from counterexamples.lab.compare import UNFORCED
from counterexamples.lab.kernels import at_hand, named
from counterexamples.reproducer.calls import CALLS, MAPPINGS, OUTCOMES
from counterexamples.reproducer.parts import PARTS
from counterexamples.reproducer.program import program
from counterexamples.trace import run_trace
from model.kernel.editions import find_edition
from model.kernel.records import Outcome
from model.system.actions.operations import OPERATIONS
from model.system.actions.themes import modelled
from model.system.relation.kernel import whole_system
from model.system.state import mappings

KEPT = sorted(Path(gallery.__file__).parent.rglob("repro.c"))
KERNELS = {"v6.1": "debian:6.1.192", "v6.12": "debian:6.12.117"}
SKIP = 4


def text(edition: str, mapping: str, ops: tuple[str, ...]) -> str:
    kernel = whole_system(find_edition(edition), mappings.find_mapping(mapping))
    return program(run_trace(kernel, ops, prop="test", claim="Whatever the model says holds."))


def built(source: Path, *options: str) -> Path:
    """The program in `source`, beside it; a warning is an error."""
    done = source.with_suffix("")
    subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", *options, "-o", done, source], check=True)
    return done


def callable_ops(edition: str, mapping: str) -> list[str]:
    """What is modelled there and can be asked for by a program."""
    return [op for op in modelled(find_edition(edition), mappings.find_mapping(mapping))
            if op in CALLS]


def drawn(mapping: str) -> list[tuple[str, ...]]:
    """Runs of twelve operations, with each operation in some of them."""
    draw = random.Random(mapping)
    known = callable_ops("v6.1", mapping)
    runs = [tuple(draw.choices(known, k=14)) for _ in range(2)]
    return [*runs, tuple(known), ("store", "clear_refs", "register", "unregister", "store")]


def test_there_is_c_for_all_that_a_trace_may_hold() -> None:
    assert set(CALLS) | UNFORCED == set(OPERATIONS)
    assert set(MAPPINGS) == set(mappings.MAPPINGS)
    assert all(o.name in OUTCOMES or o.name.startswith("E") for o in Outcome)


@pytest.mark.parametrize("options", ["-O0", "-O2", "-O3 -flto", "-O2 -static", "-std=gnu89 -O2"])
def test_plain_gcc_builds_them_without_a_word(options: str, tmp_path: Path) -> None:
    """Those that are kept with the usual options; with each, a program for every operation and
    mapping."""
    assert KEPT
    kept = [path.read_text() for path in KEPT] if options == "-O2" else []
    each = [text("v6.12", mapping, (name,))
            for mapping, names in (("shmem", callable_ops("v6.12", "shmem")),
                                   ("thp", ["collapse"]), ("hugetlb", ["fork:child"]),
                                   ("private-file", ["ksm"]), ("file", ["writeback"]))
            for name in names]
    for number, code in enumerate([*kept, *each]):
        source = tmp_path / f"{number}.c"
        source.write_text(code)
        built(source, *options.split())


@pytest.mark.parametrize("path", KEPT, ids=lambda p: "-".join(p.parent.parts[-3:]))
def test_they_are_short_and_read_well(path: Path) -> None:
    """A comment with the state above each step; and not long, but for KSM's twins and scans, which
    end by what is seen, for reclaim, which has its swap area to make, for a device, and for
    calls that never return."""
    text = path.read_text()
    code = [line for line in re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL).split("\n")
            if line.strip()]
    longer = {"ksm": 152, "freed-own": 152, "rwp-complete": 175, "pageout": 140,
              "pin:write": 150, "guard": 146, "calls-return": 146}
    assert len(code) <= max((n for op, n in longer.items() if op in str(path.parent)),
                            default=125)
    lines = text.splitlines()
    assert max(len(line.expandtabs(8)) for line in lines) <= 116
    steps = [n for n, line in enumerate(lines) if re.match(r'\tstep\("', line)]
    assert all(re.match(r"\t/\* (by the kernel; )?pte: ", lines[n - 1]) for n in steps[1:])


@pytest.mark.parametrize(("edition", "option"), [("v6.1", "-O0"), ("v6.12", "-O2")])
def test_they_tell_kernels_apart_as_the_model_does(edition: str, option: str,
                                                   tmp_path: Path) -> None:
    """A random run of either edition, as a program on this edition's kernel: exit 1 where the two
    models agree on all that the program compares, else 0."""
    programs: dict[str, Path] = {}
    expected = {}
    for mapping in MAPPINGS:
        kind = mappings.find_mapping(mapping)
        for other in KERNELS:
            for ops in drawn(mapping):
                source = tmp_path / f"p{len(programs)}.c"
                source.write_text(text(other, mapping, ops))
                traces = [run_trace(whole_system(find_edition(e), kind), ops, prop="", claim="")
                          for e in (other, edition)]
                scanned = traces[0].scanned
                told, here = ([(s.outcome, s.faults, s.pagemap, scanned and s.written)
                               for s in trace.steps] for trace in traces)
                lacks = scanned and not find_edition(edition).has("52526ca7fdb9")
                expected[source.stem] = SKIP if lacks else int(told == here)
                programs[source.stem] = built(source, "-static", option)
    assert set(expected.values()) >= {0, 1}
    with at_hand(named(KERNELS[edition]), print).start(files=programs) as session:
        session.probe("anon")  # turns swap on, as a block device
        said: dict[str, list[str]] = {name: [] for name in programs}
        ended = {name: session.execute(f"/{name}", said[name].append) for name in programs}
    wrong = [name for name in programs if ended[name] != expected[name]]
    assert not wrong, [line for name in wrong for line in said[name] if "<- other" in line]
    words = {line.split(" ")[0] for lines in said.values() for line in lines}
    assert words == {"KTAP", "1..1", "#", "ok", "not"}


def test_swap_is_made_where_there_is_none(tmp_path: Path) -> None:
    """Of a file, which is gone at the end; a huge page would not be swapped as one."""
    programs = {}
    for mapping, ops in (("anon", ("store", "pageout", "load", "swapoff", "pageout")),
                         ("thp", ("store", "pageout"))):
        source = tmp_path / f"{mapping}.c"
        source.write_text(text("v6.12", mapping, ops))
        programs[mapping] = built(source, "-static")
    lines: list[str] = []
    with at_hand(named("debian:6.12.117"), print).start(files=programs) as session:
        ended = [session.execute(f"/{name}", lines.append) for name in ("anon", "anon", "thp")]
    assert ended == [1, 1, SKIP], lines
    assert lines[-1] == ("ok 1 test on thp # SKIP swap on a block device, as zram: No such device")


STORM = """
#include <time.h>
static int page(void) { return mmap(PLACE, PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != PLACE; }
int main(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	struct itimerspec often = { { 0, 50000 }, { 0, 50000 } };
	timer_t timer;
	int n, wrong = page();

	signal(SIGSEGV, on_signal);
	signal(SIGALRM, on_signal);
	touch(1);
	wrong |= timer_create(CLOCK_MONOTONIC, &event, &timer);
	wrong |= timer_settime(timer, 0, &often, NULL);
	for (n = 0; n < 5000; n++)
		wrong |= touch(n & 1) || faults;
	return wrong;
}
"""


@pytest.mark.parametrize("option", ["-O0", "-O2"])
def test_an_access_is_not_given_up_because_it_takes_long(option: str, tmp_path: Path) -> None:
    """An alarm in the middle of an access, as on a busy machine, ends it only where it has faulted
    again and again."""
    source = tmp_path / "storm.c"
    source.write_text(text("v6.12", "anon", ("store",)).partition("int main(void)")[0] + STORM)
    done = subprocess.run([built(source, option, "-Wno-unused-function")], check=False)
    assert done.returncode == 0


INTERRUPTED = """
static int interrupted = 3;
int swapon(const char *name, int flags) { return !name + flags; }
int swapoff(const char *name) { errno = EINTR; return *name && interrupted-- > 0 ? -1 : 0; }
int main(void) { long faults = 0; return !(CALL) || faults || interrupted >= 0; }
"""
ENDS = {"program": "!empty_swap()", "agent": '!strcmp(operate("swapoff", &faults), "ok")'}


@pytest.mark.parametrize("who", ENDS)
def test_an_interrupted_swapoff_is_made_again(who: str, tmp_path: Path) -> None:
    """A ring of io_uring interrupts its users when it ends, some time after it was closed: a
    swapoff on a busy machine where no signal was sent."""
    source, swaps = tmp_path / "again.c", tmp_path / "swaps"
    swaps.write_text("Filename\n/dev/ram0\n")
    code = ((guest.AGENT / "kernel.c").read_text() if who == "agent" else text(
        "v6.12", "anon", ("swapoff",)).partition("int main")[0].replace("/proc/swaps", str(swaps)))
    source.write_text(code + INTERRUPTED.replace("CALL", ENDS[who]))
    beside = [str(room) for room in sorted(guest.AGENT.glob("*.c"))
              if room.name not in ("agent.c", "kernel.c")] if who == "agent" else []
    done = subprocess.run([built(source, f"-I{guest.AGENT}", "-Wno-unused-function",
                                 "-Wno-missing-field-initializers", *beside)], check=False)
    assert done.returncode == 0


def test_no_part_waits_for_a_time() -> None:
    """A loop that sleeps looks at what it waits for, and says what could not be tried."""
    for name, part in PARTS.items():
        for body in re.findall(r"^\{$(.*?)^\}$", part.text, re.MULTILINE | re.DOTALL):
            assert "sleep(" not in body or "SKIP(" in body, name
    assert "alarm(2)" not in PARTS["touch"].text


def test_what_cannot_be_tried_is_skipped(tmp_path: Path) -> None:
    """No room for another open file: neither pagemap nor userfaultfd can be had."""
    source = tmp_path / "skip.c"
    source.write_text(text("v6.1", "shmem", ("store", "register", "clear_refs")))
    done = subprocess.run([built(source, "-static")], capture_output=True, text=True,
                          check=False, preexec_fn=lambda: resource.setrlimit(
                              resource.RLIMIT_NOFILE, (3, 3)))
    assert done.returncode == SKIP
    assert re.fullmatch(r"KTAP version 1\n1\.\.1\nok 1 test on shmem # SKIP userfaultfd .*: "
                        r"Too many open files\n", done.stdout)
