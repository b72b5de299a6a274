"""python -m model.findings: what is broken and where, who is at fault, and what would mend it.

For each cause, in the last edition that has it: the promise is broken without the remedy and proved
with it, on each mapping and with each operation that it names; and what other promise, of those
kept before, it would cost. These answers are from the exhausted state graph. Which editions have it
is told by calls that break the promise there, and with the remedy do not.
Last comes what breaks a promise by design: broken with the calls, proved without them.

exit codes: 0 every remedy keeps its word, 1 one does not, 2 wrong usage
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from model.checking.remedies import (
    PACKAGE,
    PROVED,
    VIOLATED,
    Judge,
    breaks,
    has,
    last,
    lost,
    spanned,
    spans,
)
from model.cli import Parser, entry, one_of
from model.kernel.editions import find_edition
from model.kernel.releases import KERNELS, NEWEST
from model.kernel.remedies import words
from model.system.state.mappings import find_mapping
from properties import PROPERTIES
from properties.designed import DESIGNED, Designed
from properties.findings import FINDINGS, Broken, Finding, Shown

PROG = "model.findings"
_FOLDER = PACKAGE.replace(".", "/")


@dataclass(frozen=True)
class Case:
    """One promise, mapping and set of operations of a finding: its verdict without the remedy and
    with it, and the promises that the remedy costs there."""

    promise: str
    scope: str
    before: str
    after: str
    cost: tuple[str, ...]
    said: tuple[str, ...] = ()

    @property
    def met(self) -> bool:
        return (self.before, self.after) == (VIOLATED, PROVED) and set(self.cost) <= set(self.said)


def judged(finding: Finding) -> Iterator[Case]:
    """Each case of a finding."""
    judges: dict[tuple[str, ...], Judge] = {}

    def judge(*remedies: str) -> Judge:
        return judges.setdefault(remedies, Judge(find_edition(last(finding)), remedies))

    for broken in finding.broken:
        before, after = judge(*broken.behind), judge(*broken.behind, finding.remedy)
        for name in broken.mappings.split():
            mapping = find_mapping(name)
            cost = tuple(name for name, _ in lost(before, after, mapping, broken.allow))
            for promise in broken.promises.split():
                prop = PROPERTIES[promise]
                yield Case(promise, _scope(name, broken),
                           before.answer(prop, mapping, broken.allow).verdict,
                           after.answer(prop, mapping, broken.allow).verdict, cost,
                           finding.gives_up)


def _scope(mapping: str, broken: Broken) -> str:
    """The mapping, the operations, and the remedies that the cause is behind."""
    behind = f" behind {', '.join(broken.behind)}" if broken.behind else ""
    return "+".join((mapping, *broken.allow)) + behind


def found(finding: Finding) -> list[str]:
    """For each way in which it shows, the editions that have it."""
    return [spans([name for name in KERNELS if has(find_edition(name), finding, shown)])
            for shown in finding.shown]


def as_text(finding: Finding, kernels: Sequence[str], cases: Sequence[Case]) -> str:
    """One finding for a reader, 72 columns wide."""
    lines = [finding.cause]
    for shown, have in zip(finding.shown, kernels, strict=True):
        stated = spans(spanned(shown.kernels))
        wrong = f", NOT {stated}" if have != stated else ""
        lines += _wrapped("kernels", f"{have or 'none'}{wrong}: {_calls(shown)}")
    lines += [f"  at fault   {finding.function}", f"             {finding.path}"]
    for label, text in (("change", finding.change), ("cost", finding.cost),
                        ("remedy", f"{_FOLDER}/{finding.remedy}.py: {words(finding.remedy)}")):
        lines += _wrapped(label, text)
    lines += [f"  in {last(finding)}"]
    for case in cases:
        costs = "".join(f"; {'costs' if name in case.said else 'BREAKS'} {name}"
                        for name in case.cost)
        lines += [f"  {case.promise} on {case.scope}: {case.before}, with it {case.after}{costs}"]
    for name in dict.fromkeys(name for broken in finding.broken for name in broken.behind):
        lines += _wrapped("behind", f"{name}: {words(name)}")
    return "\n".join(lines)


def by_design(designed: Designed) -> tuple[str, bool]:
    """One such cause for a reader, and whether all is as it says."""
    lines, met, judge = [designed.cause], True, Judge(find_edition(NEWEST))
    for shown in designed.shown:
        have = spans([name for name in KERNELS if breaks(find_edition(name), shown)])
        met &= have == spans(spanned(shown.kernels))
        lines += _wrapped("kernels", f"{have or 'none'}: {_calls(shown)}")
    lines += [*_wrapped("by design", designed.because), *_wrapped("instead", designed.instead),
              f"  in {NEWEST}"]
    for broken in designed.broken:
        for name in broken.mappings.split():
            for promise in broken.promises.split():
                there = [judge.answer(PROPERTIES[promise], find_mapping(name), allow).verdict
                         for allow in (broken.allow, ())]
                met &= there[0] == VIOLATED and there[1] in (
                    PROVED, PROPERTIES[promise].expected(find_edition(NEWEST), find_mapping(name)))
                lines += [f"  {promise} on {_scope(name, broken)}: {there[0]}, without: {there[1]}"]
    return "\n".join(lines), met


def _wrapped(label: str, text: str) -> list[str]:
    return textwrap.wrap(text, 72, initial_indent=f"  {label:11}", subsequent_indent=" " * 13)


def _calls(shown: Shown) -> str:
    return f"{', '.join(shown.ops)} breaks {shown.promise} on {shown.mapping}"


def as_markdown() -> str:
    """The table that the gallery keeps, from the data alone."""
    rows = ["# Findings", "",
            "Made by `python -m model.findings --format markdown`; `python -m model.findings` "
            "proves each row", "anew, in the last edition that has it: broken without the remedy, "
            "proved with it at every depth,", "and no promise lost that was kept on that mapping "
            "with those operations. Which editions have it,", "first and last, is told by calls "
            "that break the promise there, and with the remedy do not.", "",
            "| cause | kernels | broken | at fault | what would make it hold | remedy | cost |",
            "|---|---|---|---|---|---|---|"]
    for f in FINDINGS:
        kernels = "<br>".join(f"{spans(spanned(s.kernels))}: `{s.calls}` on {s.mapping}"
                              for s in f.shown)
        later = KERNELS[KERNELS.index(last(f)) + 1:]
        mended = f" (mended in {later[0]})" if later else ""
        rows.append(f"| {f.cause}{mended} | {kernels} | {_broken(f.broken)} | `{f.function}`, "
                    f"{f.path} | {f.change} | `{f.remedy}` | {f.cost or 'none found'} |")
    rows += ["", "The loss of v6.1 on shared memory is mended by the patch itself, 931298e103c2: "
             "`--kernel v6.1", "--with 931298e103c2`.", "",
             "## By design", "", "No change should mend these; `check` excuses their calls.", "",
             "| cause | kernels | broken | why | instead |", "|---|---|---|---|---|"]
    for d in DESIGNED:
        kernels = "<br>".join(f"{spans(spanned(s.kernels))}: `{s.calls}` on {s.mapping}"
                              for s in d.shown)
        rows.append(f"| {d.cause} | {kernels} | {_broken(d.broken)} | {d.because} | {d.instead} |")
    return "\n".join(rows)


def _broken(cases: Sequence[Broken]) -> str:
    """In the table: what is broken, where, and by what."""
    return "<br>".join(
        f"`{promise}` on {', '.join(b.mappings.split())}"
        + (f" with {', '.join(b.allow)}" if b.allow else "")
        + (f", behind {', '.join(b.behind)}" if b.behind else "")
        for b in cases for promise in b.promises.split())


def parser() -> argparse.ArgumentParser:
    p = Parser(prog=f"python -m {PROG}", description=__doc__, allow_abbrev=False,
               formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--remedy", action="append", metavar="NAME", default=[],
                   type=one_of("remedy", list(dict.fromkeys(f.remedy for f in FINDINGS))),
                   help="of these remedies only; repeatable")
    p.add_argument("--format", default="text", metavar="FORMAT",
                   type=one_of("format", ["text", "markdown"]),
                   help="text or markdown: the second proves nothing")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    if args.format == "markdown":
        print(as_markdown())
        return 0
    met = True
    chosen = [f for f in FINDINGS if not args.remedy or f.remedy in args.remedy]
    for number, finding in enumerate(chosen, start=1):
        print(f"{number} of {len(chosen)}: {finding.cause}", file=sys.stderr, flush=True)
        kernels, cases = found(finding), list(judged(finding))
        met &= all(case.met for case in cases)
        met &= kernels == [spans(spanned(shown.kernels)) for shown in finding.shown]
        print(as_text(finding, kernels, cases), end="\n\n", flush=True)
    for designed in () if args.remedy else DESIGNED:
        text, kept = by_design(designed)
        met &= kept
        print(text, end="\n\n", flush=True)
    return 0 if met else 1


if __name__ == "__main__":
    entry(PROG, main)
