"""Debian's archive: which kernels and kernel sources its suites have; and such a package itself."""
