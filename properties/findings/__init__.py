"""The findings by cause: which kernels have it, who is at fault, and what would make the promise
hold. They are of the newest edition; what that has mended stays, as of the last that had it.

A remedy is a file of model/kernel/remedies/; `python -m model.findings` proves each row anew.
"""

from __future__ import annotations

from properties.findings import protection, stores
from properties.findings.base import Broken, Finding, Shown

__all__ = ["FINDINGS", "Broken", "Finding", "Shown"]

FINDINGS: tuple[Finding, ...] = (*stores.FINDINGS, *protection.FINDINGS)
