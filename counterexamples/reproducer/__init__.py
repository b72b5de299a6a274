"""C programs from traces."""
