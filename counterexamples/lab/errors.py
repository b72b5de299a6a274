"""How the lab fails; each message is one line."""

from __future__ import annotations

from pathlib import Path

from model.cli import one_line
from model.machine import CannotRun as CannotRun


class KernelFailed(Exception):
    """The kernel did not do its part in what it was asked: it hung, panicked, or ended.

    `reason` says so; `console` is the log that was kept, where there is one; `panicked` tells a
    panic that the log has.
    """

    def __init__(self, reason: str, console: Path | None = None, *,
                 panicked: bool = False) -> None:
        super().__init__(one_line(reason + (f"; console log: {console}" if console else "")))
        self.reason = reason
        self.console = console
        self.panicked = panicked


class NotTried(KernelFailed, CannotRun):
    """Nothing can be told of the kernel: it did not come up, was too slow, or was not understood.
    A SKIP."""
