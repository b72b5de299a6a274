"""The editions and mappings on which engines and solvers are held against each other."""

from itertools import product

CELLS = [*product(("before", "v6.1", "v6.12"), ("anon", "shmem")),
         ("v6.12", "private-shmem"), ("v6.12", "hugetlb"), ("v6.12", "private-file")]
"""A change of each kind; test_expectations.py has every edition and mapping, by one engine."""
