"""Expressions over what a program sees and what has happened: a language of its own for simple
promises.

`present and file and stored`, `writable and not dirty`, `call == 'load' and soft_dirty and not
before(soft_dirty)`. It is written as Python writes expressions, and read as data: nothing of it is
executed. Names speak of the state, and where the expression is about a step (`call`, `outcome`,
`before`) of the state after it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import partial

from model.kernel.bits import VM_FLAG_NAMES, VMFLAG_LETTERS
from model.kernel.editions import UsageError, shortened, unknown
from model.kernel.logic import Bool, conj, disj, has, negate
from model.kernel.records import Outcome
from model.kernel.task_mmu import Pagemap
from model.system.actions.operations import OPERATIONS
from model.system.asking.step_view import StepView
from model.system.asking.view import View
from model.system.state.state import History

LONGEST = 180
"""Characters: folders are called by an expression."""
CALL, OUTCOME, BEFORE = "call", "outcome", "before"
_RULE = "an expression is names joined by and, or, not and parentheses"


@dataclass(frozen=True)
class Name:
    """A word of the language: what it says of a state, in words and as a question."""

    text: str
    of: Callable[[View], Bool]


def _pagemap(field: str, view: View) -> Bool:
    answer: Bool = getattr(view.pagemap, field)
    return answer


def _flag(bit: int, view: View) -> Bool:
    return has(view.vma.vm_flags, bit)


def _fact(field: str, view: View) -> Bool:
    answer: Bool = getattr(view.history, field)
    return answer


_PAGEMAP = {
    "present": "the page is mapped", "swap": "in swap, migrating, or a marker",
    "file": "of a file, or of shared anonymous memory", "exclusive": "mapped by this process alone",
    "uffd_wp": "write-protected by a userfaultfd", "soft_dirty": "soft-dirty"}
_HISTORY = {
    "stored": "a store has completed since clear_refs last returned, or since mmap",
    "protected": "wp has returned ok, and no call that ends it by its documentation since",
    "protected_populated": "likewise, and the page was mapped when that wp returned",
    "protected_async": "likewise, with WP_ASYNC, where a store raises no event",
    "stored_since_wp": "a store has completed since the last such wp",
    "poisoned": "poison has returned ok, and nothing since that gives the memory up or fills it",
    "rw_protected": "rwp has returned ok where a page was, and nothing since that ends it",
    "guarded": "guard has returned ok, and nothing since that ends it by its documentation",
    "content": "what is read is not what is there once the program's own is given up",
    "changed": "other bytes are there than at the last clear_refs, or mmap",
    "beneath": "as `changed`, of what is read once the program's own is given up",
    "barred": "at the last clear_refs a load got a signal alone, from poison or a guard region"}
_QUESTIONS: dict[str, tuple[str, Callable[[View], Bool]]] = {
    "readable": ("the CPU lets a load through without a fault", lambda v: v.readable),
    "writable": ("the CPU lets a store through without a fault", lambda v: v.writable),
    "dirty": ("the entry of the mapped page is dirty", lambda v: v.dirty),
    "none": ("the entry is empty", lambda v: v.pte_none),
    "marker": ("the entry is a uffd-wp marker", lambda v: v.marker),
    "swapped": ("the page is in swap", lambda v: v.swapped),
    "zero_page": ("the zero page is mapped", lambda v: v.zero_page),
    "owned": ("an anonymous page that no other process can see", lambda v: v.owned),
    "pinned": ("the process holds a long-term pin of the page", lambda v: v.entry.pinned),
    "tracked": ("soft-dirty tracking is on: clear_refs was called, and it is not hugetlb",
                lambda v: v.tracked),
    "written": ("PAGEMAP_SCAN calls the page written (PAGE_IS_WRITTEN)", lambda v: v.scan.written),
    "uffd_open": ("the process has a userfaultfd open", lambda v: v.uffd_open),
}


def _names() -> Iterator[tuple[str, Name]]:
    for f in fields(Pagemap):
        yield f.name, Name(f"pagemap: {_PAGEMAP.get(f.name, f.name)}", partial(_pagemap, f.name))
    for bit, letters in VMFLAG_LETTERS.items():
        name = VM_FLAG_NAMES[bit]
        yield letters, Name(f"smaps, VmFlags: {name}", partial(_flag, bit))
        yield name, Name(f"the same as {letters}", partial(_flag, bit))
    for word, (text, question) in _QUESTIONS.items():
        yield word, Name(text, question)
    for f in fields(History):
        yield f.name, Name(_HISTORY.get(f.name, f.name), partial(_fact, f.name))


NAMES: Mapping[str, Name] = dict(_names())
"""What an expression may say of a state."""
STEP_WORDS: Mapping[str, str] = {
    CALL: "the last call: call == 'store', call in ('load', 'store'); the operations by name",
    OUTCOME: "what it ended with: outcome != 'ok'; " + ", ".join(o.name for o in Outcome),
    BEFORE: "of the state before it: before(soft_dirty)",
}
"""And what of a step."""


@dataclass(frozen=True)
class Expression:
    """An expression that was read, and is known to be one."""

    tree: ast.expr

    @property
    def text(self) -> str:
        """As one writes it, with the parentheses that it needs."""
        return _text(self.tree)

    @property
    def names(self) -> set[str]:
        """All that it speaks of, words of a step among them."""
        return {n.id for n in ast.walk(self.tree) if isinstance(n, ast.Name)}

    @property
    def of_step(self) -> bool:
        """Whether it speaks of a step; else of a state."""
        return not self.names.isdisjoint(STEP_WORDS)

    @property
    def calls(self) -> tuple[str, ...]:
        """The operations that it asks for, in the order of their list."""
        asked = {v for n in ast.walk(self.tree) if isinstance(n, ast.Compare)
                 and _compared(n) == CALL and isinstance(n.ops[0], ast.Eq | ast.In)
                 for v in _values(n)}
        return tuple(op for op in OPERATIONS if op in asked)

    def of_state(self, view: View) -> Bool:
        return _term(self.tree, view, None)

    def after(self, step: StepView) -> Bool:
        """What it says of a step, or of the state after it."""
        return _term(self.tree, step.after, step)

    def on_either_side(self, step: StepView) -> Bool:
        """Of a step what it says; of a state, whether it is so before the step or after it."""
        return self.after(step) if self.of_step else disj(self.of_state(step.before),
                                                          self.after(step))

    @property
    def parts(self) -> list[Expression]:
        """What it joins by `and`, in each alternative that has more than one such part."""
        found: dict[str, Expression] = {}
        for alternative in _joined(self.tree, ast.Or):
            conjuncts = _joined(alternative, ast.And)
            for tree in conjuncts if len(conjuncts) > 1 else ():
                part = Expression(tree)
                found.setdefault(part.text, part)
        return list(found.values())


def read(text: str) -> Expression:
    """The expression that `text` is. Raises UsageError: one line that says what is wrong."""
    if len(text) > LONGEST:
        raise UsageError(f"the expression {shortened(text)!r} has more than {LONGEST} characters: "
                         "write it as a file for --promise")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        why = error.msg if isinstance(error, SyntaxError) else str(error) or "nested too deep"
        raise UsageError(f"{shortened(text)!r} is no expression: {why}; {_RULE}, as in 'present "
                         "and file and stored'") from error
    _check(tree)
    found = Expression(tree)
    if len(found.text) > LONGEST:
        raise UsageError(f"the expression {shortened(text)!r} is too long: write it as a file for "
                         "--promise")
    return found


def _check(tree: ast.expr, inside: bool = False) -> None:
    """Raises UsageError where something is no word of the language; `inside` of before()."""
    match tree:
        case ast.BoolOp(values=values):
            for value in values:
                _check(value, inside)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            _check(operand, inside)
        case ast.Name(id=name) if name in NAMES:
            pass
        case ast.Name(id=name) if name in STEP_WORDS:
            raise UsageError(f"{name!r} stands alone; it is {STEP_WORDS[name]}")
        case ast.Name(id=name):
            raise unknown("name", name, [*NAMES, *STEP_WORDS])
        case ast.Attribute() | ast.BinOp(left=ast.Name(), op=ast.Sub(), right=ast.Name()):
            raise unknown("name", ast.unparse(tree).replace(" ", ""), list(NAMES))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name == BEFORE:
            if inside:
                raise UsageError("before() stands within before(): there is one state before a "
                                 "call")
            _check(argument, inside=True)
        case ast.Compare(ops=[_]) if (what := _compared(tree)):
            if inside:
                raise UsageError(f"{what!r} stands within before(), which is of a state")
            known = list(OPERATIONS) if what == CALL else [o.name for o in Outcome]
            for word in _values(tree):
                if word not in known:
                    raise unknown("operation" if what == CALL else what, word, known)
        case ast.Compare():
            raise UsageError(f"{_shown(tree)} compares what is no {CALL} or {OUTCOME} with one "
                             "name in quotes, or several in parentheses; all other names are true "
                             "or not by themselves")
        case _:
            raise UsageError(f"{_shown(tree)} has no place here: {_RULE}")


def _shown(tree: ast.expr) -> str:
    return repr(shortened(ast.unparse(tree)))


def _compared(tree: ast.Compare) -> str:
    """`call` or `outcome`, where that is compared with names as it can be; else empty."""
    alone = isinstance(tree.ops[0], ast.Eq | ast.NotEq)
    fits = len(tree.ops) == 1 and (alone or isinstance(tree.ops[0], ast.In | ast.NotIn))
    right = tree.comparators[0]
    listed = isinstance(right, ast.Tuple | ast.List | ast.Set)
    if (not fits or alone == listed or not isinstance(tree.left, ast.Name)
            or tree.left.id not in (CALL, OUTCOME)):
        return ""
    items = right.elts if isinstance(right, ast.Tuple | ast.List | ast.Set) else [right]
    return tree.left.id if items and all(isinstance(i, ast.Constant) and isinstance(i.value, str)
                                         for i in items) else ""


def _values(tree: ast.Compare) -> list[str]:
    return [n.value for n in ast.walk(tree.comparators[0])
            if isinstance(n, ast.Constant) and isinstance(n.value, str)]


def _text(tree: ast.expr, tighter: int = 0) -> str:
    """`tighter` is how tightly what is around it binds: or 1, and 2, not 3."""
    match tree:
        case ast.BoolOp(op=op, values=values):
            word, binds = ("and", 2) if isinstance(op, ast.And) else ("or", 1)
            told = f" {word} ".join(_text(value, binds) for value in values)
        case ast.UnaryOp(operand=operand):
            told, binds = f"not {_text(operand, 3)}", 3
        case ast.Call(args=[argument]):
            return f"{BEFORE}({_text(argument)})"
        case _:
            return ast.unparse(tree)
    return f"({told})" if binds < tighter or binds == tighter < 3 else told


def _term(tree: ast.expr, view: View, step: StepView | None) -> Bool:
    """`view` is the state that names speak of, `step` the step that leads there."""
    match tree:
        case ast.BoolOp(op=op, values=values):
            join = conj if isinstance(op, ast.And) else disj
            return join(*(_term(value, view, step) for value in values))
        case ast.UnaryOp(operand=operand):
            return negate(_term(operand, view, step))
        case ast.Name(id=name):
            return NAMES[name].of(view)
    assert step is not None
    if isinstance(tree, ast.Call):
        return _term(tree.args[0], step.before, None)
    assert isinstance(tree, ast.Compare)
    words = _values(tree)
    said = (step.op(*words) if _compared(tree) == CALL
            else step.ended(*(Outcome[word] for word in words)))
    return negate(said) if isinstance(tree.ops[0], ast.NotEq | ast.NotIn) else said


def _joined(tree: ast.expr, by: type[ast.boolop], negated: bool = False) -> list[ast.expr]:
    """What an expression, or its negation, joins by `by`: itself where it joins nothing so."""
    if isinstance(tree, ast.UnaryOp):
        return _joined(tree.operand, by, not negated)
    other = ast.Or if by is ast.And else ast.And
    if isinstance(tree, ast.BoolOp) and isinstance(tree.op, other if negated else by):
        return [part for value in tree.values for part in _joined(value, by, negated)]
    return [ast.UnaryOp(ast.Not(), tree) if negated else tree]
