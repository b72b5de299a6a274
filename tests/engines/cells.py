"""The editions and mappings on which engines and solvers are held against each other."""

import pytest

CELLS = [*(pytest.param(edition, "shmem", marks=pytest.mark.lab) for edition in ("before", "v6.1")),
         *(("v6.12", mapping) for mapping in ("anon", "shmem")),
         *(pytest.param("v6.12", mapping, marks=pytest.mark.lab)
           for mapping in ("private-shmem", "hugetlb", "private-file"))]
"""A change of each kind; test_expectations.py has every edition and mapping, by one engine."""
