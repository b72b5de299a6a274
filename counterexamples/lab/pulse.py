"""Whether a process that gives no answer is at work, idle, or only short of a CPU.

A busy machine makes a guest slow, not hung: time spent waiting for a CPU is not the guest's own
(Documentation/scheduler/sched-stats.rst: /proc/PID/schedstat).
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_now = time.monotonic
_AT_WORK = 0.2
"""Of its own time: an idle guest takes a twentieth of a CPU for its timers."""


@dataclass(frozen=True)
class _Sample:
    """In seconds: `own` is time since the beginning, less that spent waiting for a CPU; `ran` is
    CPU time. `said` is the length of the console's log."""

    own: float
    ran: float
    said: int


class Pulse:
    """Taken from time to time of process `pid` and its children; `console` is its log, if any."""

    def __init__(self, pid: int, console: Path | None) -> None:
        self._pid = pid
        self._console = console
        self._start = _now()
        self._before = self._threads()
        self._samples = [_Sample(0.0, 0.0, self._said())]

    def own(self) -> float:
        """Seconds in which it ran or could have run, since the beginning."""
        threads = self._threads()
        spent = [(ran - self._before.get(thread, (0.0, 0.0))[0],
                  waited - self._before.get(thread, (0.0, 0.0))[1])
                 for thread, (ran, waited) in threads.items()]
        waited = max((waited for _, waited in spent), default=0.0)
        self._samples.append(_Sample(_now() - self._start - waited,
                                     sum(ran for ran, _ in spent), self._said()))
        return self._samples[-1].own

    def at_work(self) -> str | None:
        """By what it was, in the later half of its time, if it was: its console grew, or it ran."""
        last = self._samples[-1]
        half = max((s for s in self._samples if s.own <= last.own / 2), key=lambda s: s.own)
        if last.said > half.said:
            return "its console grows"
        if last.ran - half.ran > _AT_WORK * (last.own - half.own):
            return "it computes, in silence" if self._console else "it computes"
        return None

    def _said(self) -> int:
        with suppress(OSError):
            if self._console is not None:
                return self._console.stat().st_size
        return 0

    def _threads(self) -> dict[str, tuple[float, float]]:
        """CPU time and time waited for a CPU, in seconds, of each thread; nothing where this
        system does not tell."""
        found = {}
        for pid in _family(self._pid):
            with suppress(OSError):
                for thread in os.listdir(f"/proc/{pid}/task"):
                    with suppress(OSError, ValueError):
                        text = Path(f"/proc/{pid}/task/{thread}/schedstat").read_text()
                        ran, waited, _ = (int(word) for word in text.split())
                        found[thread] = ran / 1e9, waited / 1e9
        return found


def _family(pid: int) -> list[int]:
    """A process and those that it has started, and so on (proc(5): the fourth field of stat)."""
    parents: dict[int, list[int]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            stat = Path(f"/proc/{name}/stat").read_text()
            parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(name))
    family = [pid]
    for member in family:
        family += parents.get(member, [])
    return family
