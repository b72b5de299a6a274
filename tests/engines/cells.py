"""The editions and mappings on which engines and solvers are held against each other."""

import pytest

CELLS = [("v6.12", "anon"), *(pytest.param(edition, mapping, marks=pytest.mark.lab)
                              for edition, mapping in (
         ("before", "shmem"), ("v6.1", "shmem"), ("v6.12", "shmem"), ("v6.12", "private-shmem"),
         ("v6.12", "hugetlb"), ("v6.12", "private-file")))]
"""A change of each kind; test_expectations.py has every edition and mapping, by one engine."""
