"""Ctrl-C while Z3 runs."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import TracebackType

import z3

RETRY = 0.1  # seconds between two tries to stop a solver


class CtrlC:
    """Waits for Ctrl-C in a thread of its own, while it is entered; `pressed` says it came.

    Left to the usual handlers it can be lost: a KeyboardInterrupt that comes up in a finaliser,
    and every Z3 term has one, is dropped, and Z3's own handler swallows what reaches it as a check
    ends. Here no handler runs: the signal is blocked, and taken by sigwait. From then on every
    running check is stopped, until this is left.
    """

    def __init__(self, on_press: Callable[[], None] = lambda: None) -> None:
        self._on_press = on_press
        self._pressed = threading.Event()
        self._left = threading.Event()

    def __enter__(self) -> CtrlC:
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 where: TracebackType | None) -> None:
        self._left.set()
        self._watcher.join()
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def pressed(self) -> bool:
        return self._pressed.is_set()

    def _watch(self) -> None:
        while not self._left.is_set():
            if signal.sigtimedwait({signal.SIGINT}, RETRY):
                self._pressed.set()
                self._on_press()
            if self.pressed():
                z3.main_ctx().interrupt()
