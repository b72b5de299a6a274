"""The pictures of a trace: that they show what happened, and the same bytes every time."""

from __future__ import annotations

import re
from pathlib import Path

import networkx as nx
import pytest

from counterexamples.pictures import graph, lanes
from counterexamples.trace import Trace, run_trace
from model.kernel.editions import EDITIONS
from model.system.actions.themes import modelled
from model.system.relation.kernel import kernel_system, whole_system
from model.system.relation.reach import explore
from model.system.state.mappings import MAPPINGS

LOST = "store clear_refs register unregister store"


def run(edition: str, mapping: str, ops: str, prop: str = "softdirty-complete") -> Trace:
    kernel = whole_system(EDITIONS[edition], MAPPINGS[mapping])
    return run_trace(kernel, ops.split(), prop=prop, claim='It "keeps" what it promises.')


@pytest.fixture
def lost() -> Trace:
    """The lost write that 931298e103c2 fixes."""
    return run("before", "shmem", LOST)


@pytest.fixture
def kept() -> Trace:
    return run("after", "shmem", LOST)


# One character a step, * before it where it has changed; by hand from the kernel's sources.
BY_HAND = {
    ("VMA", "VM_WRITE"): " 1 1 1 1 1 1",
    ("VMA", "VM_SOFTDIRTY"): " 1 1*0 0 0 0",
    ("VMA", "VM_UFFD_WP"): " 0 0 0*1*0 0",
    ("vm_page_prot", "RW"): " 1 1*0 0 0 0",
    ("PTE", "P"): " -*1 1 1 1 1",
    ("PTE", "RW"): " -*1*0 0*1 1",
    ("PTE", "D"): " -*1 1 1 1 1",
    ("PTE", "SOFT_DIRTY"): " -*1*0 0 0 0",
    ("PTE", "UFFD_WP"): " - 0 0 0 0 0",
    ("pagemap", "soft-dirty"): " 1 1*0 0 0 0",
    ("history", "stored"): " 0*1*0 0 0*1",
}


def test_cells_of_the_lost_write(lost: Trace) -> None:
    """The sheet is the explanation: a wrong ring would explain another bug."""
    sheet = lanes.lanes(lost)
    rows = {(lane.group, lane.name): "".join("* "[not c.changed] + c.value for c in lane.cells)
            for lane in sheet.lanes}
    assert {name: rows[name] for name in BY_HAND} == BY_HAND
    assert [c.value for c in sheet.lanes[6].cells] == ["none"] + ["present"] * 5


def test_columns_mark_the_violating_step(lost: Trace, kept: Trace) -> None:
    """Only the last step breaks the promise, and a run that keeps it has no such step."""
    sheet = lanes.lanes(lost)
    assert [c.op for c in sheet.columns] == ["mmap", *LOST.split()]
    assert [c.faults for c in sheet.columns] == [0, 1, 0, 0, 0, 0]
    assert [c.bad for c in sheet.columns] == [False] * 5 + [True]
    assert not any(c.bad for c in lanes.lanes(kept, violating=False).columns)


@pytest.mark.parametrize(("prop", "name"), [
    ("softdirty-complete", "SOFT_DIRTY"), ("uffd-wp-complete", "UFFD_WP")])
def test_what_the_promise_speaks_of_is_shown(prop: str, name: str) -> None:
    """A bit that stays clear is the very point where the promise says that it must not."""
    sheet = lanes.lanes(run("before", "anon", "register", prop))
    assert [lane.idle for lane in sheet.lanes if lane.name == name] == [False]


@pytest.mark.parametrize("mapping", list(MAPPINGS))
def test_text_fits_a_mail(mapping: str) -> None:
    """Mail is 72 columns wide and ASCII, and has no colours."""
    for ops in (*(" ".join([op] * 6) for op in modelled(EDITIONS["v6.12"], MAPPINGS[mapping])),
                "register wp load unregister mprotect:none store",
                "mprotect:none mprotect:rw mprotect:none mprotect:rw mprotect:none mprotect:rw"):
        text = lanes.text(lanes.lanes(run("v6.12", mapping, ops)))
        assert max(map(len, text.splitlines())) <= 72, ops
        assert text.isascii()
        assert "\x1b" not in text


def test_colour_changes_no_text(lost: Trace) -> None:
    """What a terminal colours must read the same without."""
    sheet = lanes.lanes(lost)
    coloured = lanes.text(sheet, colour=True)
    assert "\x1b[1m" in coloured
    plain = re.sub(r"\x1b\[[0-9;]*m", "", coloured).splitlines()
    assert [line.rstrip() for line in plain] == lanes.text(sheet).splitlines()


def test_text_brackets_what_changed(lost: Trace) -> None:
    """The line a reader looks at first: write permission comes back, and nothing notices."""
    text = lanes.text(lanes.lanes(lost))
    row = next(line for line in text.split("PTE\n")[1].splitlines() if line.startswith(" RW"))
    assert row.split() == ["RW", "-", "[1]", "[.]", ".", "[1]", "1"]


