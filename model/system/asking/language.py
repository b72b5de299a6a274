"""The words that promises and lemmas are written in, beside the questions of view.py."""

from model.kernel.editions import Edition
from model.kernel.logic import Bool, as_term, conj, disj, implies, negate
from model.kernel.records import Mapping, Outcome

__all__ = ["Bool", "Edition", "Mapping", "Outcome", "as_term", "conj", "disj", "implies", "negate"]
