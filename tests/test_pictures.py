"""The pictures of a trace: that they show what happened, and the same bytes every time."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import networkx as nx
import pytest

from counterexamples.pictures import (
    graph,
    graph_picture,
    graphml,
    lane_picture,
    lanes,
    png,
    svg,
)
from counterexamples.pictures.canvas import Canvas, Words
from counterexamples.trace import Trace, run_trace
from model.kernel.editions import EDITIONS, find_edition
from model.system.actions.themes import modelled
from model.system.relation.kernel import kernel_system, whole_system
from model.system.relation.reach import TooManyStates, explore
from model.system.state.mappings import MAPPINGS

LOST = "store clear_refs register unregister store"


def run(edition: str, mapping: str, ops: str, prop: str = "softdirty-complete") -> Trace:
    kernel = whole_system(find_edition(edition), MAPPINGS[mapping])
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
    state = next(lane for lane in sheet.lanes if lane.name == "state")
    assert [c.value for c in state.cells] == ["none"] + ["present"] * 5


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
    assert [lane.idle for lane in sheet.lanes
            if (lane.group, lane.name) == ("PTE", name)] == [False]


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


def read_back(text: str) -> nx.MultiDiGraph:
    return nx.parse_graphml(text, force_multigraph=True)


def test_graphml_reads_back(lost: Trace, kept: Trace) -> None:
    """Another tool sees the same graphs that networkx has: all states, and the path among them."""
    kernel = kernel_system(EDITIONS["before"], MAPPINGS["shmem"])
    states = explore(kernel.machine)
    path = graph.path_graph(lost, kept)
    for text, told in ((graphml.of_path(path), path),
                       (graphml.of_states(kernel, lost.ops, len(states.states)),
                        graph.reachable_graph(kernel, states, lost.ops)),
                       # Another path of the same system, and one that takes a call twice.
                       (graphml.of_states(kernel, ("load", "load", "load"), len(states.states)),
                        graph.reachable_graph(kernel, states, ("load", "load", "load")))):
        read = read_back(text)
        assert read.graph.items() >= told.graph.items()
        assert list(read.nodes(data=True)) == list(told.nodes(data=True))
        assert dict(read.edges) == dict(told.edges)


def test_graphml_is_what_networkx_would_write(lost: Trace, tmp_path: Path) -> None:
    """Attribute by attribute, types and all, whatever the text between them."""
    kernel = kernel_system(EDITIONS["before"], MAPPINGS["shmem"])
    whole = graph.reachable_graph(kernel, explore(kernel.machine), lost.ops)
    nx.write_graphml_xml(whole, tmp_path / "nx.graphml")
    ours = read_back(graphml.of_states(kernel, lost.ops, 1000))
    theirs = nx.read_graphml(tmp_path / "nx.graphml", force_multigraph=True)
    assert nx.utils.graphs_equal(ours, theirs)


def test_graphml_quotes_what_it_is_given() -> None:
    """A name with a sign of XML in it stays a name."""
    trace = run("before", "anon", "load", 'it "keeps" <all> & more')
    path = graph.path_graph(trace, None)
    assert read_back(graphml.of_path(path)).graph["property"] == trace.prop


def test_too_many_states_are_not_written(lost: Trace) -> None:
    kernel = kernel_system(EDITIONS["before"], MAPPINGS["shmem"])
    with pytest.raises(TooManyStates):
        graphml.of_states(kernel, lost.ops, 100)


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


def drawn(trace: Trace, beside: Trace | None = None, claim: str = "",
          title: str = "a title") -> list[Canvas]:
    """The lane sheet and the graph."""
    other = lanes.lanes(beside, violating=False) if beside else None
    return [lane_picture.draw(lanes.lanes(trace), title, claim, other, "twin"),
            graph_picture.draw(graph.path_graph(trace, beside), title)]


def test_pictures_have_the_same_bytes_twice(lost: Trace, kept: Trace) -> None:
    """A counterexample folder can be diffed, pictures included: no date, no random id."""
    for write in (svg.svg, png.png):
        once, again = ([write(canvas) for canvas in drawn(lost, kept, lost.claim * 9)]
                       for _ in range(2))
        assert once == again


@pytest.mark.parametrize("case", ["beside", "below", "alone", "nothing happens", "kernel's own",
                                  "long name"])
def test_svg_shows_every_word_inside_its_frame(case: str, lost: Trace, kept: Trace) -> None:
    """Foreign readers take it for XML; no word of the sheet is missing, none stands outside."""
    long = "load mprotect:none clear_refs mprotect:rw load register wp unregister store"
    trace, beside = {
        "beside": (lost, kept),
        "below": (run("v6.12", "shmem", long), run("before", "shmem", long)),
        "alone": (run("v6.12", "shmem", long), None),
        "long name": (run("v6.12", "shmem", "store"), None),
        "nothing happens": (run("v6.12", "anon", ""), None),
        "kernel's own": (run("v6.12", "anon", "store pageout migrate:begin load migrate:end"),
                         None)}[case]
    title = "never: soft_dirty and not present or stored" * (3 if case == "long name" else 1)
    sheet, path = drawn(trace, beside, '<"A" & b>', title)
    for canvas in (sheet, path):
        root = ElementTree.fromstring(svg.svg(canvas))
        words = list(root.iter("{http://www.w3.org/2000/svg}text"))
        assert [w.text for w in words] == [s.words for s in canvas.shapes if isinstance(s, Words)]
        left, top, width, height = map(float, root.attrib["viewBox"].split())
        for word in words:
            wide = len(word.text or "") * float(word.attrib["font-size"]) * 0.6
            start = float(word.attrib["x"]) - wide * {"middle": 0.5, "end": 1.0}.get(
                word.attrib.get("text-anchor", ""), 0.0)
            assert left <= start
            assert start + wide <= left + width + 1
            assert top <= float(word.attrib["y"]) <= top + height
    told = Counter(s.words for s in sheet.shapes if isinstance(s, Words))
    assert told['<"A" & b>'] == 1
    assert told["twin"] == bool(beside)
    assert told["promise broken"] == 1
    assert told["kernel"] == sum(step.by == "kernel" for step in trace.steps)


def test_png_shows_what_svg_shows(lost: Trace, kept: Trace) -> None:
    """One drawing, two ways to write it: the same size in inches."""
    for canvas in drawn(lost, kept):
        header = png.png(canvas)[:24]
        assert header[:8] == b"\x89PNG\r\n\x1a\n"
        size = [int.from_bytes(header[i:i + 4]) / 160 for i in (16, 20)]
        assert size == pytest.approx([canvas.width, canvas.height], abs=0.02)


def test_pictures_need_no_matplotlib() -> None:
    """Slow to import, and needed for PNG alone."""
    code = ("import sys\nfrom counterexamples.folder import Pictures, Where, write_counterexample\n"
            "from pathlib import Path\nimport tempfile\n"
            "where = Where('before', 'shmem', 'softdirty-complete')\n"
            "with tempfile.TemporaryDirectory() as out:\n"
            f"    write_counterexample(Path(out), where, {tuple(LOST.split())}, Pictures.SVG)\n"
            "    assert len(list((Path(out) / where.path).iterdir())) == 8\n"
            "assert 'matplotlib' not in sys.modules\n")
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent.parent)


# --- entries that map no page ------------------------------------------------------------------


def values(trace: Trace, group: str) -> dict[str, str]:
    """One character a step, of each lane of a group that pictures show."""
    sheet = lanes.lanes(trace)
    return {lane.name: "".join(c.value for c in lane.cells) for lane in sheet.lanes
            if lane.group == group and not lane.idle}


@pytest.mark.parametrize("edition", ["v6.1", "v6.12"])
def test_what_swap_entries_keep_is_shown(edition: str) -> None:
    """Worked out by hand: a store, write-protection and clear_refs, then the page leaves and comes
    back. A marker takes the place of a protected shared page."""
    swapped = run(edition, "anon", "register store wp pageout clear_refs unwp load")
    assert values(swapped, "swap PTE") == {
        "SOFT_DIRTY": "----100-", "UFFD_WP": "----110-", "EXCLUSIVE": "----111-"}
    marked = run(edition, "shmem", "register store wp pageout unwp")
    assert values(marked, "swap PTE") == {"UFFD_WP": "----1-"}


def test_the_kind_of_a_migration_entry_is_shown() -> None:
    """Without 44f86392bdd1, wp passes by a readable migration entry: the two runs differ in its
    uffd-wp bit alone, which is the whole story."""
    ops = "store register unwp migrate:begin wp"
    without = run("v6.12-44f86392bdd1", "hugetlb", ops, "uffd-wp-complete")
    with_it = run("v6.12", "hugetlb", ops, "uffd-wp-complete")
    assert values(without, "swap PTE")["UFFD_WP"] == "----00"
    assert values(with_it, "swap PTE")["UFFD_WP"] == "----01"
    label = graph.label(with_it.edition, with_it.steps[-1].values)
    assert "pte migr RO D SD WP" in label
    writable = run("v6.1", "anon", "store migrate:begin mprotect:r")
    assert values(writable, "swap PTE") == {"RW": "--10", "D": "--11", "SOFT_DIRTY": "--11",
                                            "EXCLUSIVE": "--01"}


def test_lanes_of_swap_entries_are_left_out_where_there_are_none(lost: Trace) -> None:
    assert values(lost, "swap PTE") == {}
