"""What ends a command, and what becomes of its children and temporary folders: one rule.

SIGINT, SIGTERM and SIGHUP are one wish. Outside an `Interruption` the command ends at once; inside,
it ends soon, and keeps and reports what it has. Whatever else ends it, its children end with it:
workers by the kernel's word (`end_with`), all others by a guard (model/guard.py) that also removes
temporary folders. Children that programs are started as belong to `group()`.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, NoReturn, TypeVar

if TYPE_CHECKING:
    import subprocess

INTERRUPTED, CANNOT_TELL = 30, 125
"""Exit codes of a command that was cut short, and of one that `git bisect run` asked."""
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LEAVE = signal.SIGURG
"""Tells the thread of an Interruption that it is left; no harm where it is not awaited."""
_RETRY = 0.1
"""Seconds between two tries to stop a solver."""
_PR_SET_PDEATHSIG = 1
_SI_KERNEL = 128
"""Of a signal that a terminal sends, to all processes there (sigaction(2))."""

T = TypeVar("T")
Stopped = Callable[[], bool]
"""Whether the user wants an end."""


def interrupted_code() -> int:
    """`git bisect run` would take a revision for bad that was not judged to the end."""
    return CANNOT_TELL if "--bisect" in sys.argv else INTERRUPTED


class _End:
    """What a signal does to the command `prog`. No exception is raised for it: one that comes up in
    a finaliser, and every Z3 term has one, would be dropped."""

    def __init__(self, prog: str) -> None:
        self._prog = prog
        self.told = "interrupted"

    def __call__(self, number: int, frame: FrameType | None) -> None:
        for other in _heeded():  # a terminal's reaches all processes, and a parent may pass it on
            signal.signal(other, signal.SIG_IGN)
        with suppress(Exception):  # it may be what was interrupted
            sys.stdout.flush()
        with suppress(OSError):
            start = "\r\033[K" if os.isatty(2) else ""  # over the status line
            os.write(2, f"{start}{self._prog}: {self.told}\n".encode())
        say_end()
        end_now(interrupted_code())


def end_now(code: int) -> NoReturn:
    """Without waiting for threads."""
    clean_up()
    os._exit(code)


def end_on_signals(prog: str) -> None:
    """From now on a signal ends the command `prog` at once, in one line."""
    end = _End(prog)
    for number in _heeded():
        signal.signal(number, end)


def _finish_first() -> None:
    """A command that was cut short tells what it has: the next signal, which an impatient user
    sends, does not cut that too, and the one after it says so."""
    ends = {number: signal.getsignal(number) for number in _heeded()}

    def again(number: int, frame: FrameType | None) -> None:
        for each, end in ends.items():
            signal.signal(each, end)
            if isinstance(end, _End):
                end.told = "interrupted again, and what it had to say is cut"

    for number in ends:
        signal.signal(number, again)


def end_command_early() -> None:
    """As `end_on_signals`, from the first import on, where this package is imported because one of
    its commands is run: sys.argv[0] is "-m" until the command is found (python -m)."""
    if sys.argv[:1] == ["-m"]:
        end_on_signals(next((word for flag, word in pairwise(sys.orig_argv) if flag == "-m"),
                            "ptecheck"))


def _heeded() -> set[signal.Signals]:
    """All but those that are ignored because the caller wants it, as nohup does."""
    return {s for s in _ENDING if signal.getsignal(s) is not signal.SIG_IGN}


class Interruption:
    """While it is entered, the signals do nothing but set `pressed`, make the file `told` readable,
    and stop every running check of Z3 until it is left.

    They are blocked, and taken by a thread of its own: Z3's own handler would swallow a SIGINT that
    reaches it as a check ends.
    """

    def __init__(self) -> None:
        self._pressed, self._left = threading.Event(), threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Interruption:
        self._signals = {*_heeded(), _LEAVE}
        self.told, self._tell = os.pipe()
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, self._signals)
        self._watcher.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 where: TracebackType | None) -> None:
        self._left.set()
        assert self._watcher.ident is not None
        signal.pthread_kill(self._watcher.ident, _LEAVE)
        self._watcher.join()
        if self.pressed():
            _finish_first()
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        os.close(self.told)
        os.close(self._tell)

    def pressed(self) -> bool:
        return self._pressed.is_set()

    def taking(self, items: Generator[T, None, None]) -> Iterator[T]:
        """What is found until a signal comes. What comes up after it, answer or error, is not
        believed: it may rest on a check that was stopped."""
        try:
            for item in items:
                if self.pressed():
                    return
                yield item
        except (Exception, KeyboardInterrupt):
            if not self.pressed():
                raise
        finally:
            items.close()

    def _watch(self) -> None:
        while signal.sigwait(self._signals) == _LEAVE:
            if self._left.is_set():
                return
        self._pressed.set()
        os.write(self._tell, b"!")
        import z3  # slow to import, and needed by few

        while not self._left.is_set():
            z3.main_ctx().interrupt()
            signal.sigtimedwait(self._signals, _RETRY)


def until_interrupted(found: Callable[[Stopped], Generator[T, None, None]],
                      tell: Callable[[T], object] = lambda item: None) -> list[T]:
    """All that `found` yields until a signal comes; `tell` gets each. Raises KeyboardInterrupt
    where a signal came before anything was found."""
    items = []
    with Interruption() as stop:
        for item in stop.taking(found(stop.pressed)):
            items.append(item)
            tell(item)
        if stop.pressed() and not items:
            raise KeyboardInterrupt
    return items


def end_with(parent: int) -> None:
    """Called in a forked child: the kernel kills it when the thread ends that forked it, in the
    process `parent` (prctl(2), PR_SET_PDEATHSIG)."""
    import ctypes  # not needed, and slow to import, for a single task

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended before
        os._exit(1)


class LastWords:
    """What a process leaves in a file without a name (memfd_create(2)), however it ends."""

    _DONE = b"done"

    def __init__(self) -> None:
        self.file = os.memfd_create("ptecheck-last-words")

    def __del__(self) -> None:
        os.close(self.file)

    def are_mine(self) -> None:
        """Called in the process that leaves them."""
        _mine[:] = [self]

    def done(self) -> None:
        os.write(self.file, self._DONE)

    @property
    def text(self) -> str:
        return os.pread(self.file, 1 << 16, 0).decode(errors="replace")

    @property
    def say_done(self) -> bool:
        return self.text.endswith(self._DONE.decode())


_mine: list[LastWords] = []
"""The last words of this process, where another one will read them."""


def kept_words() -> LastWords | None:
    return _mine[0] if _mine else None


def say_end() -> None:
    """That this process ends because it wants to, with what it has to say said."""
    if words := kept_words():
        words.done()


def ending(status: int) -> str:
    """How a process ended, by what waitpid(2) says of it."""
    code = os.waitstatus_to_exitcode(status)
    return f"with exit code {code}" if code >= 0 else f"by signal {-code}"


def relay(child: int) -> int:
    """Wait for a child process, to which signals are passed on; they and SIGCHLD are blocked here.
    Its status, as of waitpid(2)."""
    signals = {*_heeded(), signal.SIGCHLD}
    while True:
        info = signal.sigwaitinfo(signals)
        if info.si_signo == signal.SIGCHLD:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return status
        elif info.si_code != _SI_KERNEL:
            os.kill(child, info.si_signo)


_lock = threading.Lock()
_guards: list[subprocess.Popen[bytes]] = []
"""The guard of this process, once it has been needed."""


def _guard() -> subprocess.Popen[bytes]:
    import atexit  # few commands have such children
    import subprocess

    with _lock:
        if not _guards:
            atexit.register(clean_up)
            _guards.append(subprocess.Popen(
                [sys.executable, "-I", "-S", str(Path(__file__).with_name("guard.py"))],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0, bufsize=0))
        return _guards[0]


def _tell_guard(sign: str, path: Path) -> None:
    stdin = _guard().stdin
    assert stdin is not None
    stdin.write(f"{sign}{path.absolute()}\0".encode(errors="surrogateescape"))


def group() -> int:
    """The process group (`process_group=` of subprocess) of children that are to end with this
    process."""
    return _guard().pid


@contextmanager
def temporary_folder(within: Path | None = None) -> Iterator[Path]:
    """A new folder, below `within` or the machine's place for such; removed in the end, whatever
    ends it. Raises OSError."""
    import shutil
    import tempfile

    path = Path(within or tempfile.gettempdir()) / f"ptecheck-{os.urandom(8).hex()}"
    remove_at_end(path)
    path.mkdir(mode=0o700)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        release(path)


def remove_at_end(path: Path) -> None:
    """Remove a file or folder when this process ends, unless it is released before."""
    _tell_guard("+", path)


def release(path: Path) -> None:
    _tell_guard("-", path)


def clean_up() -> None:
    """What the end of this process would do to its children and folders, done now."""
    while _guards:
        guard = _guards.pop()
        if guard.stdin and guard.stdout:
            guard.stdin.close()
            guard.stdout.read()  # until the last of it has ended
            guard.stdout.close()
            guard.wait()
