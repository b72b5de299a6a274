"""The lab on mappings with several pages, without a kernel: what its agent says, what differs, and
what campaigns find."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from counterexamples import conform, replay
from counterexamples.lab.campaign import Campaign
from counterexamples.lab.compare import model_of, rows
from counterexamples.lab.observe import (
    PAGEMAP,
    SCAN,
    Seen,
    SeenPages,
    SeenVma,
    difference,
    mapping_name,
    run_by_kernel,
    seen_by_model,
)
from counterexamples.lab.session import Run
from counterexamples.lab.several import THEMES, themes_of
from counterexamples.reproducer.several import Shown, program_of_pages
from model.kernel.editions import UsageError, find_edition
from model.system.actions.spans import OPERATIONS_OF_SEVERAL
from model.system.actions.themes import ALL
from model.system.relation.ranges import RangeSystem, range_system
from model.system.state.mappings import find_memory

OPS = ("store@2", "register@1-2", "wp@0-3", "store@1", "munmap@3", "mprotect:r@2", "mmap@3",
       "munmap@0-3", "mmap@1-2")


def several(edition: str, mapping: str) -> RangeSystem:
    memory, pages = find_memory(mapping)
    assert pages is not None
    return range_system(find_edition(edition), memory, pages)


class ModelRunner:
    """The simulator in the place of a kernel."""

    def __init__(self, kernel: RangeSystem) -> None:
        self.kernel = kernel

    def answers(self, runs: Iterable[Run]) -> Iterator[tuple[Run, tuple[Seen, ...]]]:
        for run in runs:
            assert run.mapping == mapping_name(self.kernel)
            yield run, seen(self.kernel, run.ops)


def seen(kernel: RangeSystem, ops: Sequence[str]) -> tuple[Seen, ...]:
    return tuple(seen_by_model(kernel, step) for step in kernel.run(ops))


def as_the_agent_says_it(steps: Sequence[Seen]) -> str:
    """A line of its protocol: pages that are as before are empty, and none behind the last that is
    not; VMAs that are as before are left out."""
    before: list[str] = []
    vmas_before = ""
    said = []
    for step in steps:
        assert isinstance(step, SeenPages)
        pages = [_page(step, at) for at in range(len(step.pages))]
        new = ["" if page == old else page
               for page, old in zip(pages, before or [""] * len(pages), strict=True)]
        vmas = ";".join(f"{v.first}-{v.last},{','.join(sorted(v.vm_flags))}" for v in step.vmas)
        vmas = vmas or "."
        words = [step.outcome, str(step.faults), "/".join(new).rstrip("/")]
        said.append(" ".join(words + [vmas] * (vmas != vmas_before)))
        before, vmas_before = pages, vmas
    return "|".join(said)


def _page(step: SeenPages, at: int) -> str:
    page = step.pages[at]
    if page is None:
        return "."
    bits = "".join(str(int(bit in page.pagemap)) for bit in PAGEMAP)
    if page.scan is None:
        return bits
    return f"{bits}+{sum(1 << SCAN.index(name) for name in page.scan):x}"


@pytest.mark.parametrize("edition", ["v6.1", "v7.3"])
@pytest.mark.parametrize("mapping", ["anon:4", "shmem:4", "private-shmem:4"])
def test_what_the_agent_says_is_read_as_the_model_tells_it(edition: str, mapping: str) -> None:
    told = seen(several(edition, mapping), OPS)
    assert run_by_kernel(as_the_agent_says_it(told)) == told


def test_the_json_of_a_step_is_that_of_simulate() -> None:
    kernel = several("v7.3", "shmem:4")
    for step in kernel.run(OPS):
        assert seen_by_model(kernel, step).as_json(step.op) == kernel.observe(step)


def test_faults_are_told_of_accesses_that_end_well() -> None:
    event, = run_by_kernel("event 1 000001 0-0,rd")
    assert (event.outcome, event.faults) == ("event", 0)


@pytest.mark.parametrize("line", [
    "ok 0 00000", "ok 0 000000/ 0-1,rd", "ok 0 . 0-x,rd", "ok 0 000000 0-0,rd;",
    "ok 0 000000/. rd", "ok", ""])
def test_anything_else_is_no_answer(line: str) -> None:
    with pytest.raises(ValueError, match="is not a step"):
        run_by_kernel(line)


def test_what_differs_is_named_by_its_page() -> None:
    one, other = run_by_kernel("ok 0 000001/000000+1/. 0-1,rd,sd"), run_by_kernel(
        "ok 0 000001/000001+1/000000 0-0,rd,sd;1-2,rd")
    found = difference(one[0], other[0])
    assert str(found) == "pages.1.soft_dirty: model false, kernel true"
    assert str(difference(one[0], other[0], {"soft_dirty"})) == (
        "pages.2: model nothing, kernel mapped")
    assert SeenVma(1, 2, frozenset({"sd", "rd"})).shown({"sd"}) == "1-2 rd"


@pytest.mark.parametrize(("model", "kernel", "mapping", "found"), [
    ("v7.3", "v7.3", "shmem:2", False), ("v6.1", "v6.12", "shmem:2", True),
    ("v6.12", "v7.3", "anon:2", True)])
def test_random_runs_tell_editions_apart(model: str, kernel: str, mapping: str, *,
                                         found: bool) -> None:
    ours = several(model, mapping)
    campaign = Campaign(ours, theme=ALL, extra=None, runs=150, steps=12, seed=1)
    tally = campaign.run(ModelRunner(several(kernel, mapping)))
    assert (tally.divergence is not None) == found
    if tally.divergence:
        ops = campaign.names(tally.divergence)
        last = list(rows(ours, ops, seen(several(kernel, mapping), ops)))[-1]
        assert last.difference is not None


def test_a_tour_takes_every_transition() -> None:
    """Between them v6.1 and v6.12 differ in what unregistering leaves in vm_page_prot, which the
    second store shows; a tour of the wrong model passes by nothing."""
    chosen = ("store@0", "store@1", "register@0", "register@0-1", "unregister@0-1", "clear_refs")
    runs = Campaign(several("v6.12", "shmem:2"), theme="core", extra=None, runs=0, steps=1, seed=1,
                    chosen=chosen)
    tally = runs.run(ModelRunner(several("v6.12", "shmem:2")))
    assert tally.divergence is None
    assert len(tally.taken) == runs.transitions
    tally = Campaign(several("v6.12", "shmem:2"), theme="core", extra=None, runs=0, steps=1,
                     seed=1, chosen=chosen).run(ModelRunner(several("v6.1", "shmem:2")))
    assert tally.divergence is not None


def test_themes_name_operations_of_several_pages() -> None:
    every = {op for ops in THEMES.values() for op in ops}
    assert every <= set(OPERATIONS_OF_SEVERAL)
    assert "mprotect:rwx" not in every
    kernel = several("v7.3", "shmem:2")
    assert set(themes_of(["*"], kernel)) == set(THEMES)
    assert themes_of([ALL], kernel) == {ALL: kernel.actions}
    assert {op.partition("@")[0] for op in themes_of(["maps"], kernel)["maps"]} == set(
        THEMES["maps"])


def test_the_model_is_that_of_the_mapping() -> None:
    edition = find_edition("v7.3")
    assert mapping_name(model_of(edition, "shmem:3", ["store@2"])) == "shmem:3"
    assert mapping_name(model_of(edition, "shmem", ["store"])) == "shmem"


@pytest.mark.parametrize("mapping", ["anon:4", "shmem:4", "private-shmem:4"])
def test_a_reproducer_is_c_that_a_compiler_is_content_with(mapping: str, tmp_path: Path) -> None:
    """Every operation, of every kind of range."""
    kernel = several("v7.3", mapping)
    ops = [op for op in kernel.actions if not op.endswith(("@1-2", "@0-2"))]
    source = tmp_path / "repro.c"
    source.write_text(program_of_pages(kernel, ops, Shown("a-promise", "what it claims.")))
    done = subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", "-O2", "-o", tmp_path / "repro",
                           source], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("words", "said"), [
    ("--mapping shmem:9", "1 to 8 pages"),
    ("--mapping thp:2", "modelled with one page"),
    ("--mapping shmem:2 --tour --theme nosuch", "none of these themes on shmem:2"),
    ("--mapping shmem:4 --tour", "themes are for 2 pages at the most"),
    ("--mapping shmem:2 --record pages.json", "keeps campaigns of one page"),
    ("--mapping shmem:2 --tour --theme all", "name a theme"),
])
def test_conform_refuses_in_one_line(words: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as error:
        conform.main(["--kernel", "debian:7.3.4", *words.split()])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("words", "said"), [
    ("shmem:4 store@4", "the pages are 0 to 3"), ("shmem:4 store@0-1", "is of one page"),
    ("shmem:4 frob", "unknown operation"), ("shmem:4 ksm", "of one page alone"),
])
def test_replay_refuses_in_one_line(words: str, said: str) -> None:
    mapping, op = words.split()
    with pytest.raises(UsageError, match=said) as error:
        replay.main(["--kernel", "debian:7.3.4", "--mapping", mapping, op])
    assert "\n" not in str(error.value)
