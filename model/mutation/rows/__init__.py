"""The mutants, by what the functions do."""

from model.mutation.mutant import Mutant
from model.mutation.rows import (
    aliases,
    bits_of_entries,
    data,
    faults,
    fills,
    guards,
    kernel_accesses,
    minor,
    moves,
    newer,
    protection,
    ranges,
    rwp,
    scans,
    tracking,
    whole_pages,
)

MUTANTS: tuple[Mutant, ...] = (
    *bits_of_entries.MUTANTS,
    *protection.MUTANTS,
    *faults.MUTANTS,
    *kernel_accesses.MUTANTS,
    *tracking.MUTANTS,
    *whole_pages.MUTANTS,
    *moves.MUTANTS,
    *newer.MUTANTS,
    *scans.MUTANTS,
    *fills.MUTANTS,
    *guards.MUTANTS,
    *minor.MUTANTS,
    *rwp.MUTANTS,
    *data.MUTANTS,
    *aliases.MUTANTS,
    *ranges.MUTANTS,
)
