"""A conversation with the agent on one running kernel, with a time limit on every answer."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

from counterexamples.lab.errors import KernelFailed, NotTried
from counterexamples.lab.observe import Seen, run_by_kernel
from counterexamples.lab.pulse import Pulse
from model.processes import release

WINDOW = 2048
"""Bytes of questions sent ahead: a serial line without flow control drops what the guest's 4096
byte input buffer (N_TTY_BUF_SIZE) cannot hold."""
_CHUNK = 65536
_GATHER = 0.001
"""Seconds: a serial port gives byte by byte, and waking for each costs more than all the rest."""
_SHOWN = 60
"""Characters of what was said, or asked."""
_LOOK = 0.5
"""Seconds between two looks at how the other side is."""
_LONGEST = 1 << 20
"""Bytes of a line; an answer of the longest run has a tenth."""


@dataclass(frozen=True)
class Run:
    """A list of operations from a fresh mapping."""

    mapping: str
    ops: tuple[str, ...]

    @property
    def question(self) -> str:
        return f"run {self.mapping} {' '.join(self.ops)}"


class Runner(Protocol):
    """Whatever answers runs: a real kernel, or in a test the model itself."""

    def answers(self, runs: Iterable[Run]) -> Iterator[tuple[Run, tuple[Seen, ...]]]:
        """Each run with what was seen after each of its steps, in order."""
        ...


class Session:
    """The agent's side is the standard input and output of `process`.

    `console` is the kernel's own log, removed when all went well. `limit` is for each answer and
    `boot` for the first word, in seconds of the other side's own time: what it waits for a CPU of a
    busy machine does not count. Raises NotTried where the first word does not come.
    """

    def __init__(self, process: subprocess.Popen[bytes], console: Path | None, limit: float,
                 boot: float) -> None:
        self._process = process
        self._console = console
        self._limit = limit
        self._buffer = b""
        self._lines: deque[bytes] = deque()
        assert process.stdin
        assert process.stdout
        self._in, self._out = process.stdin, process.stdout
        os.set_blocking(self._out.fileno(), False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._out, selectors.EVENT_READ)
        try:
            hello = self._line("the first word of the agent", boot)
            if not hello.startswith("agent "):
                raise self._garbage(hello, "the first word of the agent")
        except KernelFailed as error:
            self._stop()
            raise NotTried(error.reason, error.console, panicked=error.panicked) from error
        except BaseException:
            self._stop()
            raise
        self.release, _, self.version = hello.removeprefix("agent ").partition(" | ")

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        if kind is None:
            self._send("end")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=self._limit)
            if self._console is not None:
                self._console.unlink(missing_ok=True)
        self._stop()

    def probe(self, mapping: str) -> dict[str, str]:
        """What this kernel lacks for the mapping, by feature, with the reason; found by trying."""
        answer = self.ask(f"probe {mapping}")
        parts = [part.partition(" ") for part in answer.split("; ")]
        if any(verb not in ("has", "lacks") for verb, _, _ in parts):
            raise self._garbage(answer, f"an answer to 'probe {mapping}'")
        lacks = [rest.partition(": ") for verb, _, rest in parts if verb == "lacks"]
        return {feature: reason for feature, _, reason in lacks}

    def ask(self, question: str) -> str:
        """One line for one line. Raises KernelFailed when it does not come."""
        self._send(question)
        answer = self._line(f"an answer to {question!r}", self._limit)
        if answer.startswith("error "):
            raise NotTried(answer.removeprefix("error "))
        return answer

    def answers(self, runs: Iterable[Run]) -> Iterator[tuple[Run, tuple[Seen, ...]]]:
        """See Runner. Raises KernelFailed, naming the run, when no good answer comes."""
        asked: deque[Run] = deque()
        ahead = 0
        try:
            for run in runs:
                size = len(run.question) + 1
                while asked and ahead + size > WINDOW:
                    ahead -= len(asked[0].question) + 1
                    yield self._answer(asked.popleft())
                self._send(run.question)
                asked.append(run)
                ahead += size
            while asked:
                yield self._answer(asked.popleft())
        except GeneratorExit:
            while asked:  # nobody wants these; the next question must not get them
                self._answer(asked.popleft())
            raise

    def run(self, mapping: str, ops: Sequence[str]) -> tuple[Seen, ...]:
        """What is seen after each step of one run."""
        return next(self.answers([Run(mapping, tuple(ops))]))[1]

    def execute(self, path: str, tell: Callable[[str], object] = lambda line: None) -> int:
        """Run a program; `tell` gets its lines. Its exit status (128 + signal where killed)."""
        self._send(f"exec {path}")
        while not (line := self._line(f"the end of {path}", self._limit)).startswith("exit "):
            tell(line)
        return int(line.removeprefix("exit "))

    def _answer(self, run: Run) -> tuple[Run, tuple[Seen, ...]]:
        wanted = f"an answer to {_short(run.question)!r}"
        line = self._line(wanted, self._limit)
        if line.startswith("error "):
            raise NotTried(f"{line.removeprefix('error ')} ({_short(run.question)!r})")
        try:
            seen = run_by_kernel(line)
        except ValueError as error:
            raise self._garbage(line, wanted) from error
        if len(seen) != len(run.ops):
            raise self._garbage(line, wanted)
        return run, seen

    def _send(self, line: str) -> None:
        try:
            self._in.write(line.encode() + b"\n")
            self._in.flush()
        except BrokenPipeError:
            pass  # the missing answer tells why

    def _line(self, wanted: str, limit: float) -> str:
        """The next line; `limit` is in seconds of the other side's own time."""
        pulse, look = None, min(_LOOK, limit / 4)
        due = time.monotonic() + look
        while not self._lines:
            ready = self._selector.select(look)
            if time.monotonic() >= due:
                pulse = pulse or Pulse(self._process.pid, self._console)
                if not ready and look + pulse.own() >= limit:
                    raise self._late(wanted, limit, pulse)
                due = time.monotonic() + look
            if not ready:
                continue
            time.sleep(_GATHER)
            chunk = self._out.read(_CHUNK)
            if chunk == b"":
                raise self._ended(wanted)
            *whole, self._buffer = (self._buffer + (chunk or b"")).split(b"\n")
            self._lines.extend(whole)
            if len(self._buffer) > _LONGEST:
                raise self._garbage(self._buffer[:_LONGEST].decode(errors="replace"), wanted)
        return self._lines.popleft().decode(errors="replace").rstrip("\r")

    def _late(self, wanted: str, limit: float, pulse: Pulse) -> KernelFailed:
        what = f"{wanted} did not come within {limit:g} s"
        if how := pulse.at_work():
            return NotTried(f"slow: {what}, and it is still at work ({how}): --timeout gives it "
                            "longer", self._console)
        return KernelFailed(f"hung: {what}, and it is idle", self._console)

    def _ended(self, wanted: str) -> KernelFailed:
        """How the kernel ended: its panic, if it said one. That somebody killed the virtual machine
        is not its doing."""
        if self._console is not None and self._console.exists():
            for line in self._console.read_text(errors="replace").splitlines():
                if "Kernel panic" in line:
                    panic = line[line.index("Kernel panic"):].strip()
                    return KernelFailed(f"panicked ({panic}) before {wanted}", self._console,
                                        panicked=True)
        killed = self._process.wait() < 0
        said = self._process.stderr.read().decode(errors="replace") if self._process.stderr else ""
        how = "was killed" if killed else "ended"
        more = f" ({' '.join(said.split())})" if said.strip() else ""
        return (NotTried if killed else KernelFailed)(f"{how}{more} before {wanted}", self._console)

    def _garbage(self, line: str, wanted: str) -> KernelFailed:
        return NotTried(f"said {_short(line)!r} instead of {wanted}", self._console)

    def _stop(self) -> None:
        self._selector.close()
        self._process.kill()
        self._process.communicate()
        if self._console is not None:
            release(self._console)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN - 3] + "..."
