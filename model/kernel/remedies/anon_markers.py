"""Anonymous memory takes uffd-wp markers always, as with UFFD_FEATURE_WP_UNPOPULATED."""

from __future__ import annotations

from model.kernel.editions import Edition
from model.kernel.logic import Bool
from model.kernel.records import Vma
from model.kernel.userfaultfd_k import userfaultfd_wp


def userfaultfd_wp_use_markers(ed: Edition, vma: Vma) -> Bool:
    return userfaultfd_wp(vma)
