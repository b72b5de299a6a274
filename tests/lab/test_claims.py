"""Claims on real kernels: what makes one false, or true with exceptions, happens there too."""

from __future__ import annotations

import pytest

from counterexamples.lab.kernels import at_hand, named
from counterexamples.lab.replaying import Plan, replay
from model.checking.cells import Exit
from model.checking.claims import judge
from model.checking.claims_report import exit_code
from model.kernel.editions import find_edition
from model.system.state.mappings import MAPPINGS
from properties.claims import CLAIMS


@pytest.mark.parametrize("line", ["6.1", "6.12"])
def test_what_decides_a_claim_is_confirmed(line: str) -> None:
    """Every claim on every mapping; the calls of each answer that has some, in one boot. On 6.12,
    the reading of the message is not what happens."""
    edition = find_edition(f"v{line}")
    judged = list(judge(list(CLAIMS.values()), edition, list(MAPPINGS.values())))
    assert exit_code(judged, strict=False) == Exit.MET
    shown = [(j.claim.name, a) for j in judged for a in j.answers if a.ops]
    assert {j.claim.name for j in judged if j.verdict != "true"} <= {name for name, _ in shown}
    kernel = at_hand(named(f"debian:{line}"), print)
    with kernel.start() as session:
        for name, answer in shown:
            assert answer.kernel == edition.name
            done = replay(Plan(edition, answer.mapping, "", answer.ops or ()), kernel, session)
            assert done.verdict.word == "confirmed", (name, answer.ops, done.verdict.line)
        for name, answer in shown if line == "6.12" else ():
            if name == "try-makes-up-for-it":
                read = Plan(find_edition("v6.3-as-described"), answer.mapping, "",
                            answer.ops or ())
                assert replay(read, kernel, session).verdict.line == (
                    "not reproduced at step 4: faults: model 0, kernel 1")
