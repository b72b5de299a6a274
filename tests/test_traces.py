"""Traces as files: a foreign reader reads them, and the text fits a mail."""

from __future__ import annotations

import json

import itf_py
import pytest

from counterexamples import itf
from counterexamples.folder import Where, with_fixed
from counterexamples.trace import pte_state, run_trace
from counterexamples.words.explain import explain
from counterexamples.words.fixed import fixed_edition
from counterexamples.words.text import trace_text
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
    assert "In after the same calls part at call 4, unregister" in told
    assert "soft-dirty 0" in told


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
