"""The language of --never: what an expression means, what it is called, and what is none."""

from __future__ import annotations

import itertools

import pytest

from model.checking.listing import listing
from model.kernel.editions import EDITIONS, UsageError
from model.system.asking.expression import NAMES, STEP_WORDS, read
from model.system.asking.language import as_term
from model.system.asking.step_view import StepView
from model.system.asking.view import View
from model.system.relation.kernel import kernel_system
from model.system.relation.reach import explore
from model.system.state.mappings import MAPPINGS
from properties.own.never import named, never


@pytest.mark.parametrize("text", [
    "present and file or not uffd_wp", "not (present or swap) and (uw or sd)",
    "not (not wr and VM_SOFTDIRTY) or exclusive and not rd", "not not soft_dirty"])
def test_an_expression_means_what_python_means_by_it(text: str) -> None:
    """In every state that is reached, by what a program observes there."""
    kernel = kernel_system(EDITIONS["v6.1"], MAPPINGS["shmem"])
    said = kernel.machine.predicate(as_term(read(text).of_state(View(kernel.edition,
                                                                     kernel.before))))
    states = explore(kernel.machine).states
    assert len(states) > 50
    for values in states:
        flags = kernel.vm_flags(values)
        facts: dict[str, bool] = kernel.pagemap(values) | {
            letters: letters in flags for letters in ("rd", "wr", "uw", "sd")}
        facts["VM_SOFTDIRTY"] = facts["sd"]
        assert said(values) == eval(text, facts)


@pytest.mark.parametrize("text", ["call == 'store' and outcome == 'event'",
                                  "call not in ('load', 'store') and outcome != 'ok'",
                                  "call == 'wp' and before(not uffd_wp) and uffd_wp"])
def test_an_expression_of_a_step_speaks_of_the_call(text: str) -> None:
    kernel = kernel_system(EDITIONS["v6.1"], MAPPINGS["shmem"])
    said = kernel.machine.step_predicate(as_term(read(text).after(StepView(kernel))))
    for ops in itertools.product(("store", "register", "wp", "clear_refs"), repeat=3):
        *_, last, step = kernel.run(ops)
        is_so = {
            "call == 's": step.op == "store" and step.outcome == "event",
            "call not i": step.op not in ("load", "store") and step.outcome != "ok",
            "call == 'w": step.op == "wp" and kernel.pagemap(step.values)["uffd_wp"]
            and not kernel.pagemap(last.values)["uffd_wp"]}[text[:10]]
        assert said(last.values, kernel.actions.index(step.op)) == is_so


@pytest.mark.parametrize(("text", "told"), [
    ("present  and (file)", "present and file"),
    ("(not dirty) and (not (rd or wr))", "not dirty and not (rd or wr)"),
    ("(rd and wr) or sh", "rd and wr or sh"),
    ("rd and (wr or sh)", "rd and (wr or sh)"),
    ('call == "store" and before((rd))', "call == 'store' and before(rd)"),
])
def test_it_is_called_as_one_writes_it(text: str, told: str) -> None:
    """By a name that says all of it, however it was written."""
    assert read(text).text == told == read(told).text
    again = named(never(text).name)
    assert again is not None
    assert again.name == f"never: {told}"


@pytest.mark.parametrize(("text", "told"), [
    ("presnt and file", "unknown name 'presnt'; did you mean 'present'?"),
    ("xyzzy", "unknown name 'xyzzy'; python -m model.check --list names has them all"),
    ("soft-dirty", "unknown name 'soft-dirty'; did you mean 'soft_dirty'?"),
    ("pagemap.file", "did you mean 'file'?"),
    ("present and", "'present and' is no expression: invalid syntax; an expression is names "),
    ("((((", "'((((' is no expression: '(' was never closed"),
    ("not " * 40 + "(" * 20, "is no expression"),
    ("present\0", "is no expression"),
    ("present & file", "'present & file' has no place here: an expression is names joined by and"),
    ("True", "'True' has no place here"),
    ("__import__('os').system('true')", "has no place here"),
    ("[x for x in (1,)]", "has no place here"),
    ("present == False", "all other names are true or not by themselves"),
    ("rd < wr < sh", "all other names are true or not by themselves"),
    ("call == 3", "compares what is no call or outcome with one name in quotes"),
    ("call in ()", "compares what is no call or outcome with one name in quotes"),
    ("call == 'stor'", "unknown operation 'stor'; did you mean 'store'?"),
    ("outcome != 'okay'", "unknown outcome 'okay'; did you mean 'ok'?"),
    ("call and rd", "'call' stands alone; it is the last call: call == 'store'"),
    ("before(before(rd))", "before() stands within before()"),
    ("before(call == 'store')", "'call' stands within before(), which is of a state"),
    ("before(rd, wr)", "has no place here"),
    ("rd and " * 30 + "wr", "more than 180 characters: write it as a file for --promise"),
])
def test_what_is_no_expression_is_told_in_a_line(text: str, told: str) -> None:
    with pytest.raises(UsageError) as raised:
        never(text)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


def test_its_names_are_listed() -> None:
    """Each with what it says; every one can be asked of every mapping."""
    told = listing("names", 80)
    assert all(f"\n  {word} " in told for word in (*NAMES, *STEP_WORDS))
    for mapping in MAPPINGS.values():
        kernel = kernel_system(EDITIONS["v7.3"], mapping)
        for name in NAMES.values():
            as_term(name.of(View(kernel.edition, kernel.before)))
