"""The editions and mappings on which engines and solvers are held against each other."""

CELLS = [("before", "shmem"), ("v6.1", "shmem"),
         *(("v6.12", mapping) for mapping in ("anon", "shmem", "private-shmem", "hugetlb",
                                              "private-file"))]
"""A change of each kind; test_expectations.py has every edition and mapping, by one engine."""
