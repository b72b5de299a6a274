"""What `diff` asks of two editions before any promise: whether what was stored can be lost.

Not among PROPERTIES: it is judged of what one edition does beside another, on the same calls.
"""

from __future__ import annotations

from model.system.asking.language import Bool, conj, disj, implies, negate
from model.system.asking.view import StepView, View
from properties.base import Property


def dirty(s: View) -> Bool:
    """The kernel knows that the page must not be dropped unwritten: by its entry, by the page
    cache, or because it is in swap or on its way."""
    return disj(s.dirty, conj(s.entry.in_cache, s.entry.cache_dirty),
                conj(s.not_present, negate(s.marker)))


def _kept(t: StepView) -> Bool:
    there = disj(t.after.present, conj(t.after.mapping.shared, t.after.entry.in_cache))
    return implies(conj(dirty(t.before), there), dirty(t.after))


DATA_KEPT = Property(
    name="data-kept",
    claim="No call takes the dirty bit from a page that stays: reclaim would drop what was stored.",
    origin="x86/mm: Fix user-space data loss with MADV_FREE and THP",
    witness=lambda t: conj(dirty(t.before), t.after.present),
    allowed=_kept,
)
