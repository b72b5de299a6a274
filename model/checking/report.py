"""The report for a reader: what changed, what is broken and why, then every verdict."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from model.checking.cells import Cause, CellResult, judged
from model.checking.compared import KINDS, OTHER_CALLS, Compared, Pair, compared
from model.checking.diff_report import COLOURS, signed
from model.checking.formats import left, passes, story
from model.checking.table import Table
from model.kernel.changes import CHANGES
from model.kernel.editions import find_edition
from model.kernel.remedies import words

_PROSE = 100  # columns: longer lines are hard to read, however wide the terminal
_VERDICTS = {"proved": "32", "violated": "33", "bounded": "36", "unknown": "35", "vacuous": "35",
             "contradiction": "31"}
_UNMET = "31"

_T = TypeVar("_T")


def headline(results: Sequence[CellResult], width: int) -> str:
    """One promise on one mapping in some editions, before anything else is known."""
    wide = max(len(r.kernel) for r in results)
    lines = [f"{results[0].prop} on {results[0].scope}"]
    for r in results:
        told = f"{r.word} at every depth" if r.verdict == "proved" else story(
            replace(r, causes=None))
        lines += _wrapped(f"{r.kernel:{wide}}  {told}", width, "  ", " " * (wide + 4))
    return "\n".join(lines)


@dataclass(frozen=True)
class TextReport:
    """`width` in columns; `strict` as of --strict: no violation is accepted."""

    results: Sequence[CellResult]
    width: int
    colour: bool = False
    strict: bool = False
    verbose: int = 0

    def __str__(self) -> str:
        between = self._between()
        parts = [*(self._difference(c) for c in between), *self._broken(between),
                 *self._others(between), str(self._table()), self._legend()]
        return "\n\n".join(part for part in parts if part)

    def _passes(self, r: CellResult) -> bool:
        kernels = {own.kernel for own in judged(self.results)}
        return passes(r, self.strict and r.kernel in kernels)

    def _paint(self, text: str, r: CellResult) -> str:
        return self._coloured(text, _VERDICTS[r.verdict] if self._passes(r) else _UNMET)

    def _coloured(self, text: str, code: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self.colour else text

    def _wrap(self, text: str, first: str = "", others: str = "") -> list[str]:
        return _wrapped(text, self.width, first, others)

    def _table(self) -> Table:
        return Table(self.results, self._passes, self._paint, self.width)

    def _legend(self) -> str:
        told = []
        if any(r.verdict == "proved" and r.pages is None for r in self.results):
            told.append("proved: at every depth, certificate checked")
        if any(r.verdict == "proved" and r.pages is not None for r in self.results):
            told.append("proved for N = k: at every depth, of mappings with k pages; all states "
                        "that can be reached were visited")
        if any(r.cached for r in self.results):
            told.append("(cached): that was in an earlier run")
        if any(r.verdict == "violated" for r in self.results):
            told.append(f"{'@k: violated' if self._table().many else 'violated@k'}: the shortest "
                        "trace has k calls")
        if any(r.verdict == "bounded" for r in self.results):
            told.append("bounded@k: none up to k calls, no proof")
        if unmet := [r for r in self.results if not self._passes(r)]:
            own = all(r.expected is None for r in unmet)
            told.append("!: not as " + ("wanted" if self.strict or own else "expected"))
        return "\n".join(self._wrap("; ".join(told)))

    def _between(self) -> list[Compared]:
        """Where two editions are compared, or some with a patch file to those without."""
        patches = dict.fromkeys((r.base, r.kernel, r.patch) for r in self.results if r.patch)
        if patches:
            return [compared(self.results, *pair) for pair in patches]
        kernels = list(dict.fromkeys(r.kernel for r in self.results))
        if len(kernels) != 2:
            return []
        by = signed(find_edition(kernels[0]), find_edition(kernels[1]))
        return [compared(self.results, kernels[0], kernels[1], by)]

    def _difference(self, c: Compared) -> str:
        """What was mended and broken; of what is as it was, the sum."""
        lines = self._wrap(f"From {c.before} to {c.after} ({c.by}):")
        for kind in KINDS:
            for alike in _grouped(c.of_kind(kind), _key):
                lines += self._changed(kind, alike)
        same, settled = len(c.of_kind("")), len(c.pairs)
        told = f"{same} of {settled} verdicts are the same" if settled else "nothing to compare"
        if c.open:
            told += f"; {c.open} more not compared: not settled in both"
        return "\n".join([*lines, *self._wrap(told, "  ", "    ")])

    def _changed(self, kind: str, alike: Sequence[Pair]) -> list[str]:
        old, new = alike[0].before, alike[0].after
        scopes = _listed(p.after.scope for p in alike)
        note = "" if self._passes(new) else f", {self._unmet(new)}"
        head, *rest = self._wrap(f"{kind}: {new.prop} on {scopes}: {_short(old)} -> {_short(new)}"
                                 + note, "  ", "    ")
        lines = [head.replace(kind, self._coloured(kind, COLOURS.get(kind, "36")), 1), *rest]
        if kind == OTHER_CALLS:
            lines += self._calls(new) + self._calls(old, f"{old.kernel}: ")
        else:
            lines += self._calls(new if new.trace else old)
        return lines + (self._why(new) if new.verdict == "violated" else [])

    def _broken(self, between: Sequence[Compared]) -> list[str]:
        """Each violation that has not been told, once, with all that share its calls; what two
        editions that are compared share, in a line each."""
        shared = [p for c in between for p in c.shared]
        told = {id(r) for c in between for p in c.pairs for r in (p.before, p.after)
                if p.kind or (p in c.shared and not self.verbose)}
        left = [r for r in self.results if r.verdict == "violated" and id(r) not in told]
        parts = ["\n".join(self._violation(group)) for group in self._by_calls(left)]
        if shared and not self.verbose:
            lines = ["Broken in both, by the same calls:"]
            for group in _grouped(shared, lambda p: (p.after.prop, p.after.trace, _behind(p),
                                                     self._passes(p.after))):
                scopes, r = _listed(p.after.scope for p in group), group[0].after
                note = "" if self._passes(r) else f", {self._unmet(r)}"
                lines += self._wrap(f"{r.prop} on {scopes}: {_calls(r)}{note}{_behind(group[0])}",
                                    "  ", "    ")
            parts.append("\n".join(lines))
        return parts

    def _by_calls(self, results: Sequence[CellResult]) -> list[list[CellResult]]:
        """Those not as wanted first; in a group each mapping has the same editions."""
        by_scope = _grouped(results, lambda r: (r.prop, r.scope, *self._story_key(r)))
        groups = _grouped(by_scope, lambda group: (
            group[0].prop, tuple(r.kernel for r in group), *self._story_key(group[0])))
        flat = [[r for group in alike for r in group] for alike in groups]
        return sorted(flat, key=lambda group: all(map(self._passes, group)))

    def _story_key(self, r: CellResult) -> tuple[Hashable, ...]:
        return (r.trace, r.because, r.causes, r.rest, r.loss, r.news, r.open, r.met,
                self._passes(r))

    def _violation(self, group: Sequence[CellResult]) -> list[str]:
        r = group[0]
        scopes, kernels = _listed(g.scope for g in group), _listed(g.kernel for g in group)
        worst = next((g for g in group if not self._passes(g)), None)
        note = self._unmet(worst) if worst else "as expected"
        return [*self._wrap(f"{r.prop} on {scopes} in {kernels}: violated at step {r.depth}, "
                            f"{note}", "", "  "), *self._calls(r), *self._why(r)]

    def _unmet(self, r: CellResult) -> str:
        if r.news or r.open:
            return f"NOT EXPECTED: {r.news}" if r.news else f"unknown {r.open}"
        if r.met:
            return "known, but --strict accepts no violation"
        if r.expected is None:
            return "a promise of your own"
        keeps = "keep" if r.expected == "proved" else "break"
        return "NOT EXPECTED" + (f": {r.base} is expected to {keeps} it" if r.patch else "")

    def _calls(self, r: CellResult, label: str = "") -> list[str]:
        return self._wrap(f"{label}{_calls(r)}", "    ", "      ")

    def _why(self, r: CellResult) -> list[str]:
        """The kind of loss, and why it is expected; or all causes, where they were asked for."""
        loss = [f"    {r.loss}"] if r.loss else []
        if r.causes is None:
            return [*loss, *self._wrap(r.because, "    ", "    ")]
        if len(r.causes) == 1:
            told = f"{r.because or r.causes[0].name or 'no known cause'}{_away(r.causes[0])}"
            return [*loss, *self._wrap(f"{told}; {left(r)}", "    ", "    ")]
        lines = [line for n, c in enumerate(r.causes, start=1)
                 for line in self._wrap(self._cause(c), f"    {n}. ", "       ")]
        return [*loss, *lines, *self._wrap(left(r), "    ", "    ")]

    def _cause(self, c: Cause) -> str:
        return (f"{c.name or 'no known cause'}: {', '.join(c.calls) or 'the fresh mapping'}"
                f"{_away(c)}")

    def _others(self, between: Sequence[Compared]) -> list[str]:
        """What was not settled or not as expected, alike in one line; with -v also what each proof
        leans on. What a run that was cut short has left open, its last line counts."""
        told = {id(p.after) for c in between for p in c.pairs if p.kind}
        lines: list[str] = []
        for group in _grouped((r for r in self.results if r.verdict != "violated"
                               and id(r) not in told and not r.cut_short and not self._passes(r)),
                              lambda r: (story(r), r.kernel)):
            names = _listed(f"{r.prop} on {r.scope}" for r in group)
            lines += self._wrap(f"{names} in {group[0].kernel}: {story(group[0])}", "", "  ")
        if self.verbose:
            lines += [f"{r.prop} on {r.scope} in {r.kernel}: proved by {r.engine} in "
                      f"{r.seconds:.2f} s; leans on {', '.join(r.lemmas) or 'no lemma'}"
                      for r in self.results if r.verdict == "proved"]
            sizes = {(r.kernel, r.scope): (r.states, r.diameter) for r in self.results
                     if r.states is not None}
            lines += [f"{mapping} in {kernel}: {states} reachable states, diameter {diameter}"
                      for (kernel, mapping), (states, diameter) in sizes.items()]
        return ["\n".join(lines)] if lines else []


def _grouped(items: Iterable[_T], key: Callable[[_T], Hashable]) -> list[list[_T]]:
    """Those with the same key together, in the order in which they first come."""
    groups: dict[Hashable, list[_T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())


def _listed(names: Iterable[str]) -> str:
    """Each once; names with commas of their own are set apart by semicolons."""
    once = list(dict.fromkeys(names))
    return ("; " if any("," in name for name in once) else ", ").join(once)


def _key(p: Pair) -> Hashable:
    return (p.after.prop, p.before.verdict, p.before.trace, p.after.trace, p.after.because,
            p.after.causes, p.after.rest, p.after.loss, p.after.news, p.after.open, p.after.met)


def _behind(p: Pair) -> str:
    """That more breaks the promise than the calls that both share."""
    one, other = ([c.calls for c in r.causes or ()][1:] for r in (p.before, p.after))
    if one != other:
        return "; what else breaks it is not the same in both (-v says it)"
    count = len(one)
    return f"; {count} more cause{'s'[:count != 1]} (-v says them)" if count else ""


def _away(c: Cause) -> str:
    return (f"; without {c.remedy[1:]} it is not" if c.remedy and c.remedy[0] == "-" else
            f"; taken away by {c.remedy} ({_meant(c.remedy)})" if c.remedy else
            f"; excused: {c.excused} is not called" if c.excused else "")


def _meant(remedy: str) -> str:
    """What takes a cause away, in a few words: the title of a change, what a remedy's file says."""
    return "; ".join(CHANGES[name].title if name in CHANGES else words(name)
                     for name in remedy.split("+"))


def _short(r: CellResult) -> str:
    return f"{r.verdict}@{r.depth}" if r.verdict == "violated" else r.word


def _calls(r: CellResult) -> str:
    return ", ".join(r.trace or ()) or "the fresh mapping"


def _wrapped(text: str, width: int, first: str, others: str) -> list[str]:
    return textwrap.wrap(text, max(30, min(width, _PROSE)), initial_indent=first,
                         subsequent_indent=others, break_on_hyphens=False, break_long_words=False)
