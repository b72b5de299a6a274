"""Traces as files: a foreign reader reads them, and the text fits a mail."""

from __future__ import annotations

import json
from itertools import product

import itf_py
import pytest

from counterexamples import itf
from counterexamples.folder import Where, with_fixed
from counterexamples.trace import pte_state, run_trace
from counterexamples.words.explain import explain
from counterexamples.words.fixed import fixed_edition
from counterexamples.words.text import table, trace_text
from model.kernel.bits import PAGE_DIRTY, PAGE_RW, PAGE_SOFT_DIRTY
from model.kernel.editions import EDITIONS, UsageError, find_edition
from model.system.relation.kernel import whole_system
from model.system.state.mappings import MAPPINGS
from properties import PROPERTIES

LOSS = ("store", "clear_refs", "register", "unregister", "store")
CASES = [
    ("before", "shmem", "softdirty-complete", LOSS),
    ("after", "shmem", "unprotect-precise", ("store", "register", "unregister")),
    ("v6.12", "anon", "uffd-wp-complete", ("register", "wp", "store")),
    ("v6.12-f369b07c8614", "anon", "no-stale-uffd-wp", ("store", "register", "wp", "unregister")),
]


def test_the_trace_shows_the_bits_at_every_step() -> None:
    """RW, dirty and soft-dirty of the entry through the canonical loss, worked out by hand."""
    trace, _ = with_fixed(Where("before", "shmem", "softdirty-complete"), LOSS)
    bits = [tuple(bool(int(s.values["pte"]) & b) for b in (PAGE_RW, PAGE_DIRTY, PAGE_SOFT_DIRTY))
            for s in trace.steps]
    assert bits == [(False, False, False), (True, True, True), (False, True, False),
                    (False, True, False), (True, True, False), (True, True, False)]
    assert [s.faults for s in trace.steps] == [0, 1, 0, 0, 0, 0]
    assert not trace.steps[-1].pagemap["soft_dirty"]


@pytest.mark.parametrize(("kernel", "mapping", "prop", "ops"), CASES)
def test_a_foreign_reader_reads_the_itf(kernel: str, mapping: str, prop: str,
                                        ops: tuple[str, ...]) -> None:
    trace, _ = with_fixed(Where(kernel, mapping, prop), ops)
    text = itf.dumps(trace)
    document = json.loads(text)
    read = itf_py.trace_from_json(document)
    assert len(read.states) == len(ops) + 1
    assert read.states[-1].values["op"] == ops[-1]
    assert read.states[-1].values["pte"] == trace.steps[-1].values["pte"]
    assert itf.calls(text) == itf.Calls(kernel, mapping, prop, ops)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"#meta": {}, "states": []}'])
def test_what_is_not_such_a_trace_is_said_to_be_none(text: str) -> None:
    with pytest.raises(UsageError, match="not an ITF trace"):
        itf.calls(text)


@pytest.mark.parametrize(("kernel", "mapping", "prop", "ops"), CASES)
def test_the_text_fits_a_mail(kernel: str, mapping: str, prop: str, ops: tuple[str, ...]) -> None:
    text = trace_text(*with_fixed(Where(kernel, mapping, prop), ops))
    assert max(map(len, text.splitlines())) <= 72
    assert "  " not in text.splitlines()[0]


def test_the_explanation_names_the_call_where_the_fixed_edition_parts() -> None:
    trace, fixed = with_fixed(Where("before", "shmem", "softdirty-complete"), LOSS)
    told = explain(trace, fixed)
    assert "Call 4, unregister, clears VM_UFFD_WP and sets RW in the entry." in told
    assert "No fault, so no kernel code ran" in told
    assert "soft-dirty 0" in told
    # What both do, the clearing of VM_UFFD_WP, is not what tells them apart.
    assert ("In after the same calls part at call 4, unregister: there it leaves RW clear in the "
            "entry, and the promise holds.") in told


PARTINGS = [
    # Of the entry: what the fixed edition sets or clears, or leaves as it was.
    ("v6.1", "anon", "store mprotect:r mprotect:rw store", "v6.1-64fe24a3e05e",
     "part at call 3, mprotect:rw: there it leaves RW clear in the entry, and"),
    # Of an entry that maps no page.
    ("v6.12-44f86392bdd1", "hugetlb", "store register unwp migrate:begin wp", "v6.12",
     "sets UFFD_WP in the entry"),
    # The entry is of another kind altogether.
    ("v6.12-999dad824c39", "shmem", "register store wp dontneed", "v6.12",
     "leaves a uffd-wp marker"),
    # What happens to the caller.
    ("v6.1-d61ea1cb0095", "shmem", "store register wp mprotect:r register", "v6.1", "same states"),
    ("v6.12-b1f9e8768618", "shmem", "store register", "v6.12",
     "ends in ok, sets VM_UFFD_WP and makes vm_page_prot write-protected"),
]


@pytest.mark.parametrize(("kernel", "mapping", "ops", "other", "told"), PARTINGS)
def test_the_parting_says_what_differs(kernel: str, mapping: str, ops: str, other: str,
                                       told: str) -> None:
    trace, fixed = (run_trace(whole_system(find_edition(name), MAPPINGS[mapping]), ops.split(),
                              prop="", claim="") for name in (kernel, other))
    parting = explain(trace, fixed).split(f"In {other} the same calls ")[1]
    assert told in parting


