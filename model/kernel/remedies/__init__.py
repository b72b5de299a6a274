"""Remedies: for each cause of a broken promise the kernel function at fault, changed.

A file for each. It defines functions under the names of the kernel functions that they replace,
with the same parameters; inside one the kernel function of its name is the edition's own again.
What each is for, and what it costs, stands in properties/findings/.
"""

from __future__ import annotations

import importlib
import re


def words(name: str) -> str:
    """What a remedy does, in a few words: the beginning of what its file says."""
    said = " ".join((importlib.import_module(f"{__name__}.{name}").__doc__ or "").split())
    return re.split(r"[.:;](?: |$)", said)[0]
