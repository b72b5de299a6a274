"""How the lab fails; each message is one line."""

from __future__ import annotations

from pathlib import Path


class CannotRun(Exception):
    """This kernel cannot be tried here: a tool, an image or a feature is missing. A SKIP."""


class KernelFailed(Exception):
    """The kernel did not do its part: it hung, panicked, or said something else than an answer.

    `console` is the log that was kept, where there is one.
    """

    def __init__(self, message: str, console: Path | None = None) -> None:
        super().__init__(message + (f"; console log: {console}" if console else ""))
        self.console = console