@pytest.mark.parametrize(("last", "told"), [
    ("load", "takes a major fault (the page is read from swap)"),
    ("pageout", "leaves a swap entry with EXCLUSIVE and SOFT_DIRTY")])
def test_what_swap_does_is_told(last: str, told: str) -> None:
    """A fault that reads from swap is major and not counted, and the kernel ran all the same."""
    ops = ["store", "pageout", "load"]
    trace = run_trace(whole_system(EDITIONS["v6.1"], MAPPINGS["anon"]), ops[:ops.index(last) + 1],
                      prop="", claim="")
    assert trace.steps[-1].faults == 0
    assert told in explain(trace, None)
    assert "no kernel code ran" not in explain(trace, None)


def test_a_migration_entry_changes_by_its_bits() -> None:
    """"Changes nothing" is said where nothing changes, not where no page is mapped."""
    trace = run_trace(whole_system(EDITIONS["v6.12"], MAPPINGS["anon"]),
                      ("store", "register", "migrate:begin", "wp", "unwp", "load"), prop="",
                      claim="")
    told = explain(trace, None)
    assert ("Call 3, migrate:begin (kernel), leaves a writable migration entry with SOFT_DIRTY."
            ) in told
    assert ("Call 4, wp, leaves a readable migration entry with EXCLUSIVE, SOFT_DIRTY and UFFD_WP."
            ) in told
    assert "Call 5, unwp, clears UFFD_WP in the entry." in told
    head, *rows = table(trace)
    ptes = [row[head.index("pte"):] for row in rows[2:6]]
    assert ptes == ["RW D SD", "migr RW D SD", "migr RO D SD WP EX", "migr RO D SD EX"]


@pytest.mark.parametrize(("kernel", "mapping", "ops", "why"), [
    ("v6.12", "file", "register", "EINVAL: no write-protect mode on a regular file without WP_ASY"),
    ("v6.12", "file", "register:missing", "EINVAL: a userfaultfd takes a regular file for write-"),
    ("v6.1", "private-file", "register", "EINVAL: no userfaultfd takes a regular file before"),
    ("v6.1-b1f9e8768618", "shmem", "register", "EINVAL: write-protect mode is for anonymous mem"),
    ("v6.1", "anon", "unwp", "ENOENT: the mapping is not registered in write-protect mode"),
    ("v6.1", "anon", "close register", "EBADF: no userfaultfd is open"),
    ("v6.1", "anon", "close open:async", "EINVAL: this kernel's userfaultfd has not the feature"),
])
def test_a_refusal_says_why(kernel: str, mapping: str, ops: str, why: str) -> None:
    trace = run_trace(whole_system(find_edition(kernel), MAPPINGS[mapping]), ops.split(), prop="",
                      claim="")
    assert any(line.strip().startswith(why) for line in table(trace))


@pytest.mark.parametrize("mapping", ["anon", "file", "hugetlb"])
def test_tables_fit_a_mail_and_every_refusal_has_its_reason(mapping: str) -> None:
    """After every two operations; the widest are those of swap and migration, the most refusals
    those of files and huge pages."""
    system = whole_system(EDITIONS["v6.12"], MAPPINGS[mapping])
    starts = [("store", "register", "wp"), ("close",), ("register:wp+missing", "store")]
    for start, first, second in product(starts, system.actions, system.actions):
        trace = run_trace(system, (*start, first, second), prop="", claim="")
        lines = table(trace)
        assert max(map(len, lines)) <= 72, lines
        assert all(any(line.strip().startswith(f"{step.outcome}: ") for line in lines)
                   for step in trace.steps if step.outcome.startswith("E")), lines


@pytest.mark.parametrize(("kernel", "prop", "ops", "fixed"), [
    ("before", "softdirty-complete", LOSS, "after"),
    ("v6.1", "softdirty-complete", LOSS, "v6.1+931298e103c2"),
    ("after", "unprotect-precise", ("store", "register", "unregister"), "before"),
])
def test_the_fixed_edition_is_one_change_away(kernel: str, prop: str, ops: tuple[str, ...],
                                              fixed: str) -> None:
    found = fixed_edition(EDITIONS[kernel], MAPPINGS["shmem"], PROPERTIES[prop], ops)
    assert found == find_edition(fixed)


def test_where_no_single_change_helps_there_is_no_fixed_edition() -> None:
    ops = ("register", "wp", "store")
    assert fixed_edition(EDITIONS["v6.12"], MAPPINGS["anon"], PROPERTIES["uffd-wp-complete"],
                         ops) is None



@pytest.mark.parametrize("kernel", ["v6.1", "v6.12"])
def test_what_an_entry_without_a_page_is(kernel: str) -> None:
    """The type of one release's marker is that of another's migration entry."""
    system = whole_system(EDITIONS[kernel], MAPPINGS["private-shmem"])
    ops = ("register", "wp", "unwp", "store", "pageout", "load", "migrate:begin", "dontneed")
    steps = run_trace(system, ops, prop="", claim="").steps
    assert [pte_state(int(s.values["pte"])) for s in steps] == [
        "none", "none", "marker", "none", "present", "swap", "present", "migrating", "none"]