def test_shared_prefix_and_split(lost: Trace, kept: Trace) -> None:
    """Both runs are one path to the state after register; there unregister splits them."""
    path = graph.path_graph(lost, kept)
    roles = [data["role"] for _, data in path.nodes(data=True)]
    assert roles == ["start", "shared", "shared", "shared", "violating", "bad", "fixed"]
    calls = {(u, v, d["op"], d["role"]) for u, v, d in path.edges(data=True)}
    assert calls == {
        ("s0", "s1", "store", "shared"), ("s1", "s2", "clear_refs", "shared"),
        ("s2", "s3", "register", "shared"), ("s3", "s4", "unregister", "violating"),
        ("s4", "s5", "store", "bad"),
        # With the fix, unregister undoes register: the fixed run is back in an earlier state.
        ("s3", "s2", "unregister", "fixed"), ("s2", "s6", "store", "fixed")}


def test_a_run_alone_is_a_path() -> None:
    """Without a fixed edition nothing is shared; a call that changes nothing is a loop."""
    path = graph.path_graph(run("before", "anon", "register load load wp store"), None)
    assert {d["role"] for _, d in path.nodes(data=True)} == {"start", "violating", "bad"}
    loops = [d["label"] for *_, d in nx.selfloop_edges(path, data=True)]
    assert loops == ["3 load", "5 store\nevent"]


def test_dot_quotes_what_it_is_given(lost: Trace, kept: Trace) -> None:
    """Every statement is one line of quoted strings, whatever a label holds."""
    path = graph.path_graph(lost, kept)
    path.nodes["s0"]["label"] = 'a "b"\\\nc'
    quoted = r'"(?:[^"\\\n]|\\.)*"'
    statement = re.compile(rf"  {quoted}(?: -> {quoted})? \[\w+={quoted}(?:, \w+={quoted})*\];")
    first, *body, last = graph.dot(path).splitlines()
    assert (first, last) == ("digraph counterexample {", "}")
    assert all(statement.fullmatch(line) for line in body[3:])
    assert len(body) == 3 + len(path) + path.size()
    assert r'"a \"b\"\\\nc"' in body[3]


def test_graphml_reads_back(lost: Trace, kept: Trace, tmp_path: Path) -> None:
    """Another tool sees the same graphs that we have: all states, and the path among them."""
    kernel = kernel_system(EDITIONS["before"], MAPPINGS["shmem"])
    states = explore(kernel.machine)
    path, whole = graph.path_graph(lost, kept), graph.reachable_graph(kernel, states, lost.ops)
    for folder, chosen in ((tmp_path / "path", None), (tmp_path / "whole", whole)):
        graph.write(path, chosen, folder)
        written = path if chosen is None else chosen
        read = nx.read_graphml(folder / "graph.graphml", force_multigraph=True)
        assert dict(read.nodes(data=True)) == dict(written.nodes(data=True))
        assert sorted(read.edges(data=True), key=str) == sorted(written.edges(data=True), key=str)
        before = (folder / "graph.graphml").read_bytes()
        graph.write(path, chosen, folder)
        assert (folder / "graph.graphml").read_bytes() == before


def test_the_path_is_marked_among_all_states(lost: Trace) -> None:
    """The path in the whole graph is the trace: its calls, in its order, and its last state."""
    kernel = kernel_system(EDITIONS["before"], MAPPINGS["shmem"])
    states = explore(kernel.machine)
    whole = graph.reachable_graph(kernel, states, lost.ops)
    assert len(whole) == len(states.states)
    marked = [(u, v, d["op"]) for u, v, d in whole.edges(data=True) if d["path"]]
    state, calls = "s0", []
    for op in lost.ops:
        state, call = next((v, o) for u, v, o in marked if (u, o) == (state, op))
        calls.append(call)
    assert tuple(calls) == lost.ops
    assert len(marked) == len(calls)
    assert [name for name, d in whole.nodes(data=True) if d["bad"]] == [state]
    assert [d["op"] for *_, d in whole.edges(data=True) if d["bad"]] == ["store"]
    with pytest.raises(ValueError, match="leaves the explored states"):
        graph.reachable_graph(kernel, explore(kernel.machine, 2), lost.ops)


def test_pictures_have_the_same_bytes_twice(lost: Trace, kept: Trace, tmp_path: Path) -> None:
    """A counterexample folder can be diffed, pictures included: no date, no random id."""
    sheet, beside = lanes.lanes(lost), lanes.lanes(kept, violating=False)
    files = ["graph.png", "graph.svg", "lanes.png", "lanes.svg"]
    written = []
    for folder in (tmp_path / "v6.1", tmp_path / "v6.2"):
        lanes.draw(sheet, "lost", lost.claim * 9, beside, "fixed", folder / "lanes")
        graph.draw(graph.path_graph(lost, kept), "lost", folder / "graph")
        assert sorted(f.name for f in folder.iterdir()) == files
        written.append([(folder / name).read_bytes() for name in files])
    assert written[0] == written[1]


def test_long_and_single_runs_are_drawn(tmp_path: Path) -> None:
    """Runs too long to stand side by side stand below each other; one run stands alone."""
    ops = "load mprotect:none clear_refs mprotect:rw load register wp unregister store"
    long, other = run("v6.12", "shmem", ops), run("before", "shmem", ops)
    lanes.draw(lanes.lanes(long), "long", "", lanes.lanes(other), "twin", tmp_path / "long.v1")
    lanes.draw(lanes.lanes(long), "one", "", None, "", tmp_path / "one")
    graph.draw(graph.path_graph(run("before", "anon", ""), None), "none", tmp_path / "none")
    assert len(list(tmp_path.iterdir())) == 6
    assert (tmp_path / "long.v1.svg").read_text().count("twin") == 1
